-- Commits one turn: appends it to a log and writes its record. When a durable run made the turn, the run ends with it.
--
-- KEYS[1]  record of the response
-- KEYS[2]  log to append to
-- KEYS[3]  log of the response's own branch
-- KEYS[4…] other logs of the path that live in this slot; behind them, when a run made the turn, the run, its journal, its event log;
--          behind them, unless Redis is a Cluster, the tenant's index of the day and its list of days
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
-- ARGV[12…] length that the other logs must have at least; behind them, when a run made the turn, its token, the channel of those that
--          follow it, for how many milliseconds its event log is kept, the index of the first of the last events, the last events
--
-- Returns 0 appended, 1 branched, 2 the record was there already, 3 a log is shorter than its length, 4 the token is not the run's any more,
-- 5 the event log is shorter than the index (from 2 on nothing is written).
--
-- Atomic, because whether the turn follows its parent or has lost a race, which log it goes to, and what its record says about that must
-- be one decision: between a check and a push from outside another replica could append. The test for the record makes a second try of
-- the same commit harmless. The index comes along to save a second script; in a Cluster it lives in another slot and is written before.
-- A run ends here, so that nobody can take a run whose turn is kept, and nobody who follows it misses how it ended.

local retention = tonumber(ARGV[6])
local others = tonumber(ARGV[11])
local run = 11 + others
local isRun = #ARGV > run

-- The logs of a path live at least as long as their youngest response; a shorter retention must not cut them off.
local function keep(key)
  if redis.call('PTTL', key) < retention then
    redis.call('PEXPIRE', key, retention)
  end
end

-- How many of the last events are in the event log already: an append may be sent on its own before.
local function knownEvents()
  return redis.call('LLEN', KEYS[6 + others]) - ARGV[run + 4]
end

local function finishRun()
  for i = run + 5 + math.max(knownEvents(), 0), #ARGV do
    redis.call('RPUSH', KEYS[6 + others], ARGV[i])
  end
  redis.call('PEXPIRE', KEYS[6 + others], ARGV[run + 3])
  redis.call('DEL', KEYS[4 + others], KEYS[5 + others])
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
  local held = redis.call('HMGET', KEYS[4 + others], 'token', 'lease')
  if held[1] ~= ARGV[run + 1] or held[2] == '0' then
    return 4
  end
  if #ARGV > run + 4 and knownEvents() < 0 then
    return 5
  end
end

local expected = tonumber(ARGV[1])
if expected < 0 then
  write(KEYS[3], ARGV[4])
  return 1
end

local length = redis.call('LLEN', KEYS[2])
if length < expected then
  return 3
end
for i = 1, others do
  if redis.call('LLEN', KEYS[3 + i]) < tonumber(ARGV[11 + i]) then
    return 3
  end
end
for i = 1, others do
  keep(KEYS[3 + i])
end

if length == expected then
  write(KEYS[2], ARGV[3])
  return 0
end
keep(KEYS[2])
write(KEYS[3], ARGV[4])
return 1
