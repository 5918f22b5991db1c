/**
 * The bytes behind a header block: what every arena starts with, and how the used part moves to another.
 */

/** The start of every arena: names of the pseudo-headers and the schemes, so that resetting a block copies no byte. */
export const PREAMBLE = Buffer.from(':method:path:authority:schemehttps:status', 'latin1');
export const HTTP_START = 29;
export const HTTPS_END = 34;
export const REQUEST_NAMES = [0, 7, 12, 22, 29];
export const STATUS_START = 34;

/** Room for a usual head. */
export const USUAL_BYTES = 2048;
/** A larger arena is given back with the next message: connections are many, and large heads are few. */
export const KEPT_BYTES = 32 * 1024;

/** Not from Node's pool: blocks live long, and would keep a slab alive each. */
export function newArena(capacity: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(capacity);
  PREAMBLE.copy(bytes);
  return bytes;
}

export function wordsOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function copySpans(from: Int32Array, to: Int32Array, count: number): void {
  for (let i = 0; i < 4 * count; i++) to[i] = from[i]!;
}

/** Copies bytes that `table` allows and puts `instead` for others. @returns offset after the last byte written */
export function copyAllowed(
  table: Uint8Array,
  instead: number,
  from: Uint8Array,
  start: number,
  end: number,
  to: Buffer,
  at: number,
): number {
  for (let p = start; p < end; p++) {
    const byte = from[p]!;
    to[at++] = table[byte] === 0 ? instead : byte;
  }
  return at;
}

/**
 * What a new arena would hold: the bytes below `fixed`, and of the lines laid down since only those still
 * in use.
 */
export function usedBytes(spans: Int32Array, count: number, pseudo: number, fixed: number): number {
  let total = fixed;
  for (let i = 0; i < count; i++) {
    const start = laidStart(spans, i, pseudo, fixed);
    if (start >= 0) total += spans[4 * i + 3]! + 2 - start;
  }
  return total;
}

/** Moves what `usedBytes` counts to another arena and corrects the spans. @returns bytes used in it */
export function moveUsed(
  from: Buffer,
  to: Buffer,
  spans: Int32Array,
  count: number,
  pseudo: number,
  fixed: number,
): number {
  from.copy(to, 0, 0, fixed);
  let at = fixed;
  for (let i = 0; i < count; i++) {
    const start = laidStart(spans, i, pseudo, fixed);
    if (start < 0) continue;
    const end = spans[4 * i + 3]! + (i < pseudo ? 0 : 2);
    from.copy(to, at, start, end);
    // The name of a pseudo-header lies in the preamble and stays there.
    for (let k = i < pseudo ? 2 : 0; k < 4; k++) spans[4 * i + k]! += at - start;
    at += end - start;
  }
  return at;
}

/** Where the bytes that were laid down for a field start, or -1 where all of it was received. */
function laidStart(spans: Int32Array, index: number, pseudo: number, fixed: number): number {
  const valueStart = spans[4 * index + 2]!;
  if (valueStart < fixed) return -1;
  return index < pseudo ? valueStart : spans[4 * index]!;
}
