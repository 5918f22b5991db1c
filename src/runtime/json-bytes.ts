const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HEX = Buffer.from('0123456789abcdef', 'latin1');
/** U+FFFD in UTF-8: stands for each byte that is not part of well-formed UTF-8. */
const REPLACEMENT = Buffer.from('\ufffd', 'utf8');

/** Bytes that one byte or UTF-16 unit of input takes in the output at most (`\u00XX`). */
export const JSON_EXPANSION = 6;

/**
 * Writes bytes as a JSON string with its quotes. What is well-formed UTF-8 stays as it is, other
 * bytes become U+FFFD, so that the line is valid JSON whatever a client sent.
 *
 * @returns offset after the closing quote; there must be room for `JSON_EXPANSION` times the length plus 2
 */
export function writeJsonBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  out[at++] = QUOTE;
  at = writeContent(bytes, start, end, out, at);
  out[at++] = QUOTE;
  return at;
}

/** `writeJsonBytes` for a string that weir made: a name, a code. */
export function writeJsonText(text: string, out: Uint8Array, at: number): number {
  out[at++] = QUOTE;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) {
      const rest = Buffer.from(text.slice(i), 'utf8');
      at = writeContent(rest, 0, rest.length, out, at);
      break;
    }
    at = writeAscii(unit, out, at);
  }
  out[at++] = QUOTE;
  return at;
}

/** Writes a non-negative whole number in decimal. */
export function writeDecimal(value: number, out: Uint8Array, at: number): number {
  let end = at + 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) end++;
  for (let i = end - 1; i >= at; i--) {
    out[i] = 0x30 + (value % 10);
    value = Math.floor(value / 10);
  }
  return end;
}

function writeContent(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  for (let i = start; i < end;) {
    const byte = bytes[i]!;
    if (byte < 0x80) {
      at = writeAscii(byte, out, at);
      i++;
      continue;
    }
    const size = utf8Size(bytes, i, end);
    if (size === 0) {
      for (let k = 0; k < REPLACEMENT.length; k++) out[at++] = REPLACEMENT[k]!;
      i++;
      continue;
    }
    for (const stop = i + size; i < stop; i++) out[at++] = bytes[i]!;
  }
  return at;
}

function writeAscii(byte: number, out: Uint8Array, at: number): number {
  if (byte === QUOTE || byte === BACKSLASH) {
    out[at++] = BACKSLASH;
    out[at++] = byte;
  } else if (byte >= 0x20 && byte !== 0x7f) {
    out[at++] = byte;
  } else {
    out[at++] = BACKSLASH;
    out[at++] = 0x75; // u
    out[at++] = 0x30;
    out[at++] = 0x30;
    out[at++] = HEX[byte >> 4]!;
    out[at++] = HEX[byte & 15]!;
  }
  return at;
}

/** Length of the well-formed UTF-8 sequence of two to four bytes at `i` (Unicode, table 3-7), or 0. */
function utf8Size(bytes: Uint8Array, i: number, end: number): number {
  const lead = bytes[i]!;
  const size =
    lead >= 0xc2 && lead <= 0xdf ? 2 : (lead & 0xf0) === 0xe0 ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
  if (size === 0 || i + size > end) return 0;
  const second = bytes[i + 1]!;
  // No overlong forms, no surrogates, nothing above U+10FFFF.
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let k = 2; k < size; k++) if ((bytes[i + k]! & 0xc0) !== 0x80) return 0;
  return size;
}
