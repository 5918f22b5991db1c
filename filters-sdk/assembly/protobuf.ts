// As much of protobuf's encoding as messages of fields need: https://protobuf.dev/programming-guides/encoding/
import { Bytes } from './bytes';
import { ByteWriter } from './writer';

/** A field of bytes, text or a message. */
export function addField<V>(message: ByteWriter, field: u32, value: V): void {
  const start = message.length;
  message.add<V>(value);
  // What it is and how long comes in front; the length is known now.
  const size = message.length - start;
  const head = varintSize((field << 3) | 2) + varintSize(size);
  message.reserve(head);
  const at = message.view().start + start;
  memory.copy(at + head, at, size);
  writeVarint(writeVarint(at, (field << 3) | 2), size);
}

/** A field of an unsigned number, a boolean or an enumeration. */
export function addNumberField(message: ByteWriter, field: u32, value: u64): void {
  const size = varintSize(field << 3) + varintSize(value);
  writeVarint(writeVarint(message.reserve(size), field << 3), value);
}

/** A field of text, which is UTF-8 in protobuf: each byte that is not becomes `!`, as in Envoy. */
export function addText<V>(message: ByteWriter, field: u32, value: V): void {
  if (isString<V>()) return addField<V>(message, field, value);
  const clean = textWriter().clear().add<V>(value);
  const text = clean.view();
  for (let i = 0; i < text.length;) {
    const size = text.at(i) < 128 ? 1 : sequence(text, i);
    if (size == 0) store<u8>(text.start + i++, 33);
    else i += size;
  }
  addField<Bytes>(message, field, text);
}

let texts: ByteWriter | null = null;

function textWriter(): ByteWriter {
  if (texts === null) texts = new ByteWriter(256);
  return texts!;
}

/** Bytes of the well-formed sequence at this place (RFC 3629, section 4); 0: there is none. */
function sequence(text: Bytes, at: i32): i32 {
  const first = text.at(at);
  const size =
    first >= 0xc2 && first < 0xe0 ? 2 : (first & 0xf0) == 0xe0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  if (size == 0 || at + size > text.length) return 0;
  for (let i = 1; i < size; i++) if ((text.at(at + i) & 0xc0) != 0x80) return 0;
  const second = text.at(at + 1);
  if (first == 0xe0 && second < 0xa0) return 0;
  if (first == 0xed && second > 0x9f) return 0;
  if (first == 0xf0 && second < 0x90) return 0;
  return first == 0xf4 && second > 0x8f ? 0 : size;
}

function varintSize(value: u64): i32 {
  let size = 1;
  for (; value > 127; value >>= 7) size++;
  return size;
}

function writeVarint(at: usize, value: u64): usize {
  for (; value > 127; value >>= 7) store<u8>(at++, (<u8>value) | 128);
  store<u8>(at, <u8>value);
  return at + 1;
}

/** Walks over the fields of a message: `while (fields.next()) if (fields.field == 2) …fields.value…`. */
export class Fields {
  field: u32 = 0;
  /** What a field of a number holds; 0 for others. */
  number: u64 = 0;
  /** `next` has ended before the message did: what it says cannot be known. */
  damaged: bool = false;
  private at: i32 = 0;
  private from: i32 = 0;
  private size: i32 = 0;

  constructor(private message: Bytes) {}

  /** What a field of bytes holds; empty for others. */
  get value(): Bytes {
    return Bytes.of(this.message.start + this.from, this.size);
  }

  /** False at the end, and where the message is damaged. */
  next(): bool {
    if (this.at >= this.message.length) return false;
    const tag = this.varint();
    this.field = <u32>(tag >> 3);
    this.number = 0;
    this.size = 0;
    const kind = <i32>(tag & 7);
    if (kind == 0) this.number = this.varint();
    else if (kind == 1 || kind == 5) {
      const width = kind == 1 ? 8 : 4;
      if (this.message.length - this.at < width) return this.end();
      const start = this.message.start + this.at;
      this.number = kind == 1 ? load<u64>(start) : load<u32>(start);
      this.at += width;
    } else if (kind == 2) {
      const size = this.varint();
      if (size > <u64>(this.message.length - this.at)) return this.end();
      this.from = this.at;
      this.size = <i32>size;
      this.at += this.size;
    } else return this.end();
    return this.at <= this.message.length ? true : this.end();
  }

  private end(): bool {
    this.at = this.message.length;
    this.damaged = true;
    return false;
  }

  private varint(): u64 {
    let value: u64 = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      // Behind the end: `next` sees it.
      const at = this.at++;
      if (at >= this.message.length) break;
      const byte = this.message.at(at);
      value |= (<u64>(byte & 127)) << shift;
      if (byte < 128) break;
    }
    return value;
  }
}

/** The number under this field, the last one where there are several; 0 where there is none. */
export function numberIn(message: Bytes, field: u32): u64 {
  let number: u64 = 0;
  const fields = new Fields(message);
  while (fields.next()) if (fields.field == field) number = fields.number;
  return number;
}

/** The bytes under this field, likewise; empty where there are none. */
export function bytesIn(message: Bytes, field: u32): ArrayBuffer {
  const fields = new Fields(message);
  let found = new ArrayBuffer(0);
  while (fields.next()) if (fields.field == field) found = fields.value.copy();
  return found;
}
