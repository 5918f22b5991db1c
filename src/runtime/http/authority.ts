import { isIPv6 } from 'node:net';
import { HEX, HOST_NAME, LOWER } from './grammar.ts';

// A constant of this file, for speed: see field-line.ts.
const NAME_BYTE = HOST_NAME;

const COLON = 0x3a;
const DOT = 0x2e;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** RFC 1035: a name has at most 255 bytes, a label at most 63. */
const NAME_BYTES = 255;
const LABEL_BYTES = 63;

export const BAD_AUTHORITY = -1;

/**
 * Checks `host [":" port]` and brings it into the one form that the runtime compares: lower case, no
 * trailing dot, no port where it is the default one. Rewrites the bytes in place; the result is never
 * longer.
 *
 * Stricter than RFC 3986: a registered name holds letters, digits, `-`, `_` and dots only (no percent
 * escapes, no sub-delimiters), labels are not empty, and a colon is followed by a port from 1 to 65535.
 *
 * @returns the new end, or `BAD_AUTHORITY`
 */
export function normaliseAuthority(bytes: Buffer, start: number, end: number, defaultPort: number): number {
  const hostEnd =
    bytes[start] === OPEN_BRACKET ? endOfAddress(bytes, start, end) : endOfName(bytes, start, end);
  if (hostEnd < 0) return BAD_AUTHORITY;
  // One trailing dot says that the name is absolute; every name in a request is.
  const kept = bytes[hostEnd - 1] === DOT ? hostEnd - 1 : hostEnd;
  if (kept === start) return BAD_AUTHORITY;
  if (hostEnd === end) return kept;
  const port = readPort(bytes, hostEnd, end);
  if (port < 0) return BAD_AUTHORITY;
  if (port === defaultPort) return kept;
  if (kept !== hostEnd) bytes.copyWithin(kept, hostEnd, end);
  return kept + end - hostEnd;
}

/** @returns the port after the colon at `at`, or -1 */
export function readPort(bytes: Buffer, at: number, end: number): number {
  if (bytes[at] !== COLON || end - at < 2 || end - at > 6) return -1;
  let port = 0;
  for (let p = at + 1; p < end; p++) {
    const digit = bytes[p]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    port = port * 10 + digit;
  }
  return port >= 1 && port <= 65535 ? port : -1;
}

/** Lowers the name in place. @returns its end, at the colon of a port or at `end`, or -1 */
function endOfName(bytes: Buffer, start: number, end: number): number {
  let p = start;
  let label = start;
  for (; p < end; p++) {
    const byte = bytes[p]!;
    const lower = NAME_BYTE[byte]!;
    if (lower === 0) break;
    bytes[p] = lower;
    if (byte !== DOT) continue;
    if (p === label || p - label > LABEL_BYTES) return -1;
    label = p + 1;
  }
  if (p - label > LABEL_BYTES || p - start > NAME_BYTES) return -1;
  return p === end || bytes[p] === COLON ? p : -1;
}

/** An IPv6 address in brackets; no zone, no future versions. @returns offset after the bracket, or -1 */
function endOfAddress(bytes: Buffer, start: number, end: number): number {
  let p = start + 1;
  for (; p < end && bytes[p] !== CLOSE_BRACKET; p++) {
    const byte = bytes[p]!;
    if (HEX[byte] === 255 && byte !== COLON && byte !== DOT) return -1;
    bytes[p] = LOWER[byte]!;
  }
  // Rare enough for a string: clients that name an address are test tools and health checks.
  if (p >= end || p - start > 46 || !isIPv6(bytes.toString('latin1', start + 1, p))) return -1;
  return p + 1 === end || bytes[p + 1] === COLON ? p + 1 : -1;
}
