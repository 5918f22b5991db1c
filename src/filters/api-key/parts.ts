import { ByteWriter, Bytes } from '@weir/filters-sdk/assembly';

// Parameters of a query and cookies: finding one, and the whole without it.

/** A part `name=value`, moved along by `next`. */
export class Parts {
  /** Whole part, as it stands. */
  private text: Bytes;
  private separator: i32;
  private at: i32 = 0;
  /** Bounds of the part, of its name and of its value, in the text. */
  start: i32 = 0;
  end: i32 = 0;
  private equals: i32 = 0;

  constructor() {
    this.text = changetype<Bytes>(0);
    this.separator = 0;
  }

  /** @param separator `&` or `;` */
  begin(text: Bytes, from: i32, separator: i32): void {
    this.text = text;
    this.separator = separator;
    this.at = from;
  }

  next(): bool {
    const text = this.text;
    if (this.at > text.length) return false;
    this.start = this.at;
    const end = text.indexOf(this.separator, this.at);
    this.end = end < 0 ? text.length : end;
    this.at = this.end + 1;
    const equals = text.indexOf(61, this.start);
    this.equals = equals < 0 || equals > this.end ? this.end : equals;
    return true;
  }

  get name(): Bytes {
    return this.text.slice(this.start, this.equals);
  }

  get value(): Bytes {
    return this.text.slice(this.equals + 1, this.end);
  }
}

/** Decodes `%41` and `+` of a query into `into`. What is not a valid escape stays as it is. */
export function decodeQuery(text: Bytes, into: ByteWriter): Bytes {
  into.clear();
  for (let i = 0; i < text.length; i++) {
    let byte = text.at(i);
    if (byte == 43) byte = 32;
    else if (byte == 37 && i + 2 < text.length) {
      const high = hexValue(text.at(i + 1));
      const low = hexValue(text.at(i + 2));
      if (high >= 0 && low >= 0) {
        byte = (high << 4) | low;
        i += 2;
      }
    }
    into.addByte(byte);
  }
  return into.view();
}

function hexValue(byte: i32): i32 {
  if (<u32>(byte - 48) < 10) return byte - 48;
  return <u32>((byte | 32) - 97) < 6 ? (byte | 32) - 87 : -1;
}

/** A cookie's value without the quotes that may stand around it. */
export function unquote(value: Bytes): Bytes {
  const length = value.length;
  return length >= 2 && value.at(0) == 34 && value.at(length - 1) == 34 ? value.slice(1, length - 1) : value;
}
