-- Who is next: a start-time fair queue on two levels, classes and in each class tenants. A member's
-- virtual time grows with what it was granted; the least goes first. One that comes back joins at
-- the least time of those that wait, so that being idle saves up nothing (VTC, arXiv 2401.00588).

local WEIGHTS = {['0'] = 16, ['1'] = 4, ['2'] = 1}  -- interactive, onboarding, scheduled
local SILENT_SECONDS = 3
local RESERVE = 0.15  -- of the burst, for interactive calls alone

local function queue(class, tenant) return keep(key('queue', class, tenant)) end
local function tenants(class) return keep(key('tenants', class)) end
local function spent(class) return keep(key('spent', class)) end

-- One size for fairness: tokens of all kinds, or the request where tokens are not counted.
local function size(cost)
  local sum = 0
  for dim, amount in each(cost) do
    if dim ~= 'requests' then sum = sum + amount end
  end
  return sum > 0 and sum or (cost.requests or 1)
end

local function join(zset, member, own, floor, credit)
  local first = redis.call('ZRANGE', zset, 0, 0, 'WITHSCORES')
  redis.call('ZADD', zset, math.max(own, (tonumber(first[2]) or floor) - credit), member)
end

-- Interactive calls alone may save up: their part of the burst, so that they find it unclaimed.
local function class_credit(class)
  if class ~= '0' then return 0 end
  local most = 0
  for dim in each(terms.limits) do
    if dim ~= 'requests' then most = math.max(most, num('burst:' .. dim)) end
  end
  return RESERVE * most / WEIGHTS[class]
end

local function enqueue(ticket)
  if redis.call('HEXISTS', TICKETS, ticket.id) == 1 then return end
  if redis.call('HEXISTS', HELD, ticket.id) == 1 then return end
  local class, tenant = ticket.class, ticket.tenant
  ticket.process = turn.process
  redis.call('HSET', TICKETS, ticket.id, cjson.encode(ticket))
  if redis.call('RPUSH', queue(class, tenant), ticket.id) > 1 then return end
  local own = tonumber(redis.call('HGET', spent(class), tenant) or 0)
  if redis.call('ZCARD', tenants(class)) == 0 then
    join(CLASSES, class, num('spent:' .. class), num('floor'), class_credit(class))
  end
  join(tenants(class), tenant, own, num('floor:' .. class), 0)
end

-- A queue that is empty leaves its class, and an empty class the rest; both keep their times.
local function leave_if_empty(class, tenant)
  if redis.call('LLEN', queue(class, tenant)) > 0 then return end
  local time = redis.call('ZSCORE', tenants(class), tenant)
  if time then redis.call('HSET', spent(class), tenant, time) end
  redis.call('ZREM', tenants(class), tenant)
  if redis.call('ZCARD', tenants(class)) > 0 then return end
  local class_time = tonumber(redis.call('ZSCORE', CLASSES, class) or 0)
  S['spent:' .. class] = class_time
  redis.call('ZREM', CLASSES, class)
end

local function drop(class, tenant, id)
  redis.call('LREM', queue(class, tenant), 1, id)
  redis.call('HDEL', TICKETS, id)
  leave_if_empty(class, tenant)
end

local function withdraw(id)
  local raw = redis.call('HGET', TICKETS, id)
  if not raw then return end
  local ticket = cjson.decode(raw)
  drop(ticket.class, ticket.tenant, id)
end

local function is_alive(process)
  local seen = tonumber(redis.call('ZSCORE', ALIVE, process) or nil)
  return seen and now - seen <= SILENT_SECONDS
end

-- The ticket whose turn it is, of a process that lives to use it; nil where nobody waits.
local function head()
  while true do
    local class = redis.call('ZRANGE', CLASSES, 0, 0)[1]
    if not class then return nil end
    local tenant = redis.call('ZRANGE', tenants(class), 0, 0)[1]
    if not tenant then
      redis.call('ZREM', CLASSES, class)
    else
      local id = redis.call('LINDEX', queue(class, tenant), 0)
      local raw = id and redis.call('HGET', TICKETS, id)
      local ticket = raw and cjson.decode(raw)
      if ticket and is_alive(ticket.process) then return ticket end
      drop(class, tenant, id or '')
    end
  end
end

local function bill(ticket)
  local class, tenant, amount = ticket.class, ticket.tenant, size(ticket.cost)
  S['floor'] = tonumber(redis.call('ZSCORE', CLASSES, class))
  S['floor:' .. class] = tonumber(redis.call('ZSCORE', tenants(class), tenant))
  redis.call('ZINCRBY', tenants(class), amount, tenant)
  redis.call('ZINCRBY', CLASSES, amount / WEIGHTS[class], class)
  drop(class, tenant, ticket.id)
end
