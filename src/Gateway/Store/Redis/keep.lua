-- Lets the logs of a path that live in another slot than the turn to commit live at least as long as it.
--
-- KEYS     logs of one chain
-- ARGV[1]  retention in milliseconds
-- ARGV[2…] length that KEYS[1…] must have at least
--
-- Returns 1, or 0 when a log is shorter than its length (nothing is changed).
--
-- Atomic, because a log that is seen whole must not expire before its expiry is moved, and an expiry must never be moved forward by two
-- replicas with different retentions.

local retention = tonumber(ARGV[1])
for i = 1, #KEYS do
  if redis.call('LLEN', KEYS[i]) < tonumber(ARGV[i + 1]) then
    return 0
  end
end
for i = 1, #KEYS do
  if redis.call('PTTL', KEYS[i]) < retention then
    redis.call('PEXPIRE', KEYS[i], retention)
  end
end
return 1
