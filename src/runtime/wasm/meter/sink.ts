/** Bytes being written, in one array that doubles. */
export class Sink {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(Math.max(capacity, 64));
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.#grow(1);
    this.bytes[this.length++] = value;
  }

  /** Of numbers written out, where a literal reads best. */
  put(values: readonly number[]): void {
    for (let i = 0; i < values.length; i++) this.byte(values[i]!);
  }

  u32(value: number): void {
    while (value > 0x7f) {
      this.byte((value & 0x7f) | 0x80);
      value = Math.floor(value / 128);
    }
    this.byte(value);
  }

  /** Signed LEB128 of a whole number that is exact in a double. */
  signed(value: number): void {
    for (;;) {
      const low = ((value % 128) + 128) % 128;
      value = Math.floor(value / 128);
      if ((value === 0 && low < 64) || (value === -1 && low >= 64)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  copy(from: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (size > this.bytes.length - this.length) this.#grow(size);
    // Most runs are shorter than what `set(subarray())` costs to begin with.
    if (size < 32) for (let i = start, at = this.length; i < end; i++, at++) this.bytes[at] = from[i]!;
    else this.bytes.set(from.subarray(start, end), this.length);
    this.length += size;
  }

  append(other: Sink): void {
    this.copy(other.bytes, 0, other.length);
  }

  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  #grow(size: number): void {
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + size));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}
