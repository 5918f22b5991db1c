import { Bytes } from '@weir/filters-sdk/assembly';

/** Reads structured fields (RFC 9651) in the one spelling in which they are serialised; anything else fails. */
export class Cursor {
  at: i32 = 0;
  /** Something was not as it must be; stays so. */
  failed: bool = false;

  constructor(public text: Bytes) {}

  get ended(): bool {
    return this.at >= this.text.length;
  }

  peek(): i32 {
    return this.at < this.text.length ? this.text.at(this.at) : -1;
  }

  /** Goes past this byte where it comes next. */
  skip(byte: i32): bool {
    if (this.peek() != byte) return false;
    this.at++;
    return true;
  }

  expect(byte: i32): void {
    if (!this.skip(byte)) this.failed = true;
  }

  /** A key of a dictionary or a parameter. */
  key(): Bytes {
    const start = this.at;
    const first = this.peek();
    if (!isLetter(first) && first != 42) this.failed = true;
    while (isKeyByte(this.peek())) this.at++;
    return this.text.slice(start, this.at);
  }

  /** What stands between quotes. With a backslash in it, it fails: names and ids have none. */
  string(): Bytes {
    this.expect(34);
    const start = this.at;
    while (this.at < this.text.length) {
      const byte = this.text.at(this.at);
      if (byte == 34) break;
      if (byte < 32 || byte > 126 || byte == 92) this.failed = true;
      this.at++;
    }
    const content = this.text.slice(start, this.at);
    this.expect(34);
    return content;
  }

  /** A whole number that is not negative; of at most 15 digits. */
  integer(): i64 {
    const start = this.at;
    let value: i64 = 0;
    while (<u32>(this.peek() - 48) < 10) value = value * 10 + (this.text.at(this.at++) - 48);
    if (this.at == start || this.at - start > 15) this.failed = true;
    return value;
  }

  /** What stands between colons. */
  byteSequence(): Bytes {
    this.expect(58);
    const start = this.at;
    while (this.at < this.text.length && this.text.at(this.at) != 58) this.at++;
    const content = this.text.slice(start, this.at);
    this.expect(58);
    return content;
  }

  /** On to the next member of a dictionary; false at the end. */
  nextMember(): bool {
    if (this.failed) return false;
    this.skipBlanks();
    if (this.ended) return false;
    if (this.at == 0) return true;
    this.expect(44);
    this.skipBlanks();
    // Nothing may follow a comma.
    if (this.ended) this.failed = true;
    return !this.failed;
  }

  private skipBlanks(): void {
    while (this.peek() == 32 || this.peek() == 9) this.at++;
  }
}

function isLetter(byte: i32): bool {
  return <u32>(byte - 97) < 26;
}

function isKeyByte(byte: i32): bool {
  return isLetter(byte) || <u32>(byte - 48) < 10 || byte == 95 || byte == 45 || byte == 46 || byte == 42;
}
