// A real Redis and its replica, which is stopped and goes on.
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { StoreConnection } from '../../../src/worker/store/connection.ts';
import { SETTLE_SCRIPT } from '../../../src/worker/store/quota-script.ts';
import { storeScript } from '../../../src/worker/store/store-script.ts';
import { Redis } from '../../support/redis.ts';
import { storeSpec } from '../../support/store-spec.ts';

const WRITE = storeScript("redis.call('SET', KEYS[1], ARGV[1]) return ARGV[1]");
const DEADLINE_MS = 500;

let master: Redis;
let replica: Redis;
let client: Awaited<ReturnType<Redis['client']>>;
beforeAll(async () => {
  master = await Redis.start('--repl-diskless-sync-delay', '0');
  replica = await Redis.start('--replicaof', '127.0.0.1', String(master.port));
  client = await master.client();
  await replicated();
});

const patient = { timeout: 20_000, interval: 10 };
const replicated = (): Promise<void> =>
  vi.waitFor(async () => expect(await client.wait(1, 100)).toBe(1), patient);

const opened: StoreConnection[] = [];
let faults: string[] = [];
let connected = 0;
beforeEach(() => {
  faults = [];
  connected = 0;
});
afterEach(async () => {
  for (const connection of opened.splice(0)) connection.close();
  replica.thaw();
  await replicated();
});

function open({ port = master.port, replicas = 1 } = {}): StoreConnection {
  const spec = storeSpec(port, { deadlineMs: DEADLINE_MS, replicas });
  const connection = new StoreConnection(spec, {
    connected: () => connected++,
    lost: ({ message }) => faults.push(message),
  });
  opened.push(connection);
  return connection;
}
const isConnected = (times: number): Promise<void> =>
  vi.waitFor(() => expect(connected).toBeGreaterThanOrEqual(times), patient);

describe('what is written over a connection that waits for replicas', () => {
  test('is acknowledged when they have it', async () => {
    const connection = open();
    await isConnected(1);
    expect(await connection.run(WRITE, ['a'], ['1'])).toBe('1');
    const other = await replica.client();
    expect(await other.get('a')).toBe('1');
  });

  test('is not where they have it too late; then it waits until they are there again', async () => {
    const connection = open();
    await isConnected(1);
    faults = [];
    replica.freeze();
    const lacking = `0 of 1 replicas have what was written within ${DEADLINE_MS} ms`;
    await expect(connection.run(WRITE, ['a'], ['2'])).rejects.toThrow(lacking);
    expect(connection.isReady).toBe(false);
    // The server has it, and nobody is told that.
    expect(await client.get('a')).toBe('2');
    await expect(connection.run(WRITE, ['a'], ['3'])).rejects.toThrow();
    replica.thaw();
    await vi.waitFor(() => expect(connection.isReady).toBe(true), patient);
    expect(await connection.run(WRITE, ['a'], ['4'])).toBe('4');
    expect(faults).toEqual([lacking]);
  });

  test('is not over a connection to which they never came', async () => {
    open({ replicas: 2 });
    await vi.waitFor(() => expect(faults.length).toBe(1), patient);
    expect(faults).toEqual([`1 of 2 replicas have what was written within ${DEADLINE_MS} ms`]);
    expect(connected).toBe(0);
  });

  test('is waited for together', async () => {
    const connection = open();
    await isConnected(1);
    await client.configResetStat();
    await Promise.all(Array.from({ length: 200 }, (_, i) => connection.run(WRITE, [`k${i}`], ['1'])));
    const stats = await client.info('commandstats');
    const waits = Number(/cmdstat_wait:calls=(\d+)/.exec(stats)![1]);
    expect(waits).toBeLessThan(100);
    expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)![1])).toBeGreaterThanOrEqual(200);
  });
});

test('a settlement that is told a second time is acknowledged when they have the first', async () => {
  const keys = ['settled', 'held', 'voided', 'charged'];
  const args = ['1', '120000', '60000'];
  await client.eval(SETTLE_SCRIPT.text, { keys, arguments: ['1', '60000', '60000'] });
  const connection = open();
  await isConnected(1);
  replica.freeze();
  await expect(connection.run(SETTLE_SCRIPT, keys, args)).rejects.toThrow('0 of 1 replicas');
  // From Redis 7.2 on WAIT knows of what its own connection has written alone.
  expect(await client.pTTL('settled')).toBeGreaterThan(60_000);
});

test('each reason why a server cannot be had is told once, until it can', async () => {
  const alone = await Redis.start();
  open({ port: alone.port });
  const lacking = `0 of 1 replicas have what was written within ${DEADLINE_MS} ms`;
  await vi.waitFor(() => expect(faults).toEqual([lacking]), patient);
  await alone.kill();
  await vi.waitFor(() => expect(faults.length).toBeGreaterThan(1), patient);
  await alone.restart();
  await vi.waitFor(async () => {
    const asked = await (await alone.client()).info('commandstats');
    expect(Number(/cmdstat_wait:calls=(\d+)/.exec(asked)?.[1])).toBeGreaterThan(1);
  }, patient);
  expect(faults.filter((fault) => fault === lacking)).toEqual([lacking]);
});
