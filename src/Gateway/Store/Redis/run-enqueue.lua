-- Lets a run into the index of live runs, unless there are too many.
--
-- KEYS[1]  index of live runs
-- KEYS[2]  the tenant's part of it
-- KEYS[3]  tenants that have such a part
-- ARGV[1]  the run's name in the index
-- ARGV[2]  the most runs that may be there, this one included
-- ARGV[3]  in how many milliseconds the run may be found as a free one
-- ARGV[4]  retention in milliseconds
-- ARGV[5]  the tenant
-- ARGV[6]  the most runs of the tenant that may be there, this one included
--
-- Returns 1, 0 when there are too many, -1 when there are too many of the tenant.
--
-- Atomic, because of two replicas that see the last free place only one may have it. A run that is there already is let in again: it is a
-- second try. The index is written before the run, so that no run is ever without its entry; an entry without a run is removed by whoever
-- tries to take it.

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
    return 0
  end
  if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[6]) then
    return -1
  end
end
local time = redis.call('TIME')
local free = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3]
redis.call('ZADD', KEYS[1], free, ARGV[1])
redis.call('ZADD', KEYS[2], free, ARGV[1])
redis.call('SADD', KEYS[3], ARGV[5])
for i = 1, 3 do
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[4]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[4])
  end
end
return 1
