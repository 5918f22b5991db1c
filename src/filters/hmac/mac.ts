import { Bytes } from '@weir/filters-sdk/assembly';
import { sha256 } from '@weir/filters-sdk/assembly/sha256';

const BLOCK = 64;
const SIZE = 32;
const padded = memory.data(BLOCK);
const digest = memory.data(SIZE);

/** HMAC with SHA-256 (RFC 2104). What is to be authenticated is put behind a block for the key, so that it is hashed in one. */
export function hmacSha256(key: ArrayBuffer, text: Bytes): Bytes {
  memory.fill(padded, 0, BLOCK);
  if (key.byteLength > BLOCK) sha256(changetype<usize>(key), key.byteLength, padded);
  else memory.copy(padded, changetype<usize>(key), key.byteLength);
  const inner = heap.alloc(BLOCK + max(text.length, SIZE));
  for (let i = 0; i < BLOCK; i++) store<u8>(inner + i, load<u8>(padded + i) ^ 0x36);
  memory.copy(inner + BLOCK, text.start, text.length);
  sha256(inner, BLOCK + text.length, digest);
  for (let i = 0; i < BLOCK; i++) store<u8>(inner + i, load<u8>(padded + i) ^ 0x5c);
  memory.copy(inner + BLOCK, digest, SIZE);
  sha256(inner, BLOCK + SIZE, digest);
  heap.free(inner);
  return Bytes.of(digest, SIZE);
}
