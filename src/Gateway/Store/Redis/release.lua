-- Gives a claim back, unless somebody else has it by now.
--
-- KEYS[1]  the claim
-- ARGV[1]  its owner
--
-- Returns 1 when it was given back, else 0.
--
-- Atomic, because between the look and the deletion the claim could expire and be taken by another.

if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
