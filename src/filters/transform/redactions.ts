import { ByteWriter, Bytes, view } from '@weir/filters-sdk/assembly';
import { Config, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { ValueTemplate } from './json-value';
import { indexOf, readPointer } from './pointers';

/** What happens to a value. */
export class Redaction {
  /** Its member or item goes as well. */
  drop: bool = false;
  /** How many characters at the end stay; -1: it is not masked. */
  keepLast: i32 = -1;
  /** What stands in its place, where it is neither dropped nor masked. */
  value: ValueTemplate | null = null;
}

enum Token {
  Literal,
  /** `*`: any member or item. */
  Any,
  /** `**`: any number of levels, none included. */
  Deep,
}

const NOTHING = new ArrayBuffer(0);
/** What stands for what a mask hides. */
const STARS = '***';

/**
 * Which values of a document are redacted, as one machine over all pointers: for a list it knows how far each pointer has been
 * followed down to it, one bit for each token.
 */
export class Redactions {
  private kinds: Token[] = [];
  private names: ArrayBuffer[] = [];
  private indexes: i32[] = [];
  /** By token: the redaction where it is the last of its pointer, -1 elsewhere. */
  private ends: i32[] = [];
  private all: Redaction[] = [];
  private firsts: i32[] = [];
  /** Of 64 bits each, that the set of one list has. */
  words: i32 = 0;
  /** Of the whole document, -1 for none. */
  ofRoot: i32 = -1;
  hasDrops: bool = false;

  /** @param text of the configuration */
  static read(text: ArrayBuffer, items: JsonValue[]): Redactions {
    const redactions = new Redactions();
    for (let i = 0; i < items.length; i++) redactions.readItem(text, items[i]);
    return redactions;
  }

  private readItem(text: ArrayBuffer, item: JsonValue): void {
    const config = Config.of(item);
    const redaction = new Redaction();
    const at = config.items('at');
    if (at.length == 0) config.fault('at', '"at" needs a JSON pointer at least');
    let ways = 0;
    if (config.has('drop')) {
      ways++;
      redaction.drop = config.boolean('drop', false);
      if (!redaction.drop) config.fault('drop', 'can be true alone; leave it out otherwise');
    }
    if (config.has('keepLast')) {
      ways++;
      redaction.keepLast = <i32>config.integer('keepLast', 0, 16, 0);
    }
    const replacement = config.member('replace');
    if (replacement !== null) {
      ways++;
      redaction.value = new ValueTemplate(text, replacement);
    }
    if (ways != 1) faultAt(item, 'expected exactly one of: replace, drop, keepLast');
    for (let i = 0; i < at.length; i++) this.add(at[i], readPointer(at[i]), this.all.length, redaction.drop);
    this.all.push(redaction);
    if (redaction.drop) this.hasDrops = true;
    config.end();
  }

  private add(at: JsonValue, tokens: ArrayBuffer[], redaction: i32, drop: bool): void {
    if (tokens.length == 0) {
      if (drop) faultAt(at, 'the whole document cannot be dropped');
      if (this.ofRoot < 0) this.ofRoot = redaction;
      return;
    }
    this.firsts.push(this.kinds.length);
    let before = Token.Literal;
    for (let i = 0; i < tokens.length; i++) {
      const token = view(tokens[i]);
      const kind = token.equals('**') ? Token.Deep : token.equals('*') ? Token.Any : Token.Literal;
      if (kind == Token.Deep && (i + 1 == tokens.length || before == Token.Deep))
        faultAt(at, '** needs a name, an index or * behind it');
      before = kind;
      this.kinds.push(kind);
      this.names.push(kind == Token.Literal ? tokens[i] : NOTHING);
      this.indexes.push(kind == Token.Literal ? indexOf(token) : -1);
      this.ends.push(i + 1 == tokens.length ? redaction : -1);
    }
    this.words = (this.kinds.length + 63) >> 6;
    if (this.kinds.length > 1024) faultAt(at, 'too many pointers: at most 1024 tokens in all');
  }

  get isEmpty(): bool {
    return this.all.length == 0;
  }

  at(index: i32): Redaction {
    return this.all[index];
  }

  /** Of the whole document. */
  begin(set: usize): void {
    memory.fill(set, 0, 8 * this.words);
    for (let i = 0; i < this.firsts.length; i++) this.enter(set, this.firsts[i]);
  }

  private enter(set: usize, token: i32): void {
    include(set, token);
    // It may stand for no level at all.
    if (unchecked(this.kinds[token]) == Token.Deep) include(set, token + 1);
  }

  isNothing(set: usize): bool {
    for (let i = 0; i < this.words; i++) if (load<u64>(set + 8 * i) != 0) return false;
    return true;
  }

  /**
   * From a list to a value in it.
   *
   * @param name of a member, decoded; of an item anything, with `index` of 0 and more
   * @returns which redaction the value has, -1 for none; `next` is the set for the value then
   */
  step(set: usize, next: usize, name: Bytes, index: i32): i32 {
    const words = this.words;
    const kinds = this.kinds;
    for (let w = 0; w < words; w++) store<u64>(next + 8 * w, 0);
    let found = -1;
    for (let w = 0; w < words; w++) {
      for (let bits = load<u64>(set + 8 * w); bits != 0; bits &= bits - 1) {
        const token = 64 * w + <i32>ctz(bits);
        const kind = unchecked(kinds[token]);
        if (kind == Token.Deep) {
          this.enter(next, token);
          continue;
        }
        if (kind == Token.Literal) {
          const isHere =
            index < 0
              ? name.equals<ArrayBuffer>(unchecked(this.names[token]))
              : index == unchecked(this.indexes[token]);
          if (!isHere) continue;
        }
        const end = unchecked(this.ends[token]);
        if (end < 0) this.enter(next, token + 1);
        else if (found < 0 || end < found) found = end;
      }
    }
    return found;
  }
}

function include(set: usize, token: i32): void {
  const at = set + 8 * (token >> 6);
  store<u64>(at, load<u64>(at) | ((<u64>1) << (token & 63)));
}

/** Where the last characters of a string begin; its length where it is too short to show any. */
function lastOf(raw: Bytes, keep: i32): i32 {
  let count = 0;
  for (let i = 0; i < raw.length; i = behindCharacter(raw, i)) count++;
  // Half of it at least stays hidden.
  if (count < 2 * keep) return raw.length;
  let at = 0;
  for (let i = 0; i < count - keep; i++) at = behindCharacter(raw, at);
  return at;
}

/** An escape is one, two of them where they are a pair. */
function behindCharacter(raw: Bytes, at: i32): i32 {
  const byte = raw.at(at);
  if (byte == 92) {
    if (raw.at(at + 1) != 117) return at + 2;
    const isHigh = (raw.at(at + 2) | 32) == 100 && isBetween(raw.at(at + 3) | 32, 56, 98);
    const next = at + 6;
    const pairs = isHigh && next + 6 <= raw.length && raw.at(next) == 92 && (raw.at(next + 1) | 32) == 117;
    return pairs ? next + 6 : next;
  }
  return at + (byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4);
}

/** Second digit of `\uD8..` to `\uDB..`: 8, 9, a or b. */
function isBetween(digit: i32, low: i32, high: i32): bool {
  return digit == low || digit == low + 1 || digit == high - 1 || digit == high;
}

/** Writes what a mask leaves of a value's text: of strings and numbers the end. */
export function writeMasked(raw: Bytes, keep: i32, out: ByteWriter): void {
  out.addByte(34).add(STARS);
  const first = raw.length == 0 ? 0 : raw.at(0);
  if (first == 34) {
    const inner = raw.slice(1, raw.length - 1);
    out.add(inner.slice(lastOf(inner, keep)));
  } else if (first == 45 || <u32>(first - 48) < 10) {
    out.add(raw.slice(lastOf(raw, keep)));
  }
  out.addByte(34);
}
