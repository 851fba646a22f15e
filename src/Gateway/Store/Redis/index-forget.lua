-- Forgets entries of an index that were met without their response, once they have been so for a while.
--
-- KEYS[1]  index
-- KEYS[2]  doubtful entries: a sorted set of when an entry was met first -> id
-- ARGV[1]  the time, in milliseconds since 1970
-- ARGV[2]  how long an entry stays doubtful, in milliseconds
-- ARGV[3…] the ids
--
-- Returns how many entries were forgotten.
--
-- Atomic, because the moment of the first meeting must be one for all replicas, and because doubts without an expiry would stay for ever.

-- Doubts are of no use behind the end of their index.
local left = redis.call('PTTL', KEYS[1])
if left <= 0 then
  return 0
end

local day = 86400000
local forgotten = 0
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', ARGV[1] - day))
for i = 3, #ARGV do
  local met = redis.call('ZSCORE', KEYS[2], ARGV[i])
  if not met then
    redis.call('ZADD', KEYS[2], ARGV[1], ARGV[i])
  elseif ARGV[1] - met > tonumber(ARGV[2]) then
    forgotten = forgotten + redis.call('ZREM', KEYS[1], ARGV[i])
    redis.call('ZREM', KEYS[2], ARGV[i])
  end
end
if redis.call('PTTL', KEYS[2]) < left then
  redis.call('PEXPIRE', KEYS[2], left)
end
return forgotten
