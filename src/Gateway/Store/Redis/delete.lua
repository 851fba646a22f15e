-- Deletes a response.
--
-- KEYS[1]  record of the response
-- KEYS[2]  its event log
-- KEYS[3]  the log that holds its turn
-- KEYS[4]  record of the conversation, when that log is a conversation's
-- ARGV[1]  index of the turn in the log
-- ARGV[2]  what takes the turn's place, so that the turns behind it keep their index
--
-- Returns 1, or 0 when there was no such record.
--
-- Atomic, because of two callers only one may say that it deleted the response, and because the text, the record and the events must be
-- gone together: half a deletion would leave text that no id leads to any more.

if redis.call('DEL', KEYS[1]) == 0 then
  return 0
end
redis.call('DEL', KEYS[2])
local turn = redis.call('LINDEX', KEYS[3], ARGV[1])
if turn then
  redis.call('LSET', KEYS[3], ARGV[1], ARGV[2])
  if KEYS[4] and redis.call('EXISTS', KEYS[4]) == 1 then
    redis.call('HINCRBY', KEYS[4], 'bytes', #ARGV[2] - #turn)
  end
end
return 1
