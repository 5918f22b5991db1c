const SLOTS = 512;
/** Longer text is not kept: it would be many different ones. */
const LONGEST = 128;

interface Entry {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/**
 * Turns guest bytes into strings, and gives the same string again for the same bytes: guests ask for few
 * paths and keys, many times. Found by content, so nothing that a guest does can make two texts one.
 */
export class Interner {
  readonly #encoding: 'latin1' | 'utf8';
  readonly #entries: (Entry | undefined)[] = new Array<Entry | undefined>(SLOTS).fill(undefined);

  constructor(encoding: 'latin1' | 'utf8') {
    this.#encoding = encoding;
  }

  text(memory: Uint8Array, start: number, end: number): string {
    const size = end - start;
    if (size > LONGEST) return this.#decode(memory, start, end);
    let hash = size;
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + memory[i]!) | 0;
    const slot = (hash ^ (hash >>> 9)) & (SLOTS - 1);
    const entry = this.#entries[slot];
    if (entry !== undefined && equals(entry.bytes, memory, start, size)) return entry.text;
    const text = this.#decode(memory, start, end);
    this.#entries[slot] = { bytes: memory.slice(start, end), text };
    return text;
  }

  #decode(memory: Uint8Array, start: number, end: number): string {
    return Buffer.from(memory.buffer, memory.byteOffset + start, end - start).toString(this.#encoding);
  }
}

function equals(bytes: Uint8Array, memory: Uint8Array, start: number, size: number): boolean {
  if (bytes.length !== size) return false;
  for (let i = 0; i < size; i++) if (bytes[i] !== memory[start + i]) return false;
  return true;
}
