/** Some of the 256 bytes. */
export class ByteSet {
  private words: StaticArray<u64> = new StaticArray<u64>(4);

  static of(byte: i32): ByteSet {
    const set = new ByteSet();
    set.add(byte, byte);
    return set;
  }

  add(from: i32, to: i32): void {
    for (let byte = from; byte <= to; byte++) this.words[byte >> 6] |= (<u64>1) << (byte & 63);
  }

  has(byte: i32): bool {
    return ((unchecked(this.words[byte >> 6]) >> (byte & 63)) & 1) != 0;
  }

  join(other: ByteSet): void {
    for (let i = 0; i < 4; i++) this.words[i] |= other.words[i];
  }

  equals(other: ByteSet): bool {
    for (let i = 0; i < 4; i++) if (this.words[i] != other.words[i]) return false;
    return true;
  }

  hash(): u32 {
    let hash: u64 = 0;
    for (let i = 0; i < 4; i++) hash = (hash ^ this.words[i]) * 0x9e3779b97f4a7c15;
    return <u32>(hash >> 32);
  }

  invert(): void {
    for (let i = 0; i < 4; i++) this.words[i] = ~this.words[i];
  }
}

export enum NodeKind {
  Set,
  Sequence,
  Either,
  Repeat,
}

/** A part of a pattern. */
export class Node {
  parts: Node[] = [];
  /** Of a repetition; -1: without end. */
  least: i32 = 0;
  most: i32 = 0;

  constructor(
    public kind: NodeKind,
    public set: ByteSet,
  ) {}
}

/**
 * The ways of an either, where those that begin with the same set are one that goes on in several: the automaton is in fewer places at a
 * time. Their order means nothing, since it looks for all.
 */
export function waysOf(either: Node): Node[] {
  const ways: Node[] = [];
  for (let i = 0; i < either.parts.length; i++) addWay(ways, either.parts[i]);
  return ways;
}

function addWay(ways: Node[], part: Node): void {
  const inner =
    part.kind == NodeKind.Sequence && part.parts.length == 1 && part.parts[0].kind == NodeKind.Either
      ? part.parts[0]
      : part;
  if (inner.kind == NodeKind.Either) {
    for (let i = 0; i < inner.parts.length; i++) addWay(ways, inner.parts[i]);
    return;
  }
  if (inner.kind == NodeKind.Sequence && inner.parts.length > 0 && inner.parts[0].kind == NodeKind.Set) {
    for (let i = 0; i < ways.length; i++) {
      if (ways[i].parts.length == 0 || ways[i].parts[0].kind != NodeKind.Set) continue;
      if (!ways[i].parts[0].set.equals(inner.parts[0].set)) continue;
      ways[i] = joined(ways[i], inner);
      return;
    }
  }
  ways.push(inner);
}

/** Two sequences that begin with the same set. */
function joined(one: Node, other: Node): Node {
  const rest = new Node(NodeKind.Either, NO_BYTES);
  const last = one.parts[one.parts.length - 1];
  if (one.parts.length == 2 && last.kind == NodeKind.Either) rest.parts = last.parts.slice();
  else rest.parts.push(restOf(one));
  rest.parts.push(restOf(other));
  const sequence = new Node(NodeKind.Sequence, NO_BYTES);
  sequence.parts.push(one.parts[0]);
  sequence.parts.push(rest);
  return sequence;
}

function restOf(sequence: Node): Node {
  const rest = new Node(NodeKind.Sequence, NO_BYTES);
  for (let i = 1; i < sequence.parts.length; i++) rest.parts.push(sequence.parts[i]);
  return rest;
}

const MOST_REPEATS = 200;

/**
 * Reads a pattern: literals, `.`, classes, groups, `|`, `?`, `*`, `+`, `{m,n}`, `\n`, `\d`, `\w`, `\s` and the opposites of these
 * three. A space is one of any kind, an end of a line too, which is `\n` alone. `^` and `$` are the zero byte, which stands in front of a value and behind it and nowhere in it, so that `\W` is a border of a word there too.
 * Letters are those of both cases.
 */
export class PatternReader {
  fault: string = '';
  private at: i32 = 0;
  private depth: i32 = 0;

  constructor(private text: string) {}

  read(): Node {
    const node = this.either();
    if (this.at < this.text.length) this.fail('a ) without a (');
    return node;
  }

  private fail(what: string): void {
    if (this.fault.length == 0) this.fault = what;
    this.at = this.text.length;
  }

  private peek(): i32 {
    return this.at < this.text.length ? this.text.charCodeAt(this.at) : -1;
  }

  private either(): Node {
    const node = new Node(NodeKind.Either, NO_BYTES);
    if (++this.depth > 20) this.fail('groups nested too deep');
    node.parts.push(this.sequence());
    while (this.peek() == 124) {
      this.at++;
      node.parts.push(this.sequence());
    }
    this.depth--;
    return node.parts.length == 1 ? node.parts[0] : node;
  }

  private sequence(): Node {
    const node = new Node(NodeKind.Sequence, NO_BYTES);
    for (let next = this.peek(); next != -1 && next != 124 && next != 41; next = this.peek())
      node.parts.push(this.repeat(this.atom()));
    return node;
  }

  private repeat(node: Node): Node {
    const next = this.peek();
    if (next == 42) return this.repeated(node, 0, -1);
    if (next == 43) return this.repeated(node, 1, -1);
    if (next == 63) return this.repeated(node, 0, 1);
    if (next != 123) return node;
    this.at++;
    const least = this.number();
    let most = least;
    if (this.peek() == 44) {
      this.at++;
      most = this.peek() == 125 ? -1 : this.number();
    }
    if (this.peek() != 125 || least > MOST_REPEATS || most > MOST_REPEATS || (most != -1 && most < least)) {
      this.fail('a repetition must be {m}, {m,} or {m,n}, with numbers up to 200');
      return node;
    }
    return this.repeated(node, least, most);
  }

  private repeated(node: Node, least: i32, most: i32): Node {
    this.at++;
    const repeat = new Node(NodeKind.Repeat, NO_BYTES);
    repeat.least = least;
    repeat.most = most;
    repeat.parts.push(node);
    return repeat;
  }

  private number(): i32 {
    let value = 0;
    for (let next = this.peek(); <u32>(next - 48) < 10 && value < 1000; next = this.peek()) {
      value = value * 10 + next - 48;
      this.at++;
    }
    return value;
  }

  private atom(): Node {
    const next = this.peek();
    this.at++;
    if (next == 40) return this.group();
    if (next == 91) return new Node(NodeKind.Set, this.klass());
    if (next == 92) return new Node(NodeKind.Set, this.escape());
    if (next == 46) {
      const any = ByteSet.of(0);
      any.invert();
      return new Node(NodeKind.Set, any);
    }
    if (next == 94 || next == 36) return new Node(NodeKind.Set, ByteSet.of(0));
    if (next == 42 || next == 43 || next == 63 || next == 123) this.fail('nothing to repeat');
    const set = ByteSet.of(this.literal(next));
    if (next == 32) set.add(10, 10);
    return new Node(NodeKind.Set, set);
  }

  private group(): Node {
    if (this.peek() == 63) {
      this.at++;
      if (this.peek() != 58) this.fail('(?:…) is the only group with a question mark');
      else this.at++;
    }
    const node = this.either();
    if (this.peek() != 41) this.fail('a ( without a )');
    else this.at++;
    return node;
  }

  private klass(): ByteSet {
    const set = new ByteSet();
    const inverted = this.peek() == 94;
    if (inverted) this.at++;
    for (let first = true; this.peek() != 93 || first; first = false) {
      let from = this.peek();
      if (from == -1) {
        this.fail('a [ without a ]');
        return set;
      }
      this.at++;
      if (from == 92) {
        set.join(this.escape());
        continue;
      }
      from = this.literal(from);
      let to = from;
      if (this.peek() == 45 && this.at + 1 < this.text.length && this.text.charCodeAt(this.at + 1) != 93) {
        this.at++;
        to = this.literal(this.peek());
        this.at++;
      }
      if (to < from) this.fail('a range that goes backwards');
      else set.add(from, to);
    }
    this.at++;
    if (set.has(32)) set.add(10, 10);
    if (inverted) set.invert();
    return set;
  }

  private escape(): ByteSet {
    const next = this.peek();
    if (next == -1) this.fail('nothing behind a backslash');
    this.at++;
    const set = new ByteSet();
    const kind = next | 32;
    if (next == 110) set.add(10, 10);
    else if (kind == 100) set.add(48, 57);
    else if (kind == 115) {
      set.add(9, 13);
      set.add(32, 32);
    } else if (kind == 119) {
      set.add(48, 57);
      set.add(97, 122);
      set.add(95, 95);
    } else {
      if (<u32>(kind - 97) < 26 || <u32>(next - 48) < 10) this.fail('an escape that is not known');
      return next < 0 ? set : ByteSet.of(this.literal(next));
    }
    if (next < 97) set.invert();
    return set;
  }

  /** In lower case, as values are. */
  private literal(unit: i32): i32 {
    if (unit > 126 || unit < 32) {
      this.fail('characters beyond ASCII');
      return 0;
    }
    return <u32>(unit - 65) < 26 ? unit | 32 : unit;
  }
}

const NO_BYTES = new ByteSet();
