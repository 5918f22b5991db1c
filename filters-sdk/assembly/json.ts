import { sizeOf, startOf, view, writeUtf8 } from './bytes';
import { logError } from './log';
import { ByteWriter } from './writer';

/** What a value of a JSON text is. */
export enum JsonKind {
  Null = 0,
  Boolean = 1,
  Number = 2,
  String = 3,
  Array = 4,
  Object = 5,
}

/** A value of a JSON text, and where it stood. */
export class JsonValue {
  /** Its name in an object, UTF-8. */
  name: ArrayBuffer = EMPTY;
  /** Its index in an array. */
  index: i32 = 0;
  /** Of a string, UTF-8. */
  text: ArrayBuffer = EMPTY;
  /** Of a number; 0 or 1 of a boolean. */
  number: f64 = 0;
  /** Offset after its last byte. */
  end: i32 = 0;
  /** Members of an object, items of an array. */
  items: JsonValue[] = NO_ITEMS;

  constructor(
    public kind: JsonKind,
    /** Offset of its first byte in the text. */
    public offset: i32,
    public parent: JsonValue | null,
  ) {}

  /** The member of this name, or null. */
  get(name: string): JsonValue | null {
    const items = this.items;
    for (let i = 0; i < items.length; i++) if (items[i].isNamed(name)) return items[i];
    return null;
  }

  /** Whether it is a member of this name. */
  isNamed(name: string): bool {
    return textEquals(this.name, name);
  }

  /** Whether a string is this one. */
  is(text: string): bool {
    return this.kind == JsonKind.String && textEquals(this.text, text);
  }
}

const EMPTY = new ArrayBuffer(0);
/** Of all values that are no lists: a configuration may have ten thousands. */
const NO_ITEMS: JsonValue[] = [];
const DEPTH = 32;

let start: usize = 0;
let end: usize = 0;
let at: usize = 0;
let fault = '';

/** The string that is being read, or the line that is being written. */
const scratch = new ByteWriter(64);
const encoded = memory.data(4);

/** Compares UTF-8 with a name that consists of ASCII alone, as names in configurations do. */
export function textEquals(bytes: ArrayBuffer, name: string): bool {
  const length = name.length;
  if (bytes.byteLength != length) return false;
  for (let i = 0; i < length; i++) {
    if (<i32>load<u8>(changetype<usize>(bytes) + i) != name.charCodeAt(i)) return false;
  }
  return true;
}

/**
 * Reads a JSON text strictly (RFC 8259; besides, names in an object differ). Made for configurations: it
 * builds a tree, and is not for the request path.
 *
 * @returns null where the text is not valid; what is wrong, and where, stands in the log then
 */
export function parseJson<T>(text: T): JsonValue | null {
  const value = readJson<T>(text);
  if (value === null) logAt(<i32>(at - start), fault);
  return value;
}

/** The same for a text that somebody else sent: what is wrong with it goes into no log. */
export function readJson<T>(text: T): JsonValue | null {
  start = startOf<T>(text);
  end = start + sizeOf<T>(text);
  at = start;
  fault = '';
  const value = parseValue(null, 0);
  if (fault.length == 0) {
    skipBlanks();
    if (at != end) fault = 'expected the end of the text';
  }
  return fault.length == 0 ? value : null;
}

/** Logs a message behind `configuration 3:14: `, for an offset in the text that was parsed last. */
export function logAt(offset: i32, message: string): void {
  let line = 1;
  let column = 1;
  for (let p = start; p < start + offset; p++) {
    const byte = load<u8>(p);
    if (byte == 10) {
      line++;
      column = 1;
    } else if ((byte & 0xc0) != 0x80) column++;
  }
  scratch.clear().add('configuration ').addNumber(line).addByte(58).addNumber(column);
  logError(scratch.add(': ').add(message).view());
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

/** Takes a byte that must come next. */
function take(byte: i32, message: string): bool {
  if (peek() == byte) {
    at++;
    return true;
  }
  if (fault.length == 0) fault = message;
  return false;
}

function takeWord(word: string): bool {
  for (let i = 0; i < word.length; i++) if (!take(word.charCodeAt(i), 'expected a value')) return false;
  return true;
}

function parseValue(parent: JsonValue | null, depth: i32): JsonValue {
  skipBlanks();
  const value = new JsonValue(JsonKind.Null, <i32>(at - start), parent);
  const byte = peek();
  if (depth > DEPTH) {
    fault = 'nested too deeply';
  } else if (byte == 123) {
    value.kind = JsonKind.Object;
    parseList(value, 125, depth);
  } else if (byte == 91) {
    value.kind = JsonKind.Array;
    parseList(value, 93, depth);
  } else if (byte == 34) {
    value.kind = JsonKind.String;
    value.text = parseString();
  } else if (byte == 116 || byte == 102) {
    value.kind = JsonKind.Boolean;
    value.number = byte == 116 ? 1 : 0;
    takeWord(byte == 116 ? 'true' : 'false');
  } else if (byte == 110) {
    takeWord('null');
  } else {
    value.kind = JsonKind.Number;
    value.number = parseNumber();
  }
  value.end = <i32>(at - start);
  return value;
}

/** Members of an object, or items of an array. */
function parseList(list: JsonValue, close: i32, depth: i32): void {
  list.items = [];
  at++;
  skipBlanks();
  if (peek() == close) {
    at++;
    return;
  }
  do {
    let name = EMPTY;
    skipBlanks();
    if (close == 125) {
      const nameAt = at;
      if (peek() != 34) {
        fault = 'expected a name in quotes';
        return;
      }
      name = parseString();
      if (fault.length != 0) return;
      if (isTaken(list, name)) {
        at = nameAt;
        fault = 'this name stands twice in its object';
        return;
      }
      skipBlanks();
      if (!take(58, "expected ':'")) return;
    }
    const value = parseValue(list, depth + 1);
    if (fault.length != 0) return;
    value.name = name;
    value.index = list.items.length;
    list.items.push(value);
    skipBlanks();
    if (peek() == close) {
      at++;
      return;
    }
  } while (take(44, close == 125 ? "expected ',' or '}'" : "expected ',' or ']'"));
}

function isTaken(list: JsonValue, name: ArrayBuffer): bool {
  const items = list.items;
  for (let i = 0; i < items.length; i++) if (view(items[i].name).equals(name)) return true;
  return false;
}

function parseNumber(): f64 {
  const negative = peek() == 45;
  if (negative) at++;
  if (peek() == 48) at++;
  else if (!skipDigits()) return 0;
  if (<u32>(peek() - 48) < 10) {
    fault = 'a number must not begin with 0';
    return 0;
  }
  const whole = at;
  // Digits up to here are a whole number; the rest scales it.
  let value: f64 = 0;
  let exponent = 0;
  let p = whole;
  while (p > start && <u32>(load<u8>(p - 1) - 48) < 10) p--;
  for (; p < whole; p++) value = value * 10 + (load<u8>(p) - 48);
  if (peek() == 46) {
    const from = ++at;
    if (!skipDigits()) return 0;
    for (p = from; p < at; p++) value = value * 10 + (load<u8>(p) - 48);
    exponent = -(<i32>(at - from));
  }
  if ((peek() | 32) == 101) {
    at++;
    const sign = peek();
    if (sign == 43 || sign == 45) at++;
    const from = at;
    if (!skipDigits()) return 0;
    let power = 0;
    for (p = from; p < at; p++) power = min(power * 10 + (load<u8>(p) - 48), 9999);
    exponent += sign == 45 ? -power : power;
  }
  // Powers of ten up to 22 are exact, so numbers as people write them are rounded once.
  let scale: f64 = 1;
  for (let i = min(abs(exponent), 400); i > 0; i--) scale *= 10;
  value = exponent < 0 ? value / scale : value * scale;
  return negative ? -value : value;
}

/** At least one digit. */
function skipDigits(): bool {
  const from = at;
  while (<u32>(peek() - 48) < 10) at++;
  if (at != from) return true;
  fault = at == from && (at == start || load<u8>(at - 1) - 48 > 9) ? 'expected a value' : 'expected a digit';
  return false;
}

function parseString(): ArrayBuffer {
  at++;
  scratch.clear();
  let byte = peek();
  while (byte >= 32 && byte != 34) {
    at++;
    if (byte != 92) scratch.addByte(byte);
    else if (!parseEscape()) return EMPTY;
    byte = peek();
  }
  if (byte == 34) {
    at++;
    return scratch.copy();
  }
  fault = byte < 0 ? 'the string does not end' : 'a control character must be escaped';
  return EMPTY;
}

function parseEscape(): bool {
  const byte = peek();
  at++;
  if (byte == 34 || byte == 92 || byte == 47) scratch.addByte(byte);
  else if (byte == 98) scratch.addByte(8);
  else if (byte == 102) scratch.addByte(12);
  else if (byte == 110) scratch.addByte(10);
  else if (byte == 114) scratch.addByte(13);
  else if (byte == 116) scratch.addByte(9);
  else if (byte == 117) return parseUnicode();
  else {
    at--;
    fault = 'this escape is not known';
    return false;
  }
  return true;
}

function parseUnicode(): bool {
  const unit = parseHex();
  let point = unit;
  if ((unit & 0xfc00) == 0xd800) {
    const paired = peek() == 92 && at + 1 < end && load<u8>(at + 1) == 117;
    at += paired ? 2 : 0;
    const low = paired ? parseHex() : 0;
    point = (low & 0xfc00) == 0xdc00 ? 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff) : -1;
  } else if ((unit & 0xfc00) == 0xdc00) point = -1;
  if (point < 0) {
    if (fault.length == 0) fault = 'not a character';
    return false;
  }
  const character = encoded;
  const size = <i32>(writeUtf8(character, point) - character);
  memory.copy(scratch.reserve(size), character, size);
  return true;
}

/** Four digits, or -1. */
function parseHex(): i32 {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const byte = peek();
    const digit = <u32>(byte - 48) < 10 ? byte - 48 : <u32>((byte | 32) - 97) < 6 ? (byte | 32) - 87 : -1;
    if (digit < 0) {
      fault = 'expected four hexadecimal digits';
      return -1;
    }
    value = (value << 4) | digit;
    at++;
  }
  return value;
}
