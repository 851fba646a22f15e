-- Lets claims live at least so long; those that nobody has taken are left alone.
--
-- KEYS     claims of one tenant
-- ARGV[1]  life in milliseconds
--
-- Returns 1.
--
-- Atomic, because the expiry of a claim must never be moved forward by two replicas with different retentions.

local life = tonumber(ARGV[1])
for i = 1, #KEYS do
  if redis.call('PTTL', KEYS[i]) < life then
    redis.call('PEXPIRE', KEYS[i], life)
  end
end
return 1
