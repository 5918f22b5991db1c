import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LocalLedger } from '../../src/runtime/ledger.ts';
import { decide, emptyDecision, type Limit, openUse, settle, USE_WIDTH } from '../../src/runtime/limit.ts';

const LIMIT: Limit = { algorithm: 'token-bucket', requests: 2, periodMs: 1000, burst: 0 };

function ledgerAt(maxKeys?: number) {
  const clock = { now: 10_000.5 };
  return { clock, ledger: new LocalLedger(() => clock.now, maxKeys) };
}

describe('LocalLedger', () => {
  test('keys have limits of their own', () => {
    const { clock, ledger } = ledgerAt();
    const allowed = (key: string): boolean => ledger.take(key, 1, LIMIT).allowed;
    expect([allowed('a'), allowed('a'), allowed('a'), allowed('b')]).toEqual([true, true, false, true]);
    clock.now += 500;
    expect([allowed('a'), allowed('a')]).toEqual([true, false]);
  });

  test('decides as the arithmetic of limit.ts does, for any mix of keys', () => {
    const call = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      gap: fc.nat(700),
      cost: fc.integer({ min: 0, max: 2 }),
    });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
        const { clock, ledger } = ledgerAt();
        const accounts = new Map<string, Float64Array>();
        for (const { key, gap, cost } of calls) {
          clock.now += gap;
          const now = Math.floor(clock.now);
          let use = accounts.get(key);
          if (use === undefined) {
            accounts.set(key, (use = new Float64Array(USE_WIDTH)));
            openUse(use, 0, now);
          }
          const expected = emptyDecision();
          settle(LIMIT, use, 0, now);
          decide(LIMIT, use, 0, cost, true, expected);
          expect(ledger.take(key, cost, LIMIT)).toEqual(expected);
        }
      }),
    );
  });

  test('keys that owe nothing any more make room for others', () => {
    const { clock, ledger } = ledgerAt();
    for (let i = 0; i < 1000; i++) ledger.take(`flood ${i}`, 1, LIMIT);
    expect(ledger.size).toBe(1000);
    clock.now += 60_000;
    for (let i = 0; i < 1000; i++) ledger.take(`calm ${i % 10}`, 1, LIMIT);
    expect(ledger.size).toBeLessThanOrEqual(1000);
    for (let i = 0; i < 1200; i++) {
      clock.now += 10_000;
      ledger.take(`next ${i}`, 1, LIMIT);
    }
    expect(ledger.size).toBeLessThan(20);
    expect(ledger.evicted).toBe(0);
  });

  test('when the table is full of keys that owe, the one used longest ago goes, and is counted', () => {
    const { ledger } = ledgerAt(3);
    const takeBoth = (key: string): void => {
      ledger.take(key, 2, LIMIT);
    };
    for (const key of ['a', 'b', 'c']) takeBoth(key);
    ledger.take('a', 0, LIMIT);
    takeBoth('d');
    expect(ledger.size).toBe(3);
    expect(ledger.evicted).toBe(1);
    expect(ledger.take('a', 1, LIMIT).allowed).toBe(false);
    expect(ledger.take('b', 1, LIMIT).allowed).toBe(true);
  });

  test('a changed limit keeps what was used', () => {
    const { ledger } = ledgerAt();
    ledger.take('a', 2, LIMIT);
    const wider: Limit = { algorithm: 'token-bucket', requests: 10, periodMs: 60_000, burst: 0 };
    expect(ledger.take('a', 0, wider).remaining).toBe(8);
    expect(ledger.take('a', 0, LIMIT).remaining).toBe(0);
  });

  test('peeks, charges and gives back by key', () => {
    const { ledger } = ledgerAt();
    expect(ledger.peek('a', 2, LIMIT).allowed).toBe(true);
    const { at } = ledger.take('a', 2, LIMIT);
    expect(ledger.peek('a', 1, LIMIT).allowed).toBe(false);
    ledger.giveBack('a', 2, LIMIT, at);
    ledger.charge('a', 1, LIMIT);
    expect(ledger.peek('a', 0, LIMIT).remaining).toBe(1);
    expect(ledger.peek('b', 0, LIMIT).remaining).toBe(2);
  });

  test('what is under way is kept where its limit is changed, and what was used is not under way', () => {
    const { ledger } = ledgerAt();
    const running: Limit = { algorithm: 'concurrency', requests: 5, periodMs: 1, burst: 0 };
    ledger.take('a', 3, running);
    expect(ledger.peek('a', 0, { ...running, requests: 4 }).remaining).toBe(1);
    ledger.take('b', 2, LIMIT);
    expect(ledger.peek('b', 0, running).remaining).toBe(5);
  });

  test('hands out one decision object', () => {
    const { ledger } = ledgerAt();
    expect(ledger.take('a', 1, LIMIT)).toBe(ledger.take('b', 1, LIMIT));
  });
});
