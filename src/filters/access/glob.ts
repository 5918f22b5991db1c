import { Bytes, view } from '@weir/filters-sdk/assembly';
import { JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';

const STAR = 42;

enum Kind {
  Whole,
  /** `abc*` */
  Begin,
  /** `*abc` */
  End,
  /** `*`: anything that is not empty */
  Any,
}

/** A text, of which a star at one end stands for the rest. */
export class Glob {
  private constructor(
    private kind: Kind,
    private text: ArrayBuffer,
    private ignoreCase: bool,
  ) {}

  static read(value: JsonValue, ignoreCase: bool): Glob {
    const text = view(value.text);
    const length = text.length;
    if (value.kind != JsonKind.String) faultAt(value, 'expected a string');
    else if (length == 0) faultAt(value, 'must not be empty');
    if (length == 1 && text.at(0) == STAR) return new Glob(Kind.Any, value.text, false);
    const first = length > 0 && text.at(0) == STAR;
    const last = length > 0 && text.at(length - 1) == STAR;
    const rest = text.slice(first ? 1 : 0, last ? length - 1 : length);
    if (rest.indexOf(STAR) >= 0 || (first && last)) faultAt(value, 'a "*" may stand at one end alone');
    return new Glob(first ? Kind.End : last ? Kind.Begin : Kind.Whole, rest.copy(), ignoreCase);
  }

  /** The one text that it takes, in whatever case where that counts for nothing; null: it takes more. */
  get exact(): ArrayBuffer | null {
    return this.kind == Kind.Whole ? this.text : null;
  }

  takes(value: Bytes): bool {
    const kind = this.kind;
    if (kind == Kind.Any) return value.length > 0;
    const length = this.text.byteLength;
    if (value.length < length || (kind == Kind.Whole && value.length != length)) return false;
    // The star of `*.example.com` stands for something.
    if (kind == Kind.End && value.length == length) return false;
    const part = kind == Kind.End ? value.slice(value.length - length) : value.slice(0, length);
    return this.ignoreCase ? part.equalsIgnoreCase(this.text) : part.equals(this.text);
  }
}

/** Texts, one of which must fit. */
export class Globs {
  private globs: Glob[] = [];

  static read(values: JsonValue[], ignoreCase: bool = false): Globs {
    const list = new Globs();
    for (let i = 0; i < values.length; i++) list.globs.push(Glob.read(values[i], ignoreCase));
    return list;
  }

  /** The texts that they take; null where there may be any. */
  exact(): ArrayBuffer[] | null {
    const texts: ArrayBuffer[] = [];
    for (let i = 0; i < this.globs.length; i++) {
      const text = this.globs[i].exact;
      if (text === null) return null;
      texts.push(text);
    }
    return texts;
  }

  take(value: Bytes): bool {
    const globs = this.globs;
    for (let i = 0; i < globs.length; i++) if (unchecked(globs[i]).takes(value)) return true;
    return false;
  }
}
