-- Appends to the event log and the journal of a run.
--
-- KEYS[1]  run
-- KEYS[2]  its journal
-- KEYS[3]  its event log
-- ARGV[1]  token
-- ARGV[2]  channel of those that follow the run
-- ARGV[3]  index of the first event
-- ARGV[4]  index of the first entry
-- ARGV[5]  number of events
-- ARGV[6…] the events, and behind them the entries
--
-- Returns 1, 0 when the token is not the run's any more, 2 when a log is shorter than the index (in both cases nothing is written).
--
-- Atomic, because between the look at the token and the push another replica could take the run and read a journal that lacks what is
-- pushed here. What stands in a log already is not pushed again: this may be a second try.

local run = redis.call('HMGET', KEYS[1], 'token', 'lease', 'retention')
if run[1] ~= ARGV[1] or run[2] == '0' then
  return 0
end

local events = tonumber(ARGV[5])
local entries = #ARGV - 5 - events
local knownEvents = redis.call('LLEN', KEYS[3]) - ARGV[3]
local knownEntries = redis.call('LLEN', KEYS[2]) - ARGV[4]
if events > 0 and knownEvents < 0 or entries > 0 and knownEntries < 0 then
  return 2
end

for i = 1 + math.max(knownEvents, 0), events do
  redis.call('RPUSH', KEYS[3], ARGV[5 + i])
end
for i = 1 + math.max(knownEntries, 0), entries do
  redis.call('RPUSH', KEYS[2], ARGV[5 + events + i])
end
for i = 1, 3 do
  redis.call('PEXPIRE', KEYS[i], run[3])
end
redis.call('PUBLISH', ARGV[2], '')
return 1
