-- Takes the lease of a run that nobody holds.
--
-- KEYS[1]  run
-- KEYS[2]  its journal
-- KEYS[3]  its event log
-- ARGV[1]  who takes it
-- ARGV[2]  length of the lease in milliseconds
-- ARGV[3]  names this attempt
--
-- Returns nothing when there is no such run; when somebody holds it {lease, retention}; else {lease, retention, token, spec, cancel, length of
-- the event log, journal}. The lease is when it runs out, in milliseconds since 1970.
--
-- Atomic, because of two replicas only one may get it, and because the journal must be whole: from here on nobody who held the run before
-- appends to it any more. A second try of one attempt, whose first reply was lost, gets the same token.

local run = redis.call('HMGET', KEYS[1], 'lease', 'retention', 'spec', 'cancel', 'token', 'attempt')
if not run[1] then
  return false
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local retention = tonumber(run[2])
local isAgain = run[6] == ARGV[3]
if tonumber(run[1]) > now and not isAgain then
  return {tonumber(run[1]), retention}
end

local lease = now + ARGV[2]
local token = isAgain and tonumber(run[5]) or redis.call('HINCRBY', KEYS[1], 'token', 1)
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'lease', lease, 'attempt', ARGV[3], 'told', lease)
for i = 1, 3 do
  redis.call('PEXPIRE', KEYS[i], retention)
end
return {lease, retention, token, run[3], tonumber(run[4]), redis.call('LLEN', KEYS[3]), redis.call('LRANGE', KEYS[2], 0, -1)}
