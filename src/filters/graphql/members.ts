import { Bytes } from '@weir/filters-sdk/assembly';

/**
 * Walks along the members of a JSON object or the items of an array, of a text that a scan has found right. Names and values are as they
 * are written, escapes and quotes of texts included.
 */
export class Members {
  private at: usize = 0;
  private end: usize = 0;
  private named: bool = false;
  /** Of a member, without its quotes. */
  name: Bytes = changetype<Bytes>(0);
  value: Bytes = changetype<Bytes>(0);

  begin(text: Bytes): this {
    this.at = text.start + 1;
    this.end = text.start + text.length - 1;
    this.named = text.length > 0 && text.at(0) == 123;
    return this;
  }

  next(): bool {
    this.skip();
    if (this.at >= this.end) return false;
    if (this.named) {
      const quoted = this.take();
      this.name = quoted.slice(1, quoted.length - 1);
      // Blanks and the colon.
      this.skip();
    }
    this.value = this.take();
    return true;
  }

  /** Blanks, commas and colons. */
  private skip(): void {
    while (this.at < this.end) {
      const byte = load<u8>(this.at);
      if (byte != 32 && byte != 10 && byte != 13 && byte != 9 && byte != 44 && byte != 58) return;
      this.at++;
    }
  }

  /** One value. */
  private take(): Bytes {
    const from = this.at;
    let depth = 0;
    do {
      const byte = load<u8>(this.at);
      if (byte == 34) this.skipText();
      else if (byte == 123 || byte == 91) {
        depth++;
        this.at++;
      } else if (byte == 125 || byte == 93) {
        depth--;
        this.at++;
      } else if (depth > 0) this.at++;
      else this.skipWord();
    } while (depth > 0);
    return Bytes.of(from, <i32>(this.at - from));
  }

  private skipText(): void {
    this.at++;
    while (load<u8>(this.at) != 34) this.at += load<u8>(this.at) == 92 ? 2 : 1;
    this.at++;
  }

  /** A number, `true`, `false` or `null`. */
  private skipWord(): void {
    while (this.at < this.end) {
      const byte = load<u8>(this.at);
      if (byte == 44 || byte == 125 || byte == 93 || byte <= 32) return;
      this.at++;
    }
  }
}

/** Whether it is a text, with its quotes. */
export function isText(value: Bytes): bool {
  return value.length > 0 && value.at(0) == 34;
}

export function isObject(value: Bytes): bool {
  return value.length > 0 && value.at(0) == 123;
}

export function isArray(value: Bytes): bool {
  return value.length > 0 && value.at(0) == 91;
}
