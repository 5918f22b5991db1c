import type { ListenerLimits } from '../snapshot.ts';
import { HEX, TARGET } from './grammar.ts';
import { type HeaderBlock, Pseudo } from './headers.ts';

// A constant of this file, for speed: see field-line.ts.
const TARGET_BYTE = TARGET;

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;
const BACKSLASH = 0x5c;
const QUESTION = 0x3f;
const ASTERISK = 0x2a;
const SEMICOLON = 0x3b;

const BAD_PATH = 400;

type PathPolicy = Pick<ListenerLimits, 'escapedSlashes' | 'backslash' | 'mergeSlashes' | 'pathParameters'>;

/**
 * Brings `:path` into the one form that routes, filters and upstreams see. The query is kept as it is.
 *
 * In this order, once: `%00` and invalid escapes are refused, escaped unreserved characters are decoded,
 * backslashes and escaped slashes are treated as configured, parameters of segments (`;a=b`) too, slashes
 * are merged, `.` and `..` are resolved. A climb above the root is refused, and a dot segment with
 * parameters: servers differ in what that is. Nothing is decoded twice.
 *
 * @returns 0, or the status to refuse the request with
 */
export function normalisePath(block: HeaderBlock, limits: PathPolicy): number {
  const start = block.spans[4 * Pseudo.Path + 2]!;
  const end = block.spans[4 * Pseudo.Path + 3]!;
  const { bytes } = block;
  if (start === end) return BAD_PATH;
  if (bytes[start] !== SLASH) return end - start === 1 && bytes[start] === ASTERISK ? 0 : BAD_PATH;
  const pathEnd = endOfPath(bytes, start, end);
  if (pathEnd < 0) return BAD_PATH;
  for (let p = pathEnd; p < end; p++) if (TARGET_BYTE[bytes[p]!] === 0) return BAD_PATH;
  const { pathParameters = 'keep' } = limits;
  if (isPlain(bytes, start, pathEnd, pathParameters === 'keep')) return 0;

  // The result is never longer. It goes to the end of the arena, so that a rollback finds the old bytes.
  block.prepareEdit(end - start);
  const to = block.length;
  const decodedEnd = decode(block.bytes, start, pathEnd, to, limits);
  if (decodedEnd < 0) return BAD_PATH;
  const resolvedEnd = resolve(block.bytes, to, decodedEnd, limits);
  if (resolvedEnd < 0) return BAD_PATH;
  block.bytes.copyWithin(resolvedEnd, pathEnd, end);
  block.length = resolvedEnd + end - pathEnd;
  block.spans[4 * Pseudo.Path + 2] = to;
  block.spans[4 * Pseudo.Path + 3] = block.length;
  return 0;
}

/** @returns offset of `?` or `end`, or -1 where a byte may not be in a target */
function endOfPath(bytes: Buffer, start: number, end: number): number {
  for (let p = start; p < end; p++) {
    const byte = bytes[p]!;
    if (byte === QUESTION) return p;
    if (TARGET_BYTE[byte] === 0) return -1;
  }
  return end;
}

/** True for nearly all paths: nothing to decode, no backslash, no double slash, no segment that may be `.` or `..`. */
function isPlain(bytes: Buffer, start: number, end: number, keepsParameters: boolean): boolean {
  let before = 0;
  for (let p = start; p < end; p++) {
    const byte = bytes[p]!;
    if (byte === PERCENT || byte === BACKSLASH || (byte === SEMICOLON && !keepsParameters)) return false;
    if (before === SLASH) {
      if (byte === SLASH) return false;
      if (byte === DOT && (p + 1 === end || endsDots(bytes[p + 1]!))) return false;
    }
    before = byte;
  }
  return true;
}

function endsDots(byte: number): boolean {
  return byte === SLASH || byte === DOT || byte === SEMICOLON;
}

/** Decodes `[start, end)` to `to`. @returns end of the result, or -1 where the path is refused */
function decode(bytes: Buffer, start: number, end: number, to: number, limits: PathPolicy): number {
  let at = to;
  let p = start;
  while (p < end) {
    const byte = bytes[p]!;
    if (byte === BACKSLASH) {
      if (limits.backslash === 'reject') return -1;
      bytes[at++] = SLASH;
      p++;
    } else if (byte !== PERCENT) {
      bytes[at++] = byte;
      p++;
    } else {
      if (p + 2 >= end) return -1;
      const decoded = decodeEscape(HEX[bytes[p + 1]!]!, HEX[bytes[p + 2]!]!, limits);
      if (decoded === REFUSE) return -1;
      if (decoded === KEEP) {
        bytes[at] = PERCENT;
        bytes[at + 1] = bytes[p + 1]!;
        bytes[at + 2] = bytes[p + 2]!;
        at += 3;
      } else {
        bytes[at++] = decoded;
      }
      p += 3;
    }
  }
  return at;
}

const KEEP = -1;
const REFUSE = -2;

/** @returns the byte that an escape stands for where it is decoded, `KEEP` or `REFUSE` */
function decodeEscape(high: number, low: number, limits: PathPolicy): number {
  const value = (high << 4) | low;
  // Zero is %00; a digit that is none has the value 255 and makes the sum too large.
  if (value === 0 || high > 15 || low > 15) return REFUSE;
  if (value === SLASH || value === BACKSLASH) {
    if (limits.escapedSlashes === 'reject') return REFUSE;
    if (limits.escapedSlashes === 'keep') return KEEP;
    if (value === BACKSLASH && limits.backslash === 'reject') return REFUSE;
    return SLASH;
  }
  return UNRESERVED[value] === 1 ? value : KEEP;
}

/** RFC 3986, section 2.3. */
const UNRESERVED = new Uint8Array(256);
for (const byte of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~'))
  UNRESERVED[byte] = 1;

/**
 * Treats parameters, merges slashes and resolves dot segments in place.
 *
 * @returns end of the result, or -1 where `..` climbs above the root, or there are parameters that must not be
 */
function resolve(bytes: Buffer, start: number, end: number, limits: PathPolicy): number {
  let at = start;
  // Each turn takes a slash and the segment after it; `p` is at the slash.
  for (let p = start; p < end;) {
    const segment = p + 1;
    let stop = segment;
    while (stop < end && bytes[stop] !== SLASH) stop++;
    const last = stop === end;
    p = stop;
    const name = endOfName(bytes, segment, stop);
    const dots = dotsIn(bytes, segment, name);
    if (name < stop) {
      if (dots > 0 || limits.pathParameters === 'reject') return -1;
      if (limits.pathParameters === 'remove') stop = endOfKept(bytes, name, stop);
    }
    if (dots === 2) {
      if (at === start) return -1;
      do at--;
      while (bytes[at] !== SLASH);
    }
    if (dots > 0) {
      // `/a/.` and `/a/b/..` are the folder: `/a/`.
      if (last) bytes[at++] = SLASH;
      continue;
    }
    const size = stop - segment;
    if (size === 0 && limits.mergeSlashes && !last) continue;
    bytes.copyWithin(at, segment - 1, stop);
    at += size + 1;
  }
  return at;
}

/** 1 for `.`, 2 for `..`, else 0. */
function dotsIn(bytes: Buffer, start: number, end: number): number {
  const size = end - start;
  return size > 0 && size <= 2 && bytes[start] === DOT && bytes[end - 1] === DOT ? size : 0;
}

/** @returns where parameters begin in a segment, also escaped: some servers decode before they look for them */
function endOfName(bytes: Buffer, start: number, end: number): number {
  for (let p = start; p < end; p++) {
    if (bytes[p] === SEMICOLON) return p;
    if (bytes[p] === PERCENT && bytes[p + 1] === 0x33 && (bytes[p + 2]! | 0x20) === 0x62) return p;
  }
  return end;
}

/** @returns where parameters begin that are none but that: an escaped semicolon may be part of a name */
function endOfKept(bytes: Buffer, start: number, end: number): number {
  for (let p = start; p < end; p++) if (bytes[p] === SEMICOLON) return p;
  return end;
}
