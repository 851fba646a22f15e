-- Asks a run to end.
--
-- KEYS[1]  run
-- ARGV[1]  channel of those that follow the run
--
-- Returns 1, or 0 when there is no such run.
--
-- Atomic, because a run that ends meanwhile must not come back as a key with nothing but this wish.

if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], 'cancel', 1)
redis.call('PUBLISH', ARGV[1], '')
return 1
