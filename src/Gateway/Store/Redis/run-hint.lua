-- Moves a run in the index of live runs to the moment from which on it is free.
--
-- KEYS[1]  index of live runs
-- ARGV[1]  the run's name in the index
-- ARGV[2]  when its lease runs out, in milliseconds since 1970
-- ARGV[3]  retention in milliseconds
-- ARGV[4]  channel of those that wait for a free run; empty when the run is not free
--
-- Returns 1.
--
-- Atomic, because an index without an expiry could stay for ever, and because who is woken must find the run. It is a hint of its own slot:
-- the run itself says whether it is free.

redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
if ARGV[4] ~= '' then
  redis.call('PUBLISH', ARGV[4], '')
end
return 1
