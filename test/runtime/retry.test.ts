import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CompiledRetry,
  Failure,
  mayRetry,
  NO_RETRY,
  parseRetryAfter,
  RETRY_CONDITIONS,
  RetryBudget,
  retryDelay,
  type RetryPolicy,
} from '../../src/runtime/retry.ts';

const policy: RetryPolicy = {
  on: (1 << Failure.ConnectRefused) | (1 << Failure.ConnectTimeout) | (1 << Failure.ResetBeforeHeaders),
  maxAttempts: 3,
};

describe('mayRetry', () => {
  test.each([
    // failure,                    attempt, replayable, expected, because
    [Failure.ConnectRefused, 1, true, true, 'the policy lists it'],
    [Failure.ConnectRefused, 1, false, true, 'no byte was sent, so a POST may go again'],
    [Failure.ConnectTimeout, 1, true, true, 'the policy lists it'],
    [Failure.ConnectTimeout, 1, false, false, 'the request may have arrived'],
    [Failure.ResetBeforeHeaders, 2, true, true, 'one attempt is left'],
    [Failure.ResetBeforeHeaders, 1, false, false, 'the request may have been acted on'],
    [Failure.ConnectRefused, 3, true, false, 'three attempts are the limit'],
    [Failure.RetriableStatus, 1, true, false, 'the policy does not list it'],
    [Failure.PerTryTimeout, 1, true, false, 'the policy does not list it'],
    [Failure.ResetAfterHeaders, 1, true, false, 'the client has seen the headers'],
  ] as const)(
    'failure %i at attempt %i, replayable %s: %s (%s)',
    (failure, attempt, replayable, expected, _because) => {
      expect(mayRetry(policy, failure, attempt, replayable)).toBe(expected);
    },
  );

  test('a response that has begun is never followed by another attempt, whatever the policy lists', () => {
    expect(mayRetry({ on: ~0, maxAttempts: 9 }, Failure.ResetAfterHeaders, 1, true)).toBe(false);
  });
});

describe('RETRY_CONDITIONS', () => {
  test.each([
    ['connect-failure', Failure.ConnectRefused, true],
    ['connect-failure', Failure.ConnectTimeout, true],
    ['connect-failure', Failure.ConnectFailure, true],
    ['connect-failure', Failure.ResetBeforeHeaders, false],
    ['reset', Failure.ResetBeforeHeaders, true],
    ['reset', Failure.PerTryTimeout, true],
    ['reset', Failure.ResetAfterHeaders, false],
    ['5xx', Failure.RetriableStatus, true],
    ['5xx', Failure.ConnectRefused, true],
    ['gateway-error', Failure.RetriableStatus, true],
    ['refused-stream', Failure.RefusedStream, true],
  ] as const)('%s covers failure %i: %s', (word, failure, expected) => {
    expect((RETRY_CONDITIONS[word]!.on & (1 << failure)) !== 0).toBe(expected);
  });
});

describe('retryDelay', () => {
  const spec = { backoffBaseMs: 25, backoffMaxMs: 250, honorRetryAfter: true };

  test.each([
    [1, 0.5, 12.5],
    [2, 0.5, 25],
    [3, 0.5, 50],
    [4, 0.5, 100],
    [5, 0.5, 125],
    [60, 0.5, 125],
    [1, 0, 0],
  ])('after attempt %i with draw %f: %f ms, doubling up to the bound', (attempt, random, expected) => {
    expect(retryDelay(spec, attempt, -1, Infinity, random)).toBe(expected);
  });

  test('Retry-After is a lower bound, if it is honoured', () => {
    expect(retryDelay(spec, 1, 2000, Infinity, 0.5)).toBe(2000);
    expect(retryDelay({ ...spec, honorRetryAfter: false }, 1, 2000, Infinity, 0.5)).toBe(12.5);
  });

  test('a wait that outlasts the request is no retry', () => {
    expect(retryDelay(spec, 1, 2000, 1999, 0.5)).toBe(NO_RETRY);
    expect(retryDelay(spec, 1, -1, 5, 0.5)).toBe(NO_RETRY);
  });
});

describe('parseRetryAfter', () => {
  const wall = Date.parse('1994-11-06T08:49:30Z');
  test.each([
    ['0', 0],
    ['120', 120_000],
    // RFC 9110, section 5.6.7: the three forms of a date.
    ['Sun, 06 Nov 1994 08:49:37 GMT', 7000],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 7000],
    ['Sun Nov  6 08:49:37 1994', 7000],
    ['Sun, 06 Nov 1994 08:49:00 GMT', 0],
    ['', -1],
    ['-1', -1],
    ['1.5', -1],
    ['soon', -1],
    ['1994-11-06', -1],
    ['99999999999999', -1],
  ])('%j is %i ms', (text, expected) => {
    expect(parseRetryAfter(text, wall)).toBe(expected);
  });
});

describe('RetryBudget', () => {
  test('allows the share of requests of the window', () => {
    const budget = new RetryBudget(20, 0, 10_000);
    for (let i = 0; i < 50; i++) budget.countRequest(1000);
    const taken = Array.from({ length: 20 }, () => budget.take(1500)).filter(Boolean);
    expect(taken).toHaveLength(10);
  });

  test('requests that left the window no longer pay for retries, nor do old retries count', () => {
    const budget = new RetryBudget(20, 0, 10_000);
    for (let i = 0; i < 50; i++) budget.countRequest(1000);
    expect(budget.take(1000)).toBe(true);
    expect(budget.take(12_000)).toBe(false);
    for (let i = 0; i < 5; i++) budget.countRequest(12_000);
    expect(budget.take(12_000)).toBe(true);
    expect(budget.take(12_000)).toBe(false);
  });

  test('with little traffic the floor for each second is allowed', () => {
    const budget = new RetryBudget(20, 3, 10_000);
    budget.countRequest(1000);
    expect([1, 2, 3, 4].map(() => budget.take(1000))).toEqual([true, true, true, false]);
    expect([1, 2, 3, 4].map(() => budget.take(2000))).toEqual([true, true, true, false]);
  });

  test('in no window are there more retries than the share and the floors together', () => {
    const event = fc.record({ gap: fc.nat(400), retries: fc.nat(6) });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), (events) => {
        const budget = new RetryBudget(20, 2, 1000);
        const requests: number[] = [];
        const retries: number[] = [];
        let now = 5000;
        for (const { gap, retries: wanted } of events) {
          now += gap;
          budget.countRequest(now);
          requests.push(now);
          for (let i = 0; i < wanted; i++) if (budget.take(now)) retries.push(now);
        }
        for (const end of retries) {
          const inWindow = (at: number): boolean => at > end - 900 && at <= end;
          const floors = 2 * 2; // a window of a second touches two whole seconds
          const share = 0.2 * requests.filter((at) => at > end - 1000 && at <= end).length;
          expect(retries.filter(inWindow).length).toBeLessThanOrEqual(Math.floor(share) + floors);
        }
      }),
    );
  });
});

describe('CompiledRetry', () => {
  test('knows the statuses of the policy, and takes any number for one', () => {
    const compiled = new CompiledRetry({
      on: 1 << Failure.RetriableStatus,
      statuses: [502, 503],
      maxAttempts: 2,
      backoffBaseMs: 25,
      backoffMaxMs: 250,
      honorRetryAfter: true,
      budgetPercent: 20,
      budgetMinPerSecond: 5,
      budgetWindowMs: 10_000,
      replayBytes: 65_536,
      onlyIdempotent: true,
      avoidPreviousEndpoint: true,
    });
    expect(
      [200, 501, 502, 503, 504, 999, 5000].filter((status) => compiled.isRetriableStatus(status)),
    ).toEqual([502, 503]);
  });
});
