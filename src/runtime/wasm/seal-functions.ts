import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Status } from './abi.ts';
import type { ForeignResult } from './foreign-result.ts';
import { SEALED_BYTES } from './limits.ts';
import { ProtobufReader } from './protobuf.ts';
import type { Vm } from './vm.ts';

const CIPHER = 'aes-256-gcm';
const KEY_SIZE = 32;
const NONCE_SIZE = 12;
const TAG_SIZE = 16;

interface Arguments {
  readonly key: Buffer;
  readonly data: Buffer;
  readonly context: Buffer;
}

/** Protobuf: 1 key, 2 data, 3 what the data belongs to. Null where that is not what came. */
function read(memory: Uint8Array, start: number, end: number): Arguments | null {
  let key: Buffer | null = null;
  let data: Buffer | null = null;
  let context = Buffer.alloc(0);
  const reader = new ProtobufReader(memory, start, end);
  while (reader.next()) {
    if (!reader.isBytes) continue;
    if (reader.field === 1) key = reader.bytes();
    else if (reader.field === 2) data = reader.bytes();
    else if (reader.field === 3) context = Buffer.from(reader.bytes());
  }
  if (reader.failed || key === null || data === null) return null;
  return key.length === KEY_SIZE && data.length <= SEALED_BYTES ? { key, data, context } : null;
}

/**
 * `weir.seal`: encrypts and authenticates with AES-256-GCM (NIST SP 800-38D), under a random nonce. Result: nonce of 12
 * bytes, ciphertext, tag of 16 bytes.
 */
export function seal(vm: Vm, memory: Uint8Array, start: number, end: number, result: ForeignResult): Status {
  const given = read(memory, start, end);
  if (given === null) {
    vm.plugin.warnOnce('weir.seal: the arguments are not its protobuf message');
    return Status.BadArgument;
  }
  const nonce = randomBytes(NONCE_SIZE);
  const cipher = createCipheriv(CIPHER, given.key, nonce).setAAD(given.context);
  result.set(Buffer.concat([nonce, cipher.update(given.data), cipher.final(), cipher.getAuthTag()]));
  return Status.Ok;
}

/** `weir.unseal`: the other way round; SerializationFailure where it was not sealed with this key for this. */
export function unseal(
  vm: Vm,
  memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  const given = read(memory, start, end);
  if (given === null) {
    vm.plugin.warnOnce('weir.unseal: the arguments are not its protobuf message');
    return Status.BadArgument;
  }
  const { key, data, context } = given;
  if (data.length < NONCE_SIZE + TAG_SIZE) return Status.SerializationFailure;
  const decipher = createDecipheriv(CIPHER, key, data.subarray(0, NONCE_SIZE), { authTagLength: TAG_SIZE })
    .setAAD(context)
    .setAuthTag(data.subarray(data.length - TAG_SIZE));
  const open = decipher.update(data.subarray(NONCE_SIZE, data.length - TAG_SIZE));
  try {
    decipher.final();
  } catch {
    return Status.SerializationFailure;
  }
  result.set(open);
  return Status.Ok;
}
