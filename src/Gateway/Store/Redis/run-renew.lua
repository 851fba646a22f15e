-- Prolongs the lease of a run.
--
-- KEYS[1]  run
-- KEYS[2]  its journal
-- KEYS[3]  its event log
-- ARGV[1]  token
-- ARGV[2]  length of the lease from now on, in milliseconds
--
-- Returns nothing when the token is not the run's any more; else {lease, retention, cancel, for how many milliseconds nobody has followed it, 1
-- when the index of live runs is to be told}. The lease is when it runs out, in milliseconds since 1970. The index is told when its time is a third
-- of a lease behind: until then it knows a moment at which the run is held for long.
--
-- Atomic, because between the look at the token and the new lease another replica could take the run. A lease that has run out is prolonged
-- as long as nobody has taken it.

local run = redis.call('HMGET', KEYS[1], 'token', 'lease', 'retention', 'cancel', 'followed', 'told')
if run[1] ~= ARGV[1] or run[2] == '0' then
  return false
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = now + ARGV[2]
local told = tonumber(run[6] or 0)
local isBehind = lease < told or lease - told > ARGV[2] / 3
redis.call('HSET', KEYS[1], 'lease', lease, 'told', isBehind and lease or told)
for i = 1, 3 do
  redis.call('PEXPIRE', KEYS[i], run[3])
end
return {lease, tonumber(run[3]), tonumber(run[4]), now - run[5], isBehind and 1 or 0}
