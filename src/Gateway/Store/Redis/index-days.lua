-- Completes a tenant's list of days.
--
-- KEYS[1]  list of days: a sorted set of when a day's index may go -> day
-- ARGV[1]  the mark that the list is whole
-- ARGV[2]  the time, in milliseconds since 1970
-- ARGV[3…] for each day that has an index, how many milliseconds it still has, and the day
--
-- Returns 1.
--
-- Atomic, because a commit may note one of the days meanwhile with a later end, which must stay, and because a list with the mark and
-- without the days would hide them.

local longest = 0
for i = 3, #ARGV, 2 do
  local ends = string.format('%.0f', ARGV[2] + ARGV[i])
  local known = redis.call('ZSCORE', KEYS[1], ARGV[i + 1])
  if not known or tonumber(known) < tonumber(ends) then
    redis.call('ZADD', KEYS[1], ends, ARGV[i + 1])
  end
  longest = math.max(longest, tonumber(ARGV[i]))
end
redis.call('ZADD', KEYS[1], '+inf', ARGV[1])
if redis.call('PTTL', KEYS[1]) < longest then
  redis.call('PEXPIRE', KEYS[1], longest)
end
return 1
