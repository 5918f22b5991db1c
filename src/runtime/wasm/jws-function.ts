import { constants, createPublicKey, verify, type JsonWebKey, type KeyObject } from 'node:crypto';
import { Status } from './abi.ts';
import type { ForeignResult } from './foreign-result.ts';
import { KEY_BITS, KEY_BYTES } from './limits.ts';
import { protobufBool, protobufField, ProtobufReader } from './protobuf.ts';
import type { Vm } from './vm.ts';

/** Shorter RSA keys are not safe any more (RFC 7518 §3.3). */
const LEAST_RSA_BITS = 2048;
/** Keys that are kept ready; importing one costs about as much as using it. */
const KEPT_KEYS = 256;

interface Algorithm {
  /** Null: the algorithm brings its own. */
  readonly hash: string | null;
  /** `asymmetricKeyType` of Node. */
  readonly keys: readonly string[];
  /** Of ECDSA: the one curve it is for (RFC 7518 §3.4). */
  readonly curve?: string;
  /** Bytes of a signature, where that is fixed: by curve, R and S one after the other. */
  readonly size?: number;
  readonly pss?: boolean;
}

const rsa = (hash: string, pss = false): Algorithm => ({
  hash,
  keys: pss ? ['rsa', 'rsa-pss'] : ['rsa'],
  pss,
});
const ecdsa = (hash: string, curve: string, size: number): Algorithm => ({ hash, keys: ['ec'], curve, size });

/** RFC 7518 §3.1, RFC 8037 §3.1. Nothing symmetric, and not `none`. */
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  ['RS256', rsa('sha256')],
  ['RS384', rsa('sha384')],
  ['RS512', rsa('sha512')],
  ['PS256', rsa('sha256', true)],
  ['PS384', rsa('sha384', true)],
  ['PS512', rsa('sha512', true)],
  ['ES256', ecdsa('sha256', 'prime256v1', 64)],
  ['ES384', ecdsa('sha384', 'secp384r1', 96)],
  ['ES512', ecdsa('sha512', 'secp521r1', 132)],
  ['EdDSA', { hash: null, keys: ['ed25519', 'ed448'] }],
]);

/** By the text of the JWK; what is no key is remembered too. */
const keys = new Map<string, KeyObject | string>();

/**
 * `weir.verify_jws`: whether a JSON Web Signature is right (RFC 7515 §5.2, step 8). The algorithm is the caller's
 * to allow; what does not fit the key is refused here.
 */
export function verifyJws(
  vm: Vm,
  memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  let name = '';
  let jwk = '';
  let input: Buffer | null = null;
  let signature: Buffer | null = null;
  const reader = new ProtobufReader(memory, start, end);
  while (reader.next()) {
    if (!reader.isBytes) continue;
    if (reader.field === 1) name = reader.text();
    else if (reader.field === 2) jwk = reader.text();
    else if (reader.field === 3) input = reader.bytes();
    else if (reader.field === 4) signature = reader.bytes();
  }
  if (reader.failed || input === null || signature === null) {
    vm.plugin.warnOnce('weir.verify_jws: the arguments are not its protobuf message');
    return Status.BadArgument;
  }
  const error = fault(name, jwk, input, signature);
  result.set(Buffer.concat([protobufBool(1, error === ''), protobufField(2, error)]));
  return Status.Ok;
}

/** Why the signature is not right; empty: it is. */
function fault(name: string, jwk: string, input: Buffer, signature: Buffer): string {
  const algorithm = ALGORITHMS.get(name);
  if (algorithm === undefined) return 'the algorithm is not known';
  const key = importKey(jwk);
  if (typeof key === 'string') return key;
  if (!algorithm.keys.includes(key.asymmetricKeyType!)) return 'the key is for other algorithms';
  if (algorithm.curve !== undefined && key.asymmetricKeyDetails?.namedCurve !== algorithm.curve)
    return 'the key is of another curve';
  if (algorithm.size !== undefined && signature.length !== algorithm.size)
    return 'the signature has not the size of its curve';
  try {
    return verify(algorithm.hash, input, options(key, algorithm), signature) ? '' : 'the signature is wrong';
  } catch {
    return 'the signature cannot be checked';
  }
}

function options(key: KeyObject, { pss, curve }: Algorithm): Parameters<typeof verify>[2] {
  // The salt is as long as the hash (RFC 7518 §3.5).
  if (pss === true)
    return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  return curve === undefined ? key : { key, dsaEncoding: 'ieee-p1363' };
}

function importKey(jwk: string): KeyObject | string {
  const known = keys.get(jwk);
  if (known !== undefined) return known;
  if (jwk.length > KEY_BYTES) return 'the key is too large';
  const key = readKey(jwk);
  if (keys.size >= KEPT_KEYS) keys.delete(keys.keys().next().value!);
  keys.set(jwk, key);
  return key;
}

function readKey(jwk: string): KeyObject | string {
  let key: KeyObject;
  try {
    const parsed = JSON.parse(jwk) as JsonWebKey;
    // A symmetric key would be one that everybody who can check can sign with.
    if (parsed.kty === 'oct') return 'the key is symmetric';
    key = createPublicKey({ key: parsed, format: 'jwk' });
  } catch {
    return 'the key is not a JWK of a public key';
  }
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && (bits < LEAST_RSA_BITS || bits > KEY_BITS))
    return `RSA keys have ${LEAST_RSA_BITS} to ${KEY_BITS} bits`;
  return key;
}
