// As much of protobuf's encoding as two flat messages need: https://protobuf.dev/programming-guides/encoding/
import { ByteWriter, Bytes } from '@weir/filters-sdk/assembly';

const VARINT: i32 = 0;
const FIXED64: i32 = 1;
const LENGTH: i32 = 2;
const FIXED32: i32 = 5;

/** A field of type string or bytes. */
export function addBytesField(writer: ByteWriter, number: i32, value: Bytes): void {
  addVarint(writer, <u64>((number << 3) | LENGTH));
  addVarint(writer, <u64>value.length);
  writer.add(value);
}

/** The last value of a field of an unsigned type; 0 where it is not there, or the message is broken. */
export function readUnsignedField(message: Bytes, number: i32): i64 {
  let value: i64 = 0;
  let at = 0;
  while (at < message.length) {
    const tag = readVarint(message, at);
    at = end;
    const type = <i32>(tag & 7);
    if (type == VARINT) {
      const content = readVarint(message, at);
      at = end;
      if (<i32>(tag >> 3) == number) value = content;
    } else if (type == LENGTH) {
      const length = readVarint(message, at);
      // What it says of its length is not to be trusted.
      if (length < 0 || length > message.length - end) return 0;
      at = end + <i32>length;
    } else if (type == FIXED64) {
      at += 8;
    } else if (type == FIXED32) {
      at += 4;
    } else {
      return 0;
    }
  }
  return value;
}

/** Where the last varint that was read ends. */
let end: i32 = 0;

function readVarint(message: Bytes, from: i32): i64 {
  let value: i64 = 0;
  end = from;
  for (let shift = 0; shift < 64 && end < message.length; shift += 7) {
    const byte = message.at(end++);
    value |= (<i64>(byte & 0x7f)) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

function addVarint(writer: ByteWriter, value: u64): void {
  for (; value >= 0x80; value >>= 7) writer.addByte((<i32>(value & 0x7f)) | 0x80);
  writer.addByte(<i32>value);
}
