import { Op, Program } from './program';

/** States that are kept; then all are made anew as they are needed. */
const MOST_STATES = 2048;
const MOST_POOL = 400_000;
const UNKNOWN: u16 = 0xffff;
const BUCKETS = 1024;

/**
 * Finds which of many patterns lie anywhere in a value, in one pass over it: a finite automaton whose states are made when they are
 * first reached. A byte costs one look-up in a table, or, in a state and class that are new, as much as the program is long; nothing
 * that a client sends makes it cost more.
 */
export class PatternSet {
  /** How many patterns the last `scan` found, in the front of `found`. */
  count: i32 = 0;
  readonly found: StaticArray<i32>;
  private seen: StaticArray<i32>;
  private scans: i32 = 0;

  private ops: StaticArray<u8>;
  private args: StaticArray<i32>;
  private others: StaticArray<i32>;
  private classOf: StaticArray<u8> = new StaticArray<u8>(256);
  private samples: i32[] = [];
  private classes: i32 = 0;
  /** By class: where all patterns are after its bytes, if they begin there; and the patterns that end so. */
  private rootNext: StaticArray<i32>[] = [];
  private rootEnds: StaticArray<i32>[] = [];

  /** By state and class: the next state. */
  private table: StaticArray<u16>;
  private states: i32 = 0;
  /** By state: where its instructions begin in `pool`, and its ends in `ends`. One more than there are states. */
  private poolStarts: StaticArray<i32> = new StaticArray<i32>(MOST_STATES + 1);
  private endStarts: StaticArray<i32> = new StaticArray<i32>(MOST_STATES + 1);
  private pool: i32[] = [];
  private ends: i32[] = [];
  private buckets: StaticArray<i32> = new StaticArray<i32>(BUCKETS);
  private older: StaticArray<i32> = new StaticArray<i32>(MOST_STATES);

  private marks: StaticArray<i32>;
  private turn: i32 = 0;
  private list: StaticArray<i32>;
  private listed: i32 = 0;
  private stack: StaticArray<i32>;
  private newEnds: i32[] = [];

  /** @param patterns one more than the largest number of a pattern in the program */
  constructor(
    private program: Program,
    patterns: i32,
  ) {
    const size = program.ops.length;
    this.ops = StaticArray.fromArray(program.ops);
    this.args = StaticArray.fromArray(program.args);
    this.others = StaticArray.fromArray(program.others);
    this.found = new StaticArray<i32>(patterns);
    this.seen = new StaticArray<i32>(patterns);
    this.marks = new StaticArray<i32>(size);
    this.list = new StaticArray<i32>(size);
    this.stack = new StaticArray<i32>(2 * size + 1);
    this.table = new StaticArray<u16>(0);
    this.classify();
    this.table = new StaticArray<u16>(MOST_STATES * this.classes);
    this.makeRoot();
    this.restart();
  }

  /** Bytes that no set of the program tells apart are one class. */
  private classify(): void {
    const sets = this.program.sets;
    const known: u64[] = [];
    for (let byte = 0; byte < 256; byte++) {
      let hash: u64 = 0xcbf29ce484222325;
      for (let i = 0; i < sets.length; i++) hash = (hash ^ (sets[i].has(byte) ? 2 : 1)) * 0x100000001b3;
      let group = known.indexOf(hash);
      if (group < 0) {
        group = known.push(hash) - 1;
        this.samples.push(byte);
      }
      this.classOf[byte] = <u8>group;
    }
    this.classes = known.length;
  }

  private makeRoot(): void {
    const starts = this.program.starts;
    for (let group = 0; group < this.classes; group++) {
      this.begin();
      for (let i = 0; i < starts.length; i++) this.reach(starts[i]);
      const first = this.list.slice<StaticArray<i32>>(0, this.listed);
      this.begin();
      for (let i = 0; i < first.length; i++) this.take(first[i], this.samples[group]);
      this.rootNext.push(this.list.slice<StaticArray<i32>>(0, this.listed));
      this.rootEnds.push(StaticArray.fromArray(this.newEnds));
    }
  }

  /** With the one state that no pattern has begun in. */
  private restart(): void {
    this.states = 0;
    this.pool.length = 0;
    this.ends.length = 0;
    this.buckets.fill(-1);
    this.table.fill(UNKNOWN);
    this.begin();
    this.intern();
  }

  scan(start: usize, length: i32): void {
    this.scans++;
    this.count = 0;
    let state = this.step(0, unchecked(this.classOf[0]));
    for (let i = 0; i < length; i++) state = this.step(state, unchecked(this.classOf[load<u8>(start + i)]));
    this.step(state, unchecked(this.classOf[0]));
  }

  @inline
  private step(state: i32, group: i32): i32 {
    let next: i32 = unchecked(this.table[state * this.classes + group]);
    if (next == <i32>UNKNOWN) next = this.make(state, group);
    if (unchecked(this.endStarts[next]) != unchecked(this.endStarts[next + 1])) this.note(next);
    return next;
  }

  private note(state: i32): void {
    for (let i = this.endStarts[state]; i < this.endStarts[state + 1]; i++) {
      const pattern = this.ends[i];
      if (this.seen[pattern] == this.scans) continue;
      this.seen[pattern] = this.scans;
      this.found[this.count++] = pattern;
    }
  }

  private make(state: i32, group: i32): i32 {
    this.begin();
    const root = this.rootNext[group];
    for (let i = 0; i < root.length; i++) this.put(unchecked(root[i]));
    const rootEnds = this.rootEnds[group];
    for (let i = 0; i < rootEnds.length; i++) this.newEnds.push(rootEnds[i]);
    const sample = this.samples[group];
    const end = this.poolStarts[state + 1];
    for (let i = this.poolStarts[state]; i < end; i++) this.take(unchecked(this.pool[i]), sample);
    if (this.states == MOST_STATES - 1 || this.pool.length > MOST_POOL) {
      const list = this.list.slice<StaticArray<i32>>(0, this.listed);
      const ends = this.newEnds.slice();
      this.restart();
      this.begin();
      for (let i = 0; i < list.length; i++) this.put(list[i]);
      for (let i = 0; i < ends.length; i++) this.newEnds.push(ends[i]);
      return this.intern();
    }
    const next = this.intern();
    this.table[state * this.classes + group] = <u16>next;
    return next;
  }

  private begin(): void {
    this.turn++;
    this.listed = 0;
    this.newEnds.length = 0;
  }

  private put(pc: i32): void {
    if (unchecked(this.marks[pc]) == this.turn) return;
    unchecked((this.marks[pc] = this.turn));
    unchecked((this.list[this.listed++] = pc));
  }

  private take(pc: i32, byte: i32): void {
    if (this.program.sets[unchecked(this.args[pc])].has(byte)) this.reach(pc + 1);
  }

  /** Lists the sets that can be reached without a byte. */
  private reach(from: i32): void {
    let depth = 0;
    unchecked((this.stack[depth++] = from));
    while (depth > 0) {
      const pc = unchecked(this.stack[--depth]);
      const op = unchecked(this.ops[pc]);
      if (op == <u8>Op.Set) {
        this.put(pc);
        continue;
      }
      if (unchecked(this.marks[pc]) == this.turn) continue;
      unchecked((this.marks[pc] = this.turn));
      if (op == <u8>Op.Match) this.newEnds.push(this.args[pc]);
      else unchecked((this.stack[depth++] = this.args[pc]));
      if (op == <u8>Op.Split) unchecked((this.stack[depth++] = this.others[pc]));
    }
  }

  /** The state that stands at what is listed; made where there is none yet. */
  private intern(): i32 {
    this.sort();
    let hash: u32 = 0x811c9dc5;
    for (let i = 0; i < this.listed; i++) hash = (hash ^ unchecked(this.list[i])) * 0x01000193;
    for (let i = 0; i < this.newEnds.length; i++) hash = (hash ^ (0x10000 + this.newEnds[i])) * 0x01000193;
    const bucket = hash % BUCKETS;
    for (let state = this.buckets[bucket]; state >= 0; state = this.older[state])
      if (this.isState(state)) return state;
    const state = this.states++;
    this.poolStarts[state] = this.pool.length;
    this.endStarts[state] = this.ends.length;
    for (let i = 0; i < this.listed; i++) this.pool.push(this.list[i]);
    for (let i = 0; i < this.newEnds.length; i++) this.ends.push(this.newEnds[i]);
    this.poolStarts[state + 1] = this.pool.length;
    this.endStarts[state + 1] = this.ends.length;
    this.older[state] = this.buckets[bucket];
    this.buckets[bucket] = state;
    return state;
  }

  private isState(state: i32): bool {
    const start = this.poolStarts[state];
    if (this.poolStarts[state + 1] - start != this.listed) return false;
    for (let i = 0; i < this.listed; i++) if (this.pool[start + i] != this.list[i]) return false;
    const ends = this.endStarts[state];
    if (this.endStarts[state + 1] - ends != this.newEnds.length) return false;
    for (let i = 0; i < this.newEnds.length; i++) if (this.ends[ends + i] != this.newEnds[i]) return false;
    return true;
  }

  /** By insertion: most of the list is in order already. */
  private sort(): void {
    for (let i = 1; i < this.listed; i++) {
      const pc = unchecked(this.list[i]);
      let k = i - 1;
      for (; k >= 0 && unchecked(this.list[k]) > pc; k--) unchecked((this.list[k + 1] = this.list[k]));
      unchecked((this.list[k + 1] = pc));
    }
  }
}
