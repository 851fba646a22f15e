-- Notes a response in its tenant's index of one day, and the day in the tenant's list of days.
--
-- KEYS[1]  index
-- KEYS[2]  list of days: a sorted set of when a day's index may go -> day
-- ARGV[1]  created, in milliseconds
-- ARGV[2]  response id
-- ARGV[3]  retention in milliseconds
-- ARGV[4]  day
-- ARGV[5]  when the index may go, in milliseconds since 1970
--
-- Returns 1.
--
-- Atomic, because an index without an expiry would stay for ever if the gateway died between the two writes, because a shorter
-- retention must not shorten what others rely on, and because an index that its list of days does not name is never read.

local retention = tonumber(ARGV[3])
local function keep(key)
  if redis.call('PTTL', key) < retention then
    redis.call('PEXPIRE', key, retention)
  end
end

redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
keep(KEYS[1])

local known = redis.call('ZSCORE', KEYS[2], ARGV[4])
if not known then
  -- Once a day: days whose index has gone. Clocks of replicas differ, hence the day between.
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', ARGV[5] - retention - 86400000))
end
if not known or tonumber(known) < tonumber(ARGV[5]) then
  redis.call('ZADD', KEYS[2], ARGV[5], ARGV[4])
end
keep(KEYS[2])
return 1
