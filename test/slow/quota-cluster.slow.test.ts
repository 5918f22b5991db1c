// Quotas that two weirs count in one Redis, which is killed; and books that are changed by hand while they are charged.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { QuotaAdjustment, QuotaUsage } from '../../src/control/quota-request.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder, Weir } from '../support/process.ts';
import { quotaPolicies } from '../support/quota.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { Redis } from '../support/redis.ts';
import { metricOf } from '../support/scenario.ts';

const WORKERS = 2;
/** Under way at a time. */
const CLIENTS = 12;

let weirs: Weir[] = [];
let ports: number[] = [];
afterEach(async () => {
  for (const weir of weirs) await weir.stop();
  weirs = [];
  ports = [];
});

/** One that has on disk what it acknowledges. */
async function durable(): Promise<Redis> {
  return Redis.start('--appendonly', 'yes', '--appendfsync', 'always', '--dir', await temporaryFolder());
}

/** With a Redis, in its books; else each weir in its own. */
async function start(count: number, config: object, redis: Redis | null): Promise<void> {
  const upstream = await FakeUpstream.start({ discard: true });
  for (let i = 0; i < count; i++) {
    const port = await freePort();
    const store = redis && { address: redis.address, deadlineMs: 1000 };
    const yaml = quotaPolicies(port, upstream.port, config, store);
    weirs.push(await Weir.start({ workers: WORKERS, files: { 'edge.yaml': yaml } }));
    ports.push(port);
  }
  if (redis !== null) await connected();
}

async function connected(): Promise<void> {
  for (const weir of weirs)
    await vi.waitFor(async () => expect(await metricOf(weir, 'weir_store_connected')).toBe(WORKERS), {
      timeout: 20_000,
      interval: 50,
    });
}

/** 0 where the connection broke. */
async function send(user: string, id: string): Promise<number> {
  const head = getRequest('/', 'a.test', `X-User: ${user}`, `X-Charge: ${id}`, 'Connection: close');
  const port = ports[Math.floor(Math.random() * ports.length)]!;
  return exchange({ port }, head).then(
    ({ status }) => status,
    () => 0,
  );
}

async function usage(): Promise<QuotaUsage[]> {
  return JSON.parse((await weirs[0]!.admin('/quota')).text) as QuotaUsage[];
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);

describe('Redis is killed again and again', { timeout: 600_000 }, () => {
  test('of 4000 charges under ids none that was acknowledged is lost, and none counts twice', async () => {
    const CHARGES = 4000;
    const KILLS = 20;
    const redis = await durable();
    const config = {
      quotas: [{ name: 'calls', limit: 1_000_000, window: 'year' }],
      idempotencyKey: 'request.headers.x-charge',
    };
    await start(2, config, redis);
    const acknowledged = new Set<number>();
    const left = Array.from({ length: CHARGES }, (_, i) => i);
    let retried = 0;
    const client = async (): Promise<void> => {
      for (let charge = left.pop(); charge !== undefined; charge = left.pop()) {
        if ((await send('ann', `c-${charge}`)) === 200) acknowledged.add(charge);
        else {
          left.unshift(charge);
          retried++;
          await sleep(5);
        }
      }
    };
    const clients = Array.from({ length: CLIENTS }, client);
    for (let kill = 1; kill <= KILLS; kill++) {
      const until = Math.min(CHARGES - 1, Math.ceil((CHARGES * (kill - Math.random())) / KILLS));
      while (acknowledged.size < until) await sleep(1);
      const before = acknowledged.size;
      await redis.kill();
      await redis.restart();
      const client = await redis.client();
      const [key] = await client.keys('weir:quota:account:*');
      expect(Number(await client.hGet(key!, 'used'))).toBeGreaterThanOrEqual(before);
    }
    await Promise.all(clients);
    await connected();
    expect(acknowledged.size).toBe(CHARGES);
    expect(await usage()).toMatchObject([{ used: CHARGES, reserved: 0 }]);
    expect(retried).toBeGreaterThan(0);
    process.stdout.write(`${CHARGES} charges, ${KILLS} kills of Redis, ${retried} charges tried again\n`);
  });

  test('what was kept back is charged once for each answer that was served, and for no other', async () => {
    const redis = await durable();
    const config = {
      quotas: [{ name: 'calls', limit: 1_000_000, window: 'year' }],
      charge: { on: 'response' },
    };
    await start(2, config, redis);
    let served = 0;
    let stop = false;
    const client = async (): Promise<void> => {
      while (!stop) {
        const status = await send('ann', '');
        if (status === 200) served++;
        else await sleep(5);
      }
    };
    const clients = Array.from({ length: CLIENTS }, client);
    for (let kill = 0; kill < 15; kill++) {
      const until = served + 100 + Math.floor(Math.random() * 100);
      while (served < until) await sleep(1);
      await redis.kill();
      await sleep(Math.random() * 300);
      await redis.restart();
    }
    await connected();
    // One of them is ended under load: it tells Redis what it has served.
    expect(await weirs.shift()!.stop()).toMatchObject({ code: 0 });
    ports.shift();
    stop = true;
    await Promise.all(clients);
    for (const weir of weirs)
      await vi.waitFor(async () => expect(await metricOf(weir, 'weir_quota_settlements_waiting')).toBe(0), {
        timeout: 20_000,
        interval: 50,
      });
    expect(await usage()).toMatchObject([{ used: served, reserved: 0 }]);
    process.stdout.write(`${served} answers, 15 kills of Redis\n`);
  });
});

describe.each(['node', 'cluster'] as const)('books of the scope %s', { timeout: 300_000 }, (scope) => {
  test('balance while they are topped up and reset under load', async () => {
    const LIMIT = 40;
    const CHANGES = 150;
    const config = { quotas: [{ name: 'calls', limit: LIMIT, window: 'year' }] };
    await start(scope === 'cluster' ? 2 : 1, config, scope === 'cluster' ? await durable() : null);
    let admitted = 0;
    let refused = 0;
    let stop = false;
    const charge = async (): Promise<number> => {
      const status = await send('ann', '');
      if (status === 200) admitted++;
      else if (status === 429) refused++;
      return status;
    };
    const client = async (): Promise<void> => {
      while (!stop) expect([200, 429]).toContain(await charge());
    };
    expect(await charge()).toBe(200);
    const clients = Array.from({ length: CLIENTS }, client);
    let added = 0;
    for (let i = 0; i < CHANGES; i++) {
      const amount = Math.floor(Math.random() * 31) - 15;
      const isPossible = amount !== 0 && LIMIT + added + amount >= 5 && LIMIT + added + amount <= 60;
      const isReset = !isPossible || Math.random() < 0.4;
      const path = isReset ? '/quota/reset' : '/quota/top-up';
      const query = `?quota=shop/calls&key=ann${isReset ? '' : `&amount=${amount}`}`;
      if (!isReset) added += amount;
      const request = `POST ${path}${query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
      const { status } = await weirs[i % weirs.length]!.admin(path, request);
      expect(status).toBe(200);
      await sleep(Math.random() * 20);
    }
    stop = true;
    await Promise.all(clients);
    while ((await charge()) === 200);

    const adjustments = JSON.parse((await weirs[0]!.admin('/quota/adjustments')).text) as QuotaAdjustment[];
    expect(adjustments.length).toBe(CHANGES);
    const amounts = (action: string): number[] =>
      adjustments.filter((each) => each.action === action).map(({ amount }) => amount);
    const [account] = await usage();
    expect(account).toMatchObject({ scope, added, limit: LIMIT + added, remaining: 0 });
    expect(account!.used + sum(amounts('reset'))).toBe(admitted);
    expect(sum(amounts('top-up'))).toBe(added);
    // Nothing is given beyond the limit as it was: the highest that it ever was.
    let limit = LIMIT;
    let highest = LIMIT;
    for (const { action, amount } of [...adjustments].reverse()) {
      if (action === 'top-up') limit += amount;
      else expect(amount).toBeLessThanOrEqual(highest);
      highest = Math.max(highest, limit);
    }
    expect(Math.min(admitted, refused)).toBeGreaterThan(CHANGES);
    process.stdout.write(`${scope}: ${admitted} charged, ${refused} refused, ${CHANGES} changes\n`);
  });
});
