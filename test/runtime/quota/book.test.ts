import { beforeEach, describe, expect, test } from 'vitest';
import { QuotaBook } from '../../../src/runtime/quota/book.ts';
import type { QuotaAnswer, QuotaAsk, QuotaSpec } from '../../../src/runtime/quota/quota.ts';

const CALLS: QuotaSpec = { name: 'calls', limit: 3, soft: 0, grace: 0, window: 'day', timeZone: 'UTC' };
const DAY = 86_400_000;
const NOON = Date.parse('2026-03-05T12:00:00Z');

let book: QuotaBook;
let now: number;
let warned: string[];

beforeEach(() => {
  now = NOON;
  warned = [];
  const nothing = (): void => undefined;
  book = new QuotaBook({
    accountChanged: nothing,
    idAdded: nothing,
    idRemoved: nothing,
    decided: nothing,
    charged: nothing,
    reached: ({ quota, key }, mark) => void warned.push(`${quota} ${key} ${mark}`),
  });
});

function ask(rest: Partial<QuotaAsk> = {}): QuotaAsk {
  return { owner: 'shop', key: 'acme', quotas: [CALLS], amount: 1, hold: false, id: '', ...rest };
}
const reserve = (rest: Partial<QuotaAsk> = {}, holder = 1): QuotaAnswer =>
  book.reserve(ask(rest), holder, now);
const used = (): number[] => [...book.accounts.values()].map((account) => account.used);
const account = () => [...book.accounts.values()][0]!;

describe('charging', () => {
  test('admits the limit and refuses what is beyond, without charging it', () => {
    expect([reserve(), reserve(), reserve(), reserve()].map(({ outcome }) => outcome)).toEqual([
      ...['admitted', 'admitted', 'admitted', 'refused'],
    ]);
    expect(used()).toEqual([3]);
    expect(reserve({ key: 'other' }).outcome).toBe('admitted');
    expect(reserve({ owner: 'bank' }).outcome).toBe('admitted');
  });

  test('says what is left, until when, and who refuses', () => {
    expect(reserve().left).toEqual([
      {
        limit: 3,
        remaining: 2,
        resetMs: DAY / 2,
        windowMs: DAY,
        softReached: false,
        inGrace: false,
      },
    ]);
    expect(reserve({ amount: 3 })).toMatchObject({ outcome: 'refused', refusedBy: 0 });
  });

  test('of several quotas all must have room, and a refusal charges none', () => {
    const quotas = [CALLS, { ...CALLS, name: 'few', limit: 1 }];
    expect(reserve({ quotas }).outcome).toBe('admitted');
    expect(reserve({ quotas })).toMatchObject({ outcome: 'refused', refusedBy: 1 });
    expect(used()).toEqual([1, 1]);
  });

  test('begins anew with each window, and remembers the one before', () => {
    for (let i = 0; i < 3; i++) reserve();
    now = NOON + DAY / 2 - 1;
    expect(reserve().outcome).toBe('refused');
    now++;
    expect(reserve().outcome).toBe('admitted');
    expect(account()).toMatchObject({ used: 1, lastUsed: 3, lastStart: NOON - DAY / 2 });
  });

  test('a clock that is set back gives no quota anew', () => {
    for (let i = 0; i < 3; i++) reserve();
    now -= 3 * DAY;
    expect(reserve().outcome).toBe('refused');
  });

  test('a limit that is changed holds for what was used already', () => {
    reserve();
    reserve();
    expect(reserve({ quotas: [{ ...CALLS, limit: 2 }] }).outcome).toBe('refused');
    expect(reserve({ quotas: [{ ...CALLS, limit: 4 }] }).left[0]!.remaining).toBe(1);
  });

  test('another window or zone is another account', () => {
    for (let i = 0; i < 3; i++) reserve();
    expect(reserve({ quotas: [{ ...CALLS, window: 'month' }] }).outcome).toBe('admitted');
    expect(reserve({ quotas: [{ ...CALLS, timeZone: 'Europe/Berlin' }] }).outcome).toBe('admitted');
    expect(reserve().outcome).toBe('refused');
  });
});

describe('soft limit and grace', () => {
  test('warns from the soft limit on, once in a window', () => {
    const quotas = [{ ...CALLS, soft: 2 }];
    expect(reserve({ quotas }).left[0]!.softReached).toBe(false);
    expect(reserve({ quotas }).left[0]!.softReached).toBe(true);
    reserve({ quotas });
    expect(warned).toEqual(['calls acme soft']);
    reserve({ quotas });
    reserve({ quotas });
    expect(warned).toEqual(['calls acme soft', 'calls acme hard']);
    now += DAY;
    for (let i = 0; i < 2; i++) reserve({ quotas });
    expect(warned).toEqual(['calls acme soft', 'calls acme hard', 'calls acme soft']);
  });

  test('grace lets so much through beyond the limit, and says so', () => {
    const quotas = [{ ...CALLS, grace: 2 }];
    const answers = Array.from({ length: 6 }, () => reserve({ quotas }));
    expect(answers.map(({ outcome }) => outcome)).toEqual([
      ...['admitted', 'admitted', 'admitted', 'admitted', 'admitted', 'refused'],
    ]);
    expect(answers.map(({ left }) => left[0]!.inGrace)).toEqual([false, false, false, true, true, true]);
    expect(answers[4]!.left[0]!.remaining).toBe(0);
  });
});

describe('keeping back', () => {
  test('counts against the limit until it is charged or given back', () => {
    const first = reserve({ amount: 2, hold: true });
    expect(reserve({ amount: 2, hold: true }).outcome).toBe('refused');
    book.release(first.reservation);
    const second = reserve({ amount: 2, hold: true });
    expect(second.outcome).toBe('admitted');
    book.commit(second.reservation, 1, now);
    expect(used()).toEqual([1]);
    expect(reserve({ amount: 2 }).outcome).toBe('admitted');
    expect(book.reservations).toBe(0);
  });

  test('what was served is charged, also beyond the limit', () => {
    const { reservation } = reserve({ hold: true });
    book.commit(reservation, 100, now);
    expect(used()).toEqual([100]);
    expect(reserve({ hold: true })).toMatchObject({ outcome: 'refused', left: [{ remaining: 0 }] });
  });

  test('nothing kept back still needs room for one', () => {
    const one = [{ ...CALLS, limit: 1 }];
    expect(reserve({ quotas: one, amount: 0, hold: true }).outcome).toBe('admitted');
    reserve({ quotas: one });
    expect(reserve({ quotas: one, amount: 0, hold: true }).outcome).toBe('refused');
  });

  test('is settled once', () => {
    const { reservation } = reserve({ hold: true });
    book.commit(reservation, 1, now);
    book.commit(reservation, 1, now);
    book.release(reservation);
    expect(used()).toEqual([1]);
  });

  test('what began in one window is charged to it, when it ends in the next', () => {
    const { reservation } = reserve({ hold: true });
    now += DAY;
    reserve();
    book.commit(reservation, 5, now);
    expect(account()).toMatchObject({ used: 1, reserved: 0, lastUsed: 5 });
  });

  test('a holder that is gone gives back what was kept for it', () => {
    reserve({ amount: 3, hold: true }, 7);
    book.abandon(8, now);
    expect(reserve().outcome).toBe('refused');
    book.abandon(7, now);
    expect(reserve().outcome).toBe('admitted');
  });

  test('a holder that is gone is charged with what was kept for it, where that was asked for', () => {
    reserve({ amount: 2, hold: true, chargeIfLost: true, id: 'x' }, 7);
    reserve({ amount: 1, hold: true }, 7);
    book.abandon(7, now);
    expect(account()).toMatchObject({ used: 2, reserved: 0 });
    expect(reserve({ id: 'x' }).repeated).toBe(true);
  });

  test('what nobody settles is given back after an hour', () => {
    reserve({ amount: 3, hold: true });
    now += 3_600_000;
    book.sweep(now);
    expect(reserve().outcome).toBe('admitted');
  });
});

describe('ids', () => {
  test('are charged once for each key, for a day', () => {
    expect(reserve({ id: 'a' }).repeated).toBe(false);
    expect(reserve({ id: 'a' })).toMatchObject({ outcome: 'admitted', repeated: true });
    expect(reserve({ id: 'a', key: 'other' }).repeated).toBe(false);
    expect(used()).toEqual([1, 1]);
    now += DAY;
    expect(reserve({ id: 'a' }).repeated).toBe(false);
  });

  test('a repeated one passes though the quota is used up', () => {
    reserve({ id: 'a', amount: 3 });
    expect(reserve({ id: 'b' }).outcome).toBe('refused');
    expect(reserve({ id: 'a' }).outcome).toBe('admitted');
  });

  test('two at the same time are charged once, whichever ends first', () => {
    const first = reserve({ id: 'a', hold: true });
    const second = reserve({ id: 'a', hold: true });
    book.commit(second.reservation, 1, now);
    book.commit(first.reservation, 1, now);
    expect(used()).toEqual([1]);
  });

  test('one whose request failed may come again', () => {
    book.release(reserve({ id: 'a', hold: true }).reservation);
    expect(reserve({ id: 'a' }).repeated).toBe(false);
  });

  test('a charge that is taken back may be made again', () => {
    reserve({ id: 'a' });
    book.refund(ask({ id: 'a' }), now);
    expect(used()).toEqual([0]);
    expect(reserve({ id: 'a' }).repeated).toBe(false);
  });

  test('are forgotten when they are old', () => {
    reserve({ id: 'a' });
    book.sweep(now + DAY);
    expect(book.ids.size).toBe(0);
  });
});

describe('adjusting', () => {
  test('a top-up counts at once and ends with the window', () => {
    for (let i = 0; i < 3; i++) reserve();
    book.topUp(account(), 2, now);
    expect(reserve().left).toMatchObject([{ limit: 5, remaining: 1 }]);
    now += DAY;
    expect(reserve().left).toMatchObject([{ limit: 3, remaining: 2 }]);
  });

  test('a reset gives the window anew, with what is under way kept back', () => {
    const held = reserve({ hold: true });
    reserve({ amount: 2 });
    book.reset(account(), now);
    expect(reserve({ amount: 3 }).outcome).toBe('refused');
    expect(reserve({ amount: 2 }).outcome).toBe('admitted');
    book.commit(held.reservation, 1, now);
    expect(used()).toEqual([3]);
  });
});

test('an account is forgotten when its window and one more are over', () => {
  reserve();
  book.sweep(NOON + DAY + DAY / 2);
  expect(book.accounts.size).toBe(1);
  book.sweep(NOON + 2 * DAY);
  expect(book.accounts.size).toBe(0);
});
