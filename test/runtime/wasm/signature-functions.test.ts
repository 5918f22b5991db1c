import { generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { protobufBytes, ProtobufReader } from '../../../src/runtime/wasm/protobuf.ts';
import { callForeign } from '../../support/foreign.ts';
import { runScript, type Run } from '../../support/bare-run.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const TEXT = 'signed text';

const derOf = (key: KeyObject): Buffer =>
  key.type === 'public'
    ? key.export({ type: 'spki', format: 'der' })
    : key.export({ type: 'pkcs8', format: 'der' });
const pemOf = (key: KeyObject): string =>
  key.export({ type: key.type === 'public' ? 'spki' : 'pkcs8', format: 'pem' }).toString();

function message(fields: Readonly<Record<number, Uint8Array | string>>): Buffer {
  return Buffer.concat(Object.entries(fields).map(([field, value]) => protobufBytes(Number(field), value)));
}

/** The fields of a result: booleans as true, the rest as text. */
function resultOf(run: Run): Record<number, string | true> {
  const fields: Record<number, string | true> = {};
  const reader = new ProtobufReader(Buffer.from(run.given(), 'latin1'));
  while (reader.next()) fields[reader.field] = reader.isBytes ? reader.bytes().toString('latin1') : true;
  expect(reader.failed).toBe(false);
  return fields;
}

const call = (name: string, args: Uint8Array): Promise<Run> => runScript((s) => callForeign(s, name, args));

describe('verify_signature', () => {
  const cases: [string, string, typeof rsa, 'der' | 'pem'][] = [];
  for (const hash of ['sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'SHA256'])
    for (const form of ['der', 'pem'] as const)
      cases.push([hash, 'RSA', rsa, form], [hash, 'ECDSA', ec, form]);

  test.each(cases)('knows a right %s signature of %s from a wrong one', async (hash, _kind, keys, form) => {
    const key = form === 'der' ? { 2: derOf(keys.publicKey) } : { 5: pemOf(keys.publicKey) };
    const signature = sign(hash.toLowerCase(), Buffer.from(TEXT), keys.privateKey);
    const right = await call('verify_signature', message({ 1: hash, 3: signature, 4: TEXT, ...key }));
    expect(right.results(1)).toEqual([Status.Ok]);
    expect(resultOf(right)).toEqual({ 1: true });
    const wrong = await call('verify_signature', message({ 1: hash, 3: signature, 4: `${TEXT}!`, ...key }));
    expect(wrong.results(1)).toEqual([Status.Ok]);
    expect(resultOf(wrong)).toEqual({ 2: 'Failed to verify digital signature. Error code: 0' });
  });

  test('says which hash it does not know', async () => {
    const run = await call('verify_signature', message({ 1: 'md5', 2: derOf(rsa.publicKey), 4: TEXT }));
    expect(resultOf(run)).toEqual({ 2: 'md5 is not supported.' });
  });

  test('a key that signs no hashes verifies nothing', async () => {
    const signature = sign(null, Buffer.from(TEXT), ed.privateKey);
    const run = await call(
      'verify_signature',
      message({ 1: 'sha256', 2: derOf(ed.publicKey), 3: signature, 4: TEXT }),
    );
    expect(run.results(1)).toEqual([Status.Ok]);
    expect(resultOf(run)[1]).toBeUndefined();
  });

  test.each<[string, Uint8Array]>([
    ['no key', message({ 1: 'sha256', 4: TEXT })],
    ['two keys', message({ 1: 'sha256', 2: derOf(rsa.publicKey), 5: pemOf(rsa.publicKey) })],
    ['a key that is none', message({ 1: 'sha256', 2: 'no key' })],
    ['a private key', message({ 1: 'sha256', 5: pemOf(rsa.privateKey) })],
    ['bytes that are no message', Buffer.from('\xff\xff\xff', 'latin1')],
    ['a hash that is not text', message({ 1: Uint8Array.of(0xff), 2: derOf(rsa.publicKey) })],
    [
      'a key of more than 4096 bits',
      message({ 1: 'sha256', 2: derOf(generateKeyPairSync('rsa', { modulusLength: 4104 }).publicKey) }),
    ],
  ])('%s is BadArgument', async (_name, args) => {
    const run = await call('verify_signature', args);
    expect(run.results(1)).toEqual([Status.BadArgument]);
    expect(run.host.messages).toHaveLength(1);
  });
});

describe('sign', () => {
  test.each([
    ['RSA', rsa, 'der'],
    ['RSA', rsa, 'pem'],
    ['ECDSA', ec, 'der'],
    ['ECDSA', ec, 'pem'],
  ] as const)('makes a signature of %s that verifies', async (_kind, keys, form) => {
    const key: Record<number, Uint8Array | string> =
      form === 'der' ? { 2: derOf(keys.privateKey) } : { 4: pemOf(keys.privateKey) };
    const run = await call('sign', message({ 1: 'sha256', 3: TEXT, ...key }));
    const result = resultOf(run);
    expect(Object.keys(result)).toEqual(['1', '2']);
    const signature = Buffer.from(result[2] as string, 'latin1');
    expect(verify('sha256', Buffer.from(TEXT), keys.publicKey, signature)).toBe(true);
  });

  test('says which hash it does not know', async () => {
    const run = await call('sign', message({ 1: 'md5', 2: derOf(rsa.privateKey), 3: TEXT }));
    expect(resultOf(run)).toEqual({ 3: 'md5 is not supported.' });
  });

  test.each<[string, Uint8Array]>([
    ['no key', message({ 1: 'sha256', 3: TEXT })],
    ['a public key', message({ 1: 'sha256', 2: derOf(rsa.publicKey) })],
    ['bytes that are no message', Uint8Array.of(0x0a)],
  ])('%s is BadArgument', async (_name, args) => {
    expect((await call('sign', args)).results(1)).toEqual([Status.BadArgument]);
  });
});
