import { randomFillSync } from 'node:crypto';

/** Bytes of a request id as text: a UUID. */
export const REQUEST_ID_LENGTH = 36;

// One call to the system's generator costs as much as filling a few KiB.
const POOL_BYTES = 4096;
const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
let used = POOL_BYTES;

const DASH = 0x2d;
const HIGH = Uint8Array.from({ length: 256 }, (_, byte) => '0123456789abcdef'.charCodeAt(byte >> 4));
const LOW = Uint8Array.from({ length: 256 }, (_, byte) => '0123456789abcdef'.charCodeAt(byte & 15));

/**
 * Writes a random (version 4) UUID, RFC 9562 section 5.4, with 122 bits from the system's generator:
 * ids end up in logs and traces of others, so that one must not tell the next.
 *
 * @param at offset of the first of `REQUEST_ID_LENGTH` bytes
 * @returns offset after the last one
 */
export function writeRequestId(out: Uint8Array, at: number): number {
  if (used === POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const from = used;
  used += 16;
  pool[from + 6] = (pool[from + 6]! & 0x0f) | 0x40;
  pool[from + 8] = (pool[from + 8]! & 0x3f) | 0x80;
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) out[at++] = DASH;
    const byte = pool[from + i]!;
    out[at++] = HIGH[byte]!;
    out[at++] = LOW[byte]!;
  }
  return at;
}
