// Question: how many charges of quotas a second are acknowledged when they are on disk, and how long does one wait?
// Fixture: one key, one quota; so many charges under way at a time; the ledger of the supervisor on the disk of the
// working folder, and a Redis on this machine with its file there, asked over TCP, alone and with a replica that must have
// each charge. What messages between processes add is not in it. Report: charges a second, median and 99th percentile of
// the wait, median of three runs of a second; for the ledger, charges for each write.
import { strictEqual } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import type { QuotaAnswer, QuotaAsk } from '../../src/runtime/quota/quota.ts';
import { QuotaService } from '../../src/supervisor/quota/service.ts';
import { QuotaMetrics } from '../../src/worker/quota-metrics.ts';
import { StoreConnection } from '../../src/worker/store/connection.ts';
import { StoreQuotas } from '../../src/worker/store/quotas.ts';
import { Redis } from '../../test/support/redis.ts';
import { storeSpec } from '../../test/support/store-spec.ts';

const RUNS = 3;
const RUN_MS = 1000;
const UNDER_WAY = [1, 16, 256];

const log = pino({ level: 'silent' });
const ask: QuotaAsk = {
  ...{ owner: 'shop', key: 'acme', amount: 1, hold: false, id: '' },
  quotas: [{ name: 'calls', limit: 1e12, soft: 0, grace: 0, window: 'month', timeZone: 'UTC' }],
};
const folder = mkdtempSync(join(process.cwd(), '.quota-bench-'));

type Charge = () => Promise<QuotaAnswer>;

interface Measured {
  readonly rate: number;
  readonly median: number;
  readonly p99: number;
}

async function measure(charge: Charge, underWay: number): Promise<Measured> {
  const waits: number[] = [];
  const begun = performance.now();
  const client = async (): Promise<void> => {
    while (performance.now() - begun < RUN_MS) {
      const asked = performance.now();
      strictEqual((await charge()).outcome, 'admitted');
      waits.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: underWay }, client));
  waits.sort((a, b) => a - b);
  return {
    rate: (waits.length * 1000) / (performance.now() - begun),
    median: waits[waits.length >> 1]!,
    p99: waits[Math.floor(waits.length * 0.99)]!,
  };
}

/** @param writes of the ledger until now; null where they are not known */
async function report(name: string, charge: Charge, writes: (() => number) | null): Promise<void> {
  for (const underWay of UNDER_WAY) {
    await measure(charge, underWay);
    const runs: (Measured & { perWrite: number })[] = [];
    for (let i = 0; i < RUNS; i++) {
      const before = writes?.() ?? 0;
      const run = await measure(charge, underWay);
      const perWrite = writes === null ? 0 : (run.rate * RUN_MS) / 1000 / (writes() - before);
      runs.push({ ...run, perWrite });
    }
    const { rate, median, p99, perWrite } = runs.sort((a, b) => a.rate - b.rate)[RUNS >> 1]!;
    const cells = [
      `${Math.round(rate)} charges/s`,
      `median ${median.toFixed(2)} ms`,
      `p99 ${p99.toFixed(2)} ms`,
    ];
    if (writes !== null) cells.push(`${perWrite.toFixed(1)} charges a write`);
    console.log(`${name}, ${underWay} under way: ${cells.join(', ')}`);
  }
}

const waiting = new Map<number, (answer: QuotaAnswer) => void>();
let ticket = 0;
const service = new QuotaService({
  dataDir: folder,
  log,
  send: (_worker, replies) => {
    for (const reply of replies) {
      waiting.get(reply.ticket)!(reply.answer);
      waiting.delete(reply.ticket);
    }
  },
  now: () => Date.now(),
});
await service.open();
await report(
  'ledger',
  () =>
    new Promise((resolve) => {
      waiting.set(++ticket, resolve);
      service.receive(1, [{ kind: 'reserve', ticket, ask }]);
    }),
  () => service.state.writes,
);
await service.close();

const settings = [
  ['always', 0],
  ['always', 1],
  ['everysec', 0],
  ['everysec', 1],
] as const;
for (const [fsync, replicas] of hasRedis() ? settings : []) {
  const kept = ['--appendonly', 'yes', '--appendfsync', fsync, '--dir'];
  const redis = await Redis.start(...kept, mkdtempSync(join(folder, 'redis-')));
  const replicaOf = ['--replicaof', '127.0.0.1', String(redis.port)];
  const replica =
    replicas === 0 ? null : await Redis.start(...kept, mkdtempSync(join(folder, 'replica-')), ...replicaOf);
  let up = (): void => undefined;
  const isUp = new Promise<void>((resolve) => (up = resolve));
  const store = storeSpec(redis.port, { deadlineMs: 1000, replicas });
  const connection = new StoreConnection(store, { connected: () => up(), lost: () => undefined });
  await isUp;
  const quotas = new StoreQuotas({
    ...{ server: connection, keyPrefix: 'weir', deadlineMs: 1000 },
    metrics: new QuotaMetrics('cluster', log),
    now: () => performance.now(),
    wallNow: () => Date.now(),
    refused: () => undefined,
  });
  const charge = (): Promise<QuotaAnswer> =>
    new Promise((resolve) => {
      const answer = quotas.reserve(ask, { answered: (_ticket, _ask, later) => resolve(later) }, 1);
      if (answer !== null) resolve(answer);
    });
  const more = replicas === 0 ? '' : `, and ${replicas} replica that must have it`;
  await report(`Redis, appendfsync ${fsync}${more}`, charge, null);
  quotas.close();
  connection.close();
  await replica?.kill();
  await redis.kill();
}
rmSync(folder, { recursive: true, force: true });

function hasRedis(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    console.log('Redis is not installed: left out');
    return false;
  }
}
