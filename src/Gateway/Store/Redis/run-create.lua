-- Makes a run with its first events.
--
-- KEYS[1]  run
-- KEYS[2]  its event log
-- KEYS[3]  record of the response
-- KEYS[4]  whether it was let in or forbidden (run-forbid.lua)
-- ARGV[1]  spec
-- ARGV[2]  who holds the first lease; empty for nobody
-- ARGV[3]  length of that lease in milliseconds
-- ARGV[4]  retention in milliseconds
-- ARGV[5]  for how many milliseconds it is remembered that the run was let in; empty when that is not
-- ARGV[6…] the first events
--
-- Returns when the lease runs out (now when nobody holds it), in milliseconds since 1970; 0 when the run has ended already, -1 when it is
-- forbidden.
--
-- Atomic, because a run must not be found without its events, and because this may be a second try: then the run may be there, be another
-- replica's by now, or have ended, and must not be begun again.

if redis.call('EXISTS', KEYS[3]) == 1 then
  return 0
end

if ARGV[5] ~= '' then
  if redis.call('GET', KEYS[4]) == 'no' then
    return -1
  end
  redis.call('SET', KEYS[4], 'made', 'PX', ARGV[5])
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = ARGV[2] == '' and 0 or now + ARGV[3]
local there = redis.call('HMGET', KEYS[1], 'token', 'owner', 'lease')
if there[1] then
  if there[1] == '1' and there[2] == ARGV[2] and there[3] ~= '0' then
    redis.call('HSET', KEYS[1], 'lease', lease, 'told', lease)
    return lease
  end
  return there[3] == '0' and now or tonumber(there[3])
end

redis.call('HSET', KEYS[1], 'spec', ARGV[1], 'token', ARGV[2] == '' and 0 or 1, 'owner', ARGV[2], 'lease', lease, 'told', lease, 'cancel', 0,
  'followed', now, 'retention', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
for i = 6, #ARGV do
  redis.call('RPUSH', KEYS[2], ARGV[i])
end
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return lease == 0 and now or lease
