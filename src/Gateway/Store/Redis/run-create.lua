-- Makes a run with its first events.
--
-- KEYS[1]  run
-- KEYS[2]  its event log
-- KEYS[3]  record of the response
-- KEYS[4]  record of the conversation of its chain, which need not be there
-- KEYS[5]  whether it was let in or forbidden (run-forbid.lua)
-- ARGV[1]  spec
-- ARGV[2]  who holds the first lease; empty for nobody
-- ARGV[3]  length of that lease in milliseconds
-- ARGV[4]  retention in milliseconds
-- ARGV[5]  token of the hold on the conversation that is the run's from now on; empty for none
-- ARGV[6]  for how many milliseconds it is remembered that the run was let in; empty when that is not
-- ARGV[7…] the first events
--
-- Returns when the lease runs out (now when nobody holds it), in milliseconds since 1970; 0 when the run has ended already, -1 when it is
-- forbidden.
--
-- Atomic, because a run must not be found without its events, and because this may be a second try: then the run may be there, be another
-- replica's by now, or have ended, and must not be begun again. A hold that lasts as long as a run must not be there without the run.

if redis.call('EXISTS', KEYS[3]) == 1 then
  return 0
end

if ARGV[6] ~= '' then
  if redis.call('GET', KEYS[5]) == 'no' then
    return -1
  end
  redis.call('SET', KEYS[5], 'made', 'PX', ARGV[6])
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
for i = 7, #ARGV do
  redis.call('RPUSH', KEYS[2], ARGV[i])
end
redis.call('PEXPIRE', KEYS[2], ARGV[4])
if ARGV[5] ~= '' and redis.call('HGET', KEYS[4], 'owner') == ARGV[5] then
  redis.call('HSET', KEYS[4], 'until', string.format('%.0f', now + tonumber(ARGV[4])))
end
return lease == 0 and now or lease
