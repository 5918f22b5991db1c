import { Bytes, encode, sizeOf, startOf, writeDecimal } from './bytes';

/**
 * Puts bytes together: a header's value, a key, a body. Make one when the module starts and use it for
 * every request (`clear` first); its memory stays.
 */
export class ByteWriter {
  private start: usize;
  private size: i32 = 0;
  private capacity: i32;

  constructor(capacity: i32 = 256) {
    this.capacity = capacity;
    this.start = heap.alloc(capacity);
  }

  get length(): i32 {
    return this.size;
  }

  clear(): this {
    this.size = 0;
    return this;
  }

  add<T>(data: T): this {
    if (isString<T>()) return this.add<Bytes>(encode(changetype<string>(data)));
    const length = sizeOf<T>(data);
    memory.copy(this.reserve(length), startOf<T>(data), length);
    return this;
  }

  addByte(byte: i32): this {
    store<u8>(this.reserve(1), byte);
    return this;
  }

  addU32(value: u32): this {
    store<u32>(this.reserve(4), value);
    return this;
  }

  /** In decimal. */
  addNumber(value: i64): this {
    const at = this.reserve(20);
    this.size -= 20 - <i32>(writeDecimal(at, value) - at);
    return this;
  }

  /** Room for more bytes, counted as written; the address is valid until the next call. */
  reserve(bytes: i32): usize {
    const at = this.size;
    const size = at + bytes;
    if (size > this.capacity) this.grow(size);
    this.size = size;
    return this.start + at;
  }

  private grow(size: i32): void {
    const old = this.start;
    this.capacity = max(size, 2 * this.capacity);
    this.start = heap.alloc(this.capacity);
    memory.copy(this.start, old, this.size);
    heap.free(old);
  }

  /** What was written, until the next change. */
  view(): Bytes {
    return Bytes.of(this.start, this.size);
  }

  copy(): ArrayBuffer {
    return this.view().copy();
  }
}
