-- What is learned from how calls went: charges, the provider's own count, its limits, its outages.

local FLOW_SECONDS, HOLD_SECONDS, CUT_SECONDS = 10, 30, 2
local BLOCKED_SECONDS, DISTRUST_SECONDS, IN_A_ROW = 600, 600, 3

local function is_success(ending) return ending == 'answered' end

-- What goes through a second, a mean that forgets in FLOW_SECONDS; right from its first moment.
local function flow(dim)
  local begun = num('flow_begun', now)
  local faded = math.exp(-math.max(0, now - num('flowed:' .. dim, now)) / FLOW_SECONDS)
  local seen = 1 - math.exp(-math.max(0.5, now - begun) / FLOW_SECONDS)
  return num('flow:' .. dim) * faded / seen
end

local function count_flow(cost)
  S.flow_begun = num('flow_begun', now)
  for dim, amount in each(cost) do
    local faded = math.exp(-math.max(0, now - num('flowed:' .. dim, now)) / FLOW_SECONDS)
    S['flow:' .. dim] = num('flow:' .. dim) * faded + amount / FLOW_SECONDS
    S['flowed:' .. dim] = now
  end
end

local function correct(lease, charged)
  for dim, reserved in each(lease.cost) do
    local back = reserved - (charged[dim] or 0)
    S['level:' .. dim] = math.min(num('burst:' .. dim), num('level:' .. dim) + back)
    S['granted:' .. dim] = num('granted:' .. dim) - back
  end
end

-- The newest grant's reply wins: replies overtake each other. Below zero, or with a limit of zero,
-- it is no count (Azure says -1); the same count twenty times under way is none either.
local function anchor(lease, result)
  for dim, remaining in each(result.remaining) do
    local seq, limit = lease.granted[dim], result.limits[dim]
    local sane = remaining >= 0 and not (limit and (limit <= 0 or remaining > limit))
    if sane and seq and seq > num('anchor:' .. dim, -1) then
      local same = remaining == S['remaining:' .. dim] and is_success(result.ending)
      S['same:' .. dim] = same and num('same:' .. dim) + 1 or 0
      S['anchor:' .. dim], S['remaining:' .. dim], S['anchored:' .. dim] = seq, remaining, lease.at
    end
  end
end

local function adopt(result)
  for dim, amount in each(result.limits) do
    local limit = terms.limits[dim]
    local fits = limit and amount > 0 and num('distrust:' .. dim) <= now
    local wanted = fits and terms.use * amount / limit.window
    if fits and math.abs(wanted - num('top:' .. dim)) > 0.005 * wanted then
      set_limit(dim, amount, limit.window)
      S['top:' .. dim], S['known:' .. dim] = wanted, 1
    end
  end
end

local function is_learned(dim)
  local guess = terms.limits[dim].learned and not S['known:' .. dim]
  return guess or num('distrust:' .. dim) > now
end

-- What went through before a refusal is about the limit. Only where nobody tells it: with an honest
-- count in the headers the anchor has it already.
local function cut(dim)
  if now - num('cut:' .. dim) < CUT_SECONDS then return end
  if not is_learned(dim) and ceiling(dim) then return end
  local through = flow(dim)
  if through <= 0 then return end
  S['rate:' .. dim] = 0.97 * math.min(num('rate:' .. dim), through)
  S['cut:' .. dim] = now
end

-- Up quickly until the first refusal, slowly after it; and only where this limit is what holds us.
local function probe()
  local dim = S.short
  if not dim or not terms.limits[dim] then return end
  local top = is_learned(dim) and math.huge or num('top:' .. dim)
  local since, current = num('cut:' .. dim), num('rate:' .. dim)
  local factor = since == 0 and 1.002 or (now - since > HOLD_SECONDS and 1.0002) or 1
  if current < top then S['rate:' .. dim] = math.min(top, current * factor) end
end

local function suspect(lease, result)
  local plenty = next(result.remaining) ~= nil
  for dim, remaining in each(result.remaining) do
    if remaining < (lease.cost[dim] or 0) then plenty = false end
  end
  if not plenty then return end
  for dim in each(result.remaining) do S['distrust:' .. dim] = now + DISTRUST_SECONDS end
end

local function refused(lease, result)
  suspect(lease, result)
  if now + result.retry_after > num('pause') then
    S.pause, S.reason = now + result.retry_after, 'rate_limited'
  end
  for dim in each(terms.limits) do
    if result.ending == 'ramping' and dim ~= 'requests' then
      S['ramp:' .. dim] = math.max(terms.ramp_free, 0.7 * math.min(rate(dim), flow(dim)))
      S.ramped = now
    else
      cut(dim)
    end
    S['level:' .. dim] = math.min(num('level:' .. dim), 0)
  end
end

local function stop(reason, seconds)
  if S.half ~= 1 then S.half, S.down_since = 1, now end
  S.pause, S.reason, S.canary = math.max(num('pause'), now + seconds), reason, nil
end

-- Three failures without a success between them stop the pool; then one canary at a time looks.
-- The pauses are a quarter of what the outage took so far, so its end is seen a quarter late.
local function failed(lease, result)
  if S.half == 1 then
    if result.id ~= S.canary then return end
    local seconds = math.min(30, math.max(1, (now - num('down_since')) / 4))
    return stop('provider_down', math.max(seconds, result.retry_after))
  end
  if num('failures') == 0 then S.failing_since = lease.at end
  S.failures = num('failures') + 1
  if S.failures >= IN_A_ROW then stop('provider_down', math.max(1, result.retry_after)) end
end

local function works(lease)
  if S.half == 1 and lease.at >= num('down_since') then
    S.half, S.canary, S.reason, S.failures = 0, nil, nil, 0
  elseif S.half ~= 1 and lease.at >= num('failing_since') then
    S.failures = 0
  end
end

-- More calls at once while they are about as fast as the fastest, fewer when they get slower (after
-- Netflix' concurrency-limits, "gradient2"). What counts as fast is learned while few are under way
-- and forgotten slowly, so the search must begin low.
local function adapt(seconds, in_flight)
  if not terms.adaptive or not seconds or in_flight < S.cap / 2 then return end
  local usual = num('usual', seconds)
  S.usual = seconds < usual and usual * 0.9 + seconds * 0.1 or usual * 1.0001
  S.recent = num('recent', seconds) * 0.8 + seconds * 0.2
  local gradient = math.max(0.5, math.min(1, 2 * S.usual / math.max(S.recent, 1e-6)))
  local wanted = S.cap * gradient + math.sqrt(S.cap)
  S.cap = math.max(1, math.min(1000, S.cap + (wanted - S.cap) / 2 / S.cap))
end

local function settle(result)
  local raw = redis.call('HGET', HELD, result.id)
  if not raw then return end  -- settled before, lapsed, or granted where Redis was not reached
  local lease, ending = cjson.decode(raw), result.ending
  local in_flight = redis.call('ZCARD', LEASES)
  redis.call('HDEL', HELD, result.id)
  redis.call('ZREM', LEASES, result.id)
  if result.charged then correct(lease, result.charged) end
  if ending == 'unused' then
    if S.canary == result.id then S.canary = nil end
    return
  end
  adopt(result)
  anchor(lease, result)
  if ending == 'down' then return failed(lease, result) end
  if ending == 'blocked' then
    return stop('blocked', result.retry_after > 0 and result.retry_after or BLOCKED_SECONDS)
  end
  works(lease)
  if ending ~= 'answered' then return refused(lease, result) end
  count_flow(lease.cost)
  probe()
  adapt(result.seconds, in_flight)
end
