-- Prolongs the hold on a conversation.
--
-- KEYS[1]  record of the conversation
-- ARGV[1]  self, the secret half of its id
-- ARGV[2]  token of the hold
-- ARGV[3]  how long it lasts from now on, in milliseconds
--
-- Returns 1, or 0 when somebody else holds the conversation or it is gone.
--
-- Atomic, because between the look and the write another writer could take the conversation. One that nobody took is taken again: had somebody
-- written meanwhile, the commit would find the log longer than it was.

local held = redis.call('HMGET', KEYS[1], 'self', 'deleted', 'owner', 'until')
if held[1] ~= ARGV[1] or held[2] then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if held[3] and held[3] ~= ARGV[2] and tonumber(held[4]) > now then
  return 0
end
redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'until', string.format('%.0f', now + tonumber(ARGV[3])))
return 1
