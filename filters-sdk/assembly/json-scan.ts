// Looks through a JSON text that somebody else sent before anything else does: strictly, in time linear in its length,
// within limits, and without making an object.
import { Bytes, same, writeUtf8 } from './bytes';
import { now } from './log';
import { ByteWriter } from './writer';

/** Why a JSON text is refused. */
export enum JsonRefusal {
  None = 0,
  /** It is no JSON text (RFC 8259) in UTF-8, or has half of a surrogate pair. */
  Syntax = 1,
  /** A name stands twice in its object: readers disagree on which of them counts. */
  Duplicate = 2,
  Depth = 3,
  Keys = 4,
  Strings = 5,
}

/** Bytes of an entry of the table: scan, object, hash, address of the name, its size. */
const ENTRY = 20;
const MOST_DEPTH = 128;
/** Ids of the objects that are open, 0 for an array. */
const open = memory.data(4 * MOST_DEPTH);
/** Names that had escapes, without them. */
const decoded = new ByteWriter(64);

let at: usize = 0;
let end: usize = 0;
let named: bool = false;

/** What a text may have. Make one when the configuration is read: it keeps a table for the names. */
export class JsonLimits {
  private table: usize;
  private mask: u32;
  private scan: u32 = 0;
  private keys: i32 = 0;
  private seed: u32 = <u32>now();

  /**
   * @param depth objects and arrays within each other, at most 128
   * @param most members of all objects together
   * @param text bytes of a string or a name, as they are written
   */
  constructor(
    private depth: i32,
    private most: i32,
    private text: i32,
  ) {
    let size: u32 = 16;
    while (size < 2 * <u32>most) size *= 2;
    this.mask = size - 1;
    this.table = heap.alloc(<usize>size * ENTRY);
    memory.fill(this.table, 0, <usize>size * ENTRY);
  }

  /** What is wrong with a text. */
  scanJson(json: Bytes): JsonRefusal {
    at = json.start;
    end = at + json.length;
    named = false;
    this.keys = 0;
    if (++this.scan == 0) this.scan = 1;
    let depth = 0;
    let objects: u32 = 0;
    while (true) {
      skipBlanks();
      const byte = peek();
      if (byte == 123 || byte == 91) {
        if (depth == this.depth) return JsonRefusal.Depth;
        const object = byte == 123 ? ++objects : 0;
        store<u32>(open + 4 * depth++, object);
        at++;
        skipBlanks();
        if (peek() != (object != 0 ? 125 : 93)) {
          const refusal = object != 0 ? this.takeName(object) : JsonRefusal.None;
          if (refusal != JsonRefusal.None) return refusal;
          continue;
        }
        at++;
        depth--;
      } else if (byte == 34) {
        const refusal = this.takeText(false);
        if (refusal != JsonRefusal.None) return refusal;
      } else if (!takeScalar(byte)) return JsonRefusal.Syntax;
      while (true) {
        skipBlanks();
        if (depth == 0) return at == end ? JsonRefusal.None : JsonRefusal.Syntax;
        const object = load<u32>(open + 4 * (depth - 1));
        const next = peek();
        if (next != 44 && next != (object != 0 ? 125 : 93)) return JsonRefusal.Syntax;
        at++;
        if (next != 44) {
          depth--;
          continue;
        }
        skipBlanks();
        const refusal = object != 0 ? this.takeName(object) : JsonRefusal.None;
        if (refusal != JsonRefusal.None) return refusal;
        break;
      }
    }
  }

  /** A name, and the colon behind it. */
  private takeName(object: u32): JsonRefusal {
    if (peek() != 34) return JsonRefusal.Syntax;
    if (++this.keys > this.most) return JsonRefusal.Keys;
    const from = at + 1;
    // The first escape of a text clears what the text before it left.
    const before = named ? decoded.length : 0;
    const refusal = this.takeText(true);
    if (refusal != JsonRefusal.None) return refusal;
    const escaped = named && decoded.length > before;
    const start = escaped ? decoded.view().start + before : from;
    const size = escaped ? decoded.length - before : <i32>(at - 1 - from);
    if (this.isKnown(object, start, size)) return JsonRefusal.Duplicate;
    skipBlanks();
    if (peek() != 58) return JsonRefusal.Syntax;
    at++;
    return JsonRefusal.None;
  }

  /** Whether the object has a member of this name already; it has from here on. */
  private isKnown(object: u32, start: usize, size: i32): bool {
    let hash = (this.seed ^ object) * 0x01000193;
    for (let i = 0; i < size; i++) hash = (hash ^ load<u8>(start + i)) * 0x01000193;
    hash ^= hash >> 15;
    let slot = hash & this.mask;
    let entry = this.table + <usize>slot * ENTRY;
    while (load<u32>(entry) == this.scan) {
      const isAlike =
        load<u32>(entry, 8) == hash && load<u32>(entry, 4) == object && load<i32>(entry, 16) == size;
      if (isAlike && same(load<usize>(entry, 12), start, size)) return true;
      slot = (slot + 1) & this.mask;
      entry = this.table + <usize>slot * ENTRY;
    }
    store<u32>(entry, this.scan);
    store<u32>(entry, object, 4);
    store<u32>(entry, hash, 8);
    store<usize>(entry, start, 12);
    store<i32>(entry, size, 16);
    return false;
  }

  /** A string. Of a name that has escapes, what it says is added to `decoded`. */
  private takeText(isName: bool): JsonRefusal {
    const from = ++at;
    let copied = from;
    while (true) {
      const byte = peek();
      if (byte < 32) return JsonRefusal.Syntax;
      if (byte == 34) break;
      if (<i32>(at - from) >= this.text) return JsonRefusal.Strings;
      if (byte == 92) {
        if (isName) {
          if (!named) {
            // It must not move any more: the table has addresses in it.
            decoded.clear().reserve(<i32>(end - at) + 1024);
            decoded.clear();
            named = true;
          }
          addRaw(copied);
        }
        if (!takeEscape(isName)) return JsonRefusal.Syntax;
        copied = at;
      } else if (byte < 128) at++;
      else if (!takeCharacter(byte)) return JsonRefusal.Syntax;
    }
    if (isName && copied != from) addRaw(copied);
    at++;
    return JsonRefusal.None;
  }
}

function addRaw(from: usize): void {
  const size = <i32>(at - from);
  memory.copy(decoded.reserve(size), from, size);
}

function peek(): i32 {
  return at < end ? load<u8>(at) : -1;
}

function skipBlanks(): void {
  while (at < end) {
    const byte = load<u8>(at);
    if (byte != 32 && byte != 10 && byte != 13 && byte != 9) return;
    at++;
  }
}

function takeScalar(byte: i32): bool {
  if (byte == 116) return takeWord(0x65757274);
  if (byte == 110) return takeWord(0x6c6c756e);
  if (byte == 102) {
    at++;
    return takeWord(0x65736c61);
  }
  const from = at;
  at = numberEnd(from, end);
  return at > from;
}

/** Four bytes, as a little-endian number. */
function takeWord(word: u32): bool {
  if (end - at < 4 || load<u32>(at) != word) return false;
  at += 4;
  return true;
}

/** Whether a text is a number as JSON writes it. */
export function isJsonNumber(text: Bytes): bool {
  const last = text.start + text.length;
  return text.length > 0 && numberEnd(text.start, last) == last;
}

/** The address behind the number there; the same where there is none. */
function numberEnd(start: usize, last: usize): usize {
  let i = start;
  if (i < last && load<u8>(i) == 45) i++;
  const whole = digitsEnd(i, last);
  if (whole == i || (whole > i + 1 && load<u8>(i) == 48)) return start;
  i = whole;
  if (i < last && load<u8>(i) == 46) {
    const fraction = digitsEnd(i + 1, last);
    if (fraction == i + 1) return start;
    i = fraction;
  }
  if (i < last && (load<u8>(i) | 32) == 101) {
    let from = i + 1;
    if (from < last && (load<u8>(from) == 43 || load<u8>(from) == 45)) from++;
    const exponent = digitsEnd(from, last);
    if (exponent == from) return start;
    i = exponent;
  }
  return i;
}

function digitsEnd(from: usize, last: usize): usize {
  while (from < last && <u32>load<u8>(from) - 48 < 10) from++;
  return from;
}

function takeEscape(keep: bool): bool {
  at++;
  let point = 0;
  const byte = peek();
  at++;
  if (byte == 34 || byte == 92 || byte == 47) point = byte;
  else if (byte == 98) point = 8;
  else if (byte == 102) point = 12;
  else if (byte == 110) point = 10;
  else if (byte == 114) point = 13;
  else if (byte == 116) point = 9;
  else if (byte == 117) {
    point = takeHex();
    if ((point & 0xfffffc00) == 0xd800) {
      if (end - at < 6 || load<u16>(at) != 0x755c) return false;
      at += 2;
      const low = takeHex();
      point = (low & 0xfffffc00) == 0xdc00 ? 0x10000 + ((point & 0x3ff) << 10) + (low & 0x3ff) : -1;
    } else if ((point & 0xfffffc00) == 0xdc00) point = -1;
  } else return false;
  if (point < 0) return false;
  if (keep) {
    const room = decoded.reserve(4);
    decoded.truncate(decoded.length - 4 + <i32>(writeUtf8(room, point) - room));
  }
  return true;
}

/** Four digits, or -1. */
function takeHex(): i32 {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const byte = peek();
    const digit = <u32>(byte - 48) < 10 ? byte - 48 : <u32>((byte | 32) - 97) < 6 ? (byte | 32) - 87 : -1;
    if (digit < 0) return -1;
    value = (value << 4) | digit;
    at++;
  }
  return value;
}

/** Whether a text is UTF-8 (RFC 3629). */
export function isUtf8(text: Bytes): bool {
  at = text.start;
  end = at + text.length;
  while (at < end) {
    const byte: i32 = load<u8>(at);
    if (byte < 128) at++;
    else if (!takeCharacter(byte)) return false;
  }
  return true;
}

/** A character beyond ASCII, in UTF-8. */
function takeCharacter(first: i32): bool {
  const size = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (size == 0 || at + size > end) return false;
  for (let i = 1; i < size; i++) if ((load<u8>(at + i) & 0xc0) != 0x80) return false;
  const second: i32 = load<u8>(at, 1);
  // Longer than it need be, a surrogate, or beyond the last character.
  if (first == 0xe0 && second < 0xa0) return false;
  if (first == 0xed && second > 0x9f) return false;
  if (first == 0xf0 && second < 0x90) return false;
  if (first == 0xf4 && second > 0x8f) return false;
  at += size;
  return true;
}
