import { isUtf8 } from 'node:buffer';

/** How a field's value is laid out (protobuf encoding, "Message structure"). */
const Wire = { Varint: 0, Fixed64: 1, Bytes: 2, Group: 3, EndGroup: 4, Fixed32: 5 } as const;

const MAX_FIELD = 0x1fff_ffff;
/** Groups within groups. */
const MAX_DEPTH = 100;

/**
 * Goes through the fields of one message, in the order of its bytes; what no caller asks for is passed
 * over. It reads without making anything, so that a hostile message costs no more than its length.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export class ProtobufReader {
  /** Number of the field read last. */
  field = 0;
  /** Value of a varint field, its low 32 bits as a signed number (enumerations). */
  int32 = 0;
  /** Whether any of the 64 bits of a varint field is set. */
  bool = false;
  /** Where the bytes of a length-delimited field lie. */
  start = 0;
  end = 0;
  /** The message broke a rule of the encoding; `next` says no more. */
  failed = false;
  readonly #bytes: Uint8Array;
  readonly #limit: number;
  #wire: number = Wire.Varint;
  #at: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#limit = end;
  }

  /** False at the end of the message, and where it is none. */
  next(): boolean {
    if (this.failed || this.#at === this.#limit) return false;
    this.#readField(0);
    if (this.#wire === Wire.EndGroup) this.failed = true;
    return !this.failed;
  }

  /** Whether the field has a value of this kind; one of another kind counts as unknown, as in protobuf itself. */
  get isVarint(): boolean {
    return this.#wire === Wire.Varint;
  }

  get isBytes(): boolean {
    return this.#wire === Wire.Bytes;
  }

  /** A copy of a length-delimited field. */
  bytes(): Buffer {
    return Buffer.from(this.#bytes.subarray(this.start, this.end));
  }

  /** The same as text. Proto3 refuses a message with text that is not UTF-8. */
  text(): string {
    const bytes = this.bytes();
    if (!isUtf8(bytes)) this.failed = true;
    return bytes.toString();
  }

  #readField(depth: number): void {
    const tag = this.#readTag();
    if (tag < 0) return;
    this.field = tag >>> 3;
    this.#wire = tag & 7;
    switch (this.#wire) {
      case Wire.Varint:
        this.#readVarint();
        return;
      case Wire.Fixed64:
        this.#skip(8);
        return;
      case Wire.Fixed32:
        this.#skip(4);
        return;
      case Wire.Bytes:
        this.#readBytes();
        return;
      case Wire.Group:
        this.#skipGroup(this.field, depth);
        return;
      case Wire.EndGroup:
        return;
      default:
        this.failed = true;
    }
  }

  #readTag(): number {
    if (!this.#readVarint()) return -1;
    const tag = this.int32 >>> 0;
    if (tag >>> 3 === 0 || tag >>> 3 > MAX_FIELD) {
      this.failed = true;
      return -1;
    }
    return tag;
  }

  #readVarint(): boolean {
    let low = 0;
    let any = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#limit) break;
      const byte = this.#bytes[this.#at++]!;
      if (shift < 32) low |= (byte & 0x7f) << shift;
      // The tenth byte has room for one bit.
      any |= shift === 63 ? byte & 1 : byte & 0x7f;
      if (byte < 0x80) {
        this.int32 = low;
        this.bool = any !== 0;
        return true;
      }
    }
    this.failed = true;
    return false;
  }

  #readBytes(): void {
    if (!this.#readVarint()) return;
    const size = this.int32 >>> 0;
    this.start = this.#at;
    this.#skip(size);
    this.end = this.#at;
  }

  #skip(size: number): void {
    if (size > this.#limit - this.#at) this.failed = true;
    else this.#at += size;
  }

  #skipGroup(field: number, depth: number): void {
    if (depth === MAX_DEPTH) this.failed = true;
    while (!this.failed) {
      if (this.#at === this.#limit) {
        this.failed = true;
        return;
      }
      this.#readField(depth + 1);
      if (this.#wire !== Wire.EndGroup) continue;
      if (this.field !== field) this.failed = true;
      this.#wire = Wire.Group;
      return;
    }
  }
}

/** A length-delimited field: text, bytes, or a message. */
export function protobufBytes(field: number, value: Uint8Array | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const head = varint((field << 3) | Wire.Bytes);
  const size = varint(bytes.length);
  return Buffer.concat([head, size, bytes]);
}

/** The same, left out where it is empty: a field of proto3 that has its default value. */
export function protobufField(field: number, value: Uint8Array | string): Buffer {
  return value.length === 0 ? NOTHING : protobufBytes(field, value);
}

/** A boolean field, left out where it is false. */
export function protobufBool(field: number, value: boolean): Buffer {
  return value ? Buffer.from([(field << 3) | Wire.Varint, 1]) : NOTHING;
}

/** A whole number of up to 32 bits, left out where it is 0. */
export function protobufVarint(field: number, value: number): Buffer {
  if (value === 0) return NOTHING;
  return Buffer.concat([varint((field << 3) | Wire.Varint), varint(value)]);
}

const NOTHING = Buffer.alloc(0);

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = value >>> 0;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  bytes.push(left);
  return Uint8Array.from(bytes);
}
