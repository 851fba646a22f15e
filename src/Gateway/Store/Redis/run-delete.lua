-- Deletes a run.
--
-- KEYS[1]  run
-- KEYS[2]  its journal
-- KEYS[3]  its event log
-- KEYS[4]  record of the conversation of its chain, which need not be there
-- ARGV[1]  channel of those that follow the run
-- ARGV[2]  token of the hold that the run would have on the conversation
--
-- Returns 1, or 0 when there was no such run (nothing is deleted: the event log of a run that has ended stays).
--
-- Atomic, because of two callers only one may say that it deleted the run, and because its text must be gone all at once. The conversation is
-- free with it: nobody else would give the hold up.

if redis.call('DEL', KEYS[1]) == 0 then
  return 0
end
redis.call('DEL', KEYS[2], KEYS[3])
if redis.call('HGET', KEYS[4], 'owner') == ARGV[2] then
  redis.call('HDEL', KEYS[4], 'owner', 'until')
end
redis.call('PUBLISH', ARGV[1], '')
return 1
