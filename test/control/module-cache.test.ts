import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ModuleCache, type CachedModule } from '../../src/control/module-cache.ts';
import { temporaryFolder } from '../support/process.ts';

function module(content: Uint8Array, pulledAt = 1): CachedModule {
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { bytes: content, sha256, tag: 'sha256:x', signatures: ['AAAA'], pulledAt };
}

test('what is written is there for the next process, once for the same bytes', async () => {
  const folder = await temporaryFolder();
  const cache = new ModuleCache(folder);
  await cache.put('a', module(Buffer.from('one')));
  await cache.put('b', module(Buffer.from('one')));
  expect(await new ModuleCache(folder).get('a')).toEqual(module(Buffer.from('one')));
  expect((await readdir(join(folder, 'pulled'))).filter((name) => name.endsWith('.wasm'))).toHaveLength(1);
  expect(await new ModuleCache(folder).get('c')).toBeNull();
});

test('bytes that nothing names any more go, and so do the oldest of very many', async () => {
  const folder = await temporaryFolder();
  const cache = new ModuleCache(folder);
  await cache.put('a', module(Buffer.from('old')));
  await cache.put('a', module(Buffer.from('new')));
  expect((await readdir(join(folder, 'pulled'))).filter((name) => name.endsWith('.wasm'))).toHaveLength(1);
  for (let i = 0; i < 130; i++) await cache.put(`k${i}`, module(Buffer.from(`m${i}`), 10 + i));
  expect((await readdir(join(folder, 'pulled'))).filter((name) => name.endsWith('.json'))).toHaveLength(128);
  expect(await cache.get('a')).toBeNull();
  expect(await cache.get('k129')).not.toBeNull();
});

test('in memory the ones used longest ago make way', async () => {
  const cache = new ModuleCache(null);
  const large = (value: number): CachedModule => module(Buffer.alloc(24 * 1024 * 1024, value));
  await cache.put('a', large(1));
  await cache.put('b', large(2));
  await cache.get('a');
  await cache.put('c', large(3));
  expect(
    [await cache.get('a'), await cache.get('b'), await cache.get('c')].map((each) => each !== null),
  ).toEqual([true, false, true]);
});

test('a folder that cannot be written to leaves it to memory, and strange files in it are passed over', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'pulled'), 'in the way');
  const cache = new ModuleCache(folder);
  await cache.put('a', module(Buffer.from('one')));
  expect(await cache.get('a')).toEqual(module(Buffer.from('one')));

  const other = await temporaryFolder();
  await mkdir(join(other, 'pulled'));
  await writeFile(
    join(other, 'pulled', `${createHash('sha256').update('a').digest('hex')}.json`),
    '{"sha256": "../../etc"}',
  );
  await chmod(join(other, 'pulled'), 0o700);
  expect(await new ModuleCache(other).get('a')).toBeNull();
});
