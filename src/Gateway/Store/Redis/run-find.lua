-- Finds runs that are free, by the index of live runs.
--
-- KEYS[1]  index of live runs
-- ARGV[1]  the most to return
--
-- Returns their names, the longest waiting first.
--
-- A script, because the time is that of the server.

local time = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', time[1] * 1000 + math.floor(time[2] / 1000), 'LIMIT', 0, ARGV[1])
