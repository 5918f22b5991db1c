// Quotas in a real Redis, by a clock that the test moves.
import fc from 'fast-check';
import pino from 'pino';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { QuotaBook } from '../../../src/runtime/quota/book.ts';
import type { QuotaAnswer, QuotaAsk, QuotaSpec } from '../../../src/runtime/quota/quota.ts';
import { QuotaMetrics } from '../../../src/worker/quota-metrics.ts';
import type { StoreServer } from '../../../src/worker/store/ledger.ts';
import { QuotaKeys } from '../../../src/worker/store/quota-keys.ts';
import type { StoreScript } from '../../../src/worker/store/store-script.ts';
import { StoreQuotas } from '../../../src/worker/store/quotas.ts';
import { Redis } from '../../support/redis.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Far enough from now that Redis, whose own clock lets keys expire, keeps them. */
const NOON = Date.parse('2035-03-05T12:00:00Z');
const CALLS: QuotaSpec = { name: 'calls', limit: 3, soft: 0, grace: 0, window: 'day', timeZone: 'UTC' };

type Client = Awaited<ReturnType<Redis['client']>>;

let client: Client;
let now = NOON;
let run = 0;
let prefix: string;
const opened: StoreQuotas[] = [];

beforeAll(async () => {
  client = await (await Redis.start()).client();
});
beforeEach(() => {
  now = NOON;
  prefix = `run${run++}`;
});
afterEach(() => {
  for (const quotas of opened.splice(0)) quotas.close();
});

/** The real server at the time that the test says. */
class Server implements StoreServer {
  isReady = true;
  /** How many runs from now on are done, and their answers lost. */
  losing = 0;
  /** Takes runs whose connection breaks before they arrive: they arrive when they are called. */
  delayed: (() => Promise<unknown>)[] | null = null;
  /** What has to be over before an answer is told. */
  held: Promise<void> = Promise.resolve();

  async run(script: StoreScript, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const text = script.text.replace(
      "redis.call('TIME')",
      `{ ${Math.floor(now / 1000)}, ${(now % 1000) * 1000} }`,
    );
    const arrive = (): Promise<unknown> => client.eval(text, { keys: [...keys], arguments: [...args] });
    if (this.delayed !== null) {
      this.delayed.push(arrive);
      throw new Error('Socket closed unexpectedly');
    }
    const answer = await arrive();
    await this.held;
    if (this.losing > 0) {
      this.losing--;
      throw new Error('Socket closed unexpectedly');
    }
    return answer;
  }

  ping(): Promise<void> {
    return Promise.resolve();
  }
}

class Worker {
  readonly server = new Server();
  readonly quotas: StoreQuotas;
  readonly metrics = new QuotaMetrics('cluster', pino({ level: 'silent' }));

  /** @param aheadMs of the server's clock */
  constructor(aheadMs = 0, deadlineMs = 10_000) {
    this.quotas = new StoreQuotas({
      server: this.server,
      keyPrefix: prefix,
      deadlineMs,
      metrics: this.metrics,
      now: () => performance.now(),
      wallNow: () => now + aheadMs,
      refused: () => undefined,
    });
    opened.push(this.quotas);
  }

  reserve(rest: Partial<QuotaAsk> = {}): Promise<QuotaAnswer> {
    return new Promise((resolve) => {
      const answer = this.quotas.reserve(
        askFor(rest),
        { answered: (_ticket, _ask, later) => resolve(later) },
        1,
      );
      if (answer !== null) resolve(answer);
    });
  }

  async settled(): Promise<void> {
    await vi.waitFor(() => expect(this.quotas.settlements.waiting).toBe(0), { timeout: 15_000, interval: 2 });
  }
}

function askFor(rest: Partial<QuotaAsk>): QuotaAsk {
  return { owner: 'shop', key: 'acme', quotas: [CALLS], amount: 1, hold: false, id: '', ...rest };
}

async function accounts(): Promise<Record<string, string>[]> {
  const keys = (await client.keys(`${prefix}:quota:account:*`)).sort();
  return Promise.all(keys.map((key) => client.hGetAll(key)));
}

const outcomes = (answers: readonly QuotaAnswer[]): string =>
  answers.map(({ outcome }) => outcome.charAt(0)).join('');

const step = fc.record({
  gap: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.nat(HOUR), fc.nat(3 * DAY)),
  how: fc.constantFrom('charge', 'charge', 'hold', 'hold', 'commit', 'release', 'refund'),
  amount: fc.nat(4),
  key: fc.constantFrom('acme', 'b\u00e9b\0x'),
  quotas: fc.subarray([0, 1, 2], { minLength: 1 }),
  id: fc.constantFrom('', '', 'one', 'two'),
  limit: fc.integer({ min: 0, max: 12 }),
});

test('decides, charges, keeps back and begins anew as the ledger of a machine does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      prefix = `run${run++}`;
      now = NOON;
      const worker = new Worker();
      const book = new QuotaBook();
      const held: [inStore: number, inBook: number][] = [];
      let charged: QuotaAsk | null = null;
      for (const { gap, how, amount, key, quotas, id, limit } of steps) {
        // A charge that is taken back was made just now.
        if (how !== 'refund') now += gap;
        const specs = [
          { ...CALLS, limit, ...(limit > 6 ? { plan: 'g\u00f6ld' } : {}) },
          { ...CALLS, name: 'week', window: 'week', soft: 4, grace: 2, timeZone: 'Asia/Tokyo' } as const,
          { ...CALLS, name: 'hour', window: 'hour', limit: 6, soft: 2 } as const,
        ];
        // Redis lets ids expire by its own clock; a day later the model has forgotten them.
        const ask = askFor({
          ...{ amount, key, quotas: quotas.map((i) => specs[i]!), hold: how === 'hold' },
          id: id === '' ? '' : `${id} ${Math.floor(now / DAY)}`,
        });
        if (how === 'charge' || how === 'hold') {
          const expected = book.reserve(ask, 1, now);
          const given = await worker.reserve(ask);
          expect({ ...given, reservation: 0 }).toEqual({ ...expected, reservation: 0 });
          expect(given.reservation !== 0).toBe(expected.reservation !== 0);
          if (given.reservation !== 0) held.push([given.reservation, expected.reservation]);
          charged = how === 'charge' && given.outcome === 'admitted' && !given.repeated ? ask : null;
          continue;
        }
        if (how === 'refund') {
          if (charged === null) continue;
          book.refund(charged, now);
          worker.quotas.refund(charged);
          charged = null;
        } else {
          charged = null;
          const one = held.shift();
          if (one === undefined) continue;
          if (how === 'commit') {
            worker.quotas.commit(one[0], amount);
            book.commit(one[1], amount, now);
          } else {
            worker.quotas.release(one[0]);
            book.release(one[1]);
          }
        }
        await worker.settled();
      }
      worker.quotas.close();
      for (const account of book.accounts.values()) {
        const kept = await client.hGetAll(new QuotaKeys(prefix).account(account));
        const { start, end, used, reserved, extra, lastStart, lastUsed, plan } = account;
        const numbers = { start, end, used, reserved, extra, lastStart, lastUsed, plan };
        for (const [name, value] of Object.entries(numbers))
          expect([name, kept[name]]).toEqual([name, String(value)]);
      }
    }),
    { numRuns: 100 },
  );
}, 60_000);

describe('a charge', () => {
  test('of two workers counts together, and the sum of what they admit is the limit', async () => {
    const workers = [new Worker(), new Worker()];
    const quotas = [{ ...CALLS, limit: 50 }];
    const answers = await Promise.all(
      Array.from({ length: 120 }, (_, i) => workers[i % 2]!.reserve({ quotas })),
    );
    expect(answers.filter(({ outcome }) => outcome === 'admitted').length).toBe(50);
    expect((await accounts())[0]).toMatchObject({ used: '50' });
  });

  test('goes into the window that runs by the clock of the server, whatever that of the worker says', async () => {
    const late = new Worker(-36 * HOUR);
    const early = new Worker(36 * HOUR);
    expect(outcomes([await late.reserve(), await early.reserve(), await late.reserve()])).toBe('aaa');
    expect(outcomes([await early.reserve(), await late.reserve()])).toBe('rr');
    now += DAY / 2;
    expect(outcomes([await early.reserve(), await late.reserve()])).toBe('aa');
    expect(await accounts()).toMatchObject([{ used: '2', lastUsed: '3' }]);
  });

  test('that was admitted too late is given back', async () => {
    const worker = new Worker(0, 1);
    let release = (): void => undefined;
    worker.server.held = new Promise((resolve) => (release = resolve));
    expect((await worker.reserve({ id: 'x' })).outcome).toBe('unavailable');
    worker.server.held = Promise.resolve();
    release();
    await vi.waitFor(async () => expect((await accounts())[0]).toMatchObject({ used: '0' }));
    const patient = new Worker();
    expect(await patient.reserve({ id: 'x' })).toMatchObject({ outcome: 'admitted', repeated: false });
  });

  test('is taken back where the connection broke before the answer', async () => {
    const worker = new Worker();
    worker.server.losing = 1;
    expect((await worker.reserve({ id: 'x' })).outcome).toBe('unavailable');
    await worker.settled();
    expect((await accounts())[0]).toMatchObject({ used: '0' });
    // Under its id it is one that was not made.
    expect(await worker.reserve({ id: 'x' })).toMatchObject({ outcome: 'admitted', repeated: false });
    expect((await accounts())[0]).toMatchObject({ used: '1' });
  });

  test('is not taken back where another has counted on it meanwhile, under the same id', async () => {
    const [worker, other] = [new Worker(), new Worker()];
    worker.server.losing = 1;
    const asked = worker.reserve({ id: 'x' });
    // It is told nothing until the other has asked.
    let release = (): void => undefined;
    worker.server.held = new Promise((resolve) => (release = resolve));
    await vi.waitFor(async () => expect((await accounts())[0]).toMatchObject({ used: '1' }));
    expect(await other.reserve({ id: 'x' })).toMatchObject({ outcome: 'admitted', repeated: true });
    release();
    expect((await asked).outcome).toBe('unavailable');
    await worker.settled();
    expect((await accounts())[0]).toMatchObject({ used: '1' });
    expect((await worker.reserve({ id: 'x' })).repeated).toBe(true);
  });

  test('that arrives behind its end, from a connection that was given up, is not made', async () => {
    const worker = new Worker();
    const arriving: (() => Promise<unknown>)[] = [];
    worker.server.delayed = arriving;
    const asked = worker.reserve();
    worker.server.delayed = null;
    expect((await asked).outcome).toBe('unavailable');
    await worker.settled();
    expect(await arriving[0]!()).toEqual(['window', NOON]);
    expect(await accounts()).toEqual([]);
  });

  test('that the server refused for want of memory is not taken back: it was not made', async () => {
    const worker = new Worker();
    await client.configSet('maxmemory', '1');
    try {
      expect((await worker.reserve()).outcome).toBe('unavailable');
      expect(worker.quotas.settlements.waiting).toBe(0);
    } finally {
      await client.configSet('maxmemory', '0');
    }
    expect(await accounts()).toEqual([]);
  });

  test('is remembered by its number until the worker has heard of it, also where that is told a second time', async () => {
    const worker = new Worker();
    const numbers = async (): Promise<number> => {
      const [key] = await client.keys(`${prefix}:quota:charged:*`);
      return key === undefined ? 0 : client.sCard(key);
    };
    const quotas = [{ ...CALLS, limit: 1000 }];
    for (let i = 0; i < 5; i++)
      await Promise.all(Array.from({ length: 60 }, () => worker.reserve({ quotas })));
    worker.server.losing = 1;
    await worker.reserve({ quotas });
    await worker.settled();
    await worker.reserve({ quotas });
    await worker.reserve({ quotas });
    expect(await numbers()).toBe(1);
  });

  test('of a quota that is named twice counts twice, as on one machine', async () => {
    const quotas = [CALLS, CALLS];
    const answer = await new Worker().reserve({ quotas });
    expect({ ...answer }).toEqual(new QuotaBook().reserve(askFor({ quotas }), 1, now));
    expect(await accounts()).toMatchObject([{ used: '2' }]);
  });

  test('expires with the window behind its own', async () => {
    await new Worker().reserve();
    const [key] = await client.keys(`${prefix}:quota:account:*`);
    expect(await client.pExpireTime(key!)).toBe(NOON + DAY + DAY / 2);
  });
});

describe('what is kept back', () => {
  test('is charged once, though the answer was lost and it is told again', async () => {
    const worker = new Worker();
    const { reservation } = await worker.reserve({ hold: true });
    const other = await worker.reserve({ hold: true, key: 'other' });
    worker.server.losing = 2;
    worker.quotas.commit(reservation, 7);
    worker.quotas.commit(other.reservation, 5);
    await worker.settled();
    expect((await accounts()).map(({ used, reserved }) => [used, reserved])).toEqual([
      ['7', '0'],
      ['5', '0'],
    ]);
  });

  test('is charged also where the server has forgotten it', async () => {
    const worker = new Worker();
    const { reservation } = await worker.reserve({ hold: true });
    await client.flushDb();
    worker.quotas.commit(reservation, 2);
    await worker.settled();
    expect(await accounts()).toMatchObject([{ used: '2', reserved: '0' }]);
  });

  test('of a worker that is gone is given back by those that live, and a charge that comes after all counts', async () => {
    const gone = new Worker();
    const { reservation } = await gone.reserve({ hold: true, amount: 3 });
    const other = new Worker();
    expect((await other.reserve({ hold: true })).outcome).toBe('refused');
    await other.reserve({ hold: true, key: 'another' });
    gone.server.isReady = false;
    now += 11_000;
    await vi.waitFor(async () => expect((await other.reserve({ hold: true })).outcome).toBe('admitted'), {
      timeout: 15_000,
      interval: 100,
    });
    gone.server.isReady = true;
    gone.quotas.commit(reservation, 2);
    await gone.settled();
    expect((await accounts())[0]).toMatchObject({ used: '2', reserved: '1' });
  });

  test.each([
    ['tells then what it came to', 5, { used: '5', reserved: '0' }],
    ['tells then that it came to nothing', null, { used: '0', reserved: '0' }],
  ])(
    'of a worker that seems gone is charged where that was asked for, and right again where it %s',
    async (_, amount, expected) => {
      const silent = new Worker();
      const id = amount === null ? '' : 'order';
      const { reservation } = await silent.reserve({ hold: true, chargeIfLost: true, amount: 2, id });
      await silent.reserve({ hold: true, key: 'free' });
      const other = new Worker();
      await other.reserve({ key: 'else' });
      silent.server.isReady = false;
      now += 11_000;
      await vi.waitFor(
        async () => expect((await accounts())[0]).toMatchObject({ used: '2', reserved: '0' }),
        { timeout: 15_000, interval: 50 },
      );
      const [, , free] = await accounts();
      expect(free).toMatchObject({ used: '0', reserved: '0' });
      if (id !== '') expect((await other.reserve({ id })).repeated).toBe(true);
      silent.server.isReady = true;
      if (amount === null) silent.quotas.release(reservation);
      else silent.quotas.commit(reservation, amount);
      await silent.settled();
      expect((await accounts())[0]).toMatchObject(expected);
      // Once: a settlement that is told again does nothing.
      silent.quotas.release(reservation);
      await silent.settled();
      expect((await accounts())[0]).toMatchObject(expected);
    },
  );

  test('is given back where the connection broke before the answer', async () => {
    const worker = new Worker();
    worker.server.losing = 1;
    expect((await worker.reserve({ hold: true })).outcome).toBe('unavailable');
    await worker.settled();
    expect((await accounts())[0]).toMatchObject({ used: '0', reserved: '0' });
    expect(worker.quotas.counts).toMatchObject({ asked: 1, refused: 1 });
  });
});

test('a question that arrives behind its end, from a connection that was given up, keeps nothing back', async () => {
  const worker = new Worker();
  const arriving: (() => Promise<unknown>)[] = [];
  worker.server.delayed = arriving;
  const asked = worker.reserve({ hold: true });
  worker.server.delayed = null;
  expect((await asked).outcome).toBe('unavailable');
  await worker.settled();
  expect(await arriving[0]!()).toEqual(['window', NOON]);
  expect(await accounts()).toEqual([]);
  // The one behind it is another.
  expect((await worker.reserve({ hold: true })).outcome).toBe('admitted');
  expect(await accounts()).toMatchObject([{ reserved: '1' }]);
});

test('a server that is out of reach is not asked, and is told later what was served meanwhile', async () => {
  const worker = new Worker();
  const { reservation } = await worker.reserve({ hold: true });
  worker.server.isReady = false;
  expect((await worker.reserve()).outcome).toBe('unavailable');
  worker.quotas.commit(reservation, 4);
  expect(worker.quotas.settlements).toEqual({ waiting: 1, lost: 0 });
  worker.server.isReady = true;
  worker.quotas.connected();
  await worker.settled();
  expect(await accounts()).toMatchObject([{ used: '4' }]);
  expect(worker.quotas.counts).toMatchObject({ asked: 1, unreachable: 1 });
});
