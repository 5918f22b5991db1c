// Values of a configuration, read and checked one by one. What is wrong is logged with its place and counted.
import { JsonKind, JsonValue, logAt } from './json';

const NO_TEXT = new ArrayBuffer(0);

let faults = 0;

/** Forgets the faults of a configuration before. */
export function clearFaults(): void {
  faults = 0;
}

/** How many there were since {@link clearFaults}. */
export function faultCount(): i32 {
  return faults;
}

/** A fault that is in the log already. */
export function countFault(): void {
  faults++;
}

/** Logs a fault of the configuration: position, path, message. */
export function faultAt(value: JsonValue, message: string): void {
  faults++;
  const path = pathOf(value);
  logAt(value.offset, path.length == 0 ? message : path + ': ' + message);
}

function pathOf(value: JsonValue): string {
  const parent = value.parent;
  if (parent === null) return '';
  const before = pathOf(parent);
  if (parent.kind == JsonKind.Array) return before + '[' + value.index.toString() + ']';
  const name = String.UTF8.decode(value.name);
  return before.length == 0 ? name : before + '.' + name;
}

/** Whether a value has the kind; a fault where it has not. */
export function expectKind(value: JsonValue, kind: JsonKind, expected: string): bool {
  if (value.kind == kind) return true;
  faultAt(value, expected);
  return false;
}

export function booleanOf(value: JsonValue): bool {
  return expectKind(value, JsonKind.Boolean, 'expected true or false') && value.number != 0;
}

/** A whole number within bounds; `least` where it is none. */
export function wholeOf(value: JsonValue, least: i64, most: i64): i64 {
  if (!expectKind(value, JsonKind.Number, 'expected a number')) return least;
  const number = value.number;
  if (number == floor(number) && number >= <f64>least && number <= <f64>most) return <i64>number;
  faultAt(value, 'expected a whole number from ' + least.toString() + ' to ' + most.toString());
  return least;
}

/** A number within bounds, which `span` writes out: to print one takes 6 KiB of code. */
export function numberOf(value: JsonValue, least: f64, most: f64, span: string): f64 {
  if (!expectKind(value, JsonKind.Number, 'expected a number')) return least;
  if (value.number >= least && value.number <= most) return value.number;
  faultAt(value, 'expected a number' + span);
  return least;
}

/** UTF-8 of `least` to `most` characters. */
export function textOf(value: JsonValue, least: i32, most: i32): ArrayBuffer {
  if (!expectKind(value, JsonKind.String, 'expected a string')) return NO_TEXT;
  const text = value.text;
  let length = 0;
  for (let i = 0; i < text.byteLength; i++) {
    if ((load<u8>(changetype<usize>(text) + i) & 0xc0) != 0x80) length++;
  }
  if (length >= least && length <= most) return text;
  if (length == 0) faultAt(value, 'must not be empty');
  else if (length < least) faultAt(value, 'expected at least ' + least.toString() + ' characters');
  else faultAt(value, 'expected at most ' + most.toString() + ' characters');
  return NO_TEXT;
}

/** Milliseconds of a duration such as `"1500ms"` or `"1m30s"`, within bounds. */
export function durationOf(value: JsonValue, least: i64, most: i64): i64 {
  if (!expectKind(value, JsonKind.String, 'expected a duration such as "10s"')) return least;
  const milliseconds = parseDuration(value.text);
  if (milliseconds >= least && milliseconds <= most) return milliseconds;
  faultAt(
    value,
    milliseconds < 0
      ? 'expected a duration such as "500ms", "10s" or "1h30m"'
      : 'expected from ' + least.toString() + ' to ' + most.toString() + ' ms',
  );
  return least;
}

/** Bytes of a size such as `4096`, `"64Ki"` or `"1Mi"`, within bounds. */
export function sizeOfValue(value: JsonValue, least: i64, most: i64): i64 {
  let bytes: i64 = -1;
  if (value.kind == JsonKind.String) bytes = parseSize(value.text);
  else if (value.kind == JsonKind.Number && value.number == floor(value.number)) {
    // What is beyond the numbers that are exact is beyond every bound too.
    bytes = <i64>max<f64>(-1, min<f64>(value.number, f64.MAX_SAFE_INTEGER));
  }
  if (bytes >= least && bytes <= most) return bytes;
  faultAt(
    value,
    bytes < 0
      ? 'expected a size such as 4096, "64Ki" or "1Mi"'
      : 'expected from ' + least.toString() + ' to ' + most.toString() + ' bytes',
  );
  return least;
}

/** Index of a string in a list of choices; 0 where it is none of them. */
export function choiceOf(value: JsonValue, choices: string[]): i32 {
  if (!expectKind(value, JsonKind.String, 'expected a string')) return 0;
  for (let i = 0; i < choices.length; i++) if (value.is(choices[i])) return i;
  faultAt(value, 'expected one of: ' + choices.join(', '));
  return 0;
}

/** Items of an array, `least` to `most` of them, or members of an object. */
export function listOf(value: JsonValue, kind: JsonKind, least: i32, most: i32): JsonValue[] {
  const expected = kind == JsonKind.Array ? 'expected an array' : 'expected an object';
  if (!expectKind(value, kind, expected)) return [];
  const items = value.items;
  if (items.length >= least && items.length <= most) return items;
  if (items.length == 0) faultAt(value, 'must not be empty');
  else if (items.length < least) faultAt(value, 'expected at least ' + least.toString() + ' of them');
  else faultAt(value, 'expected at most ' + most.toString() + ' of them');
  return [];
}

/** Milliseconds, or -1: numbers with the units d, h, m, s, ms, largest first. */
export function parseDuration(text: ArrayBuffer): i64 {
  const start = changetype<usize>(text);
  const length = text.byteLength;
  let total: i64 = 0;
  let before: i64 = i64.MAX_VALUE;
  let i = 0;
  if (length == 0) return -1;
  while (i < length) {
    const from = i;
    const value = digits(start, length, from);
    i = digitsEnd(start, length, from);
    if (value < 0 || i == length) return -1;
    const unit = load<u8>(start + i++);
    let factor: i64 = 0;
    if (unit == 100) factor = 86400000;
    else if (unit == 104) factor = 3600000;
    else if (unit == 115) factor = 1000;
    else if (unit == 109) {
      const milli = i < length && load<u8>(start + i) == 115;
      factor = milli ? 1 : 60000;
      if (milli) i++;
    }
    if (factor == 0 || factor >= before) return -1;
    before = factor;
    total += value * factor;
  }
  return total;
}

/** Bytes, or -1: a number with nothing, Ki, Mi, Gi, k, M or G behind it. */
function parseSize(text: ArrayBuffer): i64 {
  const start = changetype<usize>(text);
  const length = text.byteLength;
  const value = digits(start, length, 0);
  const at = digitsEnd(start, length, 0);
  const rest = length - at;
  if (value < 0 || rest == 0) return value;
  const letter = load<u8>(start + at);
  const binary = rest == 2 && load<u8>(start + at + 1) == 105;
  if (!binary && rest != 1) return -1;
  const base: i64 = binary ? 1024 : 1000;
  if (letter == (binary ? 75 : 107)) return value * base;
  if (letter == 77) return value * base * base;
  return letter == 71 ? value * base * base * base : -1;
}

/** The number at a place, -1 where there is none or it has more than 12 digits. */
function digits(start: usize, length: i32, from: i32): i64 {
  const end = digitsEnd(start, length, from);
  if (end == from || end - from > 12) return -1;
  let value: i64 = 0;
  for (let i = from; i < end; i++) value = value * 10 + (load<u8>(start + i) - 48);
  return value;
}

function digitsEnd(start: usize, length: i32, from: i32): i32 {
  let i = from;
  while (i < length && <u32>(load<u8>(start + i) - 48) < 10) i++;
  return i;
}
