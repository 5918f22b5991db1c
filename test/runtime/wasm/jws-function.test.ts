import { expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { protobufBytes, ProtobufReader } from '../../../src/runtime/wasm/protobuf.ts';
import { ALGORITHMS, makeSigner, signatureOf } from '../../filters/jwt/tokens.ts';
import { callForeign } from '../../support/foreign.ts';
import { runScript, type Run } from '../../support/bare-run.ts';

const call = (fields: Readonly<Record<number, Uint8Array | string>>): Promise<Run> => {
  const message = Object.entries(fields).map(([field, value]) => protobufBytes(Number(field), value));
  return runScript((s) => callForeign(s, 'weir.verify_jws', Buffer.concat(message)));
};

/** Empty where the signature is right. */
function errorOf(run: Run): string {
  expect(run.results(1)).toEqual([Status.Ok]);
  const reader = new ProtobufReader(Buffer.from(run.given(), 'latin1'));
  let right = false;
  let error = '';
  while (reader.next()) {
    if (reader.field === 1) right = reader.bool;
    else error = reader.text();
  }
  expect(right).toBe(error === '');
  return error;
}

test.each(ALGORITHMS)('knows a right signature of %s from a wrong one', async (algorithm) => {
  const signer = makeSigner(algorithm);
  const jwk = JSON.stringify(signer.jwk);
  const signature = signatureOf(signer, 'a.b');
  expect(errorOf(await call({ 1: algorithm, 2: jwk, 3: 'a.b', 4: signature }))).toBe('');
  expect(errorOf(await call({ 1: algorithm, 2: jwk, 3: 'a.c', 4: signature }))).toBe(
    'the signature is wrong',
  );
});

const es = makeSigner('ES256');
const good = { 1: 'ES256', 2: JSON.stringify(es.jwk), 3: 'a.b', 4: signatureOf(es, 'a.b') };

test.each([
  ['an algorithm that is symmetric', { ...good, 1: 'HS256' }, 'the algorithm is not known'],
  ['none', { ...good, 1: 'none' }, 'the algorithm is not known'],
  ['a name of every object', { ...good, 1: 'constructor' }, 'the algorithm is not known'],
  ['a key for other algorithms', { ...good, 1: 'RS256' }, 'the key is for other algorithms'],
  ['a key of another curve', { ...good, 1: 'ES384' }, 'the key is of another curve'],
  [
    'a signature that is too short',
    { ...good, 4: Buffer.alloc(63) },
    'the signature has not the size of its curve',
  ],
  ['a symmetric key', { ...good, 2: '{"kty":"oct","k":"AAAA"}' }, 'the key is symmetric'],
  ['a key that is none', { ...good, 2: '{"kty":"EC"}' }, 'the key is not a JWK of a public key'],
  [
    'a point that is not on the curve',
    { ...good, 2: JSON.stringify({ ...es.jwk, x: es.jwk['y'] }) },
    'the key is not a JWK of a public key',
  ],
  ['no JSON', { ...good, 2: '{' }, 'the key is not a JWK of a public key'],
])('refuses %s', async (_, fields, error) => {
  expect(errorOf(await call(fields))).toBe(error);
});

test('takes its message whole, or not at all', async () => {
  expect((await call({ 1: 'ES256', 2: good[2] })).results(1)).toEqual([Status.BadArgument]);
});
