-- Notes that somebody follows a run now.
--
-- KEYS[1]  run
--
-- Returns 1, or 0 when there is no such run.
--
-- Atomic, because a run that ends meanwhile must not come back as a key with nothing but this note.

if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'followed', time[1] * 1000 + math.floor(time[2] / 1000))
return 1
