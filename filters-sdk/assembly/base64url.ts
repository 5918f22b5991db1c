import { Bytes } from './bytes';
import { ByteWriter } from './writer';

/**
 * Decodes base64url (RFC 7515, section 2) behind what `into` has. One spelling for each value: no padding, no other
 * characters, and no bits left over that are set.
 *
 * @returns false where the text is none
 */
export function decodeBase64Url(text: Bytes, into: ByteWriter): bool {
  const length = text.length;
  if ((length & 3) == 1) return false;
  let bits: u32 = 0;
  let count = 0;
  for (let i = 0; i < length; i++) {
    const value = valueOf(text.at(i));
    if (value < 0) return false;
    bits = (bits << 6) | value;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    into.addByte((bits >> count) & 255);
  }
  return (bits & ((1 << count) - 1)) == 0;
}

function valueOf(byte: i32): i32 {
  if (<u32>(byte - 65) < 26) return byte - 65;
  if (<u32>(byte - 97) < 26) return byte - 71;
  if (<u32>(byte - 48) < 10) return byte + 4;
  return byte == 45 ? 62 : byte == 95 ? 63 : -1;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Adds bytes in base64url without padding. */
export function addBase64Url(writer: ByteWriter, bytes: Bytes): void {
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const word =
      (bytes.at(i) << 16) | (left > 1 ? bytes.at(i + 1) << 8 : 0) | (left > 2 ? bytes.at(i + 2) : 0);
    for (let k = 0; k < min(left + 1, 4); k++)
      writer.addByte(ALPHABET.charCodeAt((word >> (18 - 6 * k)) & 63));
  }
}
