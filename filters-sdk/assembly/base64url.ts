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
