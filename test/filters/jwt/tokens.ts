/** Keys and tokens as a provider makes them, by Node's crypto alone. */
import { constants, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

export type Algorithm =
  'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512' | 'ES256' | 'ES384' | 'ES512' | 'EdDSA';

export const ALGORITHMS: readonly Algorithm[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];

export interface Signer {
  readonly algorithm: Algorithm;
  readonly kid: string;
  readonly privateKey: KeyObject;
  /** For a JWK Set. */
  readonly jwk: Record<string, unknown>;
}

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

export function makeSigner(algorithm: Algorithm, kid: string = algorithm): Signer {
  const { publicKey, privateKey } = makeKeys(algorithm);
  return {
    algorithm,
    kid,
    privateKey,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' },
  };
}

function makeKeys(algorithm: Algorithm): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  const curve = CURVES[algorithm];
  if (curve !== undefined) return generateKeyPairSync('ec', { namedCurve: curve });
  return algorithm === 'EdDSA'
    ? generateKeyPairSync('ed25519')
    : generateKeyPairSync('rsa', { modulusLength: 2048 });
}

export const base64url = (data: string | object | Uint8Array): string =>
  Buffer.from(
    typeof data === 'string' || data instanceof Uint8Array ? (data as string) : JSON.stringify(data),
  ).toString('base64url');

/** Seconds since 1970: what the clock of the test kit says at the start. */
export const NOW = 1_700_000_000;

export const CLAIMS = { iss: 'https://id.test', aud: 'shop', sub: 'u1', exp: NOW + 3600, iat: NOW - 10 };

export function makeToken(signer: Signer, claims: object | string = CLAIMS, header: object = {}): string {
  const head = { alg: signer.algorithm, kid: signer.kid, typ: 'JWT', ...header };
  const input = `${base64url(head)}.${base64url(claims)}`;
  return `${input}.${base64url(signatureOf(signer, input))}`;
}

export function signatureOf({ algorithm, privateKey }: Signer, input: string): Buffer {
  const data = Buffer.from(input);
  if (algorithm === 'EdDSA') return sign(null, data, privateKey);
  const hash = `sha${algorithm.slice(2)}`;
  if (algorithm.startsWith('ES')) return sign(hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  if (algorithm.startsWith('RS')) return sign(hash, data, privateKey);
  return sign(hash, data, {
    key: privateKey,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  });
}
