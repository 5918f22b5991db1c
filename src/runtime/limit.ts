/** How a limit counts. The order is that of the wire format of `weir.limit_take`. */
export const ALGORITHMS = ['token-bucket', 'gcra', 'fixed-window', 'sliding-window', 'concurrency'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/**
 * `requests` for each `periodMs`. Buckets let `burst` of them come at once. For `concurrency` it is how many may be
 * under way at a time; what was taken is held until it is given back, and `periodMs` is 1.
 *
 * Windows begin at whole multiples of the period since 1970 (UTC), so all that share a clock agree on them.
 */
export interface Limit {
  readonly algorithm: Algorithm;
  readonly requests: number;
  readonly periodMs: number;
  /** 0: the algorithm's own, see {@link capacityOf}. */
  readonly burst: number;
}

export interface Decision {
  allowed: boolean;
  /** Nobody could be asked; `allowed` is false then. */
  failed: boolean;
  /** Requests that would be allowed right now. */
  remaining: number;
  /** The most that `remaining` can be. */
  limit: number;
  /** Until `remaining` is `limit` again, if nothing more comes; 0 where that is not known. */
  resetMs: number;
  /** Until the refused request would be allowed, if nothing more comes; 0 where it was allowed. */
  retryAfterMs: number;
  /** When it was taken, on the ledger's clock: for `giveBack`. */
  at: number;
}

export function emptyDecision(): Decision {
  return { allowed: false, failed: false, remaining: 0, limit: 0, resetMs: 0, retryAfterMs: 0, at: 0 };
}

/** A key goes with one limit; a changed configuration may change it under the same key. */
export function sameLimit(a: Limit, b: Limit): boolean {
  if (a === b) return true;
  return (
    a.requests === b.requests &&
    a.periodMs === b.periodMs &&
    a.burst === b.burst &&
    a.algorithm === b.algorithm
  );
}

/** Whether it is counted by windows, which begin anew. */
export function isWindowed({ algorithm }: Limit): boolean {
  return algorithm === 'fixed-window' || algorithm === 'sliding-window';
}

/**
 * How many requests may come at once. Without a burst of its own a token bucket holds a whole
 * period's requests, and GCRA spaces them out evenly, one by one; above one a millisecond, which is
 * as finely as the clock counts, a millisecond's worth.
 */
export function capacityOf(limit: Limit): number {
  if (limit.burst > 0) return limit.burst;
  return limit.algorithm === 'gcra' ? Math.ceil(limit.requests / limit.periodMs) : limit.requests;
}

/**
 * What a key has used of a limit, as {@link USE_WIDTH} numbers of a table. All are whole and below 2^53, so nothing
 * is ever rounded in anybody's favour.
 *
 * The unit is 1 / `periodMs` of a request: a request costs `periodMs` units.
 *
 * - Buckets: units used and not yet given back; each millisecond gives `requests` back. A token bucket that fills
 *   continuously and GCRA (ITU-T I.371) are this one quantity seen from two sides: the bucket's tokens are
 *   `capacity - used`, and the theoretical arrival time is `now + used`. With the same capacity they admit the same.
 * - Windows: units used in the window of `since`, and for the sliding one in the window before it.
 * - Concurrency: units under way.
 */
export const USE_WIDTH = 3;
const USED = 0;
const BEFORE = 1;
const SINCE = 2;

/** Whether its arithmetic stays in whole numbers that are exact. */
export function capacityFits(requests: number, burst: number, periodMs: number): boolean {
  return Math.max(requests, burst) * periodMs <= MOST_UNITS;
}

/** Nothing owes more than this, however much is charged without being asked. */
const MOST_UNITS = 2 ** 52;
/** They travel as u32; 49 days stand for anything longer. */
const MAX_WAIT_MS = 0xffff_ffff;

/** A key that has used nothing. */
export function openUse(table: Float64Array, at: number, now: number): void {
  table[at + USED] = 0;
  table[at + BEFORE] = 0;
  table[at + SINCE] = now;
}

/** Brings what was used to the present. @param now whole milliseconds; a clock that goes back gives nothing */
export function settle(limit: Limit, table: Float64Array, at: number, now: number): void {
  const since = table[at + SINCE]!;
  if (now <= since) return;
  table[at + SINCE] = now;
  const { algorithm, periodMs } = limit;
  if (algorithm === 'concurrency') return;
  if (!isWindowed(limit)) {
    table[at + USED] = Math.max(0, table[at + USED]! - (now - since) * limit.requests);
    return;
  }
  const turns = Math.floor(now / periodMs) - Math.floor(since / periodMs);
  if (turns === 0) return;
  table[at + BEFORE] = turns === 1 && algorithm === 'sliding-window' ? table[at + USED]! : 0;
  table[at + USED] = 0;
}

/** Units that count against the limit at the time that it was settled for. */
export function owed(limit: Limit, table: Float64Array, at: number): number {
  const used = table[at + USED]!;
  const before = table[at + BEFORE]!;
  if (before === 0) return used;
  return used + (before / limit.periodMs) * (limit.periodMs - (table[at + SINCE]! % limit.periodMs));
}

/**
 * Decides on a request of `cost` and fills `into`. Settle first.
 *
 * @param taking false: nothing is taken, though it is decided as if
 */
export function decide(
  limit: Limit,
  table: Float64Array,
  at: number,
  cost: number,
  taking: boolean,
  into: Decision,
): void {
  const { periodMs } = limit;
  const capacity = capacityOf(limit) * periodMs;
  const wanted = cost * periodMs;
  const owes = owed(limit, table, at);
  const allowed = owes + wanted <= capacity;
  const taken = allowed && taking ? wanted : 0;
  table[at + USED] = table[at + USED]! + taken;
  into.allowed = allowed;
  into.failed = false;
  into.limit = capacityOf(limit);
  into.remaining = Math.max(0, Math.floor((capacity - owes - taken) / periodMs));
  into.resetMs = untilNothing(limit, table, at, owes + taken);
  into.retryAfterMs = allowed ? 0 : Math.max(1, untilRoom(limit, table, at, owes, wanted, capacity));
  into.at = table[at + SINCE]!;
}

/** Takes whether there is room or not: what is owed beyond the limit is paid back before anything is admitted. */
export function charge(limit: Limit, table: Float64Array, at: number, cost: number): void {
  table[at + USED] = Math.min(MOST_UNITS, table[at + USED]! + cost * limit.periodMs);
}

/**
 * Undoes what was taken at `takenAt`, as if it had never been. Settle first.
 */
export function giveBack(limit: Limit, table: Float64Array, at: number, cost: number, takenAt: number): void {
  let field = USED;
  if (isWindowed(limit)) {
    const turns = windowOf(limit, table[at + SINCE]!) - windowOf(limit, takenAt);
    if (turns > 1 || (turns === 1 && limit.algorithm === 'fixed-window')) return;
    if (turns === 1) field = BEFORE;
  }
  table[at + field] = Math.max(0, table[at + field]! - cost * limit.periodMs);
}

/** Another limit under the same key: as many requests stay used. */
export function convert(from: Limit, to: Limit, table: Float64Array, at: number, now: number): void {
  settle(from, table, at, now);
  // What is under way is not what was used.
  const alike = (from.algorithm === 'concurrency') === (to.algorithm === 'concurrency');
  const requests = alike ? table[at + USED]! / from.periodMs : 0;
  openUse(table, at, now);
  table[at + USED] = Math.ceil(requests * to.periodMs);
}

function windowOf(limit: Limit, at: number): number {
  return Math.floor(at / limit.periodMs);
}

function untilTurn(limit: Limit, table: Float64Array, at: number): number {
  return limit.periodMs - (table[at + SINCE]! % limit.periodMs);
}

function untilNothing(limit: Limit, table: Float64Array, at: number, units: number): number {
  if (units === 0 || limit.algorithm === 'concurrency') return 0;
  if (!isWindowed(limit)) return milliseconds(units / limit.requests);
  const turn = untilTurn(limit, table, at);
  return milliseconds(
    limit.algorithm === 'sliding-window' && table[at + USED]! > 0 ? turn + limit.periodMs : turn,
  );
}

// What asks for more than there can ever be is told to come back when all of it is there.
function untilRoom(
  limit: Limit,
  table: Float64Array,
  at: number,
  owes: number,
  wanted: number,
  capacity: number,
): number {
  if (limit.algorithm === 'concurrency') return 1;
  const missing = owes + wanted - capacity;
  if (!isWindowed(limit)) return milliseconds(Math.min(missing, owes) / limit.requests);
  const turn = untilTurn(limit, table, at);
  if (limit.algorithm === 'fixed-window') return milliseconds(turn);
  if (wanted > capacity) return untilNothing(limit, table, at, owes);
  const used = table[at + USED]!;
  const { periodMs } = limit;
  // Within this window what was used before fades; in the next one what is used now does.
  if (used + wanted <= capacity) return milliseconds(missing / (table[at + BEFORE]! / periodMs));
  return milliseconds(turn + (used + wanted - capacity) / (used / periodMs));
}

function milliseconds(time: number): number {
  return Math.min(MAX_WAIT_MS, Math.ceil(time));
}
