// Two weirs that count a quota in one Redis, which keeps what it acknowledged.
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { QuotaAdjustment, QuotaUsage } from '../../src/control/quota-request.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { ROOT, run, temporaryFolder, Weir } from '../support/process.ts';
import { quotaPolicies } from '../support/quota.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { Redis } from '../support/redis.ts';
import { metricOf } from '../support/scenario.ts';

const LIMIT = 60;

let redis: Redis;
const weirs: Weir[] = [];
const ports: number[] = [];

const send = async (which: number, user: string, ...fields: string[]): Promise<number> => {
  const head = getRequest('/', 'example.test', `X-User: ${user}`, 'Connection: close', ...fields);
  return (await exchange({ port: ports[which]! }, head)).status;
};
const quota = (which: number, verb: string, ...args: string[]) =>
  run(process.execPath, [
    join(ROOT, 'bin/weir'),
    ...['quota', verb, '--admin', `127.0.0.1:${weirs[which]!.adminPort}`],
    ...args,
  ]);
const usage = async (which: number, query = ''): Promise<QuotaUsage[]> =>
  JSON.parse((await weirs[which]!.admin(`/quota${query}`)).text) as QuotaUsage[];
const connected = async (): Promise<void> => {
  for (const weir of weirs)
    await vi.waitFor(async () => expect(await metricOf(weir, 'weir_store_connected')).toBe(1), {
      timeout: 15_000,
      interval: 50,
    });
};

beforeAll(async () => {
  const kept = ['--appendonly', 'yes', '--appendfsync', 'always', '--dir', await temporaryFolder()];
  redis = await Redis.start(...kept);
  const upstream = await FakeUpstream.start({ discard: true });
  const store = { address: redis.address, deadlineMs: 1000 };
  for (let i = 0; i < 2; i++) {
    ports.push(await freePort());
    const config = quotaPolicies(
      ports[i]!,
      upstream.port,
      {
        plan: 'gold',
        plans: { gold: { quotas: [{ name: 'calls', limit: LIMIT, window: 'year' }] } },
        idempotencyKey: 'request.headers.x-charge',
        onStoreFailure: i === 0 ? 'Deny' : 'Allow',
      },
      store,
    );
    weirs.push(await Weir.start({ files: { 'edge.yaml': config } }));
  }
});

describe('a quota of the cluster', () => {
  test('admits its limit exactly over two weirs, and charges an id once for both', async () => {
    const statuses = await Promise.all(Array.from({ length: LIMIT + 30 }, (_, i) => send(i % 2, 'ann')));
    expect(statuses.filter((status) => status === 200).length).toBe(LIMIT);
    expect(statuses.filter((status) => status === 429).length).toBe(30);
    const again = [0, 1, 0, 1].map((which) => send(which, 'bob', 'X-Charge: order-1'));
    expect(await Promise.all(again)).toEqual([200, 200, 200, 200]);
    const [ann, bob] = (await usage(1)).sort((a, b) => a.key[0]!.localeCompare(b.key[0]!));
    expect(ann).toMatchObject({
      scope: 'cluster',
      store: 'shop/books',
      used: LIMIT,
      remaining: 0,
      plan: 'gold',
    });
    expect(bob).toMatchObject({ key: ['bob'], used: 1, quota: 'shop/calls' });
  });

  test('is topped up and reset for both, by either, and says so', async () => {
    const topped = await quota(0, 'top-up', 'calls', 'ann', '--amount', '1', '--reason', 'ticket 81');
    expect([topped.code, topped.stdout]).toEqual([0, expect.stringContaining('cluster shop/books')]);
    expect([await send(1, 'ann'), await send(0, 'ann')]).toEqual([200, 429]);
    expect((await quota(1, 'reset', 'shop/calls', 'ann', '--scope', 'cluster')).code).toBe(0);
    expect([await send(0, 'ann'), await send(1, 'ann')]).toEqual([200, 200]);
    const shown = JSON.parse((await quota(1, 'show', 'calls', 'ann', '--json')).stdout) as {
      accounts: QuotaUsage[];
      adjustments: QuotaAdjustment[];
    };
    expect(shown.accounts).toMatchObject([{ used: 2, limit: LIMIT + 1, added: 1 }]);
    expect(shown.adjustments).toMatchObject([
      { action: 'reset', amount: LIMIT + 1, scope: 'cluster' },
      { action: 'top-up', amount: 1, reason: 'ticket 81', store: 'shop/books', key: ['ann'] },
    ]);
    const missing = await quota(0, 'reset', 'calls', 'ann', '--scope', 'node');
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('nothing was charged')]);
  });

  test('is closed or open as onStoreFailure says while Redis is away, and goes on where it was', async () => {
    const before = await usage(0);
    await redis.kill();
    expect([await send(0, 'ann'), await send(1, 'ann')]).toEqual([503, 200]);
    const failed = await quota(0, 'list');
    expect([failed.code, failed.stderr]).toEqual([
      1,
      expect.stringMatching(/the Store shop\/books cannot be read: .*scope=node leaves it out/),
    ]);
    expect(await usage(0, '?scope=node')).toEqual([]);
    const { text } = await weirs[0]!.admin('/metrics');
    expect(text).toMatch(
      /weir_quota_decisions_total\{(?=.*quota="shop\/calls")(?=.*scope="cluster")(?=.*result="unavailable").*\} 1/,
    );
    await redis.restart();
    await connected();
    expect(await usage(0)).toEqual(before);
    expect([await send(0, 'ann'), await send(1, 'bob', 'X-Charge: order-1')]).toEqual([200, 200]);
    expect((await usage(1, '?key=ann'))[0]).toMatchObject({ used: 3 });
    expect((await usage(1, '?key=bob'))[0]).toMatchObject({ used: 1 });
  });
});
