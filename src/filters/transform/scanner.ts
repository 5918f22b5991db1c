import { highestAfter, isJsonBlank, lowestAfter } from './json-text';

/** What comes next. */
enum State {
  Value,
  /** A value, or `]`. */
  FirstItem,
  /** A name, or `}`. */
  FirstName,
  Name,
  Colon,
  /** Behind a value: a comma, or what closes the list. */
  After,
  /** Behind the value that is the text. */
  End,
  String,
  Escape,
  Hex,
  Minus,
  Zero,
  Whole,
  Dot,
  Fraction,
  E,
  Sign,
  Exponent,
  Word,
  /** Of a byte order mark in front. */
  Mark,
  Fault,
}

const WORDS = ['true', 'false', 'null'];
const MARK = 0xbfbbef;
const ONES: u64 = 0x0101010101010101;
const HIGHS: u64 = 0x8080808080808080;
/** Beyond it a filter would use more stack than it has. */
export const MOST_DEPTH = 256;

/**
 * Reads a JSON text strictly (RFC 8259, and UTF-8 by RFC 3629) in pieces as they come. It needs room for its depth alone.
 * A byte order mark in front is passed by (section 8.1). What half surrogates stand for is nobody's business here.
 */
export abstract class Scanner {
  private state: State = State.Value;
  protected depth: i32 = 0;
  /** For each open list: 1 for an object. */
  private objects: StaticArray<u8> = new StaticArray<u8>(MOST_DEPTH + 1);
  private word: i32 = 0;
  /** Of an escape, a word or a mark: what has been read of it. */
  private count: i32 = 0;
  /** Bytes of a character that are to come, and bounds of the next one. */
  private rest: i32 = 0;
  private low: i32 = 0x80;
  private high: i32 = 0xbf;
  /** The string that is being read is a member's name. */
  protected isName: bool = false;
  /** The name has escapes. */
  protected isEscaped: bool = false;

  protected abstract nameBegins(at: usize): void;
  /** @param at behind the closing quote */
  protected abstract nameEnds(at: usize): void;
  protected abstract valueBegins(at: usize): void;
  /** @param at behind its last byte; that may be where the next piece begins */
  protected abstract valueEnds(at: usize): void;

  constructor(public maxDepth: i32) {}

  begin(): void {
    this.state = State.Value;
    this.depth = 0;
    this.rest = 0;
    this.isName = false;
    this.count = 0;
  }

  protected get inObject(): bool {
    return unchecked(this.objects[this.depth]) == 1;
  }

  /** Between two values, or in a name: not in a value that is neither object nor list. */
  protected get isBetween(): bool {
    return this.state <= State.End || (this.isName && this.state <= State.Hex);
  }

  /** Whether what came is the whole of a text. */
  end(): bool {
    const state = this.state;
    const isNumber =
      state == State.Zero || state == State.Whole || state == State.Fraction || state == State.Exponent;
    if (isNumber && this.depth == 0) this.closeValue(0);
    return this.state == State.End;
  }

  protected fail(): void {
    this.state = State.Fault;
  }

  /** Reads the next piece. False: it is not JSON, and never will be. */
  protected scan(from: usize, to: usize): bool {
    let at = from;
    while (at < to) {
      const state = this.state;
      if (state == State.Fault) return false;
      if (state == State.String) at = this.readString(at, to);
      else if (state <= State.End) at = this.readBetween(at, to);
      else if (state == State.Escape || state == State.Hex) this.readEscape(load<u8>(at++));
      else if (state == State.Word) this.readWord(load<u8>(at), ++at);
      else if (state == State.Mark) this.readMark(load<u8>(at++));
      else at = this.readNumber(at, to);
    }
    return this.state != State.Fault;
  }

  /** Blanks, brackets, colons and commas, up to what begins a name or a value. */
  private readBetween(from: usize, to: usize): usize {
    let at = from;
    while (at < to) {
      const byte: i32 = load<u8>(at);
      if (isJsonBlank(byte)) {
        at++;
        continue;
      }
      const state = this.state;
      if (state == State.Colon) {
        if (byte != 58) return this.fault(at);
        this.state = State.Value;
      } else if (state == State.After) {
        if (byte == 44) this.state = this.inObject ? State.Name : State.Value;
        else if (byte == (this.inObject ? 125 : 93)) this.closeList(at);
        else return this.fault(at);
      } else if (state == State.Name || (state == State.FirstName && byte != 125)) {
        if (byte != 34) return this.fault(at);
        this.beginName(at + 1);
        return at + 1;
      } else if (state == State.Value || (state == State.FirstItem && byte != 93)) {
        this.beginValue(at, byte);
        if (this.state > State.End) return at + 1;
      } else if (state == State.End) return this.fault(at);
      else this.closeList(at);
      at++;
    }
    return at;
  }

  /** @param at behind the quote */
  private beginName(at: usize): void {
    this.isName = true;
    this.isEscaped = false;
    this.state = State.String;
    this.nameBegins(at);
  }

  private beginValue(at: usize, byte: i32): void {
    if (byte == 0xef && this.depth == 0 && this.count == 0) {
      this.state = State.Mark;
      this.count = 1;
      return;
    }
    const isList = byte == 123 || byte == 91;
    if (isList && this.depth == this.maxDepth) {
      this.state = State.Fault;
      return;
    }
    if (byte == 34) this.state = State.String;
    else if (isList) this.state = byte == 123 ? State.FirstName : State.FirstItem;
    else if (byte == 45) this.state = State.Minus;
    else if (byte == 48) this.state = State.Zero;
    else if (<u32>(byte - 49) < 9) this.state = State.Whole;
    else {
      this.state = State.Word;
      this.word = byte == 116 ? 0 : byte == 102 ? 1 : 2;
      this.count = 1;
      if (byte != WORDS[this.word].charCodeAt(0)) {
        this.state = State.Fault;
        return;
      }
    }
    this.valueBegins(at);
    if (isList) unchecked((this.objects[++this.depth] = byte == 123 ? 1 : 0));
  }

  private closeList(at: usize): void {
    this.listEnds(at);
    this.depth--;
    this.closeValue(at + 1);
  }

  /** @param at of the bracket */
  protected abstract listEnds(at: usize): void;

  private closeValue(at: usize): void {
    this.state = this.depth == 0 ? State.End : State.After;
    this.valueEnds(at);
  }

  private readString(at: usize, to: usize): usize {
    while (at < to) {
      // Eight at a time while there is neither quote, backslash, control character nor anything but ASCII.
      if (this.rest == 0) {
        while (at + 8 <= to) {
          const word = load<u64>(at);
          const quote = word ^ (ONES * 34);
          const slash = word ^ (ONES * 92);
          const special =
            ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash) | ((word - ONES * 32) & ~word) | word;
          if ((special & HIGHS) != 0) break;
          at += 8;
        }
        if (at == to) break;
      }
      const byte: i32 = load<u8>(at++);
      if (this.rest > 0) {
        if (byte < this.low || byte > this.high) return this.fault(at);
        this.rest--;
        this.low = 0x80;
        this.high = 0xbf;
      } else if (byte == 34) {
        if (!this.isName) this.closeValue(at);
        else {
          this.isName = false;
          this.state = State.Colon;
          this.nameEnds(at);
        }
        return at;
      } else if (byte == 92) {
        this.state = State.Escape;
        this.isEscaped = true;
        return at;
      } else if (byte < 32) return this.fault(at);
      else if (byte >= 128) {
        if (byte < 0xc2 || byte > 0xf4) return this.fault(at);
        this.rest = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
        this.low = lowestAfter(byte);
        this.high = highestAfter(byte);
      }
    }
    return at;
  }

  private fault(at: usize): usize {
    this.state = State.Fault;
    return at;
  }

  private readEscape(byte: i32): void {
    if (this.state == State.Hex) {
      const isDigit = <u32>(byte - 48) < 10 || <u32>((byte | 32) - 97) < 6;
      if (!isDigit) this.state = State.Fault;
      else if (--this.count == 0) this.state = State.String;
      return;
    }
    this.state = State.String;
    if (byte == 117) {
      this.state = State.Hex;
      this.count = 4;
      return;
    }
    // " \ / b f n r t
    const known =
      byte == 34 ||
      byte == 92 ||
      byte == 47 ||
      byte == 98 ||
      byte == 102 ||
      byte == 110 ||
      byte == 114 ||
      byte == 116;
    if (!known) this.state = State.Fault;
  }

  private readWord(byte: i32, behind: usize): void {
    const word = WORDS[this.word];
    if (byte != word.charCodeAt(this.count)) this.state = State.Fault;
    else if (++this.count == word.length) this.closeValue(behind);
  }

  private readMark(byte: i32): void {
    if (byte != ((MARK >> (8 * this.count)) & 255)) this.state = State.Fault;
    else if (++this.count == 3) this.state = State.Value;
  }

  private readNumber(at: usize, to: usize): usize {
    while (at < to) {
      const byte: i32 = load<u8>(at);
      const isDigit = <u32>(byte - 48) < 10;
      const state = this.state;
      if (isDigit) {
        if (state == State.Zero) return this.fault(at);
        if (state == State.Minus) this.state = byte == 48 ? State.Zero : State.Whole;
        else if (state == State.Dot) this.state = State.Fraction;
        else if (state == State.E || state == State.Sign) this.state = State.Exponent;
      } else if (state == State.Minus || state == State.Dot || state == State.Sign) return this.fault(at);
      else if (state == State.E) {
        if (byte != 43 && byte != 45) return this.fault(at);
        this.state = State.Sign;
      } else if (byte == 46 && state <= State.Whole) this.state = State.Dot;
      else if ((byte | 32) == 101 && state != State.Exponent) this.state = State.E;
      else {
        this.closeValue(at);
        return at;
      }
      at++;
    }
    return at;
  }
}
