-- Deletes a run.
--
-- KEYS[1]  run
-- KEYS[2]  its journal
-- KEYS[3]  its event log
-- KEYS[4]  record of the conversation of its chain, which need not be there
-- KEYS[5]  whether it was let in or forbidden (run-forbid.lua)
-- ARGV[1]  channel of those that follow the run
-- ARGV[2]  token of the hold that the run would have on the conversation
-- ARGV[3]  token of the run, which must be its own still; empty when anybody may delete it
-- ARGV[4]  1 when nothing was made of it: what was remembered as let in is forbidden now
--
-- Returns 1, or 0 when there was no such run or the token is not its own any more (nothing is deleted: the event log of a run that has ended
-- stays).
--
-- Atomic, because of two callers only one may say that it deleted the run, because its text must be gone all at once, and because between the
-- look at the token and the deletion another replica could take the run. The conversation is free with it: nobody else would give the hold up.
-- Whoever finds the run gone must find that it is forbidden, should it end before it has said so to anybody.

if ARGV[3] ~= '' then
  local run = redis.call('HMGET', KEYS[1], 'token', 'lease')
  if run[1] ~= ARGV[3] or run[2] == '0' and ARGV[3] ~= '0' then
    return 0
  end
end
if redis.call('DEL', KEYS[1]) == 0 then
  return 0
end
redis.call('DEL', KEYS[2], KEYS[3])
if redis.call('HGET', KEYS[4], 'owner') == ARGV[2] then
  redis.call('HDEL', KEYS[4], 'owner', 'until')
end
if ARGV[4] == '1' then
  redis.call('SET', KEYS[5], 'no', 'XX', 'KEEPTTL')
end
redis.call('PUBLISH', ARGV[1], '')
return 1
