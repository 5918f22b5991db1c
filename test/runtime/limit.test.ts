import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  capacityOf,
  charge,
  decide,
  emptyDecision,
  giveBack,
  type Limit,
  openUse,
  settle,
  USE_WIDTH,
} from '../../src/runtime/limit.ts';

/** One key's use of one limit. */
class Account {
  readonly decision = emptyDecision();
  readonly #limit: Limit;
  readonly #table = new Float64Array(USE_WIDTH);

  constructor(limit: Limit) {
    this.#limit = limit;
    openUse(this.#table, 0, 0);
  }

  take(at: number, cost = 1): boolean {
    settle(this.#limit, this.#table, 0, at);
    decide(this.#limit, this.#table, 0, cost, true, this.decision);
    return this.decision.allowed;
  }

  peek(at: number, cost = 1): boolean {
    settle(this.#limit, this.#table, 0, at);
    decide(this.#limit, this.#table, 0, cost, false, this.decision);
    return this.decision.allowed;
  }

  charge(at: number, cost: number): void {
    settle(this.#limit, this.#table, 0, at);
    charge(this.#limit, this.#table, 0, cost);
  }

  giveBack(at: number, cost: number, takenAt: number): void {
    settle(this.#limit, this.#table, 0, at);
    giveBack(this.#limit, this.#table, 0, cost, takenAt);
  }

  /** How many of one come through at once. */
  left(at: number): number {
    let count = 0;
    while (this.take(at)) count++;
    return count;
  }
}

const BUCKET: Limit = { algorithm: 'token-bucket', requests: 10, periodMs: 1000, burst: 0 };

describe('take', () => {
  test('a token bucket gives a period at once, then the rate', () => {
    const account = new Account(BUCKET);
    expect(Array.from({ length: 12 }, () => account.take(0)).filter(Boolean)).toHaveLength(10);
    expect(account.take(99)).toBe(false);
    expect(account.take(100)).toBe(true);
    expect(account.take(100)).toBe(false);
  });

  test('GCRA without a burst spaces requests out evenly', () => {
    const account = new Account({ ...BUCKET, algorithm: 'gcra' });
    expect([0, 50, 99, 100, 199, 200].map((at) => account.take(at))).toEqual([
      true,
      false,
      false,
      true,
      false,
      true,
    ]);
  });

  test('a burst is how many may come at once, with either', () => {
    for (const algorithm of ['token-bucket', 'gcra'] as const) {
      const account = new Account({ ...BUCKET, algorithm, burst: 3 });
      expect([0, 0, 0, 0].map((at) => account.take(at))).toEqual([true, true, true, false]);
      expect(capacityOf({ ...BUCKET, algorithm, burst: 3 })).toBe(3);
    }
  });

  test('says what is left, when all is back, and when to come again', () => {
    const account = new Account({ ...BUCKET, burst: 5 });
    account.take(0, 2);
    expect(account.decision).toMatchObject({
      allowed: true,
      remaining: 3,
      limit: 5,
      resetMs: 200,
      retryAfterMs: 0,
    });
    account.take(50, 3);
    // 4.5 of 5 are used: 450 ms to be whole, and half a token is none.
    expect(account.decision).toMatchObject({
      allowed: true,
      remaining: 0,
      limit: 5,
      resetMs: 450,
      retryAfterMs: 0,
    });
    account.take(50, 1);
    expect(account.decision).toMatchObject({
      allowed: false,
      remaining: 0,
      limit: 5,
      resetMs: 450,
      retryAfterMs: 50,
    });
  });

  test('a cost of 0 asks without taking', () => {
    const account = new Account({ ...BUCKET, burst: 1 });
    account.take(0, 0);
    expect(account.decision.remaining).toBe(1);
    account.take(0, 1);
    account.take(0, 0);
    expect(account.decision).toMatchObject({ allowed: true, remaining: 0 });
  });

  test('what can never be allowed is refused, and told to come when all is there', () => {
    const account = new Account({ ...BUCKET, burst: 5 });
    account.take(0, 5);
    expect(account.take(0, 6)).toBe(false);
    expect(account.decision.retryAfterMs).toBe(500);
  });

  test('a clock that stands or goes back gives nothing', () => {
    const account = new Account({ ...BUCKET, burst: 1 });
    expect(account.take(1000)).toBe(true);
    expect(account.take(1000)).toBe(false);
    expect(account.take(10)).toBe(false);
  });

  const limits = fc.record({
    algorithm: fc.constantFrom('token-bucket' as const, 'gcra' as const),
    requests: fc.integer({ min: 1, max: 1000 }),
    periodMs: fc.constantFrom(7, 1000, 60_000, 86_400_000),
    burst: fc.integer({ min: 0, max: 50 }),
  });
  const windows = fc.record({
    algorithm: fc.constantFrom('fixed-window' as const, 'sliding-window' as const),
    requests: fc.integer({ min: 1, max: 12 }),
    periodMs: fc.constantFrom(7, 1000, 5000),
    burst: fc.constant(0),
  });
  const timed = fc.oneof(limits, windows);
  const calls = fc.array(fc.record({ gap: fc.nat(3000), cost: fc.integer({ min: 1, max: 4 }) }), {
    maxLength: 100,
  });

  test('in no window is more allowed than the capacity and the rate give', () => {
    fc.assert(
      fc.property(limits, calls, (limit, list) => {
        const account = new Account(limit);
        const allowed: { at: number; cost: number }[] = [];
        let at = 0;
        for (const { gap, cost } of list) {
          at += gap;
          if (account.take(at, cost)) allowed.push({ at, cost });
        }
        for (let from = 0; from < allowed.length; from++) {
          let sum = 0;
          for (let to = from; to < allowed.length; to++) {
            sum += allowed[to]!.cost;
            const span = allowed[to]!.at - allowed[from]!.at;
            // In whole numbers: sum <= capacity + span * requests / period.
            expect(sum * limit.periodMs).toBeLessThanOrEqual(
              capacityOf(limit) * limit.periodMs + span * limit.requests,
            );
          }
        }
      }),
    );
  });

  test('a refused request is allowed after exactly the wait that it was told, and not a millisecond before', () => {
    fc.assert(
      fc.property(timed, calls, (limit, list) => {
        let at = 0;
        const account = new Account(limit);
        for (const { gap, cost } of list) {
          at += gap;
          if (cost > capacityOf(limit) || account.take(at, cost)) continue;
          const wait = account.decision.retryAfterMs;
          expect(account.take(at + wait - 1, cost)).toBe(false);
          expect(account.take(at + wait, cost)).toBe(true);
          at += wait;
        }
      }),
    );
  });

  test('after the reset time all of it is there again', () => {
    fc.assert(
      fc.property(timed, calls, (limit, list) => {
        const account = new Account(limit);
        let at = 0;
        for (const { gap, cost } of list) account.take((at += gap), cost);
        account.take(at + account.decision.resetMs, 0);
        expect(account.decision).toMatchObject({ remaining: capacityOf(limit), resetMs: 0 });
      }),
    );
  });
});

describe('windows', () => {
  const FIXED: Limit = { algorithm: 'fixed-window', requests: 3, periodMs: 1000, burst: 0 };
  const SLIDING: Limit = { ...FIXED, algorithm: 'sliding-window', requests: 10 };

  test('a fixed window begins anew at each multiple of its period', () => {
    const account = new Account(FIXED);
    expect(account.left(1999)).toBe(3);
    expect(account.decision).toMatchObject({ remaining: 0, limit: 3, resetMs: 1, retryAfterMs: 1 });
    expect(account.left(2000)).toBe(3);
    expect(account.take(2999)).toBe(false);
  });

  test('a sliding window counts what of the one before is less than a period ago', () => {
    const account = new Account(SLIDING);
    expect(account.left(1900)).toBe(10);
    // A fixed one would let ten more through here.
    expect(account.left(2000)).toBe(0);
    expect(account.left(2300)).toBe(3);
    // Three of this window, and the 10 before weigh 7 until now, 5 at half.
    expect(account.left(2500)).toBe(2);
    expect(account.left(3000)).toBe(5);
    expect(account.left(9000)).toBe(10);
  });

  test.each([FIXED, SLIDING])('$algorithm: nothing beyond the limit in a window', (limit) => {
    fc.assert(
      fc.property(fc.array(fc.nat(400), { maxLength: 200 }), (gaps) => {
        const account = new Account(limit);
        const perWindow = new Map<number, number>();
        let at = 0;
        for (const gap of gaps) {
          at += gap;
          const window = Math.floor(at / limit.periodMs);
          if (account.take(at)) perWindow.set(window, (perWindow.get(window) ?? 0) + 1);
        }
        for (const count of perWindow.values()) expect(count).toBeLessThanOrEqual(limit.requests);
      }),
    );
  });

  test('a sliding window says when to come again across its end', () => {
    const account = new Account(SLIDING);
    account.left(1900);
    // One tenth of the ten has to fade, from the end of the window on.
    expect(account.decision.retryAfterMs).toBe(100 + 100);
    expect(account.take(2099)).toBe(false);
    expect(account.take(2100)).toBe(true);
  });
});

describe('what is undone or comes later', () => {
  const FIXED: Limit = { algorithm: 'fixed-window', requests: 3, periodMs: 1000, burst: 0 };

  test.each<Limit>([
    { ...BUCKET, burst: 3 },
    { ...BUCKET, algorithm: 'gcra', burst: 3 },
    FIXED,
    { ...FIXED, algorithm: 'sliding-window' },
    { algorithm: 'concurrency', requests: 3, periodMs: 1, burst: 0 },
  ])('$algorithm: what is given back may be taken again, and no more', (limit) => {
    const account = new Account(limit);
    expect(account.left(0)).toBe(3);
    account.giveBack(0, 2, 0);
    expect(account.left(0)).toBe(2);
    expect(account.peek(0)).toBe(false);
  });

  test('what is given back to a window that is over gives nothing to the next one', () => {
    const account = new Account(FIXED);
    account.left(500);
    expect(account.left(1500)).toBe(3);
    account.giveBack(1600, 3, 500);
    expect(account.take(1600)).toBe(false);
  });

  test('concurrency knows no time', () => {
    const account = new Account({ algorithm: 'concurrency', requests: 2, periodMs: 1, burst: 0 });
    expect(account.left(0)).toBe(2);
    expect(account.take(1e9)).toBe(false);
    expect(account.decision).toMatchObject({ resetMs: 0, retryAfterMs: 1 });
  });

  test('asking takes nothing', () => {
    const account = new Account(FIXED);
    for (let i = 0; i < 5; i++) expect(account.peek(0)).toBe(true);
    expect(account.peek(0, 4)).toBe(false);
    expect(account.left(0)).toBe(3);
  });

  test('what was charged beyond the limit is paid back before anything is let in', () => {
    const account = new Account(BUCKET);
    account.charge(0, 25);
    expect(account.peek(1500)).toBe(false);
    // 25 were taken of 10: 16 have to flow in before one is there.
    expect(account.peek(1599)).toBe(false);
    expect(account.peek(1600)).toBe(true);
  });
});
