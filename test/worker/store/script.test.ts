import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  ALGORITHMS,
  capacityOf,
  charge,
  decide,
  emptyDecision,
  giveBack,
  type Limit,
  openUse,
  settle,
  USE_WIDTH,
} from '../../../src/runtime/limit.ts';
import { LIMIT_SCRIPT } from '../../../src/worker/store/script.ts';
import { Redis } from '../../support/redis.ts';

type Answer = [string, number, number, number, number, number, number];

let run: (key: string, limit: Limit, action: string, ...rest: (number | string)[]) => Promise<Answer>;
let inServer: Awaited<ReturnType<Redis['client']>>;
/** The server's clock, moved by the script that the test runs: `TIME` of Redis cannot be set. */
let now = 0;

beforeAll(async () => {
  inServer = await (await Redis.start()).client();
  const script = LIMIT_SCRIPT.text
    .replace("redis.call('TIME')", '{ 0, ARGV[#ARGV] }')
    .replace('clock[1] * 1000 + math.floor(clock[2] / 1000)', 'tonumber(clock[2])')
    .replace('for i = 10, #ARGV do', 'for i = 10, #ARGV - 1 do');
  run = async (key, limit, action, ...rest) =>
    (await inServer.eval(script, {
      keys: [key],
      arguments: [
        action,
        ALGORITHMS.indexOf(limit.algorithm),
        limit.requests,
        limit.periodMs,
        capacityOf(limit),
        'me',
        5000,
        ...rest,
        now,
      ].map(String),
    })) as unknown as Answer;
});

const timed = fc.record({
  algorithm: fc.constantFrom('token-bucket' as const, 'gcra' as const),
  requests: fc.integer({ min: 1, max: 1000 }),
  periodMs: fc.constantFrom(7, 1000, 86_400_000),
  burst: fc.integer({ min: 0, max: 20 }),
});
const windows = fc.record({
  algorithm: fc.constantFrom('fixed-window' as const, 'sliding-window' as const),
  requests: fc.integer({ min: 1, max: 12 }),
  periodMs: fc.constantFrom(7, 1000, 5000),
  burst: fc.constant(0),
});
const concurrency = fc.record({
  algorithm: fc.constant('concurrency' as const),
  requests: fc.integer({ min: 1, max: 5 }),
  periodMs: fc.constant(1),
  burst: fc.constant(0),
});
const step = fc.record({
  gap: fc.oneof(fc.constant(0), fc.nat(900), fc.nat(6000)),
  cost: fc.integer({ min: 1, max: 4 }),
  how: fc.constantFrom('take', 'take', 'take', 'peek', 'charge', 'return'),
});

describe('the script in Redis', () => {
  test('decides as a worker does by itself, for every algorithm', async () => {
    let run_ = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(timed, windows, concurrency),
        fc.array(step, { maxLength: 25 }),
        async (limit, steps) => {
          now = 1_700_000_000_000;
          const key = `k${run_++}`;
          const use = new Float64Array(USE_WIDTH);
          openUse(use, 0, now);
          const taken: { cost: number; at: number }[] = [];
          for (const { gap, cost, how } of steps) {
            // What runs in a worker is forgotten where it does not say that it is still there.
            now += limit.algorithm === 'concurrency' ? Math.min(gap, 900) : gap;
            settle(limit, use, 0, now);
            if (how === 'charge' && limit.algorithm !== 'concurrency') {
              charge(limit, use, 0, cost);
              await run(key, limit, 'charge', cost);
            } else if (how === 'return') {
              const last = taken.pop();
              if (last === undefined) continue;
              giveBack(limit, use, 0, last.cost, last.at);
              await run(key, limit, 'return', last.cost, last.at);
            } else {
              const expected = emptyDecision();
              decide(limit, use, 0, cost, how !== 'peek', expected);
              const [marks, remaining, resetMs, retryAfterMs] = await run(
                key,
                limit,
                'take',
                0,
                200,
                how === 'peek' ? `?${cost}` : cost,
              );
              expect({ marks, remaining, resetMs, retryAfterMs }).toEqual({
                marks: expected.allowed ? '1' : '0',
                remaining: expected.remaining,
                resetMs: expected.resetMs,
                retryAfterMs: expected.retryAfterMs,
              });
              if (expected.allowed && how !== 'peek') taken.push({ cost, at: now });
            }
            if (limit.algorithm === 'concurrency' && use[0]! > 0)
              expect(await run(key, limit, 'hold', use[0]!)).toBe(use[0]);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  const hundred: Limit = { algorithm: 'token-bucket', requests: 100, periodMs: 1000, burst: 0 };

  test('leases what is wanted, at most half of what is left, and nothing with a refusal', async () => {
    expect((await run('lease', hundred, 'take', 10, 200, 1))[4]).toBe(10);
    expect((await run('lease', hundred, 'take', 80, 200, 1))[4]).toBe(44);
    const [marks, , , , leased] = await run('lease', hundred, 'take', 10, 200, 20, 100);
    expect([marks, leased]).toEqual(['10', 0]);
  });

  test('tokens of a fixed window may not be used in the next one', async () => {
    now = 1_700_000_000_950;
    const window: Limit = { ...hundred, algorithm: 'fixed-window' };
    expect((await run('turn', window, 'take', 10, 200, 1))[5]).toBe(50);
  });

  test('what runs in a worker that says nothing any more is forgotten', async () => {
    const running: Limit = { algorithm: 'concurrency', requests: 2, periodMs: 1, burst: 0 };
    expect((await run('gone', running, 'take', 0, 0, 1, 1, 1))[0]).toBe('110');
    now += 4999;
    expect((await run('gone', running, 'take', 0, 0, '?1'))[0]).toBe('0');
    now += 5001;
    expect((await run('gone', running, 'take', 0, 0, '?1'))[0]).toBe('1');
  });

  test('keys go when they mean nothing any more', async () => {
    await run('short', { ...hundred, periodMs: 10 }, 'take', 0, 0, 1);
    expect(await inServer.pTTL('short')).toBeLessThanOrEqual(1001);
  });
});
