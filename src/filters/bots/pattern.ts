import { Bytes, lower, view } from '@weir/filters-sdk/assembly';
import { JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';

const STAR = 42;

/** A text that lies somewhere in a value; with stars, one that the whole value fits. In any case of letters. */
class Pattern {
  /** Between the stars, in lower case. */
  private parts: ArrayBuffer[] = [];
  private whole: bool = false;

  constructor(text: Bytes) {
    this.whole = text.indexOf(STAR) >= 0;
    let from = 0;
    while (from <= text.length) {
      const star = text.indexOf(STAR, from);
      const end = star < 0 ? text.length : star;
      const part = text.slice(from, end).copy();
      for (let at = changetype<usize>(part); at < changetype<usize>(part) + part.byteLength; at++)
        store<u8>(at, <u8>lower(load<u8>(at)));
      this.parts.push(part);
      from = end + 1;
    }
  }

  fits(value: Bytes): bool {
    const parts = this.parts;
    if (!this.whole) return find(value, parts[0], 0) >= 0;
    const last = parts[parts.length - 1];
    if (value.length < parts[0].byteLength + last.byteLength || !liesAt(value, parts[0], 0)) return false;
    // The first place that each part fits leaves the most for those behind it.
    let at = parts[0].byteLength;
    for (let i = 1; i < parts.length - 1; i++) {
      const found = find(value, parts[i], at);
      if (found < 0) return false;
      at = found + parts[i].byteLength;
    }
    return value.length - last.byteLength >= at && liesAt(value, last, value.length - last.byteLength);
  }
}

function find(value: Bytes, part: ArrayBuffer, from: i32): i32 {
  for (let at = from; at <= value.length - part.byteLength; at++) if (liesAt(value, part, at)) return at;
  return -1;
}

function liesAt(value: Bytes, part: ArrayBuffer, at: i32): bool {
  for (let i = 0; i < part.byteLength; i++)
    if (lower(value.at(at + i)) != <i32>load<u8>(changetype<usize>(part) + i)) return false;
  return true;
}

/** Several, of which one must fit. */
export class Patterns {
  private patterns: Pattern[] = [];

  static read(items: JsonValue[]): Patterns {
    const list = new Patterns();
    for (let i = 0; i < items.length; i++) {
      if (items[i].kind != JsonKind.String || items[i].text.byteLength == 0)
        faultAt(items[i], 'expected a text');
      else list.patterns.push(new Pattern(view(items[i].text)));
    }
    return list;
  }

  fit(value: Bytes): bool {
    for (let i = 0; i < this.patterns.length; i++) if (this.patterns[i].fits(value)) return true;
    return false;
  }
}
