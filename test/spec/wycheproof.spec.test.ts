// Wycheproof's vectors of the algorithms that RFC 7518 and RFC 8037 are made of, through the SDK's check of signatures in
// a filter: by the host's own function, and as in a host that has `verify_signature` alone.
import { beforeAll, describe, expect, test } from 'vitest';
import { JwsPlugin, type JwsWay } from '../support/jws-plugin.ts';
import { vectorsOf } from './wycheproof.ts';

const rsa = (sha: number): string[] => [2048, 3072, 4096].map((bits) => `rsa_signature_${bits}_sha${sha}`);

/** By algorithm: files of vectors that are meant for it. */
const FILES: Readonly<Record<string, readonly string[]>> = {
  RS256: rsa(256),
  RS384: rsa(384),
  RS512: rsa(512),
  PS256: [2048, 3072, 4096].map((bits) => `rsa_pss_${bits}_sha256_mgf1_32`),
  PS384: [2048, 4096].map((bits) => `rsa_pss_${bits}_sha384_mgf1_48`),
  PS512: ['rsa_pss_4096_sha512_mgf1_64'],
  ES256: ['ecdsa_secp256r1_sha256_p1363'],
  ES384: ['ecdsa_secp384r1_sha384_p1363'],
  ES512: ['ecdsa_secp521r1_sha512_p1363'],
  EdDSA: ['ed25519', 'ed448'],
};

/** Right signatures that are for something else: other salts, hashes, curves, sizes of keys. */
const FOREIGN: readonly (readonly [algorithm: string, file: string])[] = [
  ['PS256', 'rsa_pss_2048_sha256_mgf1_0'],
  ['PS256', 'rsa_pss_2048_sha384_mgf1_48'],
  ['PS512', 'rsa_pss_4096_sha512_mgf1_32'],
  ['RS256', 'rsa_signature_8192_sha256'],
  ['RS256', 'rsa_signature_2048_sha512_256'],
  ['RS256', 'rsa_pss_2048_sha256_mgf1_32'],
  ['PS256', 'rsa_signature_2048_sha256'],
  ['ES256', 'ecdsa_secp256k1_sha256_p1363'],
  ['ES256', 'ecdsa_secp256r1_sha512_p1363'],
  ['ES256', 'ecdsa_secp384r1_sha384_p1363'],
  ['ES512', 'ecdsa_secp384r1_sha512_p1363'],
];

describe.each<JwsWay>(['native', 'fallback'])("Wycheproof's signatures, %s", (way) => {
  let jws: JwsPlugin;
  let compared = 0;
  beforeAll(async () => {
    jws = await JwsPlugin.start(way);
  }, 120_000);

  const can = (algorithm: string): boolean => way === 'native' || /^(RS|ES)/.test(algorithm);

  test.each(Object.entries(FILES).flatMap(([algorithm, files]) => files.map((file) => [algorithm, file])))(
    '%s: %s',
    (algorithm, file) => {
      const wrong: string[] = [];
      let right = 0;
      for (const { jwk, tests } of vectorsOf(file!)) {
        for (const { tcId, comment, msg, sig, result } of tests) {
          compared++;
          const accepted = jws.verify(algorithm!, jwk, Buffer.from(msg, 'hex'), Buffer.from(sig, 'hex'));
          if (accepted) right++;
          // Acceptable: `DigestInfo` without NULL, which nobody has to take.
          const expected = result === 'acceptable' ? accepted : can(algorithm!) && result === 'valid';
          if (accepted !== expected) wrong.push(`${tcId} ${result} ${comment}`);
        }
      }
      expect(wrong).toEqual([]);
      if (can(algorithm!)) expect(right).toBeGreaterThan(0);
    },
  );

  test.each(FOREIGN)('nothing of another algorithm counts as %s: %s', (algorithm, file) => {
    const accepted: string[] = [];
    for (const { jwk, tests } of vectorsOf(file)) {
      // What is wrong there may be right here.
      for (const { tcId, msg, sig } of tests.filter(({ result }) => result === 'valid')) {
        compared++;
        if (jws.verify(algorithm, jwk, Buffer.from(msg, 'hex'), Buffer.from(sig, 'hex')))
          accepted.push(String(tcId));
      }
    }
    expect(accepted).toEqual([]);
  });

  test('all of them were looked at', () => {
    expect(compared).toBeGreaterThan(5000);
  });
});
