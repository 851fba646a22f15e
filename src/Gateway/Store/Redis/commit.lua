-- Commits one turn: appends it to a log and writes its record.
--
-- KEYS[1]  record of the response
-- KEYS[2]  log to append to
-- KEYS[3]  log of the response's own branch
-- KEYS[4…] in a conversation, its record and the places of its turns; then other logs of the path that live in this slot; behind them,
--          unless Redis is a Cluster, the tenant's index of the day
-- ARGV[1]  length that KEYS[2] must have; -1: the turn goes aside, to its own branch
-- ARGV[2]  turn element
-- ARGV[3]  head of the record when appended
-- ARGV[4]  head of the record when branched
-- ARGV[5]  envelope, which follows either head
-- ARGV[6]  retention in milliseconds
-- ARGV[7]  created, in milliseconds, for the index; empty when the index is not among the keys
-- ARGV[8]  response id, for the index
-- ARGV[9]  in a conversation its self, the secret half of its id; else empty
-- ARGV[10] token of the writer's hold on the conversation
-- ARGV[11] self of the response
-- ARGV[12…] length that the other logs must have at least
--
-- Returns 0 appended, 1 branched, 2 the record was there already, 3 a log is shorter than its length, 5 somebody else writes to the
-- conversation or has done so, 6 the conversation is gone (3, 5 and 6: nothing is written).
--
-- Atomic, because whether the turn follows its parent or has lost a race, which log it goes to, and what its record says about that must
-- be one decision: between a check and a push from outside another replica could append. The test for the record makes a second try of
-- the same commit harmless. The index comes along to save a second script; in a Cluster it lives in another slot and is written before.
-- A conversation has one writer at a time: one whose hold is another's by now must not append, and one that nobody has written to since
-- gets what its writer made, even when the hold ran out.

local retention = tonumber(ARGV[6])
local joins = ARGV[9] ~= ''

-- The logs of a path live at least as long as their youngest response; a shorter retention must not cut them off.
local function keep(key)
  if redis.call('PTTL', key) < retention then
    redis.call('PEXPIRE', key, retention)
  end
end

-- place: index in the conversation's log; -1 when the turn is not in it.
local function join(place)
  redis.call('HSET', KEYS[5], ARGV[11], place)
  if place >= 0 then
    redis.call('HINCRBY', KEYS[4], 'bytes', #ARGV[2])
    redis.call('HSET', KEYS[4], 'last', ARGV[11])
  end
  if redis.call('HGET', KEYS[4], 'owner') == ARGV[10] then
    redis.call('HDEL', KEYS[4], 'owner', 'until')
  end
  keep(KEYS[4])
  keep(KEYS[5])
end

local function write(log, head)
  redis.call('RPUSH', log, ARGV[2])
  keep(log)
  redis.call('SET', KEYS[1], head .. ARGV[5], 'PX', retention)
  if ARGV[7] ~= '' then
    redis.call('ZADD', KEYS[#KEYS], ARGV[7], ARGV[8])
    keep(KEYS[#KEYS])
  end
end

if redis.call('EXISTS', KEYS[1]) == 1 then
  return 2
end

local expected = tonumber(ARGV[1])
if joins then
  local held = redis.call('HMGET', KEYS[4], 'self', 'deleted', 'owner', 'until')
  if held[1] ~= ARGV[9] or held[2] then
    return 6
  end
  local time = redis.call('TIME')
  if expected >= 0 and held[3] and held[3] ~= ARGV[10] and tonumber(held[4]) > time[1] * 1000 + math.floor(time[2] / 1000) then
    return 5
  end
end
if expected < 0 then
  write(KEYS[3], ARGV[4])
  if joins then
    join(-1)
  end
  return 1
end

local length = redis.call('LLEN', KEYS[2])
if length < expected then
  return 3
end
local others = #ARGV - 11
local first = joins and 5 or 3
for i = 1, others do
  if redis.call('LLEN', KEYS[first + i]) < tonumber(ARGV[11 + i]) then
    return 3
  end
end
if joins and length ~= expected then
  return 5
end
for i = 1, others do
  keep(KEYS[first + i])
end

if length == expected then
  write(KEYS[2], ARGV[3])
  if joins then
    join(expected)
  end
  return 0
end
keep(KEYS[2])
write(KEYS[3], ARGV[4])
return 1
