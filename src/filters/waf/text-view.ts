import { Bytes, ByteWriter, lower } from '@weir/filters-sdk/assembly';

/** Names of characters in HTML that hide what stands in a value, and the characters. */
const ENTITIES = [
  'lt',
  '<',
  'gt',
  '>',
  'amp',
  '&',
  'quot',
  '"',
  'apos',
  "'",
  'colon',
  ':',
  'lpar',
  '(',
  'rpar',
  ')',
  'sol',
  '/',
  'bsol',
  '\\',
  'tab',
  ' ',
  'newline',
  ' ',
  'nbsp',
  ' ',
  'equals',
  '=',
  'period',
  '.',
];

/** By byte: what stands for it in a view. 0: it is looked at. */
const PLAIN = plainBytes();

function plainBytes(): StaticArray<u8> {
  const plain = new StaticArray<u8>(256);
  for (let byte = 33; byte < 0xc0; byte++) plain[byte] = <u8>lower(byte);
  // As browsers of old read seven bits.
  plain[0xbc] = 60;
  plain[0xbe] = 62;
  plain[0xa2] = 34;
  plain[34] = plain[36] = plain[37] = plain[38] = plain[39] = plain[42] = plain[92] = plain[94] = 0;
  return plain;
}

/**
 * A value as whoever is behind may read it: escapes of URLs (again and again), HTML, JavaScript and CSS and overlong or wide UTF-8 are read, letters
 * are small, a run of white space is one space, or one end of a line where it has one, zero bytes are gone.
 */
export class TextView {
  /** It had a zero byte. */
  hadZero: bool = false;
  /** It had an end of a line. */
  hadBreak: bool = false;
  /** A shell reads other words than stand there. */
  hadQuote: bool = false;
  /** A comment of SQL begins in it, or ends. */
  hadComment: bool = false;
  private out: ByteWriter = new ByteWriter(4096);
  private text: Bytes = changetype<Bytes>(0);
  private at: i32 = 0;
  /** Where the next byte of the view goes; there are never more of them than of the text. */
  private to: usize = 0;
  private start: usize = 0;
  private spaced: bool = false;

  render(text: Bytes): Bytes {
    this.text = text;
    const start = this.out.clear().reserve(text.length);
    this.to = this.start = start;
    this.hadZero = false;
    this.hadBreak = this.hadQuote = this.hadComment = false;
    this.spaced = false;
    this.at = 0;
    const plain = changetype<usize>(PLAIN);
    while (this.at < text.length) {
      const byte = text.at(this.at);
      const same = load<u8>(plain + byte);
      if (same != 0) {
        this.at++;
        this.spaced = false;
        store<u8>(this.to++, same);
      } else if (byte == 37) this.percent();
      else if (byte == 38) this.entity();
      else if (byte == 92) this.backslash();
      else if (byte >= 0xc0) this.wide(byte);
      else {
        this.at++;
        this.put(byte);
      }
    }
    return Bytes.of(start, <i32>(this.to - start));
  }

  private put(byte: i32): void {
    if (byte == 0) {
      this.hadZero = true;
      return;
    }
    if (byte == 32 || (byte >= 9 && byte <= 13)) {
      const isBreak = byte == 10 || byte == 13;
      if (isBreak) this.hadBreak = true;
      if (!this.spaced) store<u8>(this.to++, isBreak ? 10 : 32);
      else if (isBreak) store<u8>(this.to - 1, 10);
      this.spaced = true;
      return;
    }
    this.spaced = false;
    if (byte == 34 || byte == 36 || byte == 39 || byte == 92 || byte == 94) this.hadQuote = true;
    else if (byte == 42 && this.to > this.start && load<u8>(this.to - 1) == 47) this.hadComment = true;
    store<u8>(this.to++, <u8>lower(byte));
  }

  /** A character of any plane; wide and encircled forms of ASCII count as it, as they do to readers of host names. */
  private putPoint(point: i32): void {
    if (point >= 0xff01 && point <= 0xff5e) this.put(point - 0xfee0);
    else if (point < 128) this.put(point);
    else if (point == 0xa0 || point == 0x2028 || point == 0x2029 || point == 0x3000) this.put(32);
    else if (point == 0x2018 || point == 0x2019 || point == 0x2b9 || point == 0x2bc) this.put(39);
    else if (point == 0x3002 || point == 0xff61) this.put(46);
    else if (point == 0xbc || point == 0xbe) this.put(point == 0xbc ? 60 : 62);
    else if (point >= 0x2460 && point <= 0x2468) this.put(point - 0x2460 + 49);
    else if (point >= 0x24b6 && point <= 0x24e9) this.put(97 + ((point - 0x24b6) % 26));
    else if (point == 0x24ea) this.put(48);
    else this.put(0x80 | (point & 0x7f));
  }

  /** `%41`, and `%u0041` of old servers. */
  private percent(): void {
    const next = this.peek(1) | 32;
    let point = next == 117 ? this.hex(2, 4) : this.hex(1, 2);
    if (point < 0) {
      this.at++;
      this.put(37);
      return;
    }
    this.at += next == 117 ? 6 : 3;
    // Escaped again and again: %25252e.
    while (point == 37 && this.hex(0, 2) >= 0) {
      point = this.hex(0, 2);
      this.at += 2;
    }
    if (next == 117) this.putPoint(point);
    // Behind the first byte of an overlong form the second one may be escaped as well.
    else if ((point == 0xc0 || point == 0xc1) && this.peek(0) == 37 && (this.hex(1, 2) & 0xc0) == 0x80) {
      this.put(((point & 1) << 6) | (this.hex(1, 2) & 0x3f));
      this.at += 3;
    } else this.put(point);
  }

  private entity(): void {
    if (this.peek(1) == 35) {
      const isHex = (this.peek(2) | 32) == 120;
      let at = isHex ? 3 : 2;
      let point = 0;
      let digits = 0;
      for (; digits < 10; digits++, at++) {
        const digit = digitOf(this.peek(at));
        if (digit < 0 || (!isHex && digit > 9)) break;
        point = min(point * (isHex ? 16 : 10) + digit, 0x10ffff);
      }
      if (digits > 0) {
        this.at += at + (this.peek(at) == 59 ? 1 : 0);
        this.putPoint(point);
        return;
      }
    } else {
      for (let i = 0; i < ENTITIES.length; i += 2) {
        if (!this.isEntity(ENTITIES[i])) continue;
        this.at += ENTITIES[i].length + 2;
        this.put(ENTITIES[i + 1].charCodeAt(0));
        return;
      }
    }
    this.at++;
    this.put(38);
  }

  private isEntity(name: string): bool {
    for (let i = 0; i < name.length; i++) if (lower(this.peek(i + 1)) != name.charCodeAt(i)) return false;
    return this.peek(name.length + 1) == 59;
  }

  /** `\x41`, `\u0041`, `\u{41}`. */
  private backslash(): void {
    const next = this.peek(1) | 32;
    let point = -1;
    let size = 0;
    if (next == 120) {
      point = this.hex(2, 2);
      size = 4;
    } else if (next == 117 && this.peek(2) == 123) {
      let digits = 0;
      while (digits < 6 && digitOf(this.peek(3 + digits)) >= 0) digits++;
      point = digits > 0 && this.peek(3 + digits) == 125 ? this.hex(3, digits) : -1;
      size = digits + 4;
    } else if (next == 117) {
      point = this.hex(2, 4);
      size = 6;
    }
    if (point < 0) {
      this.at++;
      this.put(92);
      return;
    }
    this.at += size;
    this.putPoint(point);
  }

  private wide(byte: i32): void {
    const second = this.peek(1);
    if (byte < 0xe0 && (second & 0xc0) == 0x80) {
      this.at += 2;
      this.putPoint(((byte & 31) << 6) | (second & 63));
      return;
    }
    const third = this.peek(2);
    if (byte < 0xf0 && (second & 0xc0) == 0x80 && (third & 0xc0) == 0x80) {
      this.at += 3;
      this.putPoint(((byte & 15) << 12) | ((second & 63) << 6) | (third & 63));
      return;
    }
    this.at++;
    // Of a longer character nothing is looked at.
    if (byte >= 0xf0) for (let i = 0; i < 3 && (this.peek(0) & 0xc0) == 0x80; i++) this.at++;
    this.put(byte);
  }

  private peek(ahead: i32): i32 {
    const at = this.at + ahead;
    return at < this.text.length ? this.text.at(at) : 0;
  }

  /** -1: not so many hexadecimal digits. */
  private hex(from: i32, digits: i32): i32 {
    let value = 0;
    for (let i = 0; i < digits; i++) {
      const digit = digitOf(this.peek(from + i));
      if (digit < 0) return -1;
      value = value * 16 + digit;
    }
    return value;
  }
}

function digitOf(byte: i32): i32 {
  if (<u32>(byte - 48) < 10) return byte - 48;
  return <u32>((byte | 32) - 97) < 6 ? (byte | 32) - 87 : -1;
}

/**
 * A text view without what SQL takes for comments: each is a space, but for the inside of MySQL's own ones (`/*!50000union*​/`), which it runs.
 */
export function withoutComments(text: Bytes, out: ByteWriter): Bytes {
  out.clear();
  let inside = false;
  let spaced = false;
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    const next = i + 1 < text.length ? text.at(i + 1) : 0;
    let instead = byte;
    if (byte == 47 && next == 42) {
      i += 2;
      instead = 32;
      inside = i >= text.length || text.at(i) != 33;
      if (inside) i--;
      else while (i + 1 < text.length && <u32>(text.at(i + 1) - 48) < 10) i++;
    } else if (byte == 42 && next == 47) {
      i++;
      inside = false;
      instead = 32;
    } else if (inside) continue;
    const isSpace = instead == 32 || instead == 10;
    if (!isSpace || !spaced) out.addByte(instead);
    spaced = isSpace;
  }
  return out.view();
}

/**
 * A text view as a shell reads words: without quotes, backslashes, carets and continued lines, `${ifs}` a space, and nothing where
 * nothing comes from: empty substitutions, parameters that are not set, and a variable that goes on a word (`c${x}url`).
 */
export function asShellWords(text: Bytes, out: ByteWriter): Bytes {
  const start = out.clear().reserve(text.length);
  let to = start;
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    if (byte == 92 && i + 1 < text.length && text.at(i + 1) == 10) i++;
    else if (byte == 34 || byte == 39 || byte == 92 || byte == 94) continue;
    else if (byte != 36) store<u8>(to++, byte);
    else {
      const next = i + 1 < text.length ? text.at(i + 1) : 0;
      const separator = endOfSeparator(text, i + 1);
      if (separator > 0) {
        if (to == start || load<u8>(to - 1) != 32) store<u8>(to++, 32);
        i = separator - 1;
      } else if (next == 64 || next == 42) i++;
      else if (next == 40 && i + 2 < text.length && text.at(i + 2) == 41) i += 2;
      else if (next == 34 || next == 39) continue;
      else {
        const end = to > start && isLetter(load<u8>(to - 1)) ? endOfParameter(text, i + 1) : 0;
        if (end > 0) i = end - 1;
        else store<u8>(to++, byte);
      }
    }
  }
  return Bytes.of(start, <i32>(to - start));
}

/** Behind `ifs`, `{ifs}`, `{ifs%??}` and `ifs$9`; 0: none of them. */
function endOfSeparator(text: Bytes, from: i32): i32 {
  let at = 0;
  if (isWord(text, from, 'ifs')) at = from + 3;
  else if (isWord(text, from, '{ifs')) {
    at = from + 4;
    while (at < text.length && text.at(at) != 125 && text.at(at) != 32) at++;
    if (at == text.length || text.at(at) != 125) return 0;
    at++;
  } else return 0;
  // Nobody has set the parameter $9 either, and it ends the name in front.
  return at + 1 < text.length && text.at(at) == 36 && <u32>(text.at(at + 1) - 48) < 10 ? at + 2 : at;
}

function isLetter(byte: i32): bool {
  return <u32>(byte - 97) < 26;
}

/** Behind `x`, `{x}` or, within a word, one of `!`, `?`, `-`, `$`, `_` and digits; 0: there is no name of a parameter. */
function endOfParameter(text: Bytes, from: i32): i32 {
  if (from + 1 < text.length && isLetter(text.at(from + 1)) && isSpecial(text.at(from))) return from + 1;
  const isBraced = from < text.length && text.at(from) == 123;
  let at = isBraced ? from + 1 : from;
  const start = at;
  while (
    at < text.length &&
    (isLetter(text.at(at)) || text.at(at) == 95 || (at > start && <u32>(text.at(at) - 48) < 10))
  )
    at++;
  if (at == start) return 0;
  if (!isBraced) return at;
  return at < text.length && text.at(at) == 125 ? at + 1 : 0;
}

function isSpecial(byte: i32): bool {
  return byte == 33 || byte == 63 || byte == 45 || byte == 36 || byte == 95 || <u32>(byte - 48) < 10;
}

function isWord(text: Bytes, from: i32, word: string): bool {
  if (text.length - from < word.length) return false;
  for (let i = 0; i < word.length; i++) if (text.at(from + i) != word.charCodeAt(i)) return false;
  return true;
}
