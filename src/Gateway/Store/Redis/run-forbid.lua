-- Sees to it that a run is never made.
--
-- KEYS[1]  run
-- KEYS[2]  record of its response
-- KEYS[3]  whether it was let in or forbidden
-- ARGV[1]  for how many milliseconds that is remembered
--
-- Returns 1, or 0 when it was let in already (nothing is changed).
--
-- Atomic, because whoever was to make the run may be about to: either it finds that it must not, or this finds what it made.

if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 or redis.call('GET', KEYS[3]) == 'made' then
  return 0
end
redis.call('SET', KEYS[3], 'no', 'PX', ARGV[1])
return 1
