import { storeScript } from './store-script.ts';

/**
 * What a limit is in Redis, and all that is done with it: one script, so that it happens at once, by the clock of the
 * server alone. The arithmetic is that of `src/runtime/limit.ts`, in whole numbers below 2^53.
 *
 * KEYS: 1 the limit's. ARGV: 1 what is done (take, charge, return, hold), 2 algorithm by its number, 3 requests,
 * 4 periodMs, 5 capacity, 6 worker, 7 milliseconds that a worker's places outlive it, and then
 *
 * - take: 8 tokens wanted beyond (a lease), 9 milliseconds that they may be used, from 10 on costs, one for each
 *   request; `?n` asks without taking.
 *   Answers: `1` or `0` for each, remaining, resetMs, retryAfterMs of the first that was refused, tokens leased,
 *   milliseconds that they may be used, the time.
 * - charge: 8 count. return: 8 count, 9 when it was taken. hold: 8 places that the worker has; answers those of all.
 */
export const LIMIT_SCRIPT = storeScript(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local action, algorithm = ARGV[1], tonumber(ARGV[2])
local requests, period, capacity = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local key, worker, outlive = KEYS[1], ARGV[6], tonumber(ARGV[7])
local function whole(x) return string.format('%.0f', x) end

local used, before, since, running = 0, 0, now, 0
local windowed = algorithm == 2 or algorithm == 3
local concurrent = algorithm == 4
local turn = period - now % period

if concurrent then
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local count, ends = string.match(all[i + 1], '^(%d+):(%d+)$')
    if not count or tonumber(ends) <= now then redis.call('HDEL', key, all[i])
    else
      used = used + count
      if all[i] == worker then running = tonumber(count) end
    end
  end
else
  local state = redis.call('HMGET', key, 'used', 'before', 'since', 'period')
  used, before, since = tonumber(state[1]) or 0, tonumber(state[2]) or 0, tonumber(state[3]) or now
  local kept = tonumber(state[4]) or period
  -- The limit was changed: as many requests stay used.
  if kept ~= period then
    used = math.ceil(used / kept * period)
    before = 0
  end
  if now > since then
    if windowed then
      local turns = math.floor(now / period) - math.floor(since / period)
      if turns > 0 then
        before = (turns == 1 and algorithm == 3) and used or 0
        used = 0
      end
    else used = math.max(0, used - (now - since) * requests) end
    since = now
  end
end

local function owed()
  if before == 0 then return used end
  return used + (before / period) * turn
end

local function save()
  if concurrent then
    if running > 0 then
      redis.call('HSET', key, worker, whole(running) .. ':' .. whole(now + outlive))
      redis.call('PEXPIRE', key, outlive)
    else redis.call('HDEL', key, worker) end
    return
  end
  redis.call('HSET', key, 'used', whole(used), 'before', whole(before), 'since', whole(since), 'period', whole(period))
  redis.call('PEXPIRE', key, whole((windowed and 2 * period or math.ceil(used / requests)) + 1000))
end

if action == 'hold' then
  local others = used - running
  running = tonumber(ARGV[8])
  save()
  return others + running
end
if action == 'charge' then
  used = math.min(4503599627370496, used + ARGV[8] * period)
  save()
  return 1
end
if action == 'return' then
  local units, taken = ARGV[8] * period, tonumber(ARGV[9])
  if concurrent then running = math.max(0, running - ARGV[8])
  elseif windowed and math.floor(taken / period) ~= math.floor(since / period) then
    if algorithm == 3 and math.floor(since / period) - math.floor(taken / period) == 1 then
      before = math.max(0, before - units)
    end
  else used = math.max(0, used - units) end
  save()
  return 1
end

local most = capacity * period
local marks, refused = {}, nil
for i = 10, #ARGV do
  local asks = string.sub(ARGV[i], 1, 1) == '?'
  local wanted = tonumber(asks and string.sub(ARGV[i], 2) or ARGV[i]) * period
  if owed() + wanted <= most then
    if not asks then
      used = used + wanted
      if concurrent then running = running + wanted / period end
    end
    marks[#marks + 1] = '1'
  else
    refused = refused or wanted
    marks[#marks + 1] = '0'
  end
end

local leased, usable = 0, tonumber(ARGV[9])
if windowed then usable = math.min(usable, turn) end
if not refused and not concurrent then
  leased = math.max(0, math.min(tonumber(ARGV[8]), math.floor((most - owed()) / period / 2)))
  used = used + leased * period
end
save()

local reset, retry = 0, 0
local owes = owed()
if owes > 0 and not concurrent then
  if not windowed then reset = math.ceil(owes / requests)
  else reset = turn + ((algorithm == 3 and used > 0) and period or 0) end
end
if refused then
  local missing = owes + refused - most
  if concurrent then retry = 1
  elseif not windowed then retry = math.ceil(math.min(missing, owes) / requests)
  elseif algorithm == 2 then retry = turn
  elseif refused > most then retry = reset
  elseif used + refused <= most then retry = math.ceil(missing / (before / period))
  else retry = math.ceil(turn + (used + refused - most) / (used / period)) end
  retry = math.max(1, retry)
end
return { table.concat(marks), math.max(0, math.floor((most - owes) / period)), reset, retry, leased, usable, now }
`);
