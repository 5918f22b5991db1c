import { appendFile, mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Source } from '../../src/control/source.ts';
import { TIMED } from '../support/timing.ts';

let dir: string;
let source: Source | null;
let changes: number;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-source-'));
  source = null;
  changes = 0;
});
afterEach(async () => {
  await source?.close();
  await rm(dir, { recursive: true, force: true });
});

async function follow(paths: string[], files: string[]): Promise<void> {
  source = new Source(paths, () => changes++);
  await sleep(100); // the files are older than the reading of them
  await source.follow(files, Date.now());
  await sleep(200); // the watcher has no public sign that it follows what was added, and may be later than this
  changes = 0;
}

async function seen(limitMs = 4000): Promise<boolean> {
  const until = performance.now() + limitMs;
  while (changes === 0 && performance.now() < until) await sleep(10);
  return changes > 0;
}

describe('Source', TIMED, () => {
  test('tells of a file that is written in place', async () => {
    const file = join(dir, 'a.yaml');
    await writeFile(file, 'a');
    await follow([dir], [file]);
    await appendFile(file, 'b');
    expect(await seen()).toBe(true);
  });

  test('tells of a file that is replaced by a rename, again and again', async () => {
    const file = join(dir, 'a.yaml');
    await writeFile(file, 'a');
    await follow([file], [file]);
    for (let i = 0; i < 4; i++) {
      changes = 0;
      await writeFile(join(dir, '.a.yaml.swp'), `content ${i}`);
      await rename(join(dir, '.a.yaml.swp'), file);
      expect(await seen()).toBe(true);
    }
  });

  test('tells of new files and folders, and of removed ones', async () => {
    await follow([dir], []);
    await mkdir(join(dir, 'services', 'checkout'), { recursive: true });
    await writeFile(join(dir, 'services', 'checkout', 'route.yaml'), 'a');
    expect(await seen()).toBe(true);
    await sleep(300);
    changes = 0;
    await unlink(join(dir, 'services', 'checkout', 'route.yaml'));
    expect(await seen()).toBe(true);
  });

  test('tells of a module outside the folders, and stops once it is not followed any more', async () => {
    const policies = join(dir, 'policies');
    const module = join(dir, 'dist', 'risk.wasm');
    await mkdir(policies);
    await mkdir(join(dir, 'dist'));
    await writeFile(module, 'one');
    await follow([policies], [module]);
    await writeFile(module, 'two');
    expect(await seen()).toBe(true);
    await sleep(100);
    await source!.follow([], Date.now() + 1000);
    await sleep(200);
    changes = 0;
    await writeFile(module, 'three');
    expect(await seen(500)).toBe(false);
  });

  test('says nothing of files that play no part', async () => {
    await writeFile(join(dir, 'a.yaml'), 'a');
    await follow([join(dir, 'a.yaml')], [join(dir, 'a.yaml')]);
    await writeFile(join(dir, 'notes.txt'), 'x');
    await writeFile(join(dir, 'other.bin'), 'x');
    expect(await seen(400)).toBe(false);
  });

  test('makes one change of a burst', async () => {
    const file = join(dir, 'a.yaml');
    await writeFile(file, 'a');
    await follow([dir], [file]);
    for (let i = 0; i < 10; i++) {
      await appendFile(file, 'b');
      await sleep(10);
    }
    expect(await seen()).toBe(true);
    await sleep(150);
    // Ten writes; how many fall into one pause depends on the machine.
    expect(changes).toBeLessThanOrEqual(5);
  });

  test('sees a link that is swapped for another folder', async () => {
    // As Kubernetes mounts a ConfigMap: file -> ..data/file, ..data -> ..version.
    await mkdir(join(dir, '..v1'));
    await mkdir(join(dir, '..v2'));
    await writeFile(join(dir, '..v1', 'a.yaml'), 'one');
    await writeFile(join(dir, '..v2', 'a.yaml'), 'longer');
    await symlink('..v1', join(dir, '..data'));
    await symlink(join('..data', 'a.yaml'), join(dir, 'a.yaml'));
    await follow([dir], [join(dir, 'a.yaml')]);
    await symlink('..v2', join(dir, '..data_tmp'));
    await rename(join(dir, '..data_tmp'), join(dir, '..data'));
    expect(await seen()).toBe(true);
  });

  test('sees a file that was not there when it was first looked for', async () => {
    const file = join(dir, 'later', 'a.yaml');
    await follow([file], [file]);
    await mkdir(join(dir, 'later'));
    await writeFile(file, 'a');
    expect(await seen()).toBe(true);
  });

  test('counts a change between reading and following', async () => {
    const file = join(dir, 'a.yaml');
    await writeFile(file, 'a');
    source = new Source([file], () => changes++);
    const readSince = Date.now() - 1000;
    await source.follow([file], readSince);
    expect(await seen(500)).toBe(true);
  });
});
