import { ByteWriter, Bytes, utf8 } from '@weir/filters-sdk/assembly';

const CAMPAIGN = utf8('utm_');
const QUESTION: i32 = 63;
const AMPERSAND: i32 = 38;
const EQUALS: i32 = 61;
/** Sorting more would be work that a client can ask for. */
const MOST: i32 = 64;

/** The parameters of one query, sorted. Made once, used for every request. */
export class Parameters {
  private count: i32 = 0;
  /** Views end with the callback, so addresses are kept no longer than that. */
  private starts: StaticArray<usize> = new StaticArray<usize>(MOST);
  private lengths: StaticArray<i32> = new StaticArray<i32>(MOST);

  /** Takes a query apart. False where there are too many. */
  split(query: Bytes): bool {
    this.count = 0;
    for (let from = 0; from < query.length;) {
      const next = query.indexOf(AMPERSAND, from);
      const to = next < 0 ? query.length : next;
      if (to > from && !this.insert(query.slice(from, to))) return false;
      from = to + 1;
    }
    return true;
  }

  /** `?a=1&b=2`, without those that are ignored; nothing where none is left. */
  write(writer: ByteWriter, ignore: ArrayBuffer[]): void {
    let separator = QUESTION;
    for (let i = 0; i < this.count; i++) {
      const parameter = this.at(i);
      if (isIgnored(parameter, ignore)) continue;
      writer.addByte(separator).add(parameter);
      separator = AMPERSAND;
    }
  }

  private at(index: i32): Bytes {
    return Bytes.of(this.starts[index], this.lengths[index]);
  }

  private insert(parameter: Bytes): bool {
    if (this.count == MOST) return false;
    let at = this.count++;
    for (; at > 0 && isBefore(parameter, this.at(at - 1)); at--) {
      this.starts[at] = this.starts[at - 1];
      this.lengths[at] = this.lengths[at - 1];
    }
    this.starts[at] = parameter.start;
    this.lengths[at] = parameter.length;
    return true;
  }
}

function isIgnored(parameter: Bytes, ignore: ArrayBuffer[]): bool {
  const equals = parameter.indexOf(EQUALS);
  const name = equals < 0 ? parameter : parameter.slice(0, equals);
  if (name.startsWith(CAMPAIGN)) return true;
  for (let i = 0; i < ignore.length; i++) if (name.equals(ignore[i])) return true;
  return false;
}

function isBefore(left: Bytes, right: Bytes): bool {
  const common = min(left.length, right.length);
  for (let i = 0; i < common; i++) {
    if (left.at(i) != right.at(i)) return left.at(i) < right.at(i);
  }
  return left.length < right.length;
}
