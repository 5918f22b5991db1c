// A Redis that is stopped under load for longer than it may say nothing: no request waits, and the books are right afterwards.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import type { QuotaUsage } from '../../src/control/quota-request.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder, Weir } from '../support/process.ts';
import { quotaPolicies } from '../support/quota.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { Redis } from '../support/redis.ts';
import { metricOf } from '../support/scenario.ts';

const WORKERS = 2;
const CLIENTS = 12;
const DEADLINE_MS = 100;
const SILENCE_MS = 500;
const STOPS = 4;

let weirs: Weir[] = [];
afterEach(async () => {
  for (const weir of weirs) await weir.stop();
  weirs = [];
});

const connections = (wanted: number): Promise<void> =>
  vi.waitFor(
    async () => {
      for (const weir of weirs) expect(await metricOf(weir, 'weir_store_connected')).toBe(wanted);
    },
    { timeout: 20_000, interval: 20 },
  );

interface Sent {
  readonly at: number;
  readonly tookMs: number;
  readonly status: number;
}

test.each([
  ['kept back and charged with the answer', { charge: { on: 'response' } }],
  ['charged at once under ids that come again', { idempotencyKey: 'request.headers.x-charge' }],
])('%s', { timeout: 300_000 }, async (name, how) => {
  const dir = await temporaryFolder();
  const redis = await Redis.start('--appendonly', 'yes', '--appendfsync', 'always', '--dir', dir);
  const upstream = await FakeUpstream.start({ discard: true });
  const ports: number[] = [];
  const config = { quotas: [{ name: 'calls', limit: 1_000_000, window: 'year' }], ...how };
  const store = { address: redis.address, deadlineMs: DEADLINE_MS, silenceMs: SILENCE_MS };
  for (let i = 0; i < 2; i++) {
    const port = await freePort();
    const yaml = quotaPolicies(port, upstream.port, config, store);
    weirs.push(await Weir.start({ workers: WORKERS, files: { 'edge.yaml': yaml } }));
    ports.push(port);
  }
  await connections(WORKERS);

  const sent: Sent[] = [];
  let id = 0;
  let stop = false;
  const client = async (n: number): Promise<void> => {
    const port = ports[n % ports.length]!;
    // A charge that may have been made comes again until it is acknowledged, also when all stop.
    for (let charge = `c-${id++}`; ;) {
      const at = performance.now();
      const head = getRequest('/', 'a.test', 'X-User: ann', `X-Charge: ${charge}`, 'Connection: close');
      const { status } = await exchange({ port }, head);
      sent.push({ at, tookMs: performance.now() - at, status });
      if (status !== 200) await sleep(5);
      else if (stop) return;
      else charge = `c-${id++}`;
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, n) => client(n));
  const stopped: [from: number, to: number][] = [];
  const noticedMs: number[] = [];
  for (let i = 0; i < STOPS; i++) {
    await sleep(300);
    redis.freeze();
    const from = performance.now();
    // Noticed by each worker, though the system still takes connections for the process that is stopped.
    await connections(0);
    noticedMs.push(performance.now() - from);
    await sleep(Math.random() * 1000);
    stopped.push([from, performance.now()]);
    redis.thaw();
    await connections(WORKERS);
  }
  stop = true;
  await Promise.all(clients);
  await vi.waitFor(
    async () => {
      for (const weir of weirs) expect(await metricOf(weir, 'weir_quota_settlements_waiting')).toBe(0);
    },
    { timeout: 20_000, interval: 50 },
  );

  const meanwhile = sent.filter(({ at, tookMs }) =>
    stopped.some(([from, to]) => at > from + DEADLINE_MS && at + tookMs < to),
  );
  expect([...new Set(meanwhile.map(({ status }) => status))]).toEqual([503]);
  expect(meanwhile.length).toBeGreaterThan(100);
  // Others may have had the machine: the best of the stops counts. Without a deadline these would wait for the silence.
  const waitedMs = stopped
    .map(([from]) => sent.filter(({ at }) => at > from && at < from + SILENCE_MS / 2))
    .filter((early) => early.length > 0)
    .map((early) => Math.max(...early.map(({ tookMs }) => tookMs)));
  expect(Math.min(...waitedMs)).toBeLessThan(2 * DEADLINE_MS + 50);
  expect(Math.min(...noticedMs)).toBeLessThan(1.5 * SILENCE_MS + 1000);
  const served = sent.filter(({ status }) => status === 200).length;
  const [account] = JSON.parse((await weirs[0]!.admin('/quota')).text) as QuotaUsage[];
  expect(account).toMatchObject({ reserved: 0 });
  process.stdout.write(
    `${name}: ${served} served, ${account!.used} charged, ${meanwhile.length} answered 503 in ${STOPS} stops; ` +
      `noticed after ${Math.round(Math.min(...noticedMs))} ms, waited ${Math.round(Math.min(...waitedMs))} ms at best\n`,
  );
  expect(account!.used).toBe(served);
});
