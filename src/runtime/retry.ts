import type { RetrySpec } from './snapshot.ts';

/** Why an attempt ended without a usable response. Numeric, so that the hot path compares integers. */
export const Failure = {
  ConnectRefused: 0,
  ConnectTimeout: 1,
  ResetBeforeHeaders: 2,
  ResetAfterHeaders: 3,
  RetriableStatus: 4,
  /** The attempt was given its time and no response head came. */
  PerTryTimeout: 5,
  /** The connection could not be made for another reason: unreachable, TLS handshake, name not resolved. */
  ConnectFailure: 6,
  /** The upstream said that it did not process the request (HTTP/2 REFUSED_STREAM, GOAWAY). */
  RefusedStream: 7,
  /** The response head broke the rules of HTTP/1. */
  BadResponse: 8,
  /** The cluster has as many connections and waiting requests as it may. */
  Overflow: 9,
} as const;
export type Failure = (typeof Failure)[keyof typeof Failure];

// In none of these has the upstream acted on the request, so that any method may go again. A connect
// timeout is not among them: it races with the connection that completes and takes the queued request.
const UNSENT = (1 << Failure.ConnectRefused) | (1 << Failure.ConnectFailure) | (1 << Failure.RefusedStream);

const CONNECT = (1 << Failure.ConnectRefused) | (1 << Failure.ConnectTimeout) | (1 << Failure.ConnectFailure);
const RESET = (1 << Failure.ResetBeforeHeaders) | (1 << Failure.PerTryTimeout);
const STATUS = 1 << Failure.RetriableStatus;

/** What one word of `retry.on` in a TrafficPolicy stands for. */
export interface RetryCondition {
  /** Bits for `RetrySpec.on`. */
  readonly on: number;
  /** Statuses from and to, inclusive, for `RetrySpec.statuses`; null where none. */
  readonly statuses: readonly [from: number, to: number] | null;
}

/** The words of `retry.on`, with the meaning that Envoy gives them. */
export const RETRY_CONDITIONS: Readonly<Record<string, RetryCondition>> = Object.freeze({
  '5xx': { on: CONNECT | RESET | STATUS | (1 << Failure.RefusedStream), statuses: [500, 599] },
  'gateway-error': { on: CONNECT | RESET | STATUS, statuses: [502, 504] },
  reset: { on: RESET, statuses: null },
  'connect-failure': { on: CONNECT, statuses: null },
  'refused-stream': { on: 1 << Failure.RefusedStream, statuses: null },
  'retriable-4xx': { on: STATUS, statuses: [409, 409] },
});

/** Compiled once per rule; `on` has bit `1 << failure` set for each failure that may be retried. */
export interface RetryPolicy {
  readonly on: number;
  /** Attempts in total, the first one included. */
  readonly maxAttempts: number;
}

/** A rule's retry settings in the form that the hot path reads. */
export class CompiledRetry implements RetryPolicy {
  readonly spec: RetrySpec;
  readonly on: number;
  readonly maxAttempts: number;
  readonly budget: RetryBudget;
  /** One byte for each status: whether it counts as `Failure.RetriableStatus`. */
  readonly #statuses = new Uint8Array(1000);

  constructor(spec: RetrySpec) {
    this.spec = spec;
    this.on = spec.on;
    this.maxAttempts = spec.maxAttempts;
    this.budget = new RetryBudget(spec.budgetPercent, spec.budgetMinPerSecond, spec.budgetWindowMs);
    for (const status of spec.statuses) this.#statuses[status] = 1;
  }

  isRetriableStatus(status: number): boolean {
    return this.#statuses[status] === 1;
  }
}

/**
 * Decides whether a failed attempt may be followed by another. Pure: the caller
 * owns the clock, the budget and the counters.
 *
 * Once response headers went downstream the answer is always no, since the
 * client has already seen part of a response (RFC 9110, section 9.2.2, covers
 * the other half: which methods may be sent twice at all).
 *
 * @param attempt attempts made so far, at least 1
 * @param replayable whether method and body allow the request to be sent again
 */
export function mayRetry(
  policy: RetryPolicy,
  failure: Failure,
  attempt: number,
  replayable: boolean,
): boolean {
  if (failure === Failure.ResetAfterHeaders) return false;
  if (attempt >= policy.maxAttempts) return false;
  // A connection that never came about carried no byte of the request, so any method may go again.
  if (!replayable && (UNSENT & (1 << failure)) === 0) return false;
  return (policy.on & (1 << failure)) !== 0;
}

/** Returned by {@link retryDelay} where waiting is of no use. */
export const NO_RETRY = -1;

/**
 * How long to wait before the next attempt: exponential back-off with full jitter (a uniform draw
 * between 0 and the step), so that the clients of a failing upstream do not come back in step. What
 * the upstream asked for with Retry-After is a lower bound.
 *
 * @param attempt attempts made so far, at least 1
 * @param retryAfterMs from {@link parseRetryAfter}; -1 where the answer had none
 * @param remainingMs what is left of the request's time; Infinity where there is no limit
 * @param random a number in [0, 1)
 * @returns milliseconds, or `NO_RETRY` where the wait would outlast the request
 */
export function retryDelay(
  spec: Pick<RetrySpec, 'backoffBaseMs' | 'backoffMaxMs' | 'honorRetryAfter'>,
  attempt: number,
  retryAfterMs: number,
  remainingMs: number,
  random: number,
): number {
  // 2 ** 30 is beyond any bound; past it the shift would wrap around.
  const step = Math.min(spec.backoffMaxMs, spec.backoffBaseMs * 2 ** Math.min(attempt - 1, 30));
  let delay = step * random;
  if (spec.honorRetryAfter && retryAfterMs > delay) delay = retryAfterMs;
  return delay < remainingMs ? delay : NO_RETRY;
}

/**
 * Reads a Retry-After value: delay-seconds or an HTTP date (RFC 9110, section 10.2.3).
 *
 * @param text the field's value
 * @param wallMs the wall clock, since the date form is absolute
 * @returns milliseconds from now, never negative; -1 where the value is neither form
 */
export function parseRetryAfter(text: string, wallMs: number): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000;
  // Only the three date forms of RFC 9110 begin with the day's name; Date.parse takes far more.
  if (!/^(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?,? /.test(text)) return -1;
  // The old asctime form says no zone; it is GMT like the others.
  const at = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(at) ? -1 : Math.max(0, at - wallMs);
}

const BUCKETS = 10;

/**
 * Keeps retries from multiplying the load of an upstream that is already failing. Over a sliding
 * window, retries may make up `percent` of the requests seen in it; below that, `minPerSecond` of
 * them are let through in any case, so that a route with little traffic can retry at all.
 *
 * The window slides in tenths: what is older than the window never counts.
 */
export class RetryBudget {
  readonly #share: number;
  readonly #minPerSecond: number;
  readonly #bucketMs: number;
  readonly #requests = new Uint32Array(BUCKETS);
  readonly #retries = new Uint32Array(BUCKETS);
  #bucket = 0;
  #requestSum = 0;
  #retrySum = 0;
  #second = -1;
  #inSecond = 0;

  constructor(percent: number, minPerSecond: number, windowMs: number) {
    this.#share = percent / 100;
    this.#minPerSecond = minPerSecond;
    this.#bucketMs = Math.max(1, windowMs / BUCKETS);
  }

  /** Counts a request; called once for each, not for its retries. */
  countRequest(nowMs: number): void {
    this.#slide(nowMs);
    this.#requests[this.#bucket % BUCKETS]!++;
    this.#requestSum++;
  }

  /** Takes a retry out of the budget. False: the failure is final. */
  take(nowMs: number): boolean {
    this.#slide(nowMs);
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#inSecond = 0;
    }
    const within = this.#retrySum + 1 <= this.#share * this.#requestSum;
    if (!within && this.#inSecond >= this.#minPerSecond) return false;
    this.#inSecond++;
    this.#retries[this.#bucket % BUCKETS]!++;
    this.#retrySum++;
    return true;
  }

  #slide(nowMs: number): void {
    const bucket = Math.floor(nowMs / this.#bucketMs);
    if (bucket === this.#bucket) return;
    const steps = Math.min(bucket - this.#bucket, BUCKETS);
    for (let i = 0; i < steps; i++) {
      const slot = (bucket - i) % BUCKETS;
      this.#requestSum -= this.#requests[slot]!;
      this.#retrySum -= this.#retries[slot]!;
      this.#requests[slot] = 0;
      this.#retries[slot] = 0;
    }
    this.#bucket = bucket;
  }
}
