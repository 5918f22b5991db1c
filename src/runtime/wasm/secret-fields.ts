import { equalsIgnoringCase } from '../http/fields.ts';
import { HeaderBlock } from '../http/headers.ts';
import type { AttributeValue } from './stream-host.ts';

/** Fields that carry credentials, by the length of their names, which differ. */
const BY_SIZE = new Map<number, Buffer>(
  ['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'x-forwarded-client-cert'].map((name) => [
    name.length,
    Buffer.from(name, 'latin1'),
  ]),
);
/** Bit n is set where a name of n bytes may be one of them. */
const SIZES = [...BY_SIZE.keys()].reduce((bits, size) => bits | (1 << size), 0);
const LONGEST = Math.max(...BY_SIZE.keys());

/** Properties of the client's certificate: `connection.subject_peer_certificate` and its like. */
const CERTIFICATE = /^connection\0[a-z0-9_]*peer_certificate/;
/** A field of a message; the name is the rest. */
const FIELD = /^(?:request|response)\0(?:headers|trailers)\0/;

const scratch = new HeaderBlock();

/** Whether a name is that of a field which only plugins with the capability `secrets` see. Any case. */
export function isSecretName(bytes: Uint8Array, start: number, end: number): boolean {
  const size = end - start;
  if (size > LONGEST || ((SIZES >>> size) & 1) === 0) return false;
  return equalsIgnoringCase(bytes, start, end, BY_SIZE.get(size)!);
}

export function isSecretField(block: HeaderBlock, index: number): boolean {
  return isSecretName(block.bytes, block.spans[4 * index]!, block.spans[4 * index + 1]!);
}

/** @returns the block, or a copy without the fields that are hidden; the next call overwrites the copy */
export function withoutSecrets(block: HeaderBlock): HeaderBlock {
  let index = block.pseudo;
  while (index < block.count && !isSecretField(block, index)) index++;
  if (index === block.count) return block;
  scratch.copyFrom(block);
  for (let i = scratch.count - 1; i >= index; i--) if (isSecretField(scratch, i)) scratch.removeAt(i);
  return scratch;
}

/** Filters ask for few properties, for each request. */
const secretPaths = new Map<string, boolean>();
const KNOWN_PATHS = 1024;

/** Whether a property, by its path with NUL between the segments, is a secret. */
export function isSecretProperty(path: string): boolean {
  let secret = secretPaths.get(path);
  if (secret === undefined) {
    if (secretPaths.size >= KNOWN_PATHS) secretPaths.clear();
    secret = isSecretPath(path);
    secretPaths.set(path, secret);
  }
  return secret;
}

function isSecretPath(path: string): boolean {
  if (CERTIFICATE.test(path)) return true;
  const field = FIELD.exec(path)?.[0];
  if (field === undefined) return false;
  const name = Buffer.from(path.slice(field.length), 'latin1');
  return isSecretName(name, 0, name.length);
}

/** A map of fields without those that are hidden; other values as they are. */
export function withoutSecretEntries(value: AttributeValue): AttributeValue {
  if (value.type !== 'map') return value;
  return {
    type: 'map',
    value: value.value.filter(([name]) => {
      const bytes = Buffer.from(name, 'latin1');
      return !isSecretName(bytes, 0, bytes.length);
    }),
  };
}
