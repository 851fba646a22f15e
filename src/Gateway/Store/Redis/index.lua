-- Notes a response in its tenant's index of one day.
--
-- KEYS[1]  index
-- ARGV[1]  created, in milliseconds
-- ARGV[2]  response id
-- ARGV[3]  retention in milliseconds
--
-- Returns 1.
--
-- Atomic, because an index without an expiry would stay for ever if the gateway died between the two writes, and because a shorter
-- retention must not shorten what others rely on.

redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 1
