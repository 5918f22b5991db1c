// Workers are killed at random under load, and weir lives on: what becomes of what was charged and kept back.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { QuotaUsage } from '../../src/control/quota-request.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder, Weir } from '../support/process.ts';
import { quotaPolicies } from '../support/quota.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { Redis } from '../support/redis.ts';
import { detailOf, metricOf } from '../support/scenario.ts';

const WORKERS = 3;
const CLIENTS = 12;
const KILLS = 12;
const QUOTA = { name: 'calls', limit: 1_000_000, window: 'year' };

let weir: Weir;
let port: number;
afterEach(() => weir.stop());

async function start(scope: 'node' | 'cluster', config: object): Promise<void> {
  const upstream = await FakeUpstream.start({ discard: true });
  port = await freePort();
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--dir', await temporaryFolder()];
  const redis = scope === 'cluster' ? await Redis.start(...durable) : null;
  const store = redis && { address: redis.address, deadlineMs: 1000 };
  const yaml = quotaPolicies(port, upstream.port, { quotas: [QUOTA], ...config }, store);
  const args = ['--data-dir', await temporaryFolder()];
  weir = await Weir.start({ workers: WORKERS, files: { 'edge.yaml': yaml }, args });
  if (redis !== null)
    await vi.waitFor(async () => expect(await metricOf(weir, 'weir_store_connected')).toBe(WORKERS), {
      timeout: 20_000,
      interval: 50,
    });
}

/** 0 where the connection broke. */
const send = (id: string): Promise<number> =>
  exchange({ port }, getRequest('/', 'a.test', 'X-User: ann', `X-Charge: ${id}`, 'Connection: close')).then(
    ({ status }) => status,
    () => 0,
  );

/** Kills one worker after the other, each while some requests more are served. */
async function killWorkers(served: () => number): Promise<void> {
  for (let kill = 0; kill < KILLS; kill++) {
    const until = served() + 50 + Math.floor(Math.random() * 100);
    while (served() < until) await sleep(1);
    const alive = (await detailOf(weir)).workers.filter(({ pid }) => pid !== null);
    const victim = alive[Math.floor(Math.random() * alive.length)]!;
    process.kill(victim.pid!, 'SIGKILL');
    // Another takes its place.
    await vi.waitFor(
      async () => {
        const { workers } = await detailOf(weir);
        expect(workers.filter(({ pid }) => pid !== null && pid !== victim.pid)).toHaveLength(WORKERS);
      },
      { timeout: 20_000, interval: 20 },
    );
  }
}

async function account(): Promise<QuotaUsage> {
  return (JSON.parse((await weir.admin('/quota')).text) as QuotaUsage[])[0]!;
}

/** When nothing is kept back any more: a dead worker counts as alive in a Store for ten seconds. */
const settled = (): Promise<void> =>
  vi.waitFor(async () => expect((await account()).reserved).toBe(0), { timeout: 30_000, interval: 100 });

describe.each(['node', 'cluster'] as const)('workers are killed, scope %s', { timeout: 300_000 }, (scope) => {
  test.each(['release', 'charge'] as const)('what was kept back: %s', async (ifWorkerDies) => {
    await start(scope, { charge: { on: 'response', ifWorkerDies } });
    let served = 0;
    let broken = 0;
    let stop = false;
    const client = async (): Promise<void> => {
      while (!stop) {
        const status = await send('');
        if (status === 200) served++;
        else {
          broken++;
          await sleep(5);
        }
      }
    };
    const clients = Array.from({ length: CLIENTS }, client);
    await killWorkers(() => served);
    stop = true;
    await Promise.all(clients);
    // One more has somebody look after those that are gone.
    if ((await send('')) === 200) served++;
    await settled();
    const { used } = await account();
    process.stdout.write(
      `${scope}, ${ifWorkerDies}: ${served} served, ${broken} broken, ${used} charged, ${KILLS} kills\n`,
    );
    // Nobody is charged for more than was asked for.
    expect(used).toBeLessThanOrEqual(served + broken);
    if (ifWorkerDies === 'charge') expect(used).toBeGreaterThanOrEqual(served);
    // Free is at most what was under way when a worker died.
    else expect(used).toBeGreaterThanOrEqual(served - KILLS * CLIENTS);
  });

  test('what is charged at once, under ids: none that was acknowledged is lost, none counts twice', async () => {
    await start(scope, { idempotencyKey: 'request.headers.x-charge' });
    let id = 0;
    let acknowledged = 0;
    let retried = 0;
    let stop = false;
    const client = async (): Promise<void> => {
      for (let charge = id++; ;) {
        if ((await send(`c-${charge}`)) === 200) {
          acknowledged++;
          if (stop) return;
          charge = id++;
        } else {
          retried++;
          await sleep(5);
        }
      }
    };
    const clients = Array.from({ length: CLIENTS }, client);
    await killWorkers(() => acknowledged);
    stop = true;
    await Promise.all(clients);
    process.stdout.write(`${scope}: ${acknowledged} charges, ${retried} tried again, ${KILLS} kills\n`);
    expect(await account()).toMatchObject({ used: acknowledged, reserved: 0 });
  });
});
