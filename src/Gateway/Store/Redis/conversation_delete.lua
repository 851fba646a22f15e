-- Ends a conversation: its items are gone, and nobody finds it any more. Its turns' own keys are left to the caller, who is told of them.
--
-- KEYS[1]  record of the conversation
-- KEYS[2]  places of its turns
-- KEYS[3]  its log
-- ARGV[1]  self, the secret half of its id
--
-- Returns the selfs of all its turns, nil when there is no such conversation, or an empty text when it has a newer format.
--
-- Atomic, because no turn may be appended behind the list of those that the caller removes. The record and the places stay, marked, until
-- the caller has done so: after a failure a second call gives the same list.

local held = redis.call('HMGET', KEYS[1], 'self', 'v')
if held[1] ~= ARGV[1] then
  return nil
end
if held[2] then
  return ''
end
redis.call('HSET', KEYS[1], 'deleted', 1)
redis.call('HDEL', KEYS[1], 'metadata', 'owner', 'until')
redis.call('DEL', KEYS[3])
return redis.call('HKEYS', KEYS[2])
