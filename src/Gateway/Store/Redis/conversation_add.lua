-- Appends items to a conversation.
--
-- KEYS[1]  record of the conversation
-- KEYS[2]  places of its turns
-- KEYS[3]  its log
-- ARGV[1]  self, the secret half of its id
-- ARGV[2]  turn element with the items
-- ARGV[3]  self of that turn
-- ARGV[4]  the most bytes that its turns may have together
-- ARGV[5]  retention in milliseconds
--
-- Returns 0 done, 1 no such conversation, 2 somebody holds it, 3 it would be too large (nothing is written), 4 a newer format.
--
-- Atomic, because whether the conversation is there, free and small enough must hold at the moment of the push, and because a turn without
-- its place would be found by nobody. The test for the place makes a second try harmless. Whether a hold has run out is for the server's
-- clock to say: the clocks of replicas differ.

local held = redis.call('HMGET', KEYS[1], 'self', 'deleted', 'bytes', 'owner', 'until', 'v')
if held[1] ~= ARGV[1] or held[2] then
  return 1
end
if held[6] then
  return 4
end
if redis.call('HEXISTS', KEYS[2], ARGV[3]) == 1 then
  return 0
end
local time = redis.call('TIME')
if held[4] and tonumber(held[5]) > time[1] * 1000 + math.floor(time[2] / 1000) then
  return 2
end
if tonumber(held[3]) + #ARGV[2] > tonumber(ARGV[4]) then
  return 3
end

local length = redis.call('RPUSH', KEYS[3], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[3], length - 1)
redis.call('HINCRBY', KEYS[1], 'bytes', #ARGV[2])
-- All keys live as long as the record, also those that came later with a shorter retention.
local left = math.max(tonumber(ARGV[5]), redis.call('PTTL', KEYS[1]))
for i = 1, 3 do
  if redis.call('PTTL', KEYS[i]) < left then
    redis.call('PEXPIRE', KEYS[i], left)
  end
end
return 0
