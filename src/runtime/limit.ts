/** A rate: `requests` for each `periodMs`, of which `burst` may come at once. */
export interface Limit {
  readonly algorithm: 'token-bucket' | 'gcra';
  readonly requests: number;
  readonly periodMs: number;
  /** 0: the algorithm's own, see {@link capacityOf}. */
  readonly burst: number;
}

export interface Decision {
  allowed: boolean;
  /** Requests that would be allowed right now. */
  remaining: number;
  /** The most that `remaining` can be. */
  limit: number;
  /** Until `remaining` is `limit` again, if nothing more comes. */
  resetMs: number;
  /** Until the refused request would be allowed, if nothing more comes; 0 where it was allowed. */
  retryAfterMs: number;
}

export function emptyDecision(): Decision {
  return { allowed: false, remaining: 0, limit: 0, resetMs: 0, retryAfterMs: 0 };
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
 * What a key has used up and not yet had given back, in units of 1 / `periodMs` of a request: a
 * request costs `periodMs` units, and each millisecond gives `requests` units back. So all of it is
 * whole numbers below 2^53 and nothing is ever rounded in anybody's favour.
 *
 * A token bucket that fills continuously and GCRA (ITU-T I.371) are this one quantity seen from two
 * sides: the bucket's tokens are `capacity - debt`, and the theoretical arrival time is `now + debt`.
 * They admit the same requests where they have the same capacity.
 *
 * @param debt units owed at `thenMs`
 * @param thenMs whole milliseconds of a monotonic clock
 * @returns units owed at `nowMs`
 */
export function debtAt(limit: Limit, debt: number, thenMs: number, nowMs: number): number {
  return nowMs > thenMs ? Math.max(0, debt - (nowMs - thenMs) * limit.requests) : debt;
}

/**
 * Decides on a request of `cost` and fills `into`. In any span of `t` milliseconds at most
 * `capacity + t * requests / periodMs` are allowed. A cost of 0 asks without taking.
 *
 * @param debt units owed at this moment, from {@link debtAt}
 * @returns units owed afterwards: unchanged where the request was refused
 */
export function take(limit: Limit, debt: number, cost: number, into: Decision): number {
  const capacity = capacityOf(limit) * limit.periodMs;
  const wanted = cost * limit.periodMs;
  const allowed = debt + wanted <= capacity;
  const after = allowed ? debt + wanted : debt;
  into.allowed = allowed;
  into.limit = capacityOf(limit);
  into.remaining = Math.max(0, Math.floor((capacity - after) / limit.periodMs));
  into.resetMs = milliseconds(after, limit);
  // What asks for more than there can ever be is told to come back when all of it is there.
  const missing = Math.min(debt + wanted - capacity, debt);
  into.retryAfterMs = allowed ? 0 : Math.max(1, milliseconds(missing, limit));
  return after;
}

// They travel as u32; 49 days stand for anything longer.
const MAX_WAIT_MS = 0xffff_ffff;

function milliseconds(units: number, limit: Limit): number {
  return Math.min(MAX_WAIT_MS, Math.ceil(units / limit.requests));
}
