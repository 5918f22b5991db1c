import { Bytes } from './bytes';
import { ByteWriter } from './writer';

const QUESTION = 63;
const AMPERSAND = 38;
const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;

/**
 * Walks along the parameters of a query or the cookies of a field (RFC 6265, section 4.2), all of them: a name may be there
 * more than once. Make one when the module starts and use it for every request.
 */
export class Parts {
  private text: Bytes = changetype<Bytes>(0);
  private separator: i32 = 0;
  private at: i32 = 0;
  private start: i32 = 0;
  private equals: i32 = 0;
  private end: i32 = 0;

  /** To the front of the parameters of a path: `/a?b=1&c` has two, one without `?` has none. */
  query(path: Bytes): Parts {
    const mark = path.indexOf(QUESTION);
    return this.begin(path, mark < 0 ? path.length + 1 : mark + 1, AMPERSAND);
  }

  /** The same for a query without the path, or a form's body. */
  parameters(text: Bytes): Parts {
    return this.begin(text, 0, AMPERSAND);
  }

  /** To the front of the cookies in the value of one `cookie` field; a request may have several. */
  cookies(field: Bytes): Parts {
    return this.begin(field, 0, SEMICOLON);
  }

  private begin(text: Bytes, from: i32, separator: i32): Parts {
    this.text = text;
    this.separator = separator;
    this.at = from;
    return this;
  }

  /** Goes to the next part, which may be empty; false behind the last one. */
  next(): bool {
    const text = this.text;
    if (this.at > text.length) return false;
    this.start = this.at;
    const end = text.indexOf(this.separator, this.at);
    this.end = end < 0 ? text.length : end;
    this.at = this.end + 1;
    const equals = text.indexOf(EQUALS, this.start);
    this.equals = equals < 0 || equals > this.end ? this.end : equals;
    return true;
  }

  /** The part as it stands, without blanks around it. */
  get whole(): Bytes {
    return this.text.slice(this.start, this.end).trim();
  }

  /** What stands before `=`; of a query as it is written, see {@link decodeQuery}. */
  get name(): Bytes {
    return this.text.slice(this.start, this.equals).trim();
  }

  /** What stands behind `=`; of a cookie without the quotes that may be around it. Empty where there is no `=`. */
  get value(): Bytes {
    const value = this.text.slice(this.equals + 1, this.end).trim();
    const length = value.length;
    if (this.separator != SEMICOLON || length < 2) return value;
    return value.at(0) == QUOTE && value.at(length - 1) == QUOTE ? value.slice(1, length - 1) : value;
  }
}

/** Decodes `%41` and `+` of a query into a writer, and views it there. What is not a valid escape stays as it is. */
export function decodeQuery(text: Bytes, into: ByteWriter): Bytes {
  return decode(text, into, 32);
}

/** Decodes `%41` of a part of a path into a writer, and views it there. What is not a valid escape stays as it is. */
export function decodePart(text: Bytes, into: ByteWriter): Bytes {
  return decode(text, into, 43);
}

/** @param plus what a `+` stands for */
function decode(text: Bytes, into: ByteWriter, plus: i32): Bytes {
  into.clear();
  for (let i = 0; i < text.length; i++) {
    let byte = text.at(i);
    if (byte == 43) byte = plus;
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

/**
 * Writes a text as part of a path or query: all bytes but letters, digits and `-._~` (RFC 3986, section 2.3) become `%41`.
 * What a client says cannot change the path of a call so.
 */
export function encodePart(text: Bytes, into: ByteWriter): void {
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    const letter = byte | 32;
    const stays = <u32>(letter - 97) < 26 || <u32>(byte - 48) < 10;
    if (stays || byte == 45 || byte == 46 || byte == 95 || byte == 126) into.addByte(byte);
    else
      into
        .addByte(37)
        .addByte(hexDigit(byte >> 4))
        .addByte(hexDigit(byte & 15));
  }
}

function hexDigit(value: i32): i32 {
  return value < 10 ? value + 48 : value + 55;
}

function hexValue(byte: i32): i32 {
  if (<u32>(byte - 48) < 10) return byte - 48;
  return <u32>((byte | 32) - 97) < 6 ? (byte | 32) - 87 : -1;
}
