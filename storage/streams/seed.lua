-- Begins a lost stream again: a state, and no events yet.
--
-- KEYS  1 the events (stream), 2 the state (hash)
-- ARGV  1 seq, 2 milestones, 3 attempt, 4 "1" if ended or "", 5 seconds to keep,
--       6 the state's weight, 7.. the state, as names and values in turns

local seq = tonumber(redis.call('HGET', KEYS[2], '_seq'))
if seq and seq >= tonumber(ARGV[1]) then return 0 end

redis.call('DEL', KEYS[1], KEYS[2])
local fields = {'_seq', ARGV[1], '_milestones', ARGV[2], '_attempt', ARGV[3], '_ended', ARGV[4],
  '_weight', ARGV[6]}
for at = 7, #ARGV do fields[#fields + 1] = ARGV[at] end
redis.call('HSET', KEYS[2], unpack(fields))
redis.call('EXPIRE', KEYS[2], ARGV[5])
return 1
