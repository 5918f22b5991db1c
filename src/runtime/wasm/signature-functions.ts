import { createPrivateKey, createPublicKey, sign as signBytes, verify, type KeyObject } from 'node:crypto';
import { Status } from './abi.ts';
import type { ForeignResult } from './foreign-result.ts';
import { KEY_BITS, KEY_BYTES } from './limits.ts';
import { protobufBool, protobufBytes, protobufField, ProtobufReader } from './protobuf.ts';
import type { Vm } from './vm.ts';

/** Those of Envoy, which knows no others. */
const HASHES: ReadonlySet<string> = new Set(['sha1', 'sha224', 'sha256', 'sha384', 'sha512']);

interface Arguments {
  hash: string;
  der: Buffer;
  pem: string;
  text: Buffer;
  signature: Buffer;
}

/** Fields of `VerifySignatureArguments` and `SignArguments` by number. */
interface Layout {
  readonly der: number;
  readonly signature: number;
  readonly text: number;
  readonly pem: number;
}

const VERIFY: Layout = { der: 2, signature: 3, text: 4, pem: 5 };
const SIGN: Layout = { der: 2, signature: 0, text: 3, pem: 4 };

/**
 * `verify_signature`: a `VerifySignatureArguments` of Envoy, answered with a `VerifySignatureResult`. RSA
 * signatures are PKCS #1 v1.5, those of ECDSA in DER.
 *
 * @see envoy source/extensions/common/wasm/ext/verify_signature.proto
 */
export function verifySignature(
  vm: Vm,
  memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  const given = readArguments(memory, start, end, VERIFY);
  const key = given === null ? null : importKey(given, 'public');
  if (given === null || key === null) return refused(vm, 'verify_signature', given);
  const error = verifyError(given, key);
  result.set(Buffer.concat([protobufBool(1, error === ''), protobufField(2, error)]));
  return Status.Ok;
}

function verifyError({ hash, text, signature }: Arguments, key: KeyObject): string {
  if (!HASHES.has(hash.toLowerCase())) return `${hash} is not supported.`;
  try {
    return verify(hash.toLowerCase(), text, key, signature)
      ? ''
      : 'Failed to verify digital signature. Error code: 0';
  } catch {
    return 'Failed to initialize digest verify.';
  }
}

/**
 * `sign`: a `SignArguments` of Envoy, answered with a `SignResult`.
 *
 * @see envoy source/extensions/common/wasm/ext/sign.proto
 */
export function sign(vm: Vm, memory: Uint8Array, start: number, end: number, result: ForeignResult): Status {
  const given = readArguments(memory, start, end, SIGN);
  const key = given === null ? null : importKey(given, 'private');
  if (given === null || key === null) return refused(vm, 'sign', given);
  const hash = given.hash.toLowerCase();
  let signature: Buffer | null = null;
  let error = '';
  if (!HASHES.has(hash)) error = `${given.hash} is not supported.`;
  else {
    try {
      signature = signBytes(hash, given.text, key);
    } catch {
      error = 'Failed to initialize digest sign.';
    }
  }
  result.set(
    signature === null
      ? protobufField(3, error)
      : Buffer.concat([protobufBool(1, true), protobufBytes(2, signature)]),
  );
  return Status.Ok;
}

/** Null where the bytes are not the message. Of a field that comes twice the last counts. */
function readArguments(memory: Uint8Array, start: number, end: number, layout: Layout): Arguments | null {
  const empty = Buffer.alloc(0);
  const given: Arguments = { hash: '', der: empty, pem: '', text: empty, signature: empty };
  const reader = new ProtobufReader(memory, start, end);
  while (reader.next()) {
    if (!reader.isBytes) continue;
    if (reader.field === 1) given.hash = reader.text();
    else if (reader.field === layout.der) given.der = reader.bytes();
    else if (reader.field === layout.pem) given.pem = reader.text();
    else if (reader.field === layout.text) given.text = reader.bytes();
    else if (reader.field === layout.signature) given.signature = reader.bytes();
  }
  return reader.failed ? null : given;
}

/** One form of the key, and no other; null where it is not one, or takes too long to work with. */
function importKey({ der, pem }: Arguments, kind: 'public' | 'private'): KeyObject | null {
  if ((der.length === 0) === (pem.length === 0) || der.length > KEY_BYTES || pem.length > KEY_BYTES)
    return null;
  // Node makes public keys of certificates and private keys, too.
  if (kind === 'public' && pem !== '' && !pem.includes('-----BEGIN PUBLIC KEY-----')) return null;
  try {
    const key =
      kind === 'public'
        ? createPublicKey(pem === '' ? { key: der, format: 'der', type: 'spki' } : pem)
        : createPrivateKey(pem === '' ? { key: der, format: 'der', type: 'pkcs8' } : pem);
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    return bits > KEY_BITS ? null : key;
  } catch {
    return null;
  }
}

function refused(vm: Vm, name: string, given: Arguments | null): Status {
  vm.plugin.warnOnce(
    given === null
      ? `${name}: the arguments are not its protobuf message`
      : `${name}: it takes one key, as DER or as PEM, of at most ${KEY_BITS} bits`,
  );
  return Status.BadArgument;
}
