-- Deletes a run.
--
-- KEYS[1]  run
-- KEYS[2]  its journal
-- KEYS[3]  its event log
-- ARGV[1]  channel of those that follow the run
--
-- Returns 1, or 0 when there was no such run (nothing is deleted: the event log of a run that has ended stays).
--
-- Atomic, because of two callers only one may say that it deleted the run, and because its text must be gone all at once.

if redis.call('DEL', KEYS[1]) == 0 then
  return 0
end
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('PUBLISH', ARGV[1], '')
return 1
