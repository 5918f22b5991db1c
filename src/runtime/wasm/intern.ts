import { equalsWords } from '../http/words.ts';

const SLOTS = 512;
const LONGEST = 128;

interface Entry<T> {
  readonly bytes: DataView;
  readonly value: T;
}

/**
 * Gives the same value again for the same guest bytes: guests ask for few names, paths and keys, many times.
 * Found by content, so nothing that a guest does can make two values one.
 */
export class Interner<T> {
  readonly #make: (bytes: Buffer) => T;
  readonly #longest: number;
  readonly #entries: (Entry<T> | undefined)[] = new Array<Entry<T> | undefined>(SLOTS).fill(undefined);

  /**
   * @param make the value of bytes, which are a copy of its own
   * @param longest longer bytes are not kept: they would be many different ones
   */
  constructor(make: (bytes: Buffer) => T, longest = LONGEST) {
    this.#make = make;
    this.#longest = longest;
  }

  /** @param memory the guest's, in which `size` bytes from `start` have been checked */
  at(memory: DataView, start: number, size: number): T {
    if (size > this.#longest) return this.#make(copy(memory, start, size));
    const slot = hash(memory, start, size) & (SLOTS - 1);
    const entry = this.#entries[slot];
    if (
      entry !== undefined &&
      entry.bytes.byteLength === size &&
      equalsWords(entry.bytes, 0, memory, start, size)
    )
      return entry.value;
    const bytes = copy(memory, start, size);
    const value = this.#make(bytes);
    this.#entries[slot] = { bytes: new DataView(bytes.buffer, bytes.byteOffset, size), value };
    return value;
  }
}

function hash(memory: DataView, start: number, size: number): number {
  const whole = size & ~3;
  let mixed = size;
  let i = 0;
  for (; i < whole; i += 4) mixed = Math.imul(mixed ^ memory.getInt32(start + i, true), 0x9e3779b1);
  for (; i < size; i++) mixed = Math.imul(mixed ^ memory.getUint8(start + i), 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

function copy(memory: DataView, start: number, size: number): Buffer {
  return Buffer.from(new Uint8Array(memory.buffer, memory.byteOffset + start, size));
}

export const latin1 = (bytes: Buffer): string => bytes.toString('latin1');
export const utf8 = (bytes: Buffer): string => bytes.toString('utf8');
