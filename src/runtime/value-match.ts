import { type HeaderBlock, Pseudo } from './http/headers.ts';
import { LinearRegex, REGEX_START } from './regex.ts';
import type { ValueMatch } from './snapshot.ts';

const COMMA = 0x2c;
const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;
const AMPERSAND = 0x26;
const EQUALS = 0x3d;

/**
 * A header match. A field that is there several times is its values joined by "," (RFC 9110, section
 * 5.2): equality holds for the whole, so that one matching value among others is not enough.
 */
export class HeaderTest {
  readonly #name: Buffer;
  /** A request block has :authority in place of Host. */
  readonly #isHost: boolean;
  readonly #value: Buffer;
  readonly #regex: LinearRegex | null;

  constructor(spec: ValueMatch) {
    this.#name = Buffer.from(spec.name.toLowerCase(), 'latin1');
    this.#isHost = spec.name.toLowerCase() === 'host';
    this.#value = Buffer.from(spec.value, 'utf8');
    this.#regex = spec.type === 'regex' ? new LinearRegex(spec.value) : null;
  }

  holds(block: HeaderBlock): boolean {
    const first = this.#isHost ? Pseudo.Authority : block.indexOf(this.#name);
    if (first === -1) return false;
    const next = this.#isHost ? -1 : block.indexOf(this.#name, first + 1);
    if (this.#regex !== null) return this.#matches(this.#regex, block, first, next);
    if (next === -1) return block.equalsValue(first, this.#value);
    return this.#equalsJoined(block, first, next);
  }

  #matches(regex: LinearRegex, block: HeaderBlock, first: number, next: number): boolean {
    let state = regex.feed(
      REGEX_START,
      block.bytes,
      block.spans[4 * first + 2]!,
      block.spans[4 * first + 3]!,
    );
    for (let i = next; i !== -1; i = block.indexOf(this.#name, i + 1)) {
      state = regex.feedByte(state, COMMA);
      state = regex.feed(state, block.bytes, block.spans[4 * i + 2]!, block.spans[4 * i + 3]!);
    }
    return regex.accepts(state);
  }

  #equalsJoined(block: HeaderBlock, first: number, next: number): boolean {
    const expected = this.#value;
    let at = 0;
    for (let i = first; i !== -1; i = i === first ? next : block.indexOf(this.#name, i + 1)) {
      if (i !== first && expected[at++] !== COMMA) return false;
      const end = block.spans[4 * i + 3]!;
      for (let from = block.spans[4 * i + 2]!; from < end; from++) {
        if (expected[at++] !== block.bytes[from]) return false;
      }
    }
    return at === expected.length;
  }
}

/**
 * A query parameter match, on the decoded value of the first parameter of that name (`%XX` and `+`
 * as in application/x-www-form-urlencoded). Names are compared decoded too, and keep their case.
 */
export class QueryTest {
  readonly #name: Buffer;
  readonly #value: Buffer;
  readonly #regex: LinearRegex | null;

  constructor(spec: ValueMatch) {
    this.#name = Buffer.from(spec.name, 'utf8');
    this.#value = Buffer.from(spec.value, 'utf8');
    this.#regex = spec.type === 'regex' ? new LinearRegex(spec.value) : null;
  }

  /** @param start just after the "?" */
  holds(bytes: Uint8Array, start: number, end: number): boolean {
    for (let at = start; at < end;) {
      let stop = at;
      let equals = -1;
      for (; stop < end && bytes[stop] !== AMPERSAND; stop++) {
        if (equals === -1 && bytes[stop] === EQUALS) equals = stop;
      }
      const nameEnd = equals === -1 ? stop : equals;
      if (decodesTo(this.#name, bytes, at, nameEnd)) {
        const valueStart = equals === -1 ? stop : equals + 1;
        if (this.#regex === null) return decodesTo(this.#value, bytes, valueStart, stop);
        return matchesDecoded(this.#regex, bytes, valueStart, stop);
      }
      at = stop + 1;
    }
    return false;
  }
}

function decodesTo(expected: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  let at = 0;
  for (let i = start; i < end; i++, at++) {
    if (at === expected.length || decodedAt(bytes, i, end) !== expected[at]) return false;
    if (isEscape(bytes, i, end)) i += 2;
  }
  return at === expected.length;
}

function matchesDecoded(regex: LinearRegex, bytes: Uint8Array, start: number, end: number): boolean {
  let state = REGEX_START;
  for (let i = start; i < end; i++) {
    state = regex.feedByte(state, decodedAt(bytes, i, end));
    if (isEscape(bytes, i, end)) i += 2;
  }
  return regex.accepts(state);
}

function decodedAt(bytes: Uint8Array, i: number, end: number): number {
  const byte = bytes[i]!;
  if (byte === PLUS) return SPACE;
  return isEscape(bytes, i, end) ? 16 * hexDigit(bytes[i + 1]!) + hexDigit(bytes[i + 2]!) : byte;
}

// A "%" without two digits stands for itself.
function isEscape(bytes: Uint8Array, i: number, end: number): boolean {
  return (
    bytes[i] === PERCENT && i + 2 < end && hexDigit(bytes[i + 1]!) !== -1 && hexDigit(bytes[i + 2]!) !== -1
  );
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
