-- Commits one turn: appends it to a log and writes its record. When a durable run made the turn, the run ends with it.
--
-- KEYS[1]  record of the response
-- KEYS[2]  log to append to
-- KEYS[3]  log of the response's own branch
-- KEYS[4…] in a conversation, its record and the places of its turns; then other logs of the path that live in this slot; behind them, when
--          a run made the turn, the run, its journal, its event log; behind them, unless Redis is a Cluster, the tenant's index of the day
--          and its list of days
-- ARGV[1]  length that KEYS[2] must have; -1: the turn goes aside, to its own branch
-- ARGV[2]  turn element
-- ARGV[3]  head of the record when appended
-- ARGV[4]  head of the record when branched
-- ARGV[5]  envelope, which follows either head
-- ARGV[6]  retention in milliseconds
-- ARGV[7]  created, in milliseconds, for the index; empty when the index is not among the keys
-- ARGV[8]  response id, for the index
-- ARGV[9]  day of the index
-- ARGV[10] when that index may go, in milliseconds since 1970
-- ARGV[11] number of other logs
-- ARGV[12] in a conversation its self, the secret half of its id; else empty
-- ARGV[13] token of the writer's hold on the conversation
-- ARGV[14] self of the response
-- ARGV[15…] length that the other logs must have at least; behind them, when a run made the turn, its token, the channel of those that
--          follow it, for how many milliseconds its event log is kept, the index of the first of the last events, the last events
--
-- Returns 0 appended, 1 branched, 2 the record was there already, 3 a log is shorter than its length, 4 the token is not the run's any more,
-- 5 the event log is shorter than the index, 6 somebody else writes to the conversation or has done so, 7 the conversation is gone (from 2 on
-- nothing is written).
--
-- Atomic, because whether the turn follows its parent or has lost a race, which log it goes to, and what its record says about that must
-- be one decision: between a check and a push from outside another replica could append. The test for the record makes a second try of
-- the same commit harmless. The index comes along to save a second script; in a Cluster it lives in another slot and is written before.
-- A run ends here, so that nobody can take a run whose turn is kept, and nobody who follows it misses how it ended.
-- A conversation has one writer at a time: one whose hold is another's by now must not append, and one that nobody has written to since
-- gets what its writer made, even when the hold ran out.

local retention = tonumber(ARGV[6])
local others = tonumber(ARGV[11])
local joins = ARGV[12] ~= ''
local first = joins and 5 or 3
local firstRun = first + others
local run = 14 + others
local isRun = #ARGV > run

-- The logs of a path live at least as long as their youngest response; a shorter retention must not cut them off.
local function keep(key)
  if redis.call('PTTL', key) < retention then
    redis.call('PEXPIRE', key, retention)
  end
end

-- How many of the last events are in the event log already: an append may be sent on its own before.
local function knownEvents()
  return redis.call('LLEN', KEYS[firstRun + 3]) - ARGV[run + 4]
end

local function finishRun()
  for i = run + 5 + math.max(knownEvents(), 0), #ARGV do
    redis.call('RPUSH', KEYS[firstRun + 3], ARGV[i])
  end
  redis.call('PEXPIRE', KEYS[firstRun + 3], ARGV[run + 3])
  redis.call('DEL', KEYS[firstRun + 1], KEYS[firstRun + 2])
  redis.call('PUBLISH', ARGV[run + 2], '')
end

-- The days that have an index, each with its end (as in index.lua).
local function note(days)
  local known = redis.call('ZSCORE', days, ARGV[9])
  if not known then
    redis.call('ZREMRANGEBYSCORE', days, '-inf', string.format('%.0f', ARGV[10] - retention - 86400000))
  end
  if not known or tonumber(known) < tonumber(ARGV[10]) then
    redis.call('ZADD', days, ARGV[10], ARGV[9])
  end
  keep(days)
end

-- place: index in the conversation's log; -1 when the turn is not in it.
local function join(place)
  redis.call('HSET', KEYS[5], ARGV[14], place)
  if place >= 0 then
    redis.call('HINCRBY', KEYS[4], 'bytes', #ARGV[2])
    redis.call('HSET', KEYS[4], 'last', ARGV[14])
  end
  if redis.call('HGET', KEYS[4], 'owner') == ARGV[13] then
    redis.call('HDEL', KEYS[4], 'owner', 'until')
  end

  -- All keys of a conversation live as long as its record, also those that came later with a shorter retention.
  local left = math.max(retention, redis.call('PTTL', KEYS[4]))
  for _, key in ipairs({KEYS[2], KEYS[4], KEYS[5]}) do
    if redis.call('PTTL', key) < left then
      redis.call('PEXPIRE', key, left)
    end
  end
end

local function write(log, head)
  redis.call('RPUSH', log, ARGV[2])
  keep(log)
  redis.call('SET', KEYS[1], head .. ARGV[5], 'PX', retention)
  if ARGV[7] ~= '' then
    redis.call('ZADD', KEYS[#KEYS - 1], ARGV[7], ARGV[8])
    keep(KEYS[#KEYS - 1])
    note(KEYS[#KEYS])
  end
  if isRun then
    finishRun()
  end
end

if redis.call('EXISTS', KEYS[1]) == 1 then
  return 2
end

if isRun then
  local held = redis.call('HMGET', KEYS[firstRun + 1], 'token', 'lease')
  if held[1] ~= ARGV[run + 1] or held[2] == '0' then
    return 4
  end
  if #ARGV > run + 4 and knownEvents() < 0 then
    return 5
  end
end

local expected = tonumber(ARGV[1])
if joins then
  local held = redis.call('HMGET', KEYS[4], 'self', 'deleted', 'owner', 'until')
  if held[1] ~= ARGV[12] or held[2] then
    return 7
  end
  local time = redis.call('TIME')
  if expected >= 0 and held[3] and held[3] ~= ARGV[13] and tonumber(held[4]) > time[1] * 1000 + math.floor(time[2] / 1000) then
    return 6
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
for i = 1, others do
  if redis.call('LLEN', KEYS[first + i]) < tonumber(ARGV[14 + i]) then
    return 3
  end
end
if joins and length ~= expected then
  return 6
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
