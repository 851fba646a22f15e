-- Lets a run into the index of live runs, unless there are too many.
--
-- KEYS[1]  index of live runs
-- ARGV[1]  the run's name in the index
-- ARGV[2]  the most runs that may be there, this one included
-- ARGV[3]  in how many milliseconds the run may be found as a free one
-- ARGV[4]  retention in milliseconds
--
-- Returns 1, or 0 when there are too many.
--
-- Atomic, because of two replicas that see the last free place only one may have it. A run that is there already is let in again: it is a
-- second try. The index is written before the run, so that no run is ever without its entry; an entry without a run is removed by whoever
-- tries to take it.

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1
