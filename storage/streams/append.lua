-- Adds an event at the end of a run's stream and folds it into the run's state, or says why not.
--
-- KEYS  1 the events (stream), 2 the state (hash)
-- ARGV  1 kind, 2 at, 3 attempt, 4 milestone or "", 5 data, 6 patch, 7 "1" if terminal or "",
--       8 entries to keep, 9 seconds to keep, 10 the last seq that the caller was told or 0,
--       11 its weight or "", 12.. the patch again, as names and values in turns
--
-- Answers {word, seq}; the word is added, known, lost, ended, ahead or fenced.
-- The first write is XADD: whatever it refuses (no memory, a replica) leaves nothing half done.

local events, state = KEYS[1], KEYS[2]
local attempt, milestone, told = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[10])
local meta = redis.call('HMGET', state, '_seq', '_attempt', '_milestones', '_ended', '_weight')
local weight, heaviest = tonumber(ARGV[11]), tonumber(meta[5]) or 0
local seq, current, milestones = tonumber(meta[1]), tonumber(meta[2]), tonumber(meta[3])

if seq and seq < told then  -- a fail-over forgot events that readers have seen
  redis.call('DEL', events, state)
  return {'lost', 0}
end
if not seq then
  if milestone ~= 1 then return {'lost', 0} end
  redis.call('DEL', events)  -- an orphan whose state was evicted
  seq, current, milestones = 0, attempt, 0
end

if milestone and milestone <= milestones then return {'known', seq} end
if meta[4] == '1' then return {'ended', seq} end
if milestone and milestone > milestones + 1 then return {'ahead', seq} end
if not milestone and attempt < current then return {'fenced', seq} end
if not milestone and attempt > current then return {'ahead', seq} end
-- A tick that was held up on its way, and has been overtaken: it would take its readers back.
if not milestone and weight and weight < heaviest then return {'known', seq} end

seq = seq + 1
redis.call('XADD', events, 'MAXLEN', '=', ARGV[8], string.format('%.0f-0', seq),
  'kind', ARGV[1], 'at', ARGV[2], 'attempt', ARGV[3], 'milestone', ARGV[4],
  'data', ARGV[5], 'patch', ARGV[6])

local fields = {
  '_seq', string.format('%.0f', seq),
  '_attempt', math.max(attempt, current),
  '_milestones', milestone or milestones,
  '_ended', ARGV[7],
  '_weight', string.format('%.0f', math.max(weight or 0, heaviest)),
}
for at = 12, #ARGV do fields[#fields + 1] = ARGV[at] end
redis.call('HSET', state, unpack(fields))
redis.call('EXPIRE', events, ARGV[9])
redis.call('EXPIRE', state, ARGV[9])
return {'added', seq}
