// What only the filter can read, though others keep it: cookies, tokens of its own.
import { abort } from './abort';
import { Bytes } from './bytes';
import { callForeign } from './foreign';
import { addField } from './protobuf';
import { random_get } from './wasi_snapshot_preview1';
import { ByteWriter } from './writer';

/** Bytes that nobody can guess. */
export function randomBytes(size: i32): ArrayBuffer {
  const bytes = new ArrayBuffer(size);
  if (random_get(changetype<usize>(bytes), size) != 0) abort('random_get failed', null, 0, 0);
  return bytes;
}

/**
 * Encrypts and authenticates with AES-256-GCM, with the host's `weir.seal`.
 *
 * @param key 32 bytes
 * @param context what the data belongs to: it opens only where this is the same
 * @returns null where the host cannot, as other hosts than weir
 */
export function seal<K, D, C>(key: K, data: D, context: C): Bytes | null {
  return callForeign('weir.seal', argumentsOf<K, D, C>(key, data, context));
}

/** The other way round; null where it was not sealed with this key for this. */
export function unseal<K, D, C>(key: K, sealed: D, context: C): Bytes | null {
  return callForeign('weir.unseal', argumentsOf<K, D, C>(key, sealed, context));
}

function argumentsOf<K, D, C>(key: K, data: D, context: C): Bytes {
  const message = new ByteWriter(1024);
  addField<K>(message, 1, key);
  addField<D>(message, 2, data);
  addField<C>(message, 3, context);
  return message.view();
}
