-- Notes in a conversation who has claimed something of it.
--
-- KEYS[1]  record of the conversation
-- ARGV[1]  field of the claim
-- ARGV[2]  who has claimed it
-- ARGV[3]  1 to note it, 0 to take the note away
--
-- Returns 1, or 0 when somebody else is noted (nothing is written). Without a conversation it returns 1 and writes nothing.
--
-- Atomic, because of two that claim only one may be noted, and because a conversation that was deleted in between must not come back as a key
-- without an expiry.

local held = redis.call('HMGET', KEYS[1], 'self', 'deleted', ARGV[1])
if not held[1] or held[2] then
  return 1
end
if held[3] and held[3] ~= ARGV[2] then
  return 0
end
if ARGV[3] == '1' then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1
