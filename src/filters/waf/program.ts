import { ByteSet, Node, NodeKind, PatternReader, waysOf } from './pattern';

export enum Op {
  Set,
  /** Goes on in both places. */
  Split,
  Jump,
  Match,
}

/** More would make a byte that was never seen before cost too much. */
const MOST_OPS = 80_000;

/** Several patterns as one program of a nondeterministic automaton. */
export class Program {
  readonly ops: u8[] = [];
  /** `Set`: index into `sets`; `Split` and `Jump`: where to; `Match`: which pattern. */
  readonly args: i32[] = [];
  /** `Split`: the other way. */
  readonly others: i32[] = [];
  readonly sets: ByteSet[] = [];
  /** Where each pattern begins. */
  readonly starts: i32[] = [];
  /** By the hash of a set: where it is in `sets`. */
  private known: Map<u32, i32> = new Map<u32, i32>();

  /** @returns what is wrong with the pattern; empty: nothing */
  add(pattern: string, id: i32): string {
    const reader = new PatternReader(pattern);
    const node = reader.read();
    if (reader.fault.length > 0) return reader.fault;
    this.starts.push(this.ops.length);
    this.emitNode(node);
    this.emit(Op.Match, id);
    return this.ops.length > MOST_OPS ? 'too large, with the other patterns' : '';
  }

  /** Most patterns have the same few sets: a letter, a digit, white space. */
  private indexOf(set: ByteSet): i32 {
    const hash = set.hash();
    const known = this.known.has(hash) ? this.known.get(hash) : -1;
    if (known >= 0 && this.sets[known].equals(set)) return known;
    this.known.set(hash, this.sets.length);
    return this.sets.push(set) - 1;
  }

  private emit(op: Op, arg: i32): i32 {
    this.ops.push(<u8>op);
    this.others.push(0);
    return this.args.push(arg) - 1;
  }

  private emitNode(node: Node): void {
    if (this.ops.length > MOST_OPS) return;
    if (node.kind == NodeKind.Set) {
      this.emit(Op.Set, this.indexOf(node.set));
    } else if (node.kind == NodeKind.Sequence) {
      for (let i = 0; i < node.parts.length; i++) this.emitNode(node.parts[i]);
    } else if (node.kind == NodeKind.Either) this.emitEither(waysOf(node), 0);
    else this.emitRepeat(node.parts[0], node.least, node.most);
  }

  private emitEither(parts: Node[], from: i32): void {
    if (from == parts.length - 1) {
      this.emitNode(parts[from]);
      return;
    }
    const split = this.emit(Op.Split, this.ops.length + 1);
    this.emitNode(parts[from]);
    const jump = this.emit(Op.Jump, 0);
    this.others[split] = this.ops.length;
    this.emitEither(parts, from + 1);
    this.args[jump] = this.ops.length;
  }

  private emitRepeat(node: Node, least: i32, most: i32): void {
    for (let i = 0; i < least; i++) this.emitNode(node);
    if (most == -1) {
      const split = this.emit(Op.Split, this.ops.length + 1);
      this.emitNode(node);
      this.emit(Op.Jump, split);
      this.others[split] = this.ops.length;
      return;
    }
    const splits: i32[] = [];
    for (let i = least; i < most; i++) {
      splits.push(this.emit(Op.Split, this.ops.length + 1));
      this.emitNode(node);
    }
    for (let i = 0; i < splits.length; i++) this.others[splits[i]] = this.ops.length;
  }
}
