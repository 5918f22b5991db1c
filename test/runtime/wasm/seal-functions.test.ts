import { createDecipheriv } from 'node:crypto';
import { expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { protobufBytes } from '../../../src/runtime/wasm/protobuf.ts';
import { callForeign } from '../../support/foreign.ts';
import { runScript, type Run } from '../../support/bare-run.ts';

const KEY = Buffer.alloc(32, 7);

const call = (name: string, fields: Readonly<Record<number, Uint8Array | string>>): Promise<Run> => {
  const message = Object.entries(fields).map(([field, value]) => protobufBytes(Number(field), value));
  return runScript((s) => callForeign(s, name, Buffer.concat(message)));
};

async function sealed(data: string, context = 'cookie'): Promise<Buffer> {
  const run = await call('weir.seal', { 1: KEY, 2: data, 3: context });
  expect(run.results(1)).toEqual([Status.Ok]);
  return Buffer.from(run.given(), 'latin1');
}

test('what was sealed opens with its key, for what it belongs to', async () => {
  for (const data of ['', 'x', 'a session '.repeat(300)]) {
    const run = await call('weir.unseal', { 1: KEY, 2: await sealed(data), 3: 'cookie' });
    expect([run.results(1), run.given()]).toEqual([[Status.Ok], data]);
  }
});

test('it is AES-256-GCM with a nonce before and a tag behind, and never the same twice', async () => {
  const [one, two] = [await sealed('data'), await sealed('data')];
  expect(one).toHaveLength(12 + 4 + 16);
  expect(one.subarray(0, 12)).not.toEqual(two.subarray(0, 12));
  const cipher = createDecipheriv('aes-256-gcm', KEY, one.subarray(0, 12)).setAAD(Buffer.from('cookie'));
  cipher.setAuthTag(one.subarray(16));
  expect(Buffer.concat([cipher.update(one.subarray(12, 16)), cipher.final()]).toString()).toBe('data');
});

test('nothing opens that was changed, cut, or sealed with another key or for something else', async () => {
  const good = await sealed('data');
  const cases: Record<number, Uint8Array | string>[] = [
    { 1: Buffer.alloc(32, 8), 2: good, 3: 'cookie' },
    { 1: KEY, 2: good, 3: 'another' },
    { 1: KEY, 2: good },
    { 1: KEY, 2: good.subarray(0, -1), 3: 'cookie' },
    { 1: KEY, 2: good.subarray(0, 27), 3: 'cookie' },
    { 1: KEY, 2: Buffer.alloc(0), 3: 'cookie' },
  ];
  for (let bit = 0; bit < good.length * 8; bit += 7) {
    const changed = Buffer.from(good);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    cases.push({ 1: KEY, 2: changed, 3: 'cookie' });
  }
  for (const fields of cases) {
    const run = await call('weir.unseal', fields);
    expect([run.results(1), run.given()]).toEqual([[Status.SerializationFailure], '']);
  }
});

test.each<[string, Record<number, Uint8Array | string>]>([
  ['no key', { 2: 'data' }],
  ['a short key', { 1: KEY.subarray(1), 2: 'data' }],
  ['no data', { 1: KEY }],
])('refuses %s', async (_name, fields) => {
  for (const name of ['weir.seal', 'weir.unseal'])
    expect((await call(name, fields)).results(1)).toEqual([Status.BadArgument]);
});
