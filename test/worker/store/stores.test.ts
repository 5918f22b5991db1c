// The stores of a worker, with a real Redis.
import { createServer } from 'node:net';
import { once } from 'node:events';
import pino from 'pino';
import { afterEach, expect, test } from 'vitest';
import type { SharedLedgers } from '../../../src/runtime/ledger.ts';
import type { QuotaAnswer } from '../../../src/runtime/quota/quota.ts';
import { StoreSet } from '../../../src/worker/store/stores.ts';
import { atEnd } from '../../support/cleanup.ts';
import { freePort } from '../../support/ports.ts';
import { Redis } from '../../support/redis.ts';
import { storeSpec } from '../../support/store-spec.ts';

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

async function open(port: number, waitMs: number, replicas = 0): Promise<SharedLedgers> {
  const logger = pino({ level: 'silent' });
  const stores = new StoreSet({ logger, dropped: () => 0, flush: () => undefined });
  const spec = storeSpec(port, { deadlineMs: 5000, replicas });
  const ledgers = stores.acquire(spec);
  opened.push(() => stores.release(spec));
  await stores.tried(waitMs);
  return ledgers;
}

/** Counts one call. */
async function charge({ quotas }: SharedLedgers): Promise<string> {
  const { outcome } = await new Promise<QuotaAnswer>((resolve) => {
    const now = quotas.reserve(
      {
        ...{ owner: 'shop', key: 'acme', amount: 1, hold: false, id: '' },
        quotas: [{ name: 'calls', limit: 10, soft: 0, grace: 0, window: 'year', timeZone: 'UTC' }],
      },
      { answered: (_ticket, _ask, later) => resolve(later) },
      1,
    );
    if (now !== null) resolve(now);
  });
  return outcome;
}

test('who waits until stores were tried is counted from the first call on', async () => {
  const redis = await Redis.start();
  expect(await charge(await open(redis.port, 0))).toBe('unavailable');
  expect(await charge(await open(redis.port, 20_000))).toBe('admitted');
});

test('a server that refuses, or says nothing, is not waited for', async () => {
  const begun = performance.now();
  expect(await charge(await open(await freePort(), 60_000))).toBe('unavailable');
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  atEnd(() => void silent.close());
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  expect(await charge(await open(port, 100))).toBe('unavailable');
  expect(performance.now() - begun).toBeLessThan(30_000);
});

test('limits are counted while quotas wait for a replica', async () => {
  const redis = await Redis.start();
  const { limits, quotas } = await open(redis.port, 20_000, 1);
  const allowed = await new Promise<boolean>((resolve) => {
    const limit = { algorithm: 'token-bucket', requests: 10, periodMs: 1000, burst: 0 } as const;
    const now = limits.take('a', 1, limit, { decided: (_ticket, decision) => resolve(decision.allowed) }, 1);
    if (now !== null) resolve(now.allowed);
  });
  expect(allowed).toBe(true);
  expect(await charge({ limits, quotas })).toBe('unavailable');
});
