-- Moves a run in the index of live runs to the moment from which on it is free.
--
-- KEYS[1]  index of live runs
-- KEYS[2]  the tenant's part of it
-- KEYS[3]  tenants that have such a part
-- ARGV[1]  the run's name in the index
-- ARGV[2]  when its lease runs out, in milliseconds since 1970
-- ARGV[3]  retention in milliseconds
-- ARGV[4]  channel of those that wait for a free run; empty when the run is not free
-- ARGV[5]  the tenant
--
-- Returns 1.
--
-- Atomic, because an index without an expiry could stay for ever, and because who is woken must find the run. It is a hint of its own slot:
-- the run itself says whether it is free.

redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('SADD', KEYS[3], ARGV[5])
for i = 1, 3 do
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
  end
end
if ARGV[4] ~= '' then
  redis.call('PUBLISH', ARGV[4], '')
end
return 1
