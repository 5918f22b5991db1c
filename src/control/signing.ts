/**
 * Signatures on modules: Ed25519 (RFC 8032) over the 32 bytes of the sha256 of the module. They stand in a file
 * beside it: 64 bytes, or lines of base64 with one signature each.
 */
import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import type { FileReader } from './files.ts';

const MAX_FILE_BYTES = 64 * 1024;
const SIGNATURE_BYTES = 64;
const KEY_BYTES = 32;
/** SubjectPublicKeyInfo of Ed25519 up to the key itself (RFC 8410, section 4). */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** The signatures of a file, or why there are none. */
export async function signatureFile(reader: FileReader, path: string): Promise<Buffer[] | string> {
  const bytes = await reader.bytes(path, MAX_FILE_BYTES);
  return typeof bytes === 'string' ? bytes : parseSignatures(bytes);
}

/** @param digest sha256 of a module, hex */
export function signDigest(key: KeyObject, digest: string): Buffer {
  return sign(null, Buffer.from(digest, 'hex'), key);
}

/** Whether one of the signatures is one by the key over the digest. */
export function isSignedBy(key: KeyObject, digest: string, signatures: readonly Uint8Array[]): boolean {
  const bytes = Buffer.from(digest, 'hex');
  return signatures.some((each) => verify(null, bytes, key, each));
}

/** What people call a key by: the first 16 hex digits of the sha256 of its 32 bytes. @param key a public one */
export function keyId(key: KeyObject): string {
  return createHash('sha256').update(rawPublicKey(key)).digest('hex').slice(0, 16);
}

/** The 32 bytes of a public key. */
export function rawPublicKey(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' }).subarray(SPKI_HEAD.length);
}

/** A private key of PEM text, or what is wrong with it. */
export function parsePrivateKey(text: string): KeyObject | string {
  if (!/PRIVATE KEY-----/.test(text)) return 'it is no private key in PEM form';
  if (/ENCRYPTED/.test(text)) return 'it is encrypted; decrypt it first: openssl pkey -in KEY -out PLAIN';
  try {
    const key = createPrivateKey(text);
    const { asymmetricKeyType: type } = key;
    return type === 'ed25519' ? key : `it is a key of type ${String(type)}, not ed25519`;
  } catch {
    return 'it cannot be read as a private key';
  }
}

/** The key, or what is wrong with the text. */
export function parsePublicKey(text: string): KeyObject | string {
  if (/PRIVATE KEY/.test(text))
    return 'it is a private key; give the public one (FILE.pub of weir filter keygen, or openssl pkey -pubout)';
  let key: KeyObject;
  try {
    if (text.includes('-----BEGIN')) key = createPublicKey(text);
    else {
      const raw = decodeBase64(text.trim());
      if (raw?.length !== KEY_BYTES) return 'it is neither PEM nor base64 of 32 bytes';
      key = createPublicKey({ key: Buffer.concat([SPKI_HEAD, raw]), format: 'der', type: 'spki' });
    }
  } catch {
    return 'it cannot be read as a public key';
  }
  const { asymmetricKeyType: type } = key;
  return type === 'ed25519' ? key : `it is a key of type ${String(type)}, not ed25519`;
}

/** Signatures of a file's content, or why it has none. */
export function parseSignatures(bytes: Buffer): Buffer[] | string {
  if (bytes.length === SIGNATURE_BYTES) return [bytes];
  const lines = bytes
    .toString('latin1')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const signatures = lines.map(decodeBase64);
  const allRight = signatures.every((each) => each?.length === SIGNATURE_BYTES);
  return signatures.length > 0 && allRight
    ? (signatures as Buffer[])
    : 'is neither one signature of 64 bytes nor lines of base64 with one each';
}

/** Strict: Node itself skips what is no base64. */
function decodeBase64(text: string): Buffer | null {
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)
    ? Buffer.from(text, 'base64')
    : null;
}
