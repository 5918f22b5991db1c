import { ByteWriter, Bytes } from '@weir/filters-sdk/assembly';
import { writeUtf8 } from '@weir/filters-sdk/assembly/bytes';

// Parts of JSON texts. What walks along one expects it to be valid: `Scanner` has looked at it before.

const QUOTE = 34;
const BACKSLASH = 92;
const encoded = memory.data(4);

export function isJsonBlank(byte: i32): bool {
  return byte == 32 || byte == 10 || byte == 13 || byte == 9;
}

export function skipBlanks(at: usize, end: usize): usize {
  while (at < end && isJsonBlank(load<u8>(at))) at++;
  return at;
}

/** Behind the closing quote of the string that begins at `at`. */
export function skipString(at: usize): usize {
  at++;
  while (load<u8>(at) != QUOTE) at += load<u8>(at) == BACKSLASH ? 2 : 1;
  return at + 1;
}

/** Behind the value that begins at `at`. */
export function skipValue(at: usize, end: usize): usize {
  let depth = 0;
  while (at < end) {
    const byte = load<u8>(at);
    if (byte == QUOTE) {
      at = skipString(at);
      if (depth == 0) return at;
    } else if (byte == 123 || byte == 91) {
      depth++;
      at++;
    } else if (byte == 125 || byte == 93) {
      if (depth == 0) return at;
      at++;
      if (--depth == 0) return at;
    } else if (depth == 0 && (byte == 44 || isJsonBlank(byte))) {
      return at;
    } else at++;
  }
  return at;
}

/** What stands between the quotes, without escapes. Half a surrogate pair is written as three bytes. */
export function decodeString(raw: Bytes, into: ByteWriter): Bytes {
  if (raw.indexOf(BACKSLASH) < 0) return raw;
  into.clear();
  let at = raw.start;
  const end = at + raw.length;
  while (at < end) {
    const byte = load<u8>(at++);
    if (byte != BACKSLASH) {
      into.addByte(byte);
      continue;
    }
    const letter = load<u8>(at++);
    if (letter == 98) into.addByte(8);
    else if (letter == 102) into.addByte(12);
    else if (letter == 110) into.addByte(10);
    else if (letter == 114) into.addByte(13);
    else if (letter == 116) into.addByte(9);
    else if (letter != 117) into.addByte(letter);
    else {
      let point = hex(at);
      at += 4;
      const pairs = (point & 0xfc00) == 0xd800 && at + 6 <= end && load<u16>(at) == 0x755c;
      const low = pairs ? hex(at + 2) : 0;
      if ((low & 0xfc00) == 0xdc00) {
        point = 0x10000 + ((point & 0x3ff) << 10) + (low & 0x3ff);
        at += 6;
      }
      const size = <i32>(writeUtf8(encoded, point) - encoded);
      memory.copy(into.reserve(size), encoded, size);
    }
  }
  return into.view();
}

function hex(at: usize): i32 {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const byte: i32 = load<u8>(at + i);
    value = (value << 4) | (byte < 58 ? byte - 48 : (byte | 32) - 87);
  }
  return value;
}

/**
 * Writes a text as a JSON string, quotes included.
 *
 * @returns false where it is not UTF-8; U+FFFD stands for what is none
 */
export function writeString(text: Bytes, out: ByteWriter): bool {
  let valid = true;
  out.addByte(QUOTE);
  let at = text.start;
  const end = at + text.length;
  while (at < end) {
    const byte: i32 = load<u8>(at);
    if (byte >= 128) {
      const size = sequenceSize(at, end);
      if (size == 0) {
        valid = false;
        out.addByte(0xef).addByte(0xbf).addByte(0xbd);
      } else memory.copy(out.reserve(size), at, size);
      at += max(size, 1);
      continue;
    }
    at++;
    if (byte == QUOTE || byte == BACKSLASH) out.addByte(BACKSLASH).addByte(byte);
    else if (byte == 10) out.addByte(BACKSLASH).addByte(110);
    else if (byte < 32) {
      out.add('\\u00').addByte(48 + (byte >> 4));
      const low = byte & 15;
      out.addByte(low < 10 ? low + 48 : low + 87);
    } else out.addByte(byte);
  }
  out.addByte(QUOTE);
  return valid;
}

/** Bytes of the character that begins at `at` (RFC 3629, section 4), 0 where there is none. */
function sequenceSize(at: usize, end: usize): i32 {
  const lead: i32 = load<u8>(at);
  const size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + size > end) return 0;
  const second: i32 = load<u8>(at, 1);
  if (second < lowestAfter(lead) || second > highestAfter(lead)) return 0;
  for (let i = 2; i < size; i++) if ((load<u8>(at + i) & 0xc0) != 0x80) return 0;
  return size;
}

/** Bounds of the second byte: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
export function lowestAfter(lead: i32): i32 {
  return lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
}

export function highestAfter(lead: i32): i32 {
  return lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
}
