/** What is kept of a buffer after a large body went through it. */
const KEPT_BYTES = 64 * 1024;
/** Copying into memory that was not there before costs about so many times as much. */
const FRESH_COST = 3;

/**
 * A body, or the part of one, that a filter may look at and change. Grows as needed; the owner bounds it.
 *
 * Edits between `checkpoint` and `commit` can be brought back: the first splice then writes into the
 * spare buffer and leaves the other one as it was.
 */
export class BodyBuffer {
  bytes: Buffer;
  length: number;

  private spare: Buffer;
  private guarded: boolean;
  private saved: Buffer | null;
  private savedLength: number;

  constructor(capacity = 0) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
    this.length = 0;
    this.spare = EMPTY;
    this.guarded = false;
    this.saved = null;
    this.savedLength = 0;
  }

  append(from: Uint8Array, start: number, end: number): void {
    if (this.guarded && this.saved === null) this.save();
    const length = this.length + end - start;
    if (length > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.bytes.length));
      this.bytes.copy(larger, 0, 0, this.length);
      this.bytes = larger;
    }
    this.bytes.set(from.subarray(start, end), this.length);
    this.length = length;
  }

  /**
   * Puts `data[from, to)` in the place of `size` bytes at `start`. What lies past the end is cut to it,
   * so a start past the end appends. `data` must not be this buffer's own memory.
   */
  splice(start: number, size: number, data: Uint8Array, from: number, to: number): void {
    const at = Math.min(start, this.length);
    const rest = at + Math.min(size, this.length - at);
    const inserted = to - from;
    const length = at + inserted + this.length - rest;
    if (this.guarded && this.saved === null) this.save();
    if (length > this.bytes.length || this.saved === this.bytes) {
      const old = this.bytes;
      const least = length > old.length ? Math.max(length, 2 * old.length) : old.length;
      this.bytes = this.spare.length >= length ? this.spare : Buffer.allocUnsafeSlow(least);
      this.spare = EMPTY;
      old.copy(this.bytes, 0, 0, at);
      old.copy(this.bytes, at + inserted, rest, this.length);
    } else {
      this.bytes.copyWithin(at + inserted, rest, this.length);
    }
    this.bytes.set(from === 0 && to === data.length ? data : data.subarray(from, to), at);
    this.length = length;
  }

  /** What such a splice will cost beside copying what it puts in, as bytes to be copied. */
  costOfSplice(start: number, size: number, inserted: number): number {
    const length = this.length - size + inserted;
    const moves = length > this.bytes.length || (this.guarded && (this.saved ?? this.bytes) === this.bytes);
    if (moves) return FRESH_COST * (this.length - size);
    return size === inserted ? 0 : this.length - size - start;
  }

  clear(): void {
    if (this.guarded && this.saved === null) this.save();
    if (this.saved === this.bytes) {
      this.bytes = this.spare;
      this.spare = EMPTY;
    } else if (this.saved === null && this.bytes.length > KEPT_BYTES) {
      this.bytes = Buffer.allocUnsafeSlow(KEPT_BYTES);
      this.spare = EMPTY;
    }
    this.length = 0;
  }

  /** The bytes, until the next change. */
  view(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  checkpoint(): void {
    this.guarded = true;
    this.saved = null;
  }

  rollback(): void {
    if (this.saved !== null) {
      if (this.saved !== this.bytes) this.spare = this.bytes;
      this.bytes = this.saved;
      this.length = this.savedLength;
    }
    this.guarded = false;
    this.saved = null;
  }

  commit(): void {
    if (this.saved !== null && this.saved !== this.bytes && this.saved.length <= KEPT_BYTES)
      this.spare = this.saved;
    this.guarded = false;
    this.saved = null;
  }

  private save(): void {
    this.saved = this.bytes;
    this.savedLength = this.length;
  }
}

const EMPTY = Buffer.alloc(0);

const spares: BodyBuffer[] = [];
const SPARE_BODIES = 64;
const SPARE_BYTES = 256 * 1024;

/** An empty one, used before where there is such. */
export function takeBody(): BodyBuffer {
  return spares.pop() ?? new BodyBuffer();
}

/** Keeps what is no longer needed for `takeBody`. */
export function giveBackBody(body: BodyBuffer): void {
  body.clear();
  if (spares.length < SPARE_BODIES && body.bytes.length <= SPARE_BYTES) spares.push(body);
}
