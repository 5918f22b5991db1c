import { releaseLater } from './arena';
import { Bytes, encode, sizeOf, startOf, writeDecimal } from './bytes';

/** In front of a writer's bytes, for {@link releaseLater}. */
const HEAD: usize = sizeof<usize>();

/**
 * Puts bytes together: a header's value, a key, a body. One that is made when the module starts and used for
 * every request (`clear` first) makes no work for the collector.
 */
export class ByteWriter {
  private start: usize;
  private size: i32 = 0;
  private capacity: i32;

  constructor(capacity: i32 = 256) {
    this.capacity = capacity;
    this.start = heap.alloc(HEAD + capacity) + HEAD;
  }

  /** Nothing refers to the writer any more, and views of it are good until the callback returns; the SDK's. */
  static finalize(writer: ByteWriter): void {
    releaseLater(writer.start - HEAD);
  }

  get length(): i32 {
    return this.size;
  }

  clear(): this {
    this.size = 0;
    return this;
  }

  /** Takes back what came after the first `length` bytes. */
  truncate(length: i32): this {
    this.size = min(length, this.size);
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
    this.start = heap.alloc(HEAD + this.capacity) + HEAD;
    memory.copy(this.start, old, this.size);
    heap.free(old - HEAD);
  }

  /** What was written, until the next change. */
  view(): Bytes {
    return Bytes.of(this.start, this.size);
  }

  copy(): ArrayBuffer {
    return this.view().copy();
  }
}

/** Where the collector's word for an object says of which class it is. */
const CLASS_BEFORE: usize = 8;

/** The collector calls this with each object that it frees (`--use __finalize=…`). */
export function finalize(object: usize): void {
  if (load<u32>(object - CLASS_BEFORE) == idof<ByteWriter>()) {
    ByteWriter.finalize(changetype<ByteWriter>(object));
  }
}
