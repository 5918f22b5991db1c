import { storeScript } from './store-script.ts';

/**
 * Accounts of quotas in Redis, by the arithmetic of `src/runtime/quota/book.ts` and by the clock of the server. Calendars
 * are not known there: who asks says in which window it believes to be, and is told the time where that is not the
 * one that runs.
 *
 * Keys, behind the prefix of the Store (`QuotaKeys`): of each account a hash; of each id that was charged a string; of
 * each holder, which is one worker, a hash of what is kept back for it, the number of its last settlement, and sets of
 * reservations that were given back before they were made, and of those that were charged without its knowing: at once,
 * where it has not said yet that it heard of it, or since it seemed to be gone; one sorted set of holders with the
 * time until which they count as alive; one list of top-ups and resets.
 */
const ACCOUNTS = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function whole(x) return string.format('%.0f', x) end

local function read(key)
  local v = redis.call('HMGET', key, 'start', 'end', 'used', 'reserved', 'extra', 'lastStart', 'lastUsed', 'told',
    'limit', 'soft', 'grace', 'plan')
  if not v[1] then return nil end
  return { key = key, start = tonumber(v[1]), ends = tonumber(v[2]), used = tonumber(v[3]), reserved = tonumber(v[4]),
    extra = tonumber(v[5]), lastStart = tonumber(v[6]), lastUsed = tonumber(v[7]), told = v[8],
    limit = tonumber(v[9]), soft = tonumber(v[10]), grace = tonumber(v[11]),
    plan = v[12] or '' }
end

local function open(key, start, ends, limit, soft, grace, plan)
  return { key = key, start = start, ends = ends, used = 0, reserved = 0, extra = 0, lastStart = 0, lastUsed = 0,
    told = '', limit = limit, soft = soft, grace = grace, plan = plan,
    mark = 0 }
end

-- A clock that is set back does not give a window anew.
local function toNow(a, start, ends)
  if now < a.ends then return false end
  a.lastStart, a.lastUsed, a.start, a.ends = a.start, a.used, start, ends
  a.used, a.reserved, a.extra, a.told = 0, 0, 0, ''
  return true
end

-- Kept for another window of its kind, so that the one that ended can be read.
local function save(a)
  redis.call('HSET', a.key, 'start', whole(a.start), 'end', whole(a.ends), 'used', whole(a.used),
    'reserved', whole(a.reserved), 'extra', whole(a.extra), 'lastStart', whole(a.lastStart),
    'lastUsed', whole(a.lastUsed), 'told', a.told, 'limit', whole(a.limit), 'soft', whole(a.soft),
    'grace', whole(a.grace), 'plan', a.plan)
  redis.call('PEXPIREAT', a.key, whole(2 * a.ends - a.start))
end

-- Once in a window: 1 its soft limit, 2 its limit.
local function tell(a, mark, letter)
  if string.find(a.told, letter, 1, true) then return end
  a.told = a.told .. letter
  a.mark = mark
end

local function charge(a, amount)
  a.used = a.used + amount
  if a.soft > 0 and a.used >= a.soft + a.extra then tell(a, 1, 's') end
end

-- What is kept back: its amount, 1 where it is charged if its holder dies, the key of its id (empty: none), then keys
-- of accounts, each with the start of the window in which it began.
local function free(held, charged)
  for i = 4, #held, 2 do
    local a, start = read(held[i]), tonumber(held[i + 1])
    if a then
      if a.start == start then
        a.reserved = math.max(0, a.reserved - tonumber(held[1]))
        if charged == 0 then redis.call('HSET', a.key, 'reserved', whole(a.reserved))
        else
          charge(a, charged)
          save(a)
        end
      elseif a.lastStart == start and charged > 0 then
        a.lastUsed = a.lastUsed + charged
        save(a)
      end
    end
  end
end
`;

/**
 * KEYS: 1 what is kept back for the holder, 2 the holders, 3 its reservations that must not be made, 4 those that were
 * charged without its knowing, then accounts, then where there is an id its key.
 * ARGV: 1 holder, 2 reservation, 3 amount, 4 milliseconds that the holder counts as alive, 5 that ids are known,
 * 6 number of accounts, 7 `now` where it is charged at once, else it is kept back: `lost` where it is charged if the
 * holder dies, 8 numbers of those charged at once that it knows of, with spaces between; then for each account start
 * and end of the window, limit, soft, grace, plan.
 *
 * Answers: outcome, the time, index of the account that refuses (-1: none), then for each account start, end, used,
 * reserved, extra, and what it reached now (0 nothing, 1 soft limit, 2 limit). Outcome `window`: nothing was done, since
 * the time is in another window.
 */
export const RESERVE_SCRIPT = storeScript(`${ACCOUNTS}
-- It comes behind its end, from a connection that was given up.
if redis.call('SISMEMBER', KEYS[3], ARGV[2]) == 1 then return { 'window', now } end
local amount, count = tonumber(ARGV[3]), tonumber(ARGV[6])
for i = 1, count do
  local at = 6 * i + 2
  if now < tonumber(ARGV[at + 1]) or now >= tonumber(ARGV[at + 2]) then return { 'window', now } end
end

local accounts, known = {}, {}
for i = 1, count do
  local at = 6 * i + 2
  local start, ends = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local limit, soft, grace, plan = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), ARGV[at + 6]
  local key = KEYS[4 + i]
  local a = known[key] or read(key)
  if not a then
    a = open(key, start, ends, limit, soft, grace, plan)
    a.changed = true
  else
    a.mark = 0
    a.changed = a.changed or toNow(a, start, ends) or a.limit ~= limit or a.soft ~= soft
      or a.grace ~= grace or a.plan ~= plan
    a.limit, a.soft, a.grace, a.plan = limit, soft, grace, plan
  end
  accounts[i], known[key] = a, a
end

local id = KEYS[5 + count]
local outcome, refusedBy = 'admitted', -1
if id and redis.call('EXISTS', id) == 1 then
  outcome = 'repeated'
  -- It counts on the charge from here: who does not know of it must not take it back any more.
  redis.call('SET', id, 'repeated', 'KEEPTTL')
else
  for i, a in ipairs(accounts) do
    if a.used + a.reserved + math.max(1, amount) > a.limit + a.extra + a.grace then
      outcome, refusedBy = 'refused', i - 1
      tell(a, 2, 'h')
      a.changed = a.changed or a.mark == 2
      break
    end
  end
end
if outcome == 'admitted' then
  local atOnce = ARGV[7] == 'now'
  local held = { whole(amount), ARGV[7] == 'lost' and '1' or '', id or '' }
  for _, a in ipairs(accounts) do
    a.changed = true
    if atOnce then charge(a, amount)
    else
      a.reserved = a.reserved + amount
      held[#held + 1] = a.key
      held[#held + 1] = whole(a.start)
    end
  end
  if atOnce then
    if id then redis.call('SET', id, '', 'PX', ARGV[5]) end
    redis.call('SADD', KEYS[4], ARGV[2])
    redis.call('PEXPIRE', KEYS[4], ARGV[5])
  else
    redis.call('HSET', KEYS[1], ARGV[2], cmsgpack.pack(held))
    redis.call('ZADD', KEYS[2], whole(now + ARGV[4]), ARGV[1])
  end
end

-- Not first: a server without memory lets a script go on that has written.
for number in string.gmatch(ARGV[8], '%d+') do redis.call('SREM', KEYS[4], number) end
local answer = { outcome, now, refusedBy }
for _, a in ipairs(accounts) do
  if a.changed then save(a) end
  for _, value in ipairs({ a.start, a.ends, a.used, a.reserved, a.extra, a.mark }) do answer[#answer + 1] = value end
end
return answer
`);

/**
 * KEYS: 1 number of the holder's last settlement, 2 what is kept back for it, 3 its reservations that must not be
 * made, 4 those that were charged without its knowing. ARGV: 1 number of this one, 2 milliseconds
 * that the number is kept, 3 that ids are known, then operations as JSON ({@link SettleOperation}).
 *
 * A settlement with a number that was there already does nothing, so that it may be sent again where the answer was
 * lost. Answers for each charge: index of the operation, of its account, 1 where its soft limit was reached now, used,
 * extra.
 */
export const SETTLE_SCRIPT = storeScript(`${ACCOUNTS}
if tonumber(ARGV[1]) <= (tonumber(redis.call('GET', KEYS[1])) or 0) then
  -- Written again, so that replicas are waited for that may not have it yet.
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return {}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])

local answer = {}
local function change(op, index, amount)
  for i, named in ipairs(op.accounts) do
    local start, ends = tonumber(named[2]), tonumber(named[3])
    local a = read(named[1])
    -- The server forgot it.
    if not a and amount > 0 and now >= start and now < ends then
      a = open(named[1], start, ends, tonumber(named[4]), tonumber(named[5]), tonumber(named[6]),
        named[7])
    end
    if a then
      a.mark = 0
      local known = true
      if a.start == start then
        if amount < 0 then a.used = math.max(0, a.used + amount) else charge(a, amount) end
      elseif a.lastStart == start then a.lastUsed = math.max(0, a.lastUsed + amount)
      else known = false end
      if known then
        save(a)
        for _, value in ipairs({ index, i - 1, a.mark, a.used, a.extra }) do answer[#answer + 1] = value end
      end
    end
  end
end

for i = 4, #ARGV do
  local op = cjson.decode(ARGV[i])
  local amount, wasCharged = tonumber(op.amount), false
  if op.reservation ~= '' then
    local held = redis.call('HGET', KEYS[2], op.reservation)
    if held then
      redis.call('HDEL', KEYS[2], op.reservation)
      free(cmsgpack.unpack(held), 0)
    elseif redis.call('SREM', KEYS[4], op.reservation) == 1 then wasCharged = true
    elseif op.isUnknown then
      redis.call('SADD', KEYS[3], op.reservation)
      redis.call('PEXPIRE', KEYS[3], ARGV[2])
    end
  end
  if wasCharged and op.what == 'commit' then change(op, i - 4, amount - tonumber(op.reserved))
  elseif wasCharged then
    if op.id == '' or redis.call('GET', op.id) ~= 'repeated' then
      change(op, i - 4, -tonumber(op.reserved))
      if op.id ~= '' then redis.call('DEL', op.id) end
    end
  elseif op.what == 'commit' then
    if op.id == '' or redis.call('EXISTS', op.id) == 0 then
      change(op, i - 4, amount)
      if op.id ~= '' then redis.call('SET', op.id, '', 'PX', ARGV[3]) end
    end
  elseif op.what == 'refund' then
    change(op, i - 4, -amount)
    if op.id ~= '' then redis.call('DEL', op.id) end
  end
end
return answer
`);

/** What is settled. Amounts and times are text: JSON numbers of Redis have 14 digits. */
export interface SettleOperation {
  readonly what: 'commit' | 'release' | 'refund';
  /** Empty: nothing was kept back. */
  readonly reservation: string;
  /** Whether it was made is not known: it may come later than this, and must not be made then. */
  readonly isUnknown: boolean;
  readonly amount: string;
  /** What was kept back. */
  readonly reserved: string;
  /** Key of the id; empty: none. */
  readonly id: string;
  readonly accounts: readonly (readonly [
    key: string,
    start: string,
    end: string,
    limit: string,
    soft: string,
    grace: string,
    plan: string,
  ])[];
}

/**
 * Says that a holder is there, and ends what is kept for those that are gone: each as it was asked for, given back or
 * charged. KEYS: 1 the holders. ARGV: 1 holder, 2 milliseconds that it counts as alive, 3 what keys of holders begin
 * with, and 4 those of what was charged for them, 5 milliseconds that ids are known.
 *
 * Answers how many were given back, and how many charged.
 */
export const HOLDER_SCRIPT = storeScript(`${ACCOUNTS}
redis.call('ZADD', KEYS[1], whole(now + ARGV[2]), ARGV[1])
local released, charged = 0, 0
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', whole(now), 'LIMIT', 0, 10)) do
  local all = redis.call('HGETALL', ARGV[3] .. gone)
  for i = 1, #all, 2 do
    local held = cmsgpack.unpack(all[i + 1])
    local id = held[3]
    if held[2] == '1' and (id == '' or redis.call('EXISTS', id) == 0) then
      free(held, tonumber(held[1]))
      if id ~= '' then redis.call('SET', id, '', 'PX', ARGV[5]) end
      redis.call('SADD', ARGV[4] .. gone, all[i])
      redis.call('PEXPIRE', ARGV[4] .. gone, ARGV[5])
      charged = charged + 1
    else
      free(held, 0)
      released = released + 1
    end
  end
  redis.call('DEL', ARGV[3] .. gone)
  redis.call('ZREM', KEYS[1], gone)
end
return { released, charged }
`);

/**
 * Tops up or resets. KEYS: 1 the account, 2 the list of what people did. ARGV: 1 `top-up` or `reset`, 2 amount, 3 start and 4 end
 * of the window, 5 how many of the list are kept, 6 what it keeps as well.
 *
 * Answers `none` where there is no such account, `window` as above, or `done`; then the time.
 */
export const ADJUST_SCRIPT = storeScript(`${ACCOUNTS}
local start, ends = tonumber(ARGV[3]), tonumber(ARGV[4])
if now < start or now >= ends then return { 'window', now } end
local a = read(KEYS[1])
if not a then return { 'none', now } end
toNow(a, start, ends)
local told = tonumber(ARGV[2])
if ARGV[1] == 'reset' then
  told = a.used
  a.used = 0
else a.extra = a.extra + told end
a.told = ''
save(a)
redis.call('LPUSH', KEYS[2], whole(now) .. ' ' .. whole(told) .. ' ' .. ARGV[6])
redis.call('LTRIM', KEYS[2], 0, ARGV[5] - 1)
return { 'done', now }
`);
