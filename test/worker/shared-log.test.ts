import { fork, type ChildProcess } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Status } from '../../src/runtime/wasm/abi.ts';
import { SharedLog } from '../../src/worker/shared-log.ts';
import { Bundle } from '../support/bundle.ts';
import { temporaryFolder } from '../support/process.ts';
import { TIMED } from '../support/timing.ts';
import type { SharedJob, SharedOutcome } from '../support/shared-worker.ts';

const SPACE = 'shop\0vm';
const PREFIX = 'shop\0';
const text = (value: Uint8Array | Status | undefined): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString() : String(value);

let folder: string;
const open: SharedLog[] = [];
const wakes: number[][] = [];
const ready: number[][] = [];

/** Two workers in one process have the same system calls as two in their own. */
function worker(id: number): SharedLog {
  const log = new SharedLog({
    folder,
    worker: id,
    wake: (other) => wakes.push([id, other]),
    failed: (error) => {
      throw error;
    },
  });
  log.onReady = (queue) => ready.push([id, queue]);
  open.push(log);
  return log;
}

beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => {
  for (const log of open.splice(0)) log.close();
  wakes.length = ready.length = 0;
});

describe('shared data', () => {
  test('is there for the others when the call has returned, with the same version', () => {
    const [a, b] = [worker(1), worker(2)];
    expect(a.set(SPACE, 'k', Buffer.from('one'), 0)).toBe(Status.Ok);
    const found = b.get(SPACE, 'k')!;
    expect([text(found.value), found.cas]).toEqual(['one', a.get(SPACE, 'k')!.cas]);
    expect(b.set(SPACE, 'k', Buffer.from('two'), found.cas)).toBe(Status.Ok);
    expect(a.set(SPACE, 'k', Buffer.from('three'), found.cas)).toBe(Status.CasMismatch);
    expect(text(a.get(SPACE, 'k')!.value)).toBe('two');
    expect(a.get('shop\0other', 'k')).toBeUndefined();
  });

  test('counters are exact, whoever adds', () => {
    const [a, b] = [worker(1), worker(2)];
    const numberOf = (value: Uint8Array | Status): bigint =>
      Buffer.from(value as Uint8Array).readBigInt64LE();
    for (let i = 1; i <= 100; i++)
      expect(numberOf((i % 2 === 0 ? a : b).add(SPACE, 'n', 3n, 0))).toBe(BigInt(3 * i));
    expect(b.get(SPACE, 'n')!.cas).toBe(a.get(SPACE, 'n')!.cas);
    a.set(SPACE, 'text', Buffer.from('abc'), 0);
    expect(b.add(SPACE, 'text', 1n, 0)).toBe(Status.BadArgument);
  });

  test('what has a time is gone for all when it is over, and for one that comes later', TIMED, async () => {
    const [a, b] = [worker(1), worker(2)];
    a.set(SPACE, 'k', Buffer.from('v'), 0, 60);
    b.add(SPACE, 'n', 7n, 60);
    expect([text(b.get(SPACE, 'k')?.value), a.keys(SPACE, '')]).toEqual(['v', ['k', 'n']]);
    await new Promise((resolve) => setTimeout(resolve, 80));
    const late = worker(3);
    for (const each of [a, b, late]) {
      expect(each.get(SPACE, 'k')).toBeUndefined();
      expect(each.keys(SPACE, '')).toEqual([]);
    }
    expect(Buffer.from(late.add(SPACE, 'n', 1n, 0) as Uint8Array).readBigInt64LE()).toBe(1n);
    expect(a.set(SPACE, 'k', Buffer.from('w'), 12_345)).toBe(Status.Ok);
    expect(text(b.get(SPACE, 'k')!.value)).toBe('w');
  });

  test('is removed for all, in the version that was meant', () => {
    const [a, b] = [worker(1), worker(2)];
    a.set(SPACE, 'k', Buffer.from('v'), 0);
    const { cas } = b.get(SPACE, 'k')!;
    expect(b.remove(SPACE, 'k', cas + 1)).toBe(Status.CasMismatch);
    expect(b.remove(SPACE, 'k', cas)).toBe(Status.Ok);
    expect(a.remove(SPACE, 'k', 0)).toBe(Status.NotFound);
    expect(a.get(SPACE, 'k')).toBeUndefined();
  });

  test('has its bounds over all workers', () => {
    const [a, b] = [worker(1), worker(2)];
    expect(a.set(SPACE, 'k', Buffer.alloc(1024 * 1024 - 1), 0)).toBe(Status.Ok);
    expect(b.set(SPACE, 'l', Buffer.from('x'), 0)).toBe(Status.InternalFailure);
    expect(b.set(SPACE, 'k', Buffer.from('x'), 0)).toBe(Status.Ok);
  });

  test('is the same for a worker that comes later, over any number of files', () => {
    const a = worker(1);
    const idle = worker(2);
    const value = Buffer.alloc(100_000, 'v');
    for (let i = 0; i < 200; i++) {
      value.write(`${i} `);
      expect(a.set(SPACE, `k${i % 5}`, value, 0)).toBe(Status.Ok);
    }
    expect(a.counts.files).toBeGreaterThan(3);
    const late = worker(3);
    for (let k = 0; k < 5; k++) {
      const expected = a.get(SPACE, `k${k}`);
      expect(text(expected!.value)).toMatch(new RegExp(`^${195 + k} `));
      // The idle one read nothing while files came and went.
      for (const found of [late.get(SPACE, `k${k}`)!, idle.get(SPACE, `k${k}`)!]) {
        expect(found.cas).toBe(expected!.cas);
        expect(Buffer.compare(found.value, expected!.value)).toBe(0);
      }
    }
    expect(idle.set(SPACE, 'k0', Buffer.from('x'), late.get(SPACE, 'k0')!.cas)).toBe(Status.Ok);
    expect(text(a.get(SPACE, 'k0')!.value)).toBe('x');
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test('goes with the last plugin of its space in any worker', () => {
    const [a, b] = [worker(1), worker(2)];
    a.hold(SPACE);
    a.hold(SPACE);
    b.hold(SPACE);
    a.set(SPACE, 'k', Buffer.from('v'), 0);
    a.release(SPACE);
    a.release(SPACE);
    expect(text(a.get(SPACE, 'k')?.value)).toBe('v');
    b.release(SPACE);
    expect(a.get(SPACE, 'k')).toBeUndefined();
  });

  test('that only a process held which has ended goes with it; later ones are not known yet', () => {
    const [a, b, c] = [worker(1), worker(2), worker(3)];
    b.hold('s\0b');
    b.set('s\0b', 'k', Buffer.from('v'), 0);
    c.hold('s\0c');
    c.set('s\0c', 'k', Buffer.from('v'), 0);
    a.keepOnly(new Set([1]), 2);
    expect(c.get('s\0b', 'k')).toBeUndefined();
    expect(text(a.get('s\0c', 'k')?.value)).toBe('v');
  });
});

describe('shared queues', () => {
  test('give each item once, in order, whoever asks', () => {
    const [a, b] = [worker(1), worker(2)];
    const id = a.register(SPACE, 'jobs');
    expect(b.resolve(SPACE, 'jobs')).toBe(id);
    expect(b.register(SPACE, 'jobs')).toBe(id);
    for (const item of ['1', '2', '3']) expect(b.enqueue(PREFIX, id, Buffer.from(item))).toBe(Status.Ok);
    expect([a, b, a, b].map((log) => text(log.dequeue(PREFIX, id)))).toEqual(['1', '2', '3', '7']);
    expect(a.dequeue('other\0', id)).toBe(Status.NotFound);
    expect(a.enqueue('other\0', id, Buffer.from('x'))).toBe(Status.NotFound);
    expect(a.enqueue(PREFIX, 99, Buffer.from('x'))).toBe(Status.NotFound);
  });

  test('wake the worker that registered last, once for each item; the next takes over', () => {
    const [a, b] = [worker(1), worker(2)];
    const id = a.register(SPACE, 'jobs');
    b.register(SPACE, 'jobs');
    a.enqueue(PREFIX, id, Buffer.from('1'));
    a.enqueue(PREFIX, id, Buffer.from('2'));
    expect(wakes).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(ready).toEqual([]);
    b.sync();
    expect(ready).toEqual([
      [2, id],
      [2, id],
    ]);
    b.unregister(id);
    expect(wakes.at(-1)).toEqual([2, 1]);
    a.sync();
    expect(ready.slice(2)).toEqual([
      [1, id],
      [1, id],
    ]);
    // Nobody is left: the items wait for whoever comes.
    a.unregister(id);
    worker(3).register(SPACE, 'jobs');
    expect(ready.slice(4)).toEqual([
      [3, id],
      [3, id],
    ]);
  });

  test("of a process that has ended are the next worker's", () => {
    const [a, b] = [worker(1), worker(2)];
    const id = a.register(SPACE, 'jobs');
    b.register(SPACE, 'jobs');
    a.enqueue(PREFIX, id, Buffer.from('1'));
    a.keepOnly(new Set([1]), 2);
    expect(ready).toEqual([[1, id]]);
  });

  test('remind a worker that read nothing while files came and went', () => {
    const [a, b] = [worker(1), worker(2)];
    const id = b.register(SPACE, 'jobs');
    a.enqueue(PREFIX, id, Buffer.from('1'));
    for (let i = 0; i < 100; i++) a.set(SPACE, 'k', Buffer.alloc(100_000), 0);
    b.sync();
    // Once for the step, and once more since it cannot know what it missed.
    expect(ready.length).toBeGreaterThan(0);
    expect(new Set(ready.map(String))).toEqual(new Set([`2,${id}`]));
  });
});

describe('what a process leaves behind that ends in the middle of a write', () => {
  const newest = (): string => join(folder, readdirSync(folder)[0]!);
  /** A record as it is in the file. */
  function record(): Buffer {
    const other = worker(9);
    const before = readFileSync(newest()).length;
    other.set(SPACE, 'torn', Buffer.alloc(3000, 'torn'), 0);
    return readFileSync(newest()).subarray(before);
  }

  test.each([1, 11, 35, 100, 3000])('is passed over by all in the same way: %i bytes', (size) => {
    const whole = record();
    const [a, b, c] = [worker(1), worker(2), worker(3)];
    appendFileSync(newest(), whole.subarray(0, size));
    // It may still be on its way, for one that only reads.
    expect(text(b.get(SPACE, 'k')?.value)).toBe('undefined');
    expect(a.set(SPACE, 'k', Buffer.from('1'), 0)).toBe(Status.Ok);
    expect(text(b.get(SPACE, 'k')?.value)).toBe('1');
    expect(b.set(SPACE, 'k', Buffer.from('2'), b.get(SPACE, 'k')!.cas)).toBe(Status.Ok);
    expect(c.get(SPACE, 'k')).toEqual(a.get(SPACE, 'k'));
    expect(worker(4).get(SPACE, 'k')).toEqual(a.get(SPACE, 'k'));
  });

  test('is waited for where it comes after all', () => {
    const whole = record();
    const a = worker(1);
    appendFileSync(newest(), whole.subarray(0, 2000));
    const { cas } = a.get(SPACE, 'torn')!;
    appendFileSync(newest(), whole.subarray(2000));
    expect(a.get(SPACE, 'torn')!.cas).toBe(cas + 1);
  });
});

test('a folder that is gone fails writes, and reads answer what was known', () => {
  let failures = 0;
  const log = new SharedLog({ folder, worker: 1, wake: () => undefined, failed: () => failures++ });
  open.push(log);
  log.set(SPACE, 'k', Buffer.from('v'), 0);
  rmSync(folder, { recursive: true });
  const value = Buffer.alloc(1_000_000);
  const statuses = Array.from({ length: 8 }, () => log.set(SPACE, 'big', value, 0));
  expect(statuses.at(-1)).toBe(Status.InternalFailure);
  expect(failures).toBeGreaterThan(0);
  expect(text(log.get(SPACE, 'k')?.value)).toBe('v');
  mkdirSync(folder);
});

describe('four processes at once', () => {
  const bundle = new Bundle('shared-worker');
  beforeAll(() => bundle.build());
  afterAll(() => bundle.remove());

  /** Starts all, then gives all their jobs at the same time. */
  async function together(job: Omit<SharedJob, 'worker' | 'folder'>): Promise<SharedOutcome[]> {
    const children: ChildProcess[] = [1, 2, 3, 4].map(() =>
      fork(bundle.entry, { serialization: 'advanced' }),
    );
    const outcomes = children.map(
      (child, i) =>
        new Promise<SharedOutcome>((resolve, reject) => {
          child.once('message', resolve);
          child.once('exit', (code) => reject(new Error(`process ${i} ended with ${code}`)));
        }),
    );
    for (const [i, child] of children.entries()) child.send({ folder, worker: i + 1, ...job });
    return Promise.all(outcomes);
  }

  test('lose no increment, and give no item twice', async () => {
    const outcomes = await together({ increments: 3000, enqueues: 2000, itemBytes: 64 });
    const log = worker(5);
    expect(text(log.get('s\0', 'counter')?.value)).toBe('12000');
    // They did get into each other's way.
    expect(outcomes.some(({ mismatches }) => mismatches > 0)).toBe(true);
    const rest: string[] = [];
    const id = log.resolve('s\0', 'jobs');
    for (let item = log.dequeue('s\0', id); typeof item !== 'number'; item = log.dequeue('s\0', id))
      rest.push(text(item).trimEnd());
    const all = [...outcomes.flatMap(({ taken }) => taken), ...rest];
    expect(all).toHaveLength(8000);
    expect(new Set(all).size).toBe(8000);
    expect(outcomes.map(({ failures }) => failures)).toEqual([0, 0, 0, 0]);
  }, 60_000);

  test('do so while others are killed in the middle of writing', async () => {
    const victims: ChildProcess[] = [];
    let next = 10;
    const killer = setInterval(() => {
      victims.shift()?.kill('SIGKILL');
      const victim = fork(bundle.entry, { serialization: 'advanced' });
      victim.send({ folder, worker: next++, increments: 0, enqueues: 0, itemBytes: 0, isVictim: true });
      victims.push(victim);
    }, 150);
    const outcomes = await together({ increments: 4000, enqueues: 1000, itemBytes: 2000 });
    clearInterval(killer);
    for (const victim of victims) victim.kill('SIGKILL');
    expect(next).toBeGreaterThan(11);
    const [a, b] = [worker(5), worker(6)];
    expect(text(a.get('s\0', 'counter')?.value)).toBe('16000');
    for (let victim = 10; victim < next; victim++)
      expect(a.get('s\0', `victim ${victim}`)).toEqual(b.get('s\0', `victim ${victim}`));
    const all = outcomes.flatMap(({ taken }) => taken);
    expect(new Set(all).size).toBe(all.length);
    expect(outcomes.map(({ failures }) => failures)).toEqual([0, 0, 0, 0]);
  }, 60_000);

  test('do so while the log goes from file to file', async () => {
    const outcomes = await together({ increments: 200, enqueues: 300, itemBytes: 50_000 });
    expect(Math.max(...outcomes.map(({ files }) => files))).toBeGreaterThan(5);
    const log = worker(5);
    expect(text(log.get('s\0', 'counter')?.value)).toBe('800');
    const all = outcomes.flatMap(({ taken }) => taken);
    expect(new Set(all).size).toBe(all.length);
    expect(all.length).toBe(1200);
    expect(outcomes.map(({ failures }) => failures)).toEqual([0, 0, 0, 0]);
  }, 60_000);
});
