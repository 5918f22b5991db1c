import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StateStore, type SavedSnapshot } from '../../src/control/state.ts';
import type { Snapshot } from '../../src/runtime/snapshot.ts';

let dir: string;
let damage: [string, string][];
const note = (file: string, _movedTo: string, reason: string): void => {
  damage.push([file.slice(dir.length + 1), reason]);
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-state-'));
  damage = [];
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function saved(number: number, moduleText: string): SavedSnapshot {
  const bytes = Buffer.from(moduleText);
  const digest = digestOf(bytes);
  const snapshot: Snapshot = {
    version: String(number).repeat(64).slice(0, 64),
    ports: [],
    rules: [],
    tcpRules: [],
    clusters: [],
    modules: [{ name: 'shop/risk', digest, source: 'risk.yaml:1:1', memoryBytes: 65536 }],
    plugins: [],
    chains: [[]],
    accessLog: { mode: 'off', path: 'stdout', fields: [] },
  };
  const failure = { module: 'shop/risk', digest: 'f'.repeat(64), servedBy: digest };
  const failures = [{ ...failure, plugin: 'shop/chain#risk', reason: 'unreachable', at: number }];
  return { number, snapshot, code: new Map([[digest, bytes]]), failures };
}

describe('StateStore', () => {
  test('gives back the newest snapshot with its modules', async () => {
    const store = await StateStore.open(dir, note);
    await store.save(saved(1, 'one'));
    await store.save(saved(2, 'two'));
    const reopened = await StateStore.open(dir, note);
    const newest = await reopened.newest();
    expect(newest?.number).toBe(2);
    expect(newest?.snapshot).toEqual(saved(2, 'two').snapshot);
    expect(newest?.failures).toEqual(saved(2, 'two').failures);
    expect(Buffer.from([...newest!.code.values()][0]!).toString()).toBe('two');
    expect(damage).toEqual([]);
  });

  test('has nothing to give in an empty folder', async () => {
    const store = await StateStore.open(join(dir, 'deeper', 'still'), note);
    expect(await store.newest()).toBeNull();
  });

  test('keeps three snapshots and only the modules they name', async () => {
    const store = await StateStore.open(dir, note);
    for (let i = 1; i <= 5; i++) await store.save(saved(i, i < 4 ? `module ${i}` : 'shared'));
    expect((await readdir(dir)).sort()).toEqual([
      'modules',
      'snapshot-0000000003.weir',
      'snapshot-0000000004.weir',
      'snapshot-0000000005.weir',
    ]);
    const kept = ['module 3', 'shared'].map((text) => `${digestOf(Buffer.from(text))}.wasm`);
    expect((await readdir(join(dir, 'modules'))).sort()).toEqual(kept.sort());
  });

  test('is readable by its owner alone', async () => {
    const store = await StateStore.open(join(dir, 'data'), note);
    await store.save(saved(1, 'one'));
    expect((await stat(join(dir, 'data'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(dir, 'data', 'snapshot-0000000001.weir'))).mode & 0o777).toBe(0o600);
  });

  test('writes the header of the format', async () => {
    const store = await StateStore.open(dir, note);
    await store.save(saved(7, 'one'));
    const bytes = await readFile(join(dir, 'snapshot-0000000007.weir'));
    const json = bytes.subarray(52);
    expect(bytes.subarray(0, 8).toString('latin1')).toBe('WEIRSNAP');
    expect(bytes.readUInt32LE(8)).toBe(3);
    expect(bytes.readBigUInt64LE(12)).toBe(BigInt(json.length));
    expect(bytes.subarray(20, 52).toString('hex')).toBe(digestOf(json));
    expect(JSON.parse(json.toString())).toMatchObject({ number: 7 });
  });

  test('takes the one before where the newest is damaged, at any byte and any length', async () => {
    const whole = await (async () => {
      const store = await StateStore.open(dir, note);
      await store.save(saved(1, 'one'));
      await store.save(saved(2, 'two'));
      return readFile(join(dir, 'snapshot-0000000002.weir'));
    })();
    const newestFile = join(dir, 'snapshot-0000000002.weir');
    const store = await StateStore.open(dir, note);
    const faults: (() => Promise<void>)[] = [0, 9, 15, 30, 60, whole.length - 1].map((at) => async () => {
      const broken = Buffer.from(whole);
      broken[at]! ^= 1;
      await writeFile(newestFile, broken);
    });
    for (const length of [0, 51, 52, whole.length - 1]) {
      faults.push(async () => {
        await writeFile(newestFile, whole);
        await truncate(newestFile, length);
      });
    }
    for (const [i, fault] of faults.entries()) {
      await fault();
      expect((await store.newest())?.number).toBe(1);
      expect(damage.length).toBe(i + 1);
    }
    // Set aside, not deleted.
    const aside = (await readdir(dir)).filter((name) => name.startsWith('snapshot-0000000002.weir.damaged-'));
    expect(aside.length).toBe(faults.length);
  });

  test('takes the one before where a module is damaged or missing', async () => {
    const store = await StateStore.open(dir, note);
    await store.save(saved(1, 'one'));
    await store.save(saved(2, 'two'));
    await writeFile(join(dir, 'modules', `${digestOf(Buffer.from('two'))}.wasm`), 'tampered');
    expect((await store.newest())?.number).toBe(1);
    expect(damage.map(([, reason]) => reason)).toEqual([
      'its sha256 differs from its name',
      expect.stringMatching(/^module shop\/risk .* is damaged$/),
    ]);
    await rm(join(dir, 'modules'), { recursive: true });
    expect(await store.newest()).toBeNull();
  });

  test('leaves what was saved intact where a write fails', async () => {
    const store = await StateStore.open(dir, note);
    await store.save(saved(1, 'one'));
    // The temporary name is taken by a folder: the write cannot begin.
    await mkdir(join(dir, `snapshot-0000000002.weir.${process.pid}.tmp`));
    await expect(store.save(saved(2, 'one'))).rejects.toMatchObject({ code: 'EISDIR' });
    expect((await store.newest())?.number).toBe(1);
  });

  test('clears away what an interrupted write left', async () => {
    await (await StateStore.open(dir, note)).save(saved(1, 'one'));
    await writeFile(join(dir, 'snapshot-0000000002.weir.77.tmp'), 'half');
    const store = await StateStore.open(dir, note);
    expect((await readdir(dir)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect((await store.newest())?.number).toBe(1);
  });
});
