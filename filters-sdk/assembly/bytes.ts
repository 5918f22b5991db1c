import { allocate } from './arena';

/**
 * A view of bytes that the host handed over, or of part of them. Nothing is copied or decoded until the
 * author asks: {@link Bytes.toString} makes a string, {@link Bytes.copy} a buffer to keep.
 *
 * A view is valid until the callback returns. It is not a managed object: to keep the bytes, copy them.
 */
@unmanaged
export class Bytes {
  /** Address of the first byte. */
  start: usize;
  length: i32;

  static of(start: usize, length: i32): Bytes {
    const view = changetype<Bytes>(allocate(offsetof<Bytes>()));
    view.start = start;
    view.length = length;
    return view;
  }

  /** The byte at an index that the caller knows to be inside. */
  at(index: i32): i32 {
    return load<u8>(this.start + index);
  }

  equals<T>(other: T): bool {
    if (isString<T>()) return this.equals<Bytes>(encode(changetype<string>(other)));
    const length = sizeOf<T>(other);
    return this.length == length && same(this.start, startOf<T>(other), length);
  }

  /** ASCII letters of both cases are the same; other bytes are compared as they are. */
  equalsIgnoreCase<T>(other: T): bool {
    if (isString<T>()) return this.equalsIgnoreCase<Bytes>(encode(changetype<string>(other)));
    if (this.length != sizeOf<T>(other)) return false;
    const right = startOf<T>(other);
    for (let i = 0; i < this.length; i++) {
      if (lower(load<u8>(this.start + i)) != lower(load<u8>(right + i))) return false;
    }
    return true;
  }

  /** For secrets: takes as long whether the first or the last byte differs. Lengths are no secret. */
  equalsInConstantTime<T>(other: T): bool {
    if (isString<T>()) return this.equalsInConstantTime<Bytes>(encode(changetype<string>(other)));
    if (this.length != sizeOf<T>(other)) return false;
    const right = startOf<T>(other);
    let difference: u32 = 0;
    for (let i = 0; i < this.length; i++) difference |= load<u8>(this.start + i) ^ load<u8>(right + i);
    return difference == 0;
  }

  startsWith<T>(prefix: T): bool {
    if (isString<T>()) return this.startsWith<Bytes>(encode(changetype<string>(prefix)));
    const length = sizeOf<T>(prefix);
    return this.length >= length && same(this.start, startOf<T>(prefix), length);
  }

  endsWith<T>(suffix: T): bool {
    if (isString<T>()) return this.endsWith<Bytes>(encode(changetype<string>(suffix)));
    const length = sizeOf<T>(suffix);
    const from = this.length - length;
    return from >= 0 && same(this.start + from, startOf<T>(suffix), length);
  }

  /** Index of a byte, or -1. */
  indexOf(byte: i32, from: i32 = 0): i32 {
    for (let i = from; i < this.length; i++) if (load<u8>(this.start + i) == byte) return i;
    return -1;
  }

  lastIndexOf(byte: i32): i32 {
    for (let i = this.length - 1; i >= 0; i--) if (load<u8>(this.start + i) == byte) return i;
    return -1;
  }

  /** Index of the first place where these bytes lie, or -1. */
  indexOfBytes<T>(other: T, from: i32 = 0): i32 {
    if (isString<T>()) return this.indexOfBytes<Bytes>(encode(changetype<string>(other)), from);
    const length = sizeOf<T>(other);
    for (let i = from; i <= this.length - length; i++) {
      if (same(this.start + i, startOf<T>(other), length)) return i;
    }
    return -1;
  }

  /** A view of part of this view; bounds are cut to what is there. */
  slice(from: i32, to: i32 = i32.MAX_VALUE): Bytes {
    const end = min(to, this.length);
    const begin = min(max(from, 0), end);
    return Bytes.of(this.start + begin, end - begin);
  }

  /** Without the spaces and tabs around it. */
  trim(): Bytes {
    let from = 0;
    let to = this.length;
    while (from < to && isBlank(this.at(from))) from++;
    while (to > from && isBlank(this.at(to - 1))) to--;
    return Bytes.of(this.start + from, to - from);
  }

  /** The decimal number that these bytes are, or -1 where they are not one that fits. */
  toUnsigned(): i64 {
    if (this.length == 0 || this.length > 18) return -1;
    let value: i64 = 0;
    for (let i = 0; i < this.length; i++) {
      const digit = this.at(i) - 48;
      if (<u32>digit > 9) return -1;
      value = value * 10 + digit;
    }
    return value;
  }

  /** FNV-1a: to spread over buckets, not to protect anything. */
  hash(): u32 {
    let hash: u32 = 0x811c9dc5;
    for (let i = 0; i < this.length; i++) hash = (hash ^ load<u8>(this.start + i)) * 0x01000193;
    return hash;
  }

  /** A buffer that may be kept. */
  copy(): ArrayBuffer {
    const buffer = changetype<ArrayBuffer>(__new(this.length, idof<ArrayBuffer>()));
    memory.copy(changetype<usize>(buffer), this.start, this.length);
    return buffer;
  }

  /** Decoded as UTF-8. */
  toString(): string {
    return String.UTF8.decodeUnsafe(this.start, this.length);
  }
}

/** Anything that takes bytes takes these: a view, a buffer, or a string (encoded as UTF-8 on each call). */
export function startOf<T>(data: T): usize {
  return isManaged<T>() ? changetype<usize>(data) : changetype<Bytes>(data).start;
}

export function sizeOf<T>(data: T): i32 {
  if (!isManaged<T>()) return changetype<Bytes>(data).length;
  if (idof<T>() != idof<ArrayBuffer>()) ERROR('expected a string, an ArrayBuffer or Bytes');
  return changetype<ArrayBuffer>(data).byteLength;
}

/** Encodes text once, when a module starts or is configured: a request then only points at it. */
export function utf8(text: string): ArrayBuffer {
  return encode(text).copy();
}

/** Encodes text as UTF-8 for the running callback. Half a surrogate pair becomes U+FFFD. */
export function encode(text: string): Bytes {
  const start = allocate(text.length * 3);
  return Bytes.of(start, <i32>(writeText(start, text) - start));
}

/** Writes text as UTF-8, at most three bytes a unit; returns the address after it. */
export function writeText(at: usize, text: string): usize {
  let unit = changetype<usize>(text);
  const end = unit + 2 * text.length;
  for (; unit < end; unit += 2) {
    let point: i32 = load<u16>(unit);
    if ((point & 0xf800) == 0xd800) {
      const low: i32 = unit + 2 < end ? load<u16>(unit, 2) : 0;
      const paired = point < 0xdc00 && (low & 0xfc00) == 0xdc00;
      point = paired ? 0x10000 + ((point & 0x3ff) << 10) + (low & 0x3ff) : 0xfffd;
      if (paired) unit += 2;
    }
    at = writeUtf8(at, point);
  }
  return at;
}

/** Writes a number in decimal, at most 20 bytes; returns the address after it. */
export function writeDecimal(at: usize, value: i64): usize {
  if (value < 0) {
    store<u8>(at++, 45);
    value = -value;
  }
  let rest = <u64>value;
  let digits = 1;
  for (let bound: u64 = 10; rest >= bound && digits < 19; bound *= 10) digits++;
  const end = at + digits;
  for (let digit = end; digit > at;) {
    const tenth = rest / 10;
    store<u8>(--digit, 48 + <i32>(rest - tenth * 10));
    rest = tenth;
  }
  return end;
}

/** Writes one character; returns the address after it. */
export function writeUtf8(at: usize, point: i32): usize {
  if (point < 0x80) {
    store<u8>(at, point);
    return at + 1;
  }
  if (point < 0x800) {
    store<u8>(at, 0xc0 | (point >> 6));
    store<u8>(at, 0x80 | (point & 63), 1);
    return at + 2;
  }
  if (point < 0x10000) {
    store<u8>(at, 0xe0 | (point >> 12));
  } else {
    store<u8>(at, 0xf0 | (point >> 18));
    store<u8>(++at, 0x80 | ((point >> 12) & 63));
  }
  store<u8>(at, 0x80 | ((point >> 6) & 63), 1);
  store<u8>(at, 0x80 | (point & 63), 2);
  return at + 3;
}

/** Whether two runs of bytes are the same: eight at a time, without the code of `memory.compare`. */
export function same(left: usize, right: usize, size: i32): bool {
  for (; size >= 8; size -= 8) {
    if (load<u64>(left) != load<u64>(right)) return false;
    left += 8;
    right += 8;
  }
  for (; size > 0; size--) if (load<u8>(left++) != load<u8>(right++)) return false;
  return true;
}

/** A view of a whole buffer. */
export function view(buffer: ArrayBuffer): Bytes {
  return Bytes.of(changetype<usize>(buffer), buffer.byteLength);
}

/** ASCII alone. */
export function lower(byte: i32): i32 {
  return <u32>(byte - 65) < 26 ? byte | 32 : byte;
}

export function isBlank(byte: i32): bool {
  return byte == 32 || byte == 9;
}

/** `tchar` of RFC 9110, section 5.6.2: what a field name consists of. */
export function isToken(byte: i32): bool {
  if (<u32>((byte | 32) - 97) < 26 || <u32>(byte - 48) < 10) return true;
  // ! # $ % & ' * + - . ^ _ ` | ~
  if (byte >= 33 && byte <= 46) return ((0x367d >> (byte - 33)) & 1) != 0;
  return byte == 94 || byte == 95 || byte == 96 || byte == 124 || byte == 126;
}
