import { type Node, parsePattern, PatternError } from './regex-parse.ts';

// Bounds compile time, and what one byte can cost once the cache of states is full.
const MAX_PROGRAM = 2000;
const MAX_STATES = 512;

const Op = { Set: 0, Split: 1, Jump: 2, Begin: 3, End: 4, Match: 5 } as const;

/**
 * What is wrong with a pattern, for the reader of a configuration; null where `LinearRegex` takes it.
 */
export function regexFault(pattern: string): string | null {
  try {
    new LinearRegex(pattern);
    return null;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

/** Before any byte was fed. */
export const REGEX_START = 1;
/** Nothing that follows can make it a match. */
const REGEX_DEAD = 0;

/**
 * A regular expression that is matched against a whole value in time linear in its length, whatever
 * the pattern and whoever wrote the value. JavaScript's own engine backtracks: `(a+)+` or even
 * `.*x.*y.*z` lets a client stop the event loop with one long path.
 *
 * It works on bytes, fed in pieces, as a finite automaton whose states are made when they are first
 * reached (at most `MAX_STATES`, then they are made anew), so that a warm match is one table look-up
 * a byte and allocates nothing.
 */
export class LinearRegex {
  readonly #ops: number[] = [];
  /** `Set`: index into `#sets`; `Split`: the second way; `Jump`: where to. */
  readonly #args: number[] = [];
  readonly #sets: Uint8Array[] = [];
  /** Bytes that no set of the pattern tells apart are one class. */
  readonly #classOf = new Uint8Array(256);
  /** A byte of each class. */
  readonly #sample: number[] = [];

  #known = new Map<string, number>();
  /** By state: the instructions it stands at. State 0 is dead. */
  #states: Int32Array[] = [];
  #accepting: boolean[] = [];
  /** By state and class: the next state, or -1 where it was never needed. */
  #next = new Int32Array(0);

  /** @throws PatternError */
  constructor(pattern: string) {
    this.#compile(parsePattern(pattern));
    this.#emit(Op.Match, 0);
    this.#classify();
    this.#reset();
  }

  matches(bytes: Uint8Array, start: number, end: number): boolean {
    return this.accepts(this.feed(REGEX_START, bytes, start, end));
  }

  /**
   * Goes on with more bytes.
   *
   * @param state `REGEX_START`, or what the call before returned
   * @returns the state reached, good for the next call on this object only
   */
  feed(state: number, bytes: Uint8Array, start: number, end: number): number {
    const classOf = this.#classOf;
    const classes = this.#sample.length;
    let table = this.#next;
    for (let i = start; i < end && state !== REGEX_DEAD; i++) {
      const of = classOf[bytes[i]!]!;
      const next = table[state * classes + of]!;
      if (next !== -1) {
        state = next;
      } else {
        state = this.#step(state, of);
        table = this.#next;
      }
    }
    return state;
  }

  /** `feed` for a single byte. */
  feedByte(state: number, byte: number): number {
    if (state === REGEX_DEAD) return state;
    const of = this.#classOf[byte]!;
    const next = this.#next[state * this.#sample.length + of]!;
    return next !== -1 ? next : this.#step(state, of);
  }

  /** Whether what was fed up to this state is a match as a whole. */
  accepts(state: number): boolean {
    return this.#accepting[state]!;
  }

  #emit(op: number, arg: number): number {
    if (this.#ops.length >= MAX_PROGRAM) {
      throw new PatternError(`the pattern needs more than ${MAX_PROGRAM} steps: use smaller repetitions`, 0);
    }
    this.#ops.push(op);
    return this.#args.push(arg) - 1;
  }

  #compile(node: Node): void {
    switch (node.type) {
      case 'set':
        this.#emit(Op.Set, this.#sets.push(node.bytes) - 1);
        return;
      case 'begin':
        this.#emit(Op.Begin, 0);
        return;
      case 'end':
        this.#emit(Op.End, 0);
        return;
      case 'sequence':
        for (const item of node.of) this.#compile(item);
        return;
      case 'either':
        this.#compileEither(node.of);
        return;
      case 'repeat':
        this.#compileRepeat(node.of, node.min, node.max);
    }
  }

  #compileEither(branches: readonly Node[]): void {
    const jumps: number[] = [];
    for (const [i, branch] of branches.entries()) {
      const last = i === branches.length - 1;
      const split = last ? -1 : this.#emit(Op.Split, 0);
      this.#compile(branch);
      if (last) continue;
      jumps.push(this.#emit(Op.Jump, 0));
      this.#args[split] = this.#ops.length;
    }
    for (const jump of jumps) this.#args[jump] = this.#ops.length;
  }

  #compileRepeat(of: Node, min: number, max: number): void {
    for (let i = 0; i < min; i++) {
      const before = this.#ops.length;
      this.#compile(of);
      // Nothing, any number of times, is nothing.
      if (this.#ops.length === before) return;
    }
    if (max === Infinity) {
      const split = this.#emit(Op.Split, 0);
      this.#compile(of);
      this.#emit(Op.Jump, split);
      this.#args[split] = this.#ops.length;
      return;
    }
    const splits: number[] = [];
    for (let i = min; i < max; i++) {
      splits.push(this.#emit(Op.Split, 0));
      this.#compile(of);
    }
    for (const split of splits) this.#args[split] = this.#ops.length;
  }

  #classify(): void {
    const known = new Map<string, number>();
    for (let byte = 0; byte < 256; byte++) {
      const signature = this.#sets.map((bytes) => bytes[byte]).join('');
      let of = known.get(signature);
      if (of === undefined) {
        of = this.#sample.push(byte) - 1;
        known.set(signature, of);
      }
      this.#classOf[byte] = of;
    }
  }

  #reset(): void {
    this.#known = new Map();
    this.#states = [];
    this.#accepting = [];
    this.#next = new Int32Array(0);
    this.#intern(new Set());
    const start = new Set<number>();
    this.#follow(0, start, true, false);
    const whole = new Set<number>();
    this.#follow(0, whole, true, true);
    // The start is a state of its own even where another has the same instructions: only there "^" holds.
    this.#add('start', Int32Array.from(start).sort(), this.#hasMatch(whole));
  }

  #step(state: number, of: number): number {
    const byte = this.#sample[of]!;
    const reached = new Set<number>();
    for (const at of this.#states[state]!) {
      if (this.#ops[at] === Op.Set && this.#sets[this.#args[at]!]![byte] === 1) {
        this.#follow(at + 1, reached, false, false);
      }
    }
    if (this.#states.length >= MAX_STATES) {
      this.#reset();
      return this.#intern(reached);
    }
    const next = this.#intern(reached);
    this.#next[state * this.#sample.length + of] = next;
    return next;
  }

  #intern(at: Set<number>): number {
    const sorted = Int32Array.from(at).sort();
    const key = sorted.join();
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const whole = new Set<number>();
    for (const instruction of sorted) this.#follow(instruction, whole, false, true);
    return this.#add(key, sorted, this.#hasMatch(whole));
  }

  #add(key: string, at: Int32Array, accepting: boolean): number {
    const state = this.#states.push(at) - 1;
    this.#accepting.push(accepting);
    this.#known.set(key, state);
    const size = this.#states.length * this.#sample.length;
    if (size > this.#next.length) {
      const larger = new Int32Array(2 * size).fill(-1);
      larger.set(this.#next);
      this.#next = larger;
    }
    return state;
  }

  #hasMatch(at: Set<number>): boolean {
    for (const instruction of at) if (this.#ops[instruction] === Op.Match) return true;
    return false;
  }

  /** Adds an instruction, and all that are reached from it without taking a byte. */
  #follow(from: number, into: Set<number>, atBegin: boolean, atEnd: boolean): void {
    const open = [from];
    const seen = into;
    while (open.length > 0) {
      const at = open.pop()!;
      if (seen.has(at)) continue;
      seen.add(at);
      const op = this.#ops[at]!;
      if (op === Op.Split) open.push(this.#args[at]!, at + 1);
      else if (op === Op.Jump) open.push(this.#args[at]!);
      else if ((op === Op.Begin && atBegin) || (op === Op.End && atEnd)) open.push(at + 1);
    }
  }
}
