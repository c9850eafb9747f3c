-- One turn: take in what the process says, let the dead go, grant what may be granted.

local MOST = 200  -- grants a turn, so that no turn keeps Redis busy for long

local function inbox(process) return key('inbox', process) end

local function deliver(process, word, id)
  redis.call('RPUSH', inbox(process), word .. id)
  redis.call('EXPIRE', inbox(process), turn.inbox_keep)
end

-- The provider charged a call that was begun, so a lapsed lease gives its slot back, not its cost.
local function reap()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, 100)) do
    local raw = redis.call('HGET', HELD, id)
    redis.call('ZREM', LEASES, id)
    redis.call('HDEL', HELD, id)
    if S.canary == id then S.canary = nil end
    local lease = raw and cjson.decode(raw)
    if lease and is_alive(lease.process) then deliver(lease.process, '-', id) end
  end
end

-- Seconds until this ticket fits, 0 if it does. One larger than the burst goes when the bucket is
-- full, into debt.
local function shortage(ticket)
  local reserve, longest, short = ticket.class == '0' and 0 or RESERVE, 0, nil
  for dim, amount in each(ticket.cost) do
    if terms.limits[dim] then
      local burst, pace = num('burst:' .. dim), math.max(rate(dim), 1e-9)
      local need = math.min(amount, burst * (1 - reserve)) + burst * reserve
      local seconds = (need - num('level:' .. dim)) / pace
      local top = ceiling(dim)
      if top then seconds = math.max(seconds, (amount - top) / pace) end
      if seconds > math.max(longest, 1e-9) then longest, short = seconds, dim end
    end
  end
  if short then S.short = short end
  return longest
end

local function grant(ticket)
  local granted = {}
  for dim, amount in each(ticket.cost) do
    S['level:' .. dim] = num('level:' .. dim) - amount
    S['granted:' .. dim] = num('granted:' .. dim) + amount
    granted[dim] = S['granted:' .. dim]
  end
  bill(ticket)
  local lease = {cost = ticket.cost, granted = granted, at = now, process = ticket.process}
  redis.call('HSET', HELD, ticket.id, cjson.encode(lease))
  redis.call('ZADD', LEASES, now + turn.lease, ticket.id)
  if S.half == 1 then S.canary = ticket.id end
  deliver(ticket.process, '+', ticket.id)
end

-- Grants what it may; answers how many, and the seconds until it may grant again (-1: nobody waits).
local function pump()
  local in_flight = redis.call('ZCARD', LEASES)
  for count = 0, MOST - 1 do
    local ticket = head()
    if not ticket then S.short = nil; return count, -1 end
    if now < num('pause') then return count, S.pause - now end
    if S.half == 1 and S.canary then return count, 1 end  -- whoever settles it pumps
    if num('cap') > 0 and in_flight >= math.floor(S.cap) then return count, 1 end
    local wait = shortage(ticket)
    if wait > 1e-9 then return count, wait end
    grant(ticket)
    in_flight = in_flight + 1
  end
  return MOST, 0
end

local known = is_alive(turn.process) or false
configure()
refill()
redis.call('ZADD', ALIVE, now, turn.process)
redis.call('ZREMRANGEBYSCORE', ALIVE, '-inf', now - 60)
for _, id in ipairs(turn.beat) do redis.call('ZADD', LEASES, 'XX', now + turn.lease, id) end
for _, result in ipairs(turn.settle) do settle(result) end
for _, id in ipairs(turn.withdraw) do withdraw(id) end
for _, ticket in ipairs(turn.enqueue) do enqueue(ticket) end
if turn.resume then S.pause, S.canary = 0, nil end
if turn.leave then redis.call('ZREM', ALIVE, turn.process) end
reap()
local granted, wait = pump()
save()

local rates = {}
for dim in each(terms.limits) do rates[dim] = rate(dim) end
local pause = math.max(0, num('pause') - now)
return cjson.encode({
  known = known, granted = granted, wait = wait, pause = pause,
  reason = pause > 0 and S.reason or '', rates = rates,
  down = S.half == 1 and now - S.down_since or 0,
  processes = redis.call('ZCOUNT', ALIVE, now - SILENT_SECONDS, '+inf'),
  in_flight = redis.call('ZCARD', LEASES),
})
