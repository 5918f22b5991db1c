import type { HeaderBlock } from './headers.ts';
import { folded } from './odd-name.ts';

/** Bytes of names; a message that is asked to forget more loses all its trailers. */
const MOST_BYTES = 4096;
/** The length of a name takes one byte. */
const MOST_NAME = 255;

/**
 * Names that were taken out of a head, whether it had them or not: what somebody took out of the head must not come back
 * behind the body, where some servers join it to the fields. Kept as they compare: in lower case, any separator as `-`.
 */
export class RemovedNames {
  /** Each with its length before it. */
  #bytes = Buffer.alloc(128);
  #length = 0;
  #full = false;

  clear(): this {
    this.#length = 0;
    this.#full = false;
    return this;
  }

  add(name: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (this.#full || size === 0 || this.#holds(name, start, size)) return;
    if (size > MOST_NAME || this.#length + size + 1 > MOST_BYTES) {
      this.#full = true;
      return;
    }
    if (this.#length + size + 1 > this.#bytes.length) this.#grow();
    this.#bytes[this.#length++] = size;
    for (let i = start; i < end; i++) this.#bytes[this.#length++] = folded(name[i]!);
  }

  /** Takes fields of these names, in every spelling, out of the trailers. */
  removeFrom(trailers: HeaderBlock): void {
    if (this.#length === 0 && !this.#full) return;
    for (let i = trailers.count - 1; i >= 0; i--) {
      const start = trailers.spans[4 * i]!;
      const size = trailers.spans[4 * i + 1]! - start;
      if (this.#full || this.#holds(trailers.bytes, start, size)) trailers.removeAt(i);
    }
  }

  #holds(name: Uint8Array, start: number, size: number): boolean {
    for (let at = 0; at < this.#length; at += this.#bytes[at]! + 1) {
      if (this.#bytes[at] !== size) continue;
      let k = 0;
      while (k < size && this.#bytes[at + 1 + k] === folded(name[start + k]!)) k++;
      if (k === size) return true;
    }
    return false;
  }

  #grow(): void {
    const larger = Buffer.alloc(MOST_BYTES);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
