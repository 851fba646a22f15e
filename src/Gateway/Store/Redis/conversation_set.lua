-- Puts other metadata in the place of a conversation's.
--
-- KEYS[1]  record of the conversation
-- KEYS[2]  places of its turns
-- KEYS[3]  its log
-- ARGV[1]  self, the secret half of its id
-- ARGV[2]  metadata
-- ARGV[3]  retention in milliseconds
--
-- Returns when it was created, in milliseconds, nil when there is no such conversation, or an empty text when it has a newer format.
--
-- Atomic, because a write behind a test could bring back a part of a conversation that was deleted in between, without an expiry.

local held = redis.call('HMGET', KEYS[1], 'self', 'deleted', 'created', 'v')
if held[1] ~= ARGV[1] or held[2] then
  return nil
end
if held[4] then
  return ''
end
redis.call('HSET', KEYS[1], 'metadata', ARGV[2])
-- All keys live as long as the record, also those that came later with a shorter retention.
local left = math.max(tonumber(ARGV[3]), redis.call('PTTL', KEYS[1]))
for i = 1, 3 do
  if redis.call('PTTL', KEYS[i]) < left then
    redis.call('PEXPIRE', KEYS[i], left)
  end
end
return held[3]
