-- Opens a conversation for a response, and takes hold of it for a writer.
--
-- KEYS[1]  record of the conversation
-- KEYS[2]  places of its turns
-- KEYS[3]  its log
-- KEYS[4]  the run that the token names
-- ARGV[1]  self, the secret half of its id
-- ARGV[2]  token of the hold; empty to take none
-- ARGV[3]  how long the hold lasts, in milliseconds; one that the token has already is not shortened
-- ARGV[4]  the most bytes that its turns may have together
-- ARGV[5]  retention in milliseconds
-- ARGV[6]  1 when the hold is that of a run: one that has ended, or was removed since it was taken, opens nothing, since nobody would give
--          the hold back
--
-- Returns an outcome (0 opened, 1 no such conversation, 2 somebody else holds it, 3 it is too large, 4 a newer format), the length of the log and the self of
-- the last response in it, or an empty text.
--
-- Atomic, because of two writers only one may find the conversation free, and because the length must be that at the moment of the hold. When a
-- hold runs out is for the server's clock to say: the clocks of replicas differ.

local held = redis.call('HMGET', KEYS[1], 'self', 'deleted', 'bytes', 'owner', 'until', 'last', 'v')
if held[1] ~= ARGV[1] or held[2] then
  return {1, 0, ''}
end
if held[7] then
  return {4, 0, ''}
end
if ARGV[2] ~= '' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if held[4] and held[4] ~= ARGV[2] and tonumber(held[5]) > now then
    return {2, 0, ''}
  end
  if ARGV[6] == '1' and redis.call('EXISTS', KEYS[4]) == 0 then
    return {2, 0, ''}
  end
  if tonumber(held[3]) <= tonumber(ARGV[4]) then
    local untilThen = math.max(now + tonumber(ARGV[3]), held[4] == ARGV[2] and tonumber(held[5]) or 0)
    redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'until', string.format('%.0f', untilThen))
  end
end
if tonumber(held[3]) > tonumber(ARGV[4]) then
  return {3, 0, ''}
end
-- All keys live as long as the record, also those that came later with a shorter retention.
local left = math.max(tonumber(ARGV[5]), redis.call('PTTL', KEYS[1]))
for i = 1, 3 do
  if redis.call('PTTL', KEYS[i]) < left then
    redis.call('PEXPIRE', KEYS[i], left)
  end
end
return {0, redis.call('LLEN', KEYS[3]), held[6] or ''}
