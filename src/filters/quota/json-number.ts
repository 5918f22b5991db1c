import { Bytes } from '@weir/filters-sdk/assembly';
import { MOST } from './plan';

enum In {
  /** Between tokens. */
  Gap,
  String,
  /** After a backslash in a string. */
  Escape,
  Number,
  Fraction,
}

const DATA = 'data:';

/**
 * Finds one number in JSON that comes in pieces, by the names of the objects around it, and keeps none of the text.
 * Where there are several, the last one is taken. Texts that are no JSON hurt nothing.
 */
export class JsonNumber {
  /** -1: not found yet. */
  value: i64 = -1;
  /** The text is a stream of events (text/event-stream), each with JSON of its own. */
  events: bool = false;
  private state: In = In.Gap;
  /** Objects and arrays around this place. */
  private depth: i32 = 0;
  /** How many of them, from the outside in, are those of the path. */
  private along: i32 = 0;
  /** A string that comes now is a name. */
  private wantsName: bool = false;
  private inName: bool = false;
  /** Bytes of the name that fit so far; -1: it is another. */
  private fits: i32 = -1;
  /** The value that comes now is the path's next. */
  private isNext: bool = false;
  private digits: i64 = 0;
  private rest: bool = false;
  /** Of events: bytes of `data:` that the line began with; -1: another line. */
  private lineAt: i32 = 0;
  private lineIsEmpty: bool = true;

  constructor(private path: ArrayBuffer[]) {}

  clear(): void {
    this.value = -1;
    this.events = false;
    this.lineAt = 0;
    this.lineIsEmpty = true;
    this.begin();
  }

  private begin(): void {
    this.state = In.Gap;
    this.depth = 0;
    this.along = 0;
    this.wantsName = false;
    this.inName = false;
    this.isNext = false;
  }

  read(bytes: Bytes): void {
    const end = bytes.start + bytes.length;
    if (!this.events) {
      for (let at = bytes.start; at < end; at++) this.take(load<u8>(at));
      return;
    }
    for (let at = bytes.start; at < end; at++) this.takeOfLine(load<u8>(at));
  }

  /** Nothing more comes: a number that was being read is whole. */
  end(): void {
    if (this.state >= In.Number) this.found();
  }

  private takeOfLine(byte: u8): void {
    if (byte == 10 || byte == 13) {
      // An empty line ends an event.
      if (this.lineIsEmpty) {
        this.end();
        this.begin();
      } else if (this.lineAt == DATA.length) this.take(10);
      this.lineAt = 0;
      this.lineIsEmpty = true;
      return;
    }
    this.lineIsEmpty = false;
    if (this.lineAt == DATA.length) this.take(byte);
    else if (this.lineAt >= 0) this.lineAt = <i32>byte == DATA.charCodeAt(this.lineAt) ? this.lineAt + 1 : -1;
  }

  private take(byte: u8): void {
    switch (this.state) {
      case In.String:
        this.takeOfString(byte);
        return;
      case In.Escape:
        this.state = In.String;
        return;
      case In.Number:
      case In.Fraction:
        if (this.takeOfNumber(byte)) return;
        break;
      default:
        break;
    }
    this.takeBetween(byte);
  }

  private takeOfString(byte: u8): void {
    if (byte == 92) {
      this.state = In.Escape;
      // A name that is written with escapes is taken for another.
      this.fits = -1;
    } else if (byte == 34) {
      this.state = In.Gap;
      if (!this.inName) return;
      this.inName = false;
      this.isNext = this.fits == this.path[this.along - 1].byteLength;
    } else if (this.inName && this.fits >= 0) {
      const name = this.path[this.along - 1];
      const isSame = this.fits < name.byteLength && load<u8>(changetype<usize>(name) + this.fits) == byte;
      this.fits = isSame ? this.fits + 1 : -1;
    }
  }

  /** False where the number is over, and the byte is still to be looked at. */
  private takeOfNumber(byte: u8): bool {
    if (<u32>(byte - 48) < 10) {
      if (this.state == In.Number) this.digits = min(MOST, this.digits * 10 + (byte - 48));
      else if (byte != 48) this.rest = true;
      return true;
    }
    if (byte == 46 && this.state == In.Number) {
      this.state = In.Fraction;
      return true;
    }
    // Numbers with an exponent are not read.
    if ((byte | 32) == 101) this.state = In.Gap;
    else this.found();
    return false;
  }

  private found(): void {
    this.state = In.Gap;
    this.value = this.digits + (this.rest ? 1 : 0);
  }

  private takeBetween(byte: u8): void {
    if (byte == 34) {
      this.state = In.String;
      this.inName = this.wantsName && this.depth == this.along;
      this.fits = 0;
      this.wantsName = false;
      if (!this.inName) this.isNext = false;
    } else if (byte == 123 || byte == 91) {
      const isRoot = this.depth == 0;
      const isPath = isRoot || (this.isNext && this.depth == this.along && this.along < this.path.length);
      if (byte == 123 && isPath && this.along == this.depth) this.along++;
      this.depth++;
      this.isNext = false;
      this.wantsName = byte == 123;
    } else if (byte == 125 || byte == 93) {
      if (this.depth > 0) {
        if (this.along == this.depth) this.along--;
        this.depth--;
      }
      this.isNext = false;
      this.wantsName = false;
    } else if (byte == 44) {
      this.isNext = false;
      // Whether this is an object matters along the path alone, where it always is.
      this.wantsName = this.depth == this.along;
    } else if (<u32>(byte - 48) < 10) {
      if (!this.isNext || this.along != this.path.length || this.depth != this.along) return;
      this.state = In.Number;
      this.isNext = false;
      this.digits = byte - 48;
      this.rest = false;
    } else if (byte == 45) this.isNext = false;
  }
}
