import { Bytes, ByteWriter } from '@weir/filters-sdk/assembly';
import { writeUtf8 } from '@weir/filters-sdk/assembly/bytes';
import { Inspector } from './inspector';
import { Target } from './rule';

const DEPTH = 64;
const NOTHING = changetype<Bytes>(memory.data(8));

/** Looks at all names and strings of a JSON text (RFC 8259), without building it. */
export class JsonStrings {
  private text: Bytes = NOTHING;
  private at: i32 = 0;
  private readonly name: ByteWriter = new ByteWriter();
  private readonly value: ByteWriter = new ByteWriter();
  /** Names and strings so far. */
  count: i32 = 0;

  /** @returns false where the text is no JSON, or nested deeper than this reads */
  look(inspector: Inspector, text: Bytes): bool {
    this.text = text;
    this.at = 0;
    this.count = 0;
    this.name.clear();
    if (!this.any(inspector, 0)) return false;
    this.blanks();
    return this.at == text.length;
  }

  private peek(): i32 {
    return this.at < this.text.length ? this.text.at(this.at) : -1;
  }

  private blanks(): void {
    for (let next = this.peek(); next == 32 || (next >= 9 && next <= 13 && next != 11); next = this.peek())
      this.at++;
  }

  private any(inspector: Inspector, depth: i32): bool {
    if (depth > DEPTH) return false;
    this.blanks();
    const next = this.peek();
    if (next == 123) return this.object(inspector, depth);
    if (next == 91) return this.array(inspector, depth);
    if (next == 34) {
      if (!this.string(this.value)) return false;
      this.count++;
      inspector.look(Target.Args, this.name.view(), this.value.view());
      return true;
    }
    return this.word();
  }

  private object(inspector: Inspector, depth: i32): bool {
    this.at++;
    this.blanks();
    if (this.peek() == 125) return this.pass();
    while (true) {
      this.blanks();
      if (this.peek() != 34 || !this.string(this.name)) return false;
      this.count++;
      inspector.look(Target.ArgNames, this.name.view(), this.name.view());
      this.blanks();
      if (this.peek() != 58) return false;
      this.at++;
      if (!this.any(inspector, depth + 1)) return false;
      this.blanks();
      if (this.peek() == 125) return this.pass();
      if (this.peek() != 44) return false;
      this.at++;
    }
  }

  private array(inspector: Inspector, depth: i32): bool {
    this.at++;
    this.blanks();
    if (this.peek() == 93) return this.pass();
    while (true) {
      if (!this.any(inspector, depth + 1)) return false;
      this.blanks();
      if (this.peek() == 93) return this.pass();
      if (this.peek() != 44) return false;
      this.at++;
    }
  }

  private pass(): bool {
    this.at++;
    return true;
  }

  /** A number, true, false or null: nothing that could hide anything. */
  private word(): bool {
    const from = this.at;
    for (let next = this.peek(); ; next = this.peek()) {
      const letter = next | 32;
      const fits = <u32>(next - 48) < 10 || <u32>(letter - 97) < 26 || next == 45 || next == 43 || next == 46;
      if (!fits || next < 0) break;
      this.at++;
    }
    const word = this.text.slice(from, this.at);
    const first = word.length > 0 ? word.at(0) : 0;
    if (<u32>(first - 48) < 10 || first == 45) return word.length <= 400;
    return word.equals('true') || word.equals('false') || word.equals('null');
  }

  private string(into: ByteWriter): bool {
    into.clear();
    this.at++;
    while (true) {
      const from = this.at;
      let next = this.peek();
      while (next != 34 && next != 92 && next >= 32) {
        this.at++;
        next = this.peek();
      }
      if (next < 32) return false;
      into.add(this.text.slice(from, this.at));
      this.at++;
      if (next == 34) return true;
      if (!this.escape(into)) return false;
    }
  }

  private escape(into: ByteWriter): bool {
    const next = this.peek();
    this.at++;
    if (next == 117) {
      let point = this.unit();
      if (point < 0) return false;
      if (
        (point & 0xfc00) == 0xd800 &&
        this.peek() == 92 &&
        this.at + 1 < this.text.length &&
        this.text.at(this.at + 1) == 117
      ) {
        this.at += 2;
        const low = this.unit();
        if (low < 0) return false;
        point = (low & 0xfc00) == 0xdc00 ? 0x10000 + ((point & 0x3ff) << 10) + (low & 0x3ff) : 0xfffd;
      }
      const to = into.reserve(4);
      into.truncate(into.length - 4 + <i32>(writeUtf8(to, point) - to));
      return true;
    }
    if (next == 34 || next == 92 || next == 47) into.addByte(next);
    else if (next == 110) into.addByte(10);
    else if (next == 114) into.addByte(13);
    else if (next == 116) into.addByte(9);
    else if (next == 98 || next == 102) into.addByte(32);
    else return false;
    return true;
  }

  /** Four hexadecimal digits; -1: there are not. */
  private unit(): i32 {
    let value = 0;
    for (let i = 0; i < 4; i++) {
      const byte = this.peek();
      const digit = <u32>(byte - 48) < 10 ? byte - 48 : <u32>((byte | 32) - 97) < 6 ? (byte | 32) - 87 : -1;
      if (digit < 0) return -1;
      value = value * 16 + digit;
      this.at++;
    }
    return value;
  }
}
