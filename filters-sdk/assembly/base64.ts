import { allocate } from './arena';
import { Bytes } from './bytes';

/** Decodes base64 (RFC 4648, section 4), padded or not, into a view; null where it is none. */
export function fromBase64(value: Bytes): Bytes | null {
  let length = value.length;
  while (length > 0 && value.at(length - 1) == 61) length--;
  if (length % 4 == 1) return null;
  const bytes = allocate(length);
  let to = bytes;
  let word: u32 = 0;
  for (let i = 0; i < length; i++) {
    const digit = digitOf(value.at(i));
    if (digit < 0) return null;
    word = (word << 6) | digit;
    // Each digit after the first of four ends a byte.
    const bits = 6 * ((i & 3) + 1);
    if ((i & 3) != 0) store<u8>(to++, word >> (bits & 7));
  }
  return Bytes.of(bytes, <i32>(to - bytes));
}

function digitOf(byte: i32): i32 {
  if (<u32>(byte - 65) < 26) return byte - 65;
  if (<u32>(byte - 97) < 26) return byte - 71;
  if (<u32>(byte - 48) < 10) return byte + 4;
  return byte == 43 ? 62 : byte == 47 ? 63 : -1;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Encodes bytes in base64 with padding, into a view. */
export function toBase64(bytes: Bytes): Bytes {
  const size = ((bytes.length + 2) / 3) * 4;
  const text = allocate(size);
  for (let i = 0, to = text; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const word =
      (bytes.at(i) << 16) | (left > 1 ? bytes.at(i + 1) << 8 : 0) | (left > 2 ? bytes.at(i + 2) : 0);
    for (let k = 0; k < 4; k++) {
      const digit = ALPHABET.charCodeAt((word >> (18 - 6 * k)) & 63);
      store<u8>(to++, <u8>(k > left ? 61 : digit));
    }
  }
  return Bytes.of(text, size);
}
