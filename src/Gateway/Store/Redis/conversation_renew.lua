-- Prolongs the hold on a conversation.
--
-- KEYS[1]  record of the conversation
-- ARGV[1]  self, the secret half of its id
-- ARGV[2]  token of the hold
-- ARGV[3]  how long it lasts from now on, in milliseconds
-- ARGV[4]  1 for the hold of a run, else 0
--
-- Returns 0 done, 1 the conversation is gone, 2 somebody else holds it, or the run that held it has ended (nothing is written).
--
-- Atomic, because between the look and the write another writer could take the conversation. One that nobody took is taken again: had somebody
-- written meanwhile, the commit would find the log longer than it was. A run's hold is given up by whoever ends the run: a replica that does
-- not know of that end must not take it again.

local held = redis.call('HMGET', KEYS[1], 'self', 'deleted', 'owner', 'until')
if held[1] ~= ARGV[1] or held[2] then
  return 1
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local isMine = held[3] == ARGV[2]
if not isMine and (ARGV[4] == '1' or held[3] and tonumber(held[4]) > now) then
  return 2
end
local untilThen = math.max(now + tonumber(ARGV[3]), isMine and tonumber(held[4]) or 0)
redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'until', string.format('%.0f', untilThen))
return 0
