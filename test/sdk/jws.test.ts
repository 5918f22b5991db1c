import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { ALGORITHMS, makeSigner, signatureOf, type Algorithm, type Signer } from '../filters/jwt/tokens.ts';
import { JwsPlugin, type JwsWay } from '../support/jws-plugin.ts';
import { pluginBytes } from '../support/plugin.ts';

beforeAll(() => void pluginBytes('sdk-jws'), 120_000);

/** A signer for each algorithm. Those of RSA share a key, since making one takes long. */
function makeSigners(): Map<Algorithm, Signer> {
  const rsa = makeSigner('RS256');
  return new Map(
    ALGORITHMS.map((algorithm) => [
      algorithm,
      /^[RP]S/.test(algorithm)
        ? { ...rsa, algorithm, jwk: { ...rsa.jwk, alg: algorithm } }
        : makeSigner(algorithm),
    ]),
  );
}

const signers = makeSigners();
const strangers = makeSigners();
const oddKeys = [1024, 2047, 4104].map((modulusLength) => generateKeyPairSync('rsa', { modulusLength }));
const es = signers.get('ES256')!;
const good = signatureOf(es, 'a.b');

describe.each<JwsWay>(['native', 'fallback'])('signatures of JWS, %s', (way) => {
  // Envoy's function has neither PSS nor EdDSA.
  test.each(ALGORITHMS)('%s: right, of another text, of another key', async (algorithm) => {
    const jws = await JwsPlugin.start(way);
    const signer = signers.get(algorithm)!;
    const can = way === 'native' || /^(RS|ES)/.test(algorithm);
    for (let i = 0; i < 3; i++) {
      const signature = signatureOf(signer, `a.${i}`);
      expect(jws.verify(algorithm, signer.jwk, `a.${i}`, signature)).toBe(can);
      expect(jws.verify(algorithm, signer.jwk, `b.${i}`, signature)).toBe(false);
      expect(jws.verify(algorithm, strangers.get(algorithm)!.jwk, `a.${i}`, signature)).toBe(false);
    }
    const told = `this host cannot check signatures of ${algorithm}: they count as wrong`;
    expect(jws.host.messages.filter((message) => message === told)).toHaveLength(can ? 0 : 1);
  });

  test.each([
    ['an algorithm for another kind of key', 'RS256', es.jwk, good],
    ['an algorithm for another curve', 'ES384', es.jwk, Buffer.concat([good, good.subarray(32)])],
    ['none', 'none', es.jwk, good],
    ['HS256', 'HS256', es.jwk, good],
    ['an algorithm that begins like one', 'ES2560', es.jwk, good],
    ['a hash that no algorithm has', 'ES224', es.jwk, good],
    ['a signature in DER', 'ES256', es.jwk, sign('sha256', Buffer.from('a.b'), es.privateKey)],
    ['a signature that is too short', 'ES256', es.jwk, good.subarray(1)],
    ['a signature that is too long', 'ES256', es.jwk, Buffer.concat([Buffer.alloc(1), good])],
    ['zeros', 'ES256', es.jwk, Buffer.alloc(64)],
    ['nothing', 'ES256', es.jwk, Buffer.alloc(0)],
    ['a key that is no JSON', 'ES256', '{', good],
    ['a key that is no object', 'ES256', '[]', good],
    ['a key without a kind', 'ES256', { ...es.jwk, kty: undefined }, good],
    ['a key that is symmetric', 'ES256', { kty: 'oct', k: 'AAAA' }, good],
    ['a key without a coordinate', 'ES256', { ...es.jwk, y: undefined }, good],
    ['a point that is not on the curve', 'ES256', { ...es.jwk, x: es.jwk['y'] }, good],
    ['a curve that is none', 'ES256', { ...es.jwk, crv: 'P-255' }, good],
    ['the curve of Bitcoin', 'ES256', { ...es.jwk, crv: 'secp256k1' }, good],
  ])('refuses %s', async (_, algorithm, jwk, signature) => {
    const jws = await JwsPlugin.start(way);
    expect(jws.verify(algorithm, jwk, 'a.b', signature)).toBe(false);
  });

  test.each(
    oddKeys.map(({ privateKey }) => [privateKey.asymmetricKeyDetails!.modulusLength!, privateKey] as const),
  )('refuses RSA keys of %i bits', async (_, privateKey) => {
    const jws = await JwsPlugin.start(way);
    const jwk = createPublicKey(privateKey).export({ format: 'jwk' });
    expect(jws.verify('RS256', jwk, 'a.b', sign('sha256', Buffer.from('a.b'), privateKey))).toBe(false);
  });

  test('takes no more memory for many tokens than for a few', async () => {
    const jws = await JwsPlugin.start(way);
    const check = (times: number): void => {
      for (let i = 0; i < times; i++) expect(jws.verify('ES256', es.jwk, 'a.b', good)).toBe(true);
    };
    check(300);
    const before = jws.heapBytes;
    check(1000);
    expect(jws.heapBytes).toBe(before);
  });
});
