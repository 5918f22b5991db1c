import pino from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Snapshot } from '../../src/runtime/snapshot.ts';
import { Fleet } from '../../src/supervisor/fleet.ts';
import type { Deployable } from '../../src/supervisor/worker-process.ts';
import { Bundle } from '../support/bundle.ts';

const bundle = new Bundle('stand-in-worker');

beforeAll(() => bundle.build());
afterAll(() => bundle.remove());

let fleet: Fleet;
let crashLoops: number;

function start(size: number, stallLimitMs?: number): void {
  crashLoops = 0;
  fleet = new Fleet({
    size,
    entry: bundle.entry,
    environment: (slot) => ({
      WEIR_WORKER: JSON.stringify({ id: slot, workers: size, level: 'silent' }),
    }),
    log: pino({ level: 'silent' }),
    ...(stallLimitMs === undefined ? {} : { stallLimitMs }),
    onLedger: () => undefined,
    onQuota: () => undefined,
    onUp: () => undefined,
    onWatched: () => undefined,
    onExit: () => undefined,
    onTrip: () => undefined,
    onCrashLoop: () => crashLoops++,
  });
  fleet.start();
}
afterEach(async () => {
  fleet.kill();
  await fleet.drain(0);
});

function release(version: string, ...digests: string[]): Deployable {
  const modules = digests.map((digest) => ({
    name: `shop/${digest}`,
    digest,
    source: '',
    memoryBytes: 65536,
  }));
  const snapshot = { version, modules, plugins: [] } as unknown as Snapshot;
  return { snapshot, code: new Map(digests.map((digest) => [digest, Buffer.from(digest)])) };
}

const versions = () => fleet.describe().map(({ version }) => version);
const pids = () => fleet.describe().map(({ pid }) => pid);
const ready = (timeout = 10_000) => expect.poll(() => fleet.isReady, { timeout, interval: 10 }).toBe(true);

describe('a fleet', () => {
  test('puts a snapshot in force on all workers', async () => {
    start(2);
    expect(await fleet.deploy(release('a'))).toEqual([]);
    expect(versions()).toEqual(['a', 'a']);
    expect(fleet.isReady).toBe(true);
    expect(await fleet.deploy(release('b'))).toEqual([]);
    expect(versions()).toEqual(['b', 'b']);
  });

  test('where one worker refuses, none swaps, and the others let go of what they staged', async () => {
    start(2);
    await fleet.deploy(release('a'));
    const faults = await fleet.deploy(release('refuse@2'));
    expect(faults.map(({ message }) => message)).toEqual(['worker 2 will not']);
    expect(versions()).toEqual(['a', 'a']);
    expect(fleet.current?.snapshot.version).toBe('a');
    await expect
      .poll(async () => (await fleet.dumps(1000)).map(({ dump }) => dump.status.streams))
      .toEqual([0, 0]);
    expect(await fleet.deploy(release('b'))).toEqual([]);
  });

  test('sends the bytes of a module once', async () => {
    start(1);
    await fleet.deploy(release('a', 'one', 'two'));
    await fleet.deploy(release('b', 'one', 'two', 'three'));
    await fleet.deploy(release('c', 'three'));
    const [worker] = await fleet.dumps(1000);
    expect(worker!.dump.status.plugins.map(({ name }) => name)).toEqual(['one', 'two', 'three']);
    // What is not in force any more is sent again.
    await fleet.deploy(release('d', 'one', 'three'));
    const [later] = await fleet.dumps(1000);
    expect(later!.dump.status.plugins.map(({ name }) => name)).toEqual(['one', 'two', 'three', 'one']);
  });

  test('a worker that was killed comes back with the snapshot in force and all of its modules', async () => {
    start(2);
    await fleet.deploy(release('a', 'one'));
    const [victim] = pids();
    process.kill(victim!, 'SIGKILL');
    await expect.poll(() => fleet.isReady, { interval: 2 }).toBe(false);
    await ready();
    expect(pids()[0]).not.toBe(victim);
    expect(versions()).toEqual(['a', 'a']);
    expect(fleet.restarts).toBe(1);
    const dumps = await fleet.dumps(1000);
    expect(dumps.map(({ dump }) => dump.status.plugins.length)).toEqual([1, 1]);
  });

  test('a snapshot comes in force although a worker exits while it stages, and that one catches up', async () => {
    start(2);
    await fleet.deploy(release('a'));
    expect(await fleet.deploy(release('exit@1'))).toEqual([]);
    expect(fleet.current?.snapshot.version).toBe('exit@1');
    // Its successors exit too, until something else is in force.
    fleet.revert(release('a'));
    await ready();
    expect(versions()).toEqual(['a', 'a']);
  });

  test('a snapshot that ends every worker which stages it is refused', async () => {
    start(2);
    await fleet.deploy(release('a'));
    const faults = await fleet.deploy(release('exit@1,2'));
    expect(faults.map(({ kind }) => kind)).toEqual(['worker', 'worker']);
    await ready();
    expect(versions()).toEqual(['a', 'a']);
  });

  test('five exits under one snapshot are told as a crash loop, and the one before brings it to rest', async () => {
    start(2);
    await fleet.deploy(release('a'));
    await fleet.deploy(release('crash@1,2'));
    await expect.poll(() => crashLoops, { timeout: 10_000 }).toBe(1);
    fleet.revert(release('a'));
    await ready();
    expect(versions()).toEqual(['a', 'a']);
  });

  test('a fault that nobody caught: another worker takes the place at once, the old one drains', async () => {
    start(1);
    await fleet.deploy(release('throw@1'));
    const [before] = pids();
    await expect.poll(() => pids()[0], { interval: 2 }).not.toBe(before);
    // The old process is still there: it has its streams to finish.
    expect(() => process.kill(before!, 0)).not.toThrow();
    await fleet.deploy(release('a'));
    await ready();
    await expect.poll(() => isAlive(before!)).toBe(false);
  });

  test('an event loop that does not turn any more is ended and replaced', { timeout: 30_000 }, async () => {
    start(2, 1500);
    await fleet.deploy(release('stall@1'));
    const before = pids();
    await expect.poll(() => fleet.restarts, { timeout: 15_000 }).toBeGreaterThan(0);
    fleet.revert(release('a'));
    await ready();
    expect(pids()[0]).not.toBe(before[0]);
    expect(pids()[1]).toBe(before[1]);
  });

  test('drains: not ready at once, every process gone at the end, none started again', async () => {
    start(2);
    await fleet.deploy(release('a'));
    const before = pids();
    const drained = fleet.drain(2000);
    expect(fleet.isReady).toBe(false);
    await drained;
    expect(before.map((pid) => isAlive(pid!))).toEqual([false, false]);
    expect(fleet.restarts).toBe(0);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
