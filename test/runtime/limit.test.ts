import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { capacityOf, debtAt, emptyDecision, type Limit, take } from '../../src/runtime/limit.ts';

/** One key's use of one limit. */
class Account {
  readonly decision = emptyDecision();
  readonly #limit: Limit;
  #debt = 0;
  #then = 0;

  constructor(limit: Limit) {
    this.#limit = limit;
  }

  take(at: number, cost = 1): boolean {
    this.#debt = take(this.#limit, debtAt(this.#limit, this.#debt, this.#then, at), cost, this.decision);
    this.#then = at;
    return this.decision.allowed;
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
    expect(account.decision).toEqual({
      allowed: true,
      remaining: 3,
      limit: 5,
      resetMs: 200,
      retryAfterMs: 0,
    });
    account.take(50, 3);
    // 4.5 of 5 are used: 450 ms to be whole, and half a token is none.
    expect(account.decision).toEqual({
      allowed: true,
      remaining: 0,
      limit: 5,
      resetMs: 450,
      retryAfterMs: 0,
    });
    account.take(50, 1);
    expect(account.decision).toEqual({
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
      fc.property(limits, calls, (limit, list) => {
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
      fc.property(limits, calls, (limit, list) => {
        const account = new Account(limit);
        let at = 0;
        for (const { gap, cost } of list) account.take((at += gap), cost);
        account.take(at + account.decision.resetMs, 0);
        expect(account.decision).toMatchObject({ remaining: capacityOf(limit), resetMs: 0 });
      }),
    );
  });
});
