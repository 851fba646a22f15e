-- Makes a conversation.
--
-- KEYS[1]  record of the conversation
-- KEYS[2]  places of its turns
-- KEYS[3]  its log
-- ARGV[1]  self, the secret half of its id
-- ARGV[2]  created, in milliseconds
-- ARGV[3]  metadata
-- ARGV[4]  retention in milliseconds
-- ARGV[5]  turn element with its first items; empty for none
-- ARGV[6]  self of that turn
--
-- Returns 1.
--
-- Atomic, because a conversation without its items, or a key without an expiry, would stay if the gateway died between the writes. The test
-- for the record makes a second try harmless.

if redis.call('EXISTS', KEYS[1]) == 1 then
  return 1
end
redis.call('HSET', KEYS[1], 'self', ARGV[1], 'created', ARGV[2], 'metadata', ARGV[3], 'bytes', #ARGV[5])
if ARGV[5] ~= '' then
  redis.call('RPUSH', KEYS[3], ARGV[5])
  redis.call('HSET', KEYS[2], ARGV[6], 0)
end
for i = 1, 3 do
  redis.call('PEXPIRE', KEYS[i], ARGV[4])
end
return 1
