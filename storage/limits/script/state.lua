-- What a pool knows, and its buckets. One script in four parts, joined in this order:
-- (clock), state.lua, queue.lua, settle.lua, pump.lua. ``now`` is set by the clock, in seconds.
--
-- KEYS  1 the pool's prefix; it holds the hash tag, and every other key is made from it by key()
-- ARGV  1 the turn, in JSON: see storage/limits/redis.py
--
-- Keys and their types: see storage/limits/keys.py. All of them expire.

local base, turn = KEYS[1], cjson.decode(ARGV[1])
local terms = turn.terms

local function key(...) return table.concat({base, ...}, ':') end

local touched = {}
local function keep(name) touched[name] = true; return name end

local STATE = keep(key('state'))
local TICKETS, LEASES, HELD = keep(key('tickets')), keep(key('leases')), keep(key('held'))
local ALIVE, CLASSES = keep(key('alive')), keep(key('classes'))

local S = {}
do
  local flat = redis.call('HGETALL', STATE)
  for at = 1, #flat, 2 do S[flat[at]] = tonumber(flat[at + 1]) or flat[at + 1] end
end

local function each(t) return pairs(type(t) == 'table' and t or {}) end
local function num(field, default) return tonumber(S[field]) or default or 0 end

-- The pace for a limit: `use` of it as a steady rate, the rest as the burst. Then no window of the
-- limit's length can hold more than the limit: use*L + (1-use)*L.
local function set_limit(dim, amount, window)
  S['rate:' .. dim], S['burst:' .. dim] = terms.use * amount / window, (1 - terms.use) * amount
end

-- After a flush, a fail-over or an hour of silence the bucket is empty, never full: what was
-- granted before is not known, and a second burst would be refused.
local function configure()
  if S.terms == terms.print then return end
  S.terms = terms.print
  for dim, limit in each(terms.limits) do
    set_limit(dim, limit.amount, limit.window)
    S['level:' .. dim] = num('level:' .. dim)
    S['top:' .. dim] = S['rate:' .. dim]
    S['cut:' .. dim] = 0
  end
  S.cap = terms.concurrency or 0
  S.at = num('at', now)
end

-- The rate in force: what the limit allows, or the ramp while it is below. A ramp grows by half in
-- 15 minutes, as fast as OpenAI allows.
local function rate(dim)
  local full, ramp = num('rate:' .. dim), S['ramp:' .. dim]
  if not ramp then return full end
  local risen = ramp * 1.5 ^ ((now - num('ramped')) / 900)
  if risen >= full then S['ramp:' .. dim] = nil; return full end
  return risen
end

local function refill()
  local passed = math.max(0, now - num('at', now))
  for dim in each(terms.limits) do
    local level = num('level:' .. dim) + rate(dim) * passed
    S['level:' .. dim] = math.min(num('burst:' .. dim), level)
  end
  S.at = now
end

-- The provider's own count made current: what it said remained after a grant, less what was granted
-- since, plus what has come in since. nil where it said nothing of late, or was caught lying.
local ANCHOR_SECONDS, MARGIN_SECONDS = 20, 0.3
local function ceiling(dim)
  local age = now - num('anchored:' .. dim, -1e9)
  if age > ANCHOR_SECONDS or num('distrust:' .. dim) > now or num('same:' .. dim) >= 20 then
    return nil
  end
  local since = num('granted:' .. dim) - num('anchor:' .. dim)
  return num('remaining:' .. dim) - since + rate(dim) * (age - MARGIN_SECONDS)
end

local function save()
  redis.call('DEL', STATE)
  local fields = {}
  for field, value in pairs(S) do
    fields[#fields + 1] = field
    fields[#fields + 1] = type(value) == 'number' and string.format('%.17g', value) or value
  end
  redis.call('HSET', STATE, unpack(fields))
  for name in pairs(touched) do redis.call('EXPIRE', name, turn.keep) end
end
