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

  /** By state: the instructions it stands at, ascending, those that only lead on left out. State 0 is dead. */
  #states: Int32Array[] = [];
  #accepting: boolean[] = [];
  /** By hash of the instructions: the state made last, and by state the one made before it. */
  #byHash = new Map<number, number>();
  #older: number[] = [];
  /** By state and class: the next state, or -1 where it was never needed. */
  #next = new Int32Array(0);

  // What a step works with. An instruction is reached where its mark is the turn's number.
  readonly #marks: Int32Array;
  readonly #open: Int32Array;
  readonly #reached: Int32Array;
  #turn = 0;

  /**
   * @param characters as in `parsePattern`
   * @throws PatternError
   */
  constructor(pattern: string, characters = false) {
    this.#compile(parsePattern(pattern, characters));
    this.#emit(Op.Match, 0);
    this.#classify();
    this.#marks = new Int32Array(this.#ops.length);
    this.#open = new Int32Array(this.#ops.length);
    this.#reached = new Int32Array(this.#ops.length);
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
    this.#states = [];
    this.#accepting = [];
    this.#byHash = new Map();
    this.#older = [];
    this.#next = new Int32Array(0);
    this.#intern(0);
    this.#turn++;
    this.#follow(0, true, true);
    const empty = this.#isReached(Op.Match);
    this.#turn++;
    this.#follow(0, true, false);
    // A state of its own even where another stands at the same instructions: only at the start "^" holds.
    this.#add(this.#gather(), empty, 0);
  }

  #step(state: number, of: number): number {
    const byte = this.#sample[of]!;
    this.#turn++;
    for (const at of this.#states[state]!) {
      if (this.#ops[at] === Op.Set && this.#sets[this.#args[at]!]![byte] === 1)
        this.#follow(at + 1, false, false);
    }
    const count = this.#gather();
    if (this.#states.length >= MAX_STATES) {
      const kept = this.#reached.slice(0, count);
      this.#reset();
      this.#reached.set(kept);
      return this.#intern(count);
    }
    const next = this.#intern(count);
    this.#next[state * this.#sample.length + of] = next;
    return next;
  }

  /** Marks an instruction and all that are reached from it without taking a byte. */
  #follow(from: number, atBegin: boolean, atEnd: boolean): void {
    const marks = this.#marks;
    const open = this.#open;
    const turn = this.#turn;
    let size = 0;
    if (marks[from] === turn) return;
    marks[from] = turn;
    open[size++] = from;
    while (size > 0) {
      const at = open[--size]!;
      const op = this.#ops[at]!;
      if (op === Op.Split || op === Op.Jump) {
        const to = this.#args[at]!;
        if (marks[to] !== turn) {
          marks[to] = turn;
          open[size++] = to;
        }
      }
      if (op !== Op.Split && !(op === Op.Begin && atBegin) && !(op === Op.End && atEnd)) continue;
      if (marks[at + 1] === turn) continue;
      marks[at + 1] = turn;
      open[size++] = at + 1;
    }
  }

  #isReached(wanted: number): boolean {
    return this.#ops.some((op, at) => op === wanted && this.#marks[at] === this.#turn);
  }

  /** Lists in `#reached` what is marked and may matter later. */
  #gather(): number {
    let count = 0;
    for (let at = 0; at < this.#marks.length; at++) {
      const op = this.#ops[at];
      if (this.#marks[at] !== this.#turn || op === Op.Split || op === Op.Jump || op === Op.Begin) continue;
      this.#reached[count++] = at;
    }
    return count;
  }

  /** The state that stands at the first `count` of `#reached`. */
  #intern(count: number): number {
    const reached = this.#reached;
    let hash = 0;
    for (let i = 0; i < count; i++) hash = Math.imul(hash ^ reached[i]!, 0x01000193) + 1;
    for (let state = this.#byHash.get(hash) ?? -1; state !== -1; state = this.#older[state]!) {
      const known = this.#states[state]!;
      let i = known.length === count ? 0 : -1;
      while (i >= 0 && i < count && known[i] === reached[i]) i++;
      if (i === count) return state;
    }
    const state = this.#add(count, this.#acceptsAtEnd(count), this.#byHash.get(hash) ?? -1);
    this.#byHash.set(hash, state);
    return state;
  }

  #acceptsAtEnd(count: number): boolean {
    this.#turn++;
    for (let i = 0; i < count; i++) this.#follow(this.#reached[i]!, false, true);
    return this.#isReached(Op.Match);
  }

  #add(count: number, accepting: boolean, older: number): number {
    const state = this.#states.push(this.#reached.slice(0, count)) - 1;
    this.#accepting.push(accepting);
    this.#older.push(older);
    const size = this.#states.length * this.#sample.length;
    if (size > this.#next.length) {
      const larger = new Int32Array(2 * size).fill(-1);
      larger.set(this.#next);
      this.#next = larger;
    }
    return state;
  }
}
