// Which server is counted in: real Sentinels, and servers that are not to be counted in.
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { SentinelSpec, StoreSpec } from '../../../src/runtime/snapshot.ts';
import { StoreConnection } from '../../../src/worker/store/connection.ts';
import { masterOf, movedBy, visitStore } from '../../../src/worker/store/master.ts';
import { freePort } from '../../support/ports.ts';
import { temporaryFolder } from '../../support/process.ts';
import { Redis, Sentinel } from '../../support/redis.ts';
import { storeSpec } from '../../support/store-spec.ts';

const BOOKS: SentinelSpec = { master: 'books', username: null, password: null };
const at = (port: number) => ({ host: '127.0.0.1', port });
const specOf = (ports: readonly number[], sentinel: SentinelSpec | null = BOOKS): StoreSpec =>
  storeSpec(ports[0]!, { addresses: ports.map(at), sentinel });

let older: Redis;
let newer: Redis;
let stale: Sentinel;
let current: Sentinel;
beforeAll(async () => {
  [older, newer] = await Promise.all([Redis.start(), Redis.start()]);
  [stale, current] = await Promise.all([
    Sentinel.start(older, 1, 'sentinel config-epoch books 1'),
    Sentinel.start(newer, 1, 'sentinel config-epoch books 2', 'requirepass only-for-tests'),
  ]);
}, 60_000);

const withPassword: SentinelSpec = { ...BOOKS, password: 'only-for-tests' };

describe('the master', () => {
  test('is the one address where there are no Sentinels', async () => {
    expect(await masterOf(specOf([older.port], null))).toEqual(at(older.port));
  });

  test('is what a Sentinel says, though the others are away', async () => {
    const nobody = [await freePort(), await freePort()];
    expect(await masterOf(specOf([...nobody, stale.port]))).toEqual(at(older.port));
  });

  test('is that of the newest failover where Sentinels differ', async () => {
    await stale.kill();
    stale = await Sentinel.start(older, 1, 'sentinel config-epoch books 1', 'requirepass only-for-tests');
    for (const ports of [
      [stale.port, current.port],
      [current.port, stale.port],
    ])
      expect(await masterOf(specOf(ports, withPassword))).toEqual(at(newer.port));
  });

  test('is asked for once by who looks at a Store', async () => {
    const spec = specOf([current.port], withPassword);
    expect(await visitStore(spec, (client) => client.set('k', 'v'))).toBe('OK');
    expect(await (await newer.client()).get('k')).toBe('v');
  });

  test('is told missing with what each Sentinel says', async () => {
    const nobody = await freePort();
    const spec = specOf([nobody, current.port, older.port], { ...withPassword, master: 'bokos' });
    await expect(masterOf(spec)).rejects.toThrow(
      new RegExp(
        `^no Sentinel knows the master: (?=.*127\\.0\\.0\\.1:${nobody}: connect ECONNREFUSED)(?=.*:${current.port}: ERR No such master)`,
      ),
    );
  });
});

/** Why a server is not counted in. */
async function faultOf(spec: StoreSpec): Promise<string> {
  const faults: string[] = [];
  let connected = 0;
  const connection = new StoreConnection(spec, {
    connected: () => connected++,
    lost: ({ message }) => faults.push(message),
  });
  await vi.waitFor(() => expect(faults.length + connected).toBeGreaterThan(0), { timeout: 10_000 });
  expect([connected, connection.isReady]).toEqual([0, false]);
  connection.close();
  return faults[0]!;
}

describe('a server is not counted in', () => {
  test('that is part of a Cluster: the message says what to do', async () => {
    const file = join(await temporaryFolder(), 'nodes.conf');
    const part = await Redis.start('--cluster-enabled', 'yes', '--cluster-config-file', file);
    expect(await faultOf(specOf([part.port], null))).toBe(
      'it is part of a Redis Cluster, which spreads keys over servers: name a server outside of one, or Sentinels',
    );
  });

  test('that is a replica, though a Sentinel says that it is the master', async () => {
    const replica = await Redis.start('--replicaof', '127.0.0.1', String(older.port));
    const sentinel = await Sentinel.start(replica, 1);
    expect(await faultOf(specOf([sentinel.port]))).toBe('it is a replica, not the master yet');
  });

  test.each([
    ['MOVED 3999 127.0.0.1:6381', 'part of a Redis Cluster'],
    ["CROSSSLOT Keys in request don't hash to the same slot", 'part of a Redis Cluster'],
    ["READONLY You can't write against a read only replica.", 'become a replica'],
  ])('any more that answers %s', (answer, reason) => {
    expect(movedBy(new Error(answer))!.message).toContain(reason);
  });

  test('only for such an answer', () => {
    expect(movedBy(new Error('OOM command not allowed'))).toBeNull();
  });
});

test('a connection goes on to the server that has become the master, and leaves one that is a replica', async () => {
  const [first, second] = await Promise.all([Redis.start(), Redis.start()]);
  const sentinel = await Sentinel.start(first, 1);
  const connected: number[] = [];
  const faults: string[] = [];
  const connection = new StoreConnection(specOf([sentinel.port]), {
    connected: ({ port }) => connected.push(port),
    lost: ({ message }, address) => faults.push(`${address?.port}: ${message}`),
  });
  await vi.waitFor(() => expect(connected).toEqual([first.port]), { timeout: 10_000 });
  // The Sentinel is told of another, as where it has learned of a failover; the first one still answers.
  const client = await sentinel.client();
  await client.sendCommand(['SENTINEL', 'REMOVE', 'books']);
  await client.sendCommand(['SENTINEL', 'MONITOR', 'books', '127.0.0.1', String(second.port), '1']);
  await vi.waitFor(() => expect(connected).toEqual([first.port, second.port]), { timeout: 10_000 });
  expect(faults).toEqual([`${first.port}: 127.0.0.1:${second.port} is the master now`]);
  connection.close();
});
