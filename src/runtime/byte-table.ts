/** Start value and step of the hash (FNV-1a, 32 bits) that callers compute over the bytes they look up. */
export const HASH_START = 0x811c9dc5 | 0;

export function hashStep(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

export function hashForwards(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_START;
  for (let i = start; i < end; i++) hash = hashStep(hash, bytes[i]!);
  return hash;
}

export function hashBackwards(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_START;
  for (let i = end - 1; i >= start; i--) hash = hashStep(hash, bytes[i]!);
  return hash;
}

/** Whether `bytes[at …]` begins with all of `expected`. The caller has checked that so many bytes are there. */
export function bytesEqual(expected: Uint8Array, bytes: Uint8Array, at: number): boolean {
  // A loop: crossing into C++ for `compare` costs more than the few bytes of a path or a host.
  for (let i = expected.length - 1; i >= 0; i--) if (expected[i] !== bytes[at + i]) return false;
  return true;
}

/**
 * A fixed set of byte strings, looked up by a slice of a buffer and the slice's hash. The caller
 * brings the hash because it has walked the bytes anyway, and may want one for every prefix of them.
 * Keys come from the configuration, so that a client cannot make them collide.
 */
export class ByteTable {
  readonly #keys: readonly Uint8Array[];
  readonly #hashes: Int32Array;
  /** Open addressing: index of a key plus 1, 0 where free. */
  readonly #slots: Int32Array;
  readonly #mask: number;

  /** @param hashOf the walk that callers use: `hashForwards` or `hashBackwards` */
  constructor(keys: readonly Uint8Array[], hashOf: typeof hashForwards) {
    this.#keys = keys;
    this.#hashes = Int32Array.from(keys, (key) => hashOf(key, 0, key.length));
    let size = 4;
    while (size < 2 * keys.length) size *= 2;
    this.#slots = new Int32Array(size);
    this.#mask = size - 1;
    for (const [i, hash] of this.#hashes.entries()) {
      let at = this.#slotOf(hash);
      while (this.#slots[at] !== 0) at = (at + 1) & this.#mask;
      this.#slots[at] = i + 1;
    }
  }

  get size(): number {
    return this.#keys.length;
  }

  /** @returns index of the key that equals `bytes[start … end)`, or -1 */
  find(hash: number, bytes: Uint8Array, start: number, end: number): number {
    for (let at = this.#slotOf(hash); ; at = (at + 1) & this.#mask) {
      const i = this.#slots[at]! - 1;
      if (i === -1) return -1;
      if (this.#hashes[i] !== hash) continue;
      const key = this.#keys[i]!;
      if (key.length === end - start && bytesEqual(key, bytes, start)) return i;
    }
  }

  // The high bits are the better mixed ones.
  #slotOf(hash: number): number {
    return (hash ^ (hash >>> 15)) & this.#mask;
  }
}
