-- Gives up the hold on a conversation, unless somebody else has it by now.
--
-- KEYS[1]  record of the conversation
-- ARGV[1]  token of the hold
--
-- Returns 1 when it was given up, else 0.
--
-- Atomic, because between the look and the deletion another writer could take the conversation.

if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'owner', 'until')
  return 1
end
return 0
