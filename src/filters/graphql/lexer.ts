import { Bytes } from '@weir/filters-sdk/assembly';

/** Kinds of tokens (GraphQL, October 2021, section 2.1). A punctuator is its first byte. */
export enum Token {
  End = 0,
  Wrong = 1,
  Name = 2,
  Int = 3,
  Float = 4,
  Text = 5,
  Dollar = 36,
  ParenOpen = 40,
  ParenClose = 41,
  /** `...` */
  Spread = 46,
  Colon = 58,
  Equals = 61,
  At = 64,
  BracketOpen = 91,
  BracketClose = 93,
  Bang = 33,
  BraceOpen = 123,
  BraceClose = 125,
}

/** Punctuators: `! $ & ( ) : = @ [ ] { | }`; three dots are looked at apart. */
const PUNCTUATORS = '!$&():=@[]{|}';

// One document is read at a time.
let begin: usize = 0;
let end: usize = 0;
let at: usize = 0;
/** Kind, address and size of the token that was read last. */
export let token: i32 = Token.End;
export let start: usize = 0;
export let length: i32 = 0;
/** How many there were. */
export let tokens: i32 = 0;

/** To the front of a document. It must be UTF-8. */
export function beginDocument(text: Bytes): void {
  begin = at = text.start;
  end = at + text.length;
  tokens = 0;
  next();
}

/** Reads the next token. */
export function next(): void {
  skipIgnored();
  start = at;
  token = at == end ? Token.End : read(load<u8>(at));
  length = <i32>(at - start);
  if (token != Token.End) tokens++;
}

/** Whether the token is this name. */
export function isWord(word: string): bool {
  if (token != Token.Name || length != word.length) return false;
  for (let i = 0; i < length; i++) if (<i32>load<u8>(start + i) != word.charCodeAt(i)) return false;
  return true;
}

/** Line of the token, from 1. */
export function line(): i32 {
  let count = 1;
  for (let p = begin; p < start; p++) {
    const byte = load<u8>(p);
    if (byte == 10 || (byte == 13 && (p + 1 == end || load<u8>(p, 1) != 10))) count++;
  }
  return count;
}

function peek(ahead: usize = 0): i32 {
  return at + ahead < end ? load<u8>(at + ahead) : -1;
}

/** White space, commas, comments and byte order marks. */
function skipIgnored(): void {
  while (at < end) {
    const byte: i32 = load<u8>(at);
    if (byte == 32 || byte == 44 || byte == 10 || byte == 13 || byte == 9) at++;
    else if (byte == 35) while (at < end && load<u8>(at) != 10 && load<u8>(at) != 13) at++;
    else if (byte == 0xef && peek(1) == 0xbb && peek(2) == 0xbf) at += 3;
    else return;
  }
}

function read(byte: i32): i32 {
  if (isNameStart(byte)) {
    while (isNameStart(peek()) || isDigit(peek())) at++;
    return Token.Name;
  }
  if (isDigit(byte) || byte == 45) return readNumber();
  if (byte == 34) {
    if (peek(1) == 34 && peek(2) == 34) return readBlock();
    return readText();
  }
  at++;
  if (byte == 46) {
    if (peek() != 46 || peek(1) != 46) return Token.Wrong;
    at += 2;
    return Token.Spread;
  }
  for (let i = 0; i < PUNCTUATORS.length; i++) if (PUNCTUATORS.charCodeAt(i) == byte) return byte;
  return Token.Wrong;
}

function readNumber(): i32 {
  let kind = Token.Int;
  if (peek() == 45) at++;
  if (peek() == 48) {
    at++;
    if (isDigit(peek())) return Token.Wrong;
  } else if (!skipDigits()) return Token.Wrong;
  if (peek() == 46) {
    kind = Token.Float;
    at++;
    if (!skipDigits()) return Token.Wrong;
  }
  if ((peek() | 32) == 101) {
    kind = Token.Float;
    at++;
    if (peek() == 43 || peek() == 45) at++;
    if (!skipDigits()) return Token.Wrong;
  }
  // `1a` and `1.0.` are no two tokens.
  return peek() == 46 || isNameStart(peek()) ? Token.Wrong : kind;
}

function skipDigits(): bool {
  const from = at;
  while (isDigit(peek())) at++;
  return at > from;
}

function readText(): i32 {
  at++;
  while (true) {
    const byte = peek();
    if (byte == 34) {
      at++;
      return Token.Text;
    }
    // Control characters are not of October 2021, and servers take them.
    if (byte < 0 || byte == 10 || byte == 13) return Token.Wrong;
    at++;
    if (byte == 92 && !readEscape()) return Token.Wrong;
  }
}

function readEscape(): bool {
  const byte = peek();
  at++;
  if (byte != 117) {
    return (
      byte == 34 ||
      byte == 92 ||
      byte == 47 ||
      byte == 98 ||
      byte == 102 ||
      byte == 110 ||
      byte == 114 ||
      byte == 116
    );
  }
  if (peek() == 123) return readLongEscape();
  const point = readHex();
  if ((point & 0xfffff800) != 0xd800) return point >= 0;
  // The first half of a pair, and the second.
  if (point >= 0xdc00 || peek() != 92 || peek(1) != 117) return false;
  at += 2;
  const low = readHex();
  return (low & 0xfffffc00) == 0xdc00;
}

/** `{1F600}`: not of October 2021, and what servers take. */
function readLongEscape(): bool {
  at++;
  let point: u32 = 0;
  let digits = 0;
  for (; digits < 8 && hexOf(peek()) >= 0; digits++) point = (point << 4) | hexOf(load<u8>(at++));
  if (digits == 0 || peek() != 125) return false;
  at++;
  return point <= 0x10ffff && (point & 0xfffff800) != 0xd800;
}

/** Four digits, or -1. */
function readHex(): i32 {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const digit = hexOf(peek());
    if (digit < 0) return -1;
    value = (value << 4) | digit;
    at++;
  }
  return value;
}

function hexOf(byte: i32): i32 {
  if (isDigit(byte)) return byte - 48;
  return <u32>((byte | 32) - 97) < 6 ? (byte | 32) - 87 : -1;
}

function readBlock(): i32 {
  at += 3;
  while (at < end) {
    if (peek() == 34 && peek(1) == 34 && peek(2) == 34) {
      at += 3;
      return Token.Text;
    }
    const isEscaped = peek() == 92 && peek(1) == 34 && peek(2) == 34 && peek(3) == 34;
    at += isEscaped ? 4 : 1;
  }
  return Token.Wrong;
}

function isNameStart(byte: i32): bool {
  return byte == 95 || <u32>((byte | 32) - 97) < 26;
}

function isDigit(byte: i32): bool {
  return <u32>(byte - 48) < 10;
}
