import { equalsIgnoringCase } from './fields.ts';
import { HTAB, SP } from './grammar.ts';

const COMMA = 0x2c;
const H2C = Buffer.from('h2c', 'latin1');

/**
 * Reads a Content-Length: digits only, at most 2^53-1 (no sign, list, blank or empty value).
 *
 * @returns the number, or -1
 */
export function readLength(bytes: Buffer, start: number, end: number): number {
  if (start === end) return -1;
  let length = 0;
  for (let p = start; p < end; p++) {
    const digit = bytes[p]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
    if (length > Number.MAX_SAFE_INTEGER) return -1;
  }
  return length;
}

/** Offset of the first element of a comma-separated list at or after `p`, or `end`. */
export function nextElement(bytes: Buffer, p: number, end: number): number {
  while (p < end && (bytes[p] === COMMA || bytes[p] === SP || bytes[p] === HTAB)) p++;
  return p;
}

/** Where the element that starts at `p` ends: at a comma or white space. */
export function elementEnd(bytes: Buffer, p: number, end: number): number {
  while (p < end && bytes[p] !== COMMA && bytes[p] !== SP && bytes[p] !== HTAB) p++;
  return p;
}

/** Does a comma-separated list hold the element, in any case, without parameters? */
export function listHolds(bytes: Buffer, start: number, end: number, element: Buffer): boolean {
  let p = nextElement(bytes, start, end);
  while (p < end) {
    const stop = elementEnd(bytes, p, end);
    if (equalsIgnoringCase(bytes, p, stop, element)) return true;
    p = nextElement(bytes, stop, end);
  }
  return false;
}

/** Offset of the first protocol of an Upgrade value that may be forwarded, or -1. Cleartext HTTP/2 never may. */
export function firstProtocol(bytes: Buffer, start: number, end: number): number {
  let p = nextElement(bytes, start, end);
  while (p < end) {
    const stop = elementEnd(bytes, p, end);
    if (!equalsIgnoringCase(bytes, p, stop, H2C)) return p;
    p = nextElement(bytes, stop, end);
  }
  return -1;
}
