import type { HeaderBlock } from '../http/headers.ts';
import { copyLowerWords, copyWords } from '../http/words.ts';
import { PAIRS_BYTES, PAIRS_COUNT } from './limits.ts';

/** Bytes that `writePairs` needs for a block. */
export function pairsSize(block: HeaderBlock): number {
  const { spans, count } = block;
  let size = 4 + 10 * count;
  for (let i = 0; i < 4 * count; i += 4) {
    size += spans[i + 1]! - spans[i]! + spans[i + 3]! - spans[i + 2]!;
  }
  return size;
}

/**
 * Writes a header block into guest memory in the Proxy-Wasm pairs layout; names in lower case.
 *
 * Layout, every integer u32 little-endian:
 *
 *     count | count × (nameSize, valueSize) | count × (name, NUL, value, NUL)
 *
 * @param memory the guest's linear memory; `pairsSize(block)` bytes from `at` must lie within it
 * @see Proxy-Wasm ABI v0.2.1, "HTTP fields"
 */
export function writePairs(block: HeaderBlock, memory: DataView, at: number): void {
  const { words, spans, count } = block;
  memory.setUint32(at, count, true);
  let sizes = at + 4;
  let text = sizes + 8 * count;
  for (let i = 0; i < 4 * count; i += 4) {
    const nameStart = spans[i]!;
    const nameSize = spans[i + 1]! - nameStart;
    const valueStart = spans[i + 2]!;
    const valueSize = spans[i + 3]! - valueStart;
    memory.setUint32(sizes, nameSize, true);
    memory.setUint32(sizes + 4, valueSize, true);
    sizes += 8;
    copyLowerWords(words, nameStart, memory, text, nameSize);
    text += nameSize;
    memory.setUint8(text++, 0);
    copyWords(words, valueStart, memory, text, valueSize);
    text += valueSize;
    memory.setUint8(text++, 0);
  }
}

export function writeU32(memory: Uint8Array, at: number, value: number): void {
  memory[at] = value;
  memory[at + 1] = value >>> 8;
  memory[at + 2] = value >>> 16;
  memory[at + 3] = value >>> 24;
}

export function readU32(memory: Uint8Array, at: number): number {
  return (memory[at]! | (memory[at + 1]! << 8) | (memory[at + 2]! << 16) | (memory[at + 3]! << 24)) >>> 0;
}

/**
 * Reads a map that a guest serialised. One reader is enough for a worker: a host call reads a map and
 * acts on it before any other code runs.
 */
export class PairsReader {
  /** Four offsets a pair into the memory that was read: name start, name end, value start, value end. */
  readonly spans = new Int32Array(4 * PAIRS_COUNT);
  count = 0;

  /**
   * @returns false where the bytes are not exactly one map, or hold more than `PAIRS_COUNT` pairs or
   *   `PAIRS_BYTES` bytes. No byte, one zero byte and a count of zero are the empty map.
   */
  read(memory: Uint8Array, start: number, size: number): boolean {
    this.count = 0;
    if (size === 0 || (size === 1 && memory[start] === 0)) return true;
    if (size < 4 || size > PAIRS_BYTES) return false;
    const count = readU32(memory, start);
    if (count > PAIRS_COUNT || 4 + 10 * count > size) return false;
    const end = start + size;
    let sizes = start + 4;
    let text = sizes + 8 * count;
    for (let i = 0; i < 4 * count; i += 4) {
      const nameSize = readU32(memory, sizes);
      const valueSize = readU32(memory, sizes + 4);
      sizes += 8;
      if (text + nameSize + valueSize + 2 > end) return false;
      const value = text + nameSize + 1;
      if (memory[value - 1] !== 0 || memory[value + valueSize] !== 0) return false;
      this.spans[i] = text;
      this.spans[i + 1] = text + nameSize;
      this.spans[i + 2] = value;
      this.spans[i + 3] = value + valueSize;
      text = value + valueSize + 1;
    }
    if (text !== end) return false;
    this.count = count;
    return true;
  }
}
