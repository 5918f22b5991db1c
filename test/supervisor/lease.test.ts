import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Limit } from '../../src/runtime/limit.ts';
import * as leases from '../../src/supervisor/lease.ts';

/** One event of a simulated machine: what a worker does, and how much later. */
type Event =
  | { kind: 'ask'; worker: number; after: number }
  | { kind: 'report'; worker: number; after: number }
  | { kind: 'recall'; after: number }
  | { kind: 'die'; worker: number; after: number };

const WORKERS = 4;

const worker = fc.nat(WORKERS - 1);
const after = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 10, arbitrary: fc.double({ min: 0, max: 40, noNaN: true }) },
  // Long enough for the bucket to run over.
  { weight: 1, arbitrary: fc.double({ min: 0, max: 3000, noNaN: true }) },
);
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('ask' as const), worker, after }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('report' as const), worker, after }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('recall' as const), after }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('die' as const), worker, after }) },
);

interface Holder {
  tokens: number;
  used: number;
  usedAt: number;
}

function bucket(burst: number, ratePerMs: number): Limit {
  return { algorithm: 'token-bucket', requests: ratePerMs, periodMs: 1, burst };
}

/** Plays events against an account and returns when requests were admitted and refused. */
function play(
  events: readonly Event[],
  capacity: number,
  ratePerMs: number,
): { admitted: number[]; refused: number[] } {
  const account = leases.openAccount(bucket(capacity, ratePerMs), 0);
  const holders: Holder[] = Array.from({ length: WORKERS }, () => ({ tokens: 0, used: 0, usedAt: 0 }));
  const admitted: number[] = [];
  const refused: number[] = [];
  let now = 0;

  const report = (holder: Holder): void => {
    leases.reportUsed(account, holder.used, holder.usedAt, now);
    holder.used = 0;
  };
  const recall = (): void => {
    for (const holder of holders) {
      report(holder);
      leases.giveBack(account, holder.tokens, now);
      holder.tokens = 0;
    }
  };

  for (const step of events) {
    now += step.after;
    if (step.kind === 'recall') {
      recall();
      continue;
    }
    const holder = holders[step.worker]!;
    if (step.kind === 'report') {
      report(holder);
    } else if (step.kind === 'die') {
      leases.writeOff(account, holder.tokens + holder.used, now);
      holder.tokens = 0;
      holder.used = 0;
    } else if (holder.tokens > 0) {
      holder.tokens--;
      holder.used++;
      holder.usedAt = now;
      admitted.push(now);
    } else {
      report(holder);
      let allowed = leases.take(account, 1, now);
      if (!allowed) {
        recall();
        allowed = leases.take(account, 1, now);
      }
      (allowed ? admitted : refused).push(now);
      if (allowed) holder.tokens += leases.lease(account, WORKERS, now);
    }
    expect(account.level + account.leased).toBeLessThanOrEqual(capacity + 1e-6);
    expect(account.level).toBeGreaterThanOrEqual(0);
  }
  return { admitted, refused };
}

/** The level of the bucket of one process that admitted exactly these requests, at `at`. */
function referenceLevel(admitted: readonly number[], capacity: number, rate: number, at: number): number {
  let level = capacity;
  let last = 0;
  for (const time of admitted) {
    if (time > at) break;
    level = Math.min(capacity, level + (time - last) * rate) - 1;
    last = time;
  }
  return Math.min(capacity, level + (at - last) * rate);
}

describe('leases', () => {
  test('admit nothing that the bucket of one process would have refused', () => {
    fc.assert(
      fc.property(
        fc.array(event, { minLength: 100, maxLength: 400 }),
        fc.integer({ min: 1, max: 120 }),
        fc.oneof(
          fc.double({ min: 0.005, max: 0.05, noNaN: true }),
          fc.double({ min: 0.001, max: 2, noNaN: true }),
        ),
        (events, capacity, rate) => {
          const { admitted } = play(events, capacity, rate);
          let level = capacity;
          let last = 0;
          for (const time of admitted) {
            level = Math.min(capacity, level + (time - last) * rate) - 1;
            last = time;
            expect(level).toBeGreaterThan(-1e-3);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test('admit exactly the capacity while no time passes', () => {
    const still = event.filter((step) => step.kind !== 'die').map((step) => ({ ...step, after: 0 }));
    fc.assert(
      fc.property(
        fc.array(still, { maxLength: 400 }),
        fc.integer({ min: 1, max: 60 }),
        (events, capacity) => {
          const { admitted, refused } = play(events, capacity, 0.001);
          const asked = admitted.length + refused.length;
          expect(admitted.length).toBe(Math.min(asked, capacity));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('refuse after a recall only where the bucket of one process would be empty too', () => {
    // Every use is reported at once, so nothing but arithmetic separates the two buckets.
    fc.assert(
      fc.property(
        fc.array(
          event.filter((step) => step.kind !== 'die'),
          { maxLength: 200 },
        ),
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 0.001, max: 0.5, noNaN: true }),
        (steps, capacity, rate) => {
          const events = steps.flatMap((step): Event[] =>
            step.kind === 'ask' ? [step, { kind: 'report', worker: step.worker, after: 0 }] : [step],
          );
          const { admitted, refused } = play(events, capacity, rate);
          for (const time of refused) {
            expect(referenceLevel(admitted, capacity, rate, time)).toBeLessThan(1 + 1e-3);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a report gives back the refill that unreported use had kept out', () => {
    const account = leases.openAccount(bucket(10, 0.01), 0);
    expect(leases.lease(account, 1, 0)).toBe(5);
    // Five tokens are used at 100 ms and reported at 600 ms: one process would have refilled 5.
    leases.refill(account, 600);
    expect(account.level).toBe(5);
    leases.reportUsed(account, 5, 100, 600);
    expect(account.level).toBeCloseTo(10, 6);
  });

  test('a report gives nothing back of what ran over before its tokens were used', () => {
    const account = leases.openAccount(bucket(20, 0.01), 0);
    leases.lease(account, 5, 0); // 2 tokens
    leases.refill(account, 1000); // the bucket is full all the time: it runs over for good
    leases.take(account, 10, 1000);
    // Used and reported while there was room for all that flowed in.
    leases.reportUsed(account, 2, 1100, 1200);
    expect(account.level).toBeCloseTo(18 - 10 + 2, 6);
  });

  test('tokens of a dead worker count as used', () => {
    const account = leases.openAccount(bucket(8, 0.001), 0);
    const held = leases.lease(account, 2, 0);
    expect(held).toBe(2);
    leases.writeOff(account, held, 0);
    expect(account.level).toBe(6);
    expect(account.leased).toBe(0);
  });

  test('a smaller limit keeps what was spent', () => {
    const account = leases.openAccount(bucket(10, 0.01), 0);
    leases.take(account, 4, 0);
    leases.resize(account, bucket(5, 0.01), 0);
    expect(account.level).toBe(1);
    leases.resize(account, bucket(20, 0.01), 0);
    expect(account.level).toBe(16);
  });

  test('tells how long to wait', () => {
    const account = leases.openAccount(bucket(2, 0.01), 0);
    leases.take(account, 2, 0);
    expect(leases.waitFor(account, 1)).toBeCloseTo(100, 6);
    expect(leases.waitFor(account, 3)).toBe(Infinity);
    expect(leases.untilFull(account)).toBeCloseTo(200, 6);
  });
});
