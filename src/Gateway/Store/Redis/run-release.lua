-- Gives the lease of a run up.
--
-- KEYS[1]  run
-- ARGV[1]  token
--
-- Returns nothing when the token is not the run's any more; else {now, retention}, in milliseconds (since 1970).
--
-- Atomic, because between the look at the token and the write another replica could take the run. Until somebody takes it no token is the
-- run's: who gave it up must not go on writing. Given up a second time it is told alike: the first reply may be lost.

local run = redis.call('HMGET', KEYS[1], 'token', 'lease', 'retention')
if run[1] ~= ARGV[1] then
  return false
end

local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'lease', 0, 'owner', '', 'told', 0)
return {time[1] * 1000 + math.floor(time[2] / 1000), tonumber(run[3])}
