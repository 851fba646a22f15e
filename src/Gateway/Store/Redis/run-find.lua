-- Finds runs that are free, by the index of live runs.
--
-- KEYS[1]  index of live runs
-- KEYS[2]  tenants that have a part of it
-- ARGV[1]  the most to return of all tenants together; of each at least one is returned
-- ARGV[2]  what the name of a tenant's part begins with; it is in the slot of KEYS[1]
--
-- Returns their names, of each tenant the longest waiting first.
--
-- A script, because the time is that of the server, and because a tenant with many runs must not hide those of the others. What has no entry in
-- its tenant's part, as a replica of an earlier version writes it, is found by the index of all, and a part without entries is forgotten.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local most = tonumber(ARGV[1])
local tenants = redis.call('SMEMBERS', KEYS[2])
local each = math.max(1, math.floor(most / math.max(1, #tenants)))
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, each)
local seen = {}
for _, name in ipairs(found) do
  seen[name] = true
end
for _, tenant in ipairs(tenants) do
  local part = ARGV[2] .. tenant
  local names = redis.call('ZRANGEBYSCORE', part, '-inf', now, 'LIMIT', 0, each)
  for _, name in ipairs(names) do
    if not seen[name] then
      found[#found + 1] = name
    end
  end
  if #names == 0 and redis.call('EXISTS', part) == 0 then
    redis.call('SREM', KEYS[2], tenant)
  end
end
return found
