-- Puts another turn in the place of one of a conversation.
--
-- KEYS[1]  record of the conversation
-- KEYS[2]  its log
-- KEYS[3]  event log of the response that made the turn, which need not be there
-- ARGV[1]  index of the turn in the log
-- ARGV[2]  turn element as it was read
-- ARGV[3]  turn element that takes its place
--
-- Returns 1, or 0 when the turn is not what it was (nothing is written).
--
-- Atomic, because two replicas may erase two items of one turn at once, and neither may bring back what the other erased. The events tell the
-- whole output, so they go with it.

if redis.call('LINDEX', KEYS[2], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('LSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('DEL', KEYS[3])
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HINCRBY', KEYS[1], 'bytes', #ARGV[3] - #ARGV[2])
end
return 1
