import { ByteSet } from './pattern';
import { Op, Program } from './program';

/** States that are kept; then all are made anew as they are needed. */
const MOST_STATES = 4096;
const MOST_POOL = 400_000;
/** A request that makes more of this is not looked at any further. Far below what a callback may cost. */
export const MOST_WORK = 750_000;

/** Of the state that nothing was read before. */
const NO_GROUP = 255;
const NOTHING = new StaticArray<i32>(0);

const UNKNOWN: u32 = 0xffffffff;
const ENDS: u32 = 0x80000000;
const BUCKETS = 4096;

/**
 * Finds which of many patterns lie anywhere in a value, in one pass over it: a finite automaton whose states are made when they are
 * first reached. A byte costs one look-up in a table, or, in a state and class that are new, as much as the program is long; nothing
 * that a client sends makes it cost more.
 */
export class PatternSet {
  /** How many patterns the last `scan` found, in the front of `found`. */
  count: i32 = 0;
  readonly found: StaticArray<i32>;
  /** What making states has cost since this was last set to zero, in instructions that were looked at. */
  work: i32 = 0;
  private seen: StaticArray<i32>;
  private scans: i32 = 0;

  private ops: StaticArray<u8>;
  private args: StaticArray<i32>;
  private others: StaticArray<i32>;
  /** Bits of the bytes of each set, 32 bytes a set. */
  private sets: StaticArray<u8>;
  private starts: i32[];
  private classOf: StaticArray<u8> = new StaticArray<u8>(256);
  private samples: i32[] = [];
  private classes: i32 = 0;
  /** By class: where all patterns are after its bytes, if they begin there; and the patterns that end so. */
  private rootNext: StaticArray<i32>[] = [];
  private rootEnds: StaticArray<i32>[] = [];

  /** By two classes that follow each other: the same, of patterns that began with the first. null: not worked out yet. */
  private begunNext: StaticArray<StaticArray<i32> | null> = new StaticArray<StaticArray<i32> | null>(0);
  private begunEnds: StaticArray<StaticArray<i32>> = new StaticArray<StaticArray<i32>>(0);

  /** By row and class: the row of the next state, with {@link ENDS} where patterns end in it. A row is a state times the classes. */
  private table: StaticArray<u32>;
  private states: i32 = 0;
  /** By state: the class of the byte before it. Patterns that began with that byte are known by it, and not in `pool`. */
  private groups: StaticArray<u8> = new StaticArray<u8>(MOST_STATES);
  /** By state: where its instructions begin in `pool`, and its ends in `ends`. One more than there are states. */
  private poolStarts: StaticArray<i32> = new StaticArray<i32>(MOST_STATES + 1);
  private endStarts: StaticArray<i32> = new StaticArray<i32>(MOST_STATES + 1);
  private pool: StaticArray<i32> = new StaticArray<i32>(MOST_POOL);
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
  constructor(program: Program, patterns: i32) {
    const size = program.ops.length;
    this.ops = StaticArray.fromArray(program.ops);
    this.args = StaticArray.fromArray(program.args);
    this.others = StaticArray.fromArray(program.others);
    this.sets = bitsOf(program.sets);
    this.starts = program.starts;
    this.found = new StaticArray<i32>(patterns);
    this.seen = new StaticArray<i32>(patterns);
    this.marks = new StaticArray<i32>(size);
    this.list = new StaticArray<i32>(size);
    this.stack = new StaticArray<i32>(2 * size + 1);
    this.table = new StaticArray<u32>(0);
    this.classify(program.sets);
    this.table = new StaticArray<u32>(MOST_STATES * this.classes);
    this.begunNext = new StaticArray<StaticArray<i32> | null>(this.classes * this.classes);
    this.begunEnds = new StaticArray<StaticArray<i32>>(this.classes * this.classes);
    this.begunEnds.fill(NOTHING);
    this.makeRoot();
    this.restart();
  }

  /** Bytes that no set of the program tells apart are one class. */
  private classify(sets: ByteSet[]): void {
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
    const starts = this.starts;
    this.begin();
    for (let i = 0; i < starts.length; i++) this.reach(starts[i]);
    const first = this.list.slice<StaticArray<i32>>(0, this.listed);
    for (let group = 0; group < this.classes; group++) {
      this.begin();
      for (let i = 0; i < first.length; i++) this.take(first[i], this.samples[group]);
      this.rootNext.push(this.list.slice<StaticArray<i32>>(0, this.listed));
      this.rootEnds.push(StaticArray.fromArray(this.newEnds));
    }
  }

  /** With the one state that no pattern has begun in. */
  private restart(): void {
    this.states = 0;
    this.poolStarts[0] = 0;
    this.ends.length = 0;
    this.buckets.fill(-1);
    this.table.fill(UNKNOWN);
    this.begin();
    this.intern(NO_GROUP);
  }

  scan(start: usize, length: i32): void {
    this.scans++;
    this.count = 0;
    const table = changetype<usize>(this.table);
    const classOf = changetype<usize>(this.classOf);
    const border = <u32>load<u8>(classOf);
    let row: u32 = 0;
    for (let at = start, end = start + length; at <= end; at++) {
      // In front of the value it begins with the border, and behind it there is one more.
      if (at == start) row = this.go(row, border);
      const group = at < end ? <u32>load<u8>(classOf + load<u8>(at)) : border;
      const next = load<u32>(table + ((row + group) << 2));
      if ((next & ENDS) == 0) row = next;
      else {
        row = this.go(row, group);
        if (this.work > MOST_WORK) return;
      }
    }
  }

  /** The slow way: the next state is new, or patterns end in it. */
  private go(row: u32, group: u32): u32 {
    let next = load<u32>(changetype<usize>(this.table) + ((row + group) << 2));
    if (next == UNKNOWN) next = this.make(row / this.classes, group);
    const plain = next & ~ENDS;
    if (plain != next) this.note(plain / this.classes);
    return plain;
  }

  private note(state: i32): void {
    for (let i = this.endStarts[state]; i < this.endStarts[state + 1]; i++) {
      const pattern = this.ends[i];
      if (this.seen[pattern] == this.scans) continue;
      this.seen[pattern] = this.scans;
      this.found[this.count++] = pattern;
    }
  }

  private make(state: i32, group: i32): u32 {
    const last = <i32>this.groups[state];
    const fresh = last == NO_GROUP ? NOTHING : this.begun(last, group);
    const freshEnds = last == NO_GROUP ? NOTHING : this.begunEnds[last * this.classes + group];
    this.begin();
    for (let i = 0; i < fresh.length; i++) this.put(unchecked(fresh[i]));
    for (let i = 0; i < freshEnds.length; i++) this.newEnds.push(unchecked(freshEnds[i]));
    const rootEnds = this.rootEnds[group];
    for (let i = 0; i < rootEnds.length; i++) this.newEnds.push(rootEnds[i]);
    const sample = this.samples[group];
    const from = this.poolStarts[state];
    const end = this.poolStarts[state + 1];
    for (let i = from; i < end; i++) this.take(unchecked(this.pool[i]), sample);
    this.work += 50 + end - from + 2 * this.listed;
    if (this.states == MOST_STATES - 1 || this.poolStarts[this.states] + this.listed > MOST_POOL) {
      const list = this.list.slice<StaticArray<i32>>(0, this.listed);
      const ends = this.newEnds.slice();
      this.restart();
      this.begin();
      for (let i = 0; i < list.length; i++) this.put(list[i]);
      for (let i = 0; i < ends.length; i++) this.newEnds.push(ends[i]);
      return this.rowOf(this.intern(group));
    }
    const next = this.rowOf(this.intern(group));
    this.table[state * this.classes + group] = next;
    return next;
  }

  /** Where patterns are that began with a byte of the class `last`, after one of `group`. Worked out once. */
  private begun(last: i32, group: i32): StaticArray<i32> {
    const at = last * this.classes + group;
    const known = this.begunNext[at];
    if (known !== null) return known;
    this.begin();
    const root = this.rootNext[last];
    for (let i = 0; i < root.length; i++) this.take(unchecked(root[i]), this.samples[group]);
    this.work += root.length;
    const list = this.list.slice<StaticArray<i32>>(0, this.listed);
    this.begunNext[at] = list;
    this.begunEnds[at] = StaticArray.fromArray(this.newEnds);
    return list;
  }

  private rowOf(state: i32): u32 {
    const row = <u32>(state * this.classes);
    return this.endStarts[state] == this.endStarts[state + 1] ? row : row | ENDS;
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
    const set = changetype<usize>(this.sets) + ((<usize>unchecked(this.args[pc])) << 5);
    if ((load<u8>(set + (byte >> 3)) & (1 << (byte & 7))) != 0) this.reach(pc + 1);
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
  private intern(group: i32): i32 {
    // A sum, since the order in which they were reached means nothing.
    let hash: u32 = mix(0x20000 + group);
    for (let i = 0; i < this.listed; i++) hash += mix(unchecked(this.list[i]));
    for (let i = 0; i < this.newEnds.length; i++) hash += mix(0x10000 + unchecked(this.newEnds[i]));
    const bucket = hash % BUCKETS;
    for (let state = this.buckets[bucket]; state >= 0; state = this.older[state])
      if (<i32>this.groups[state] == group && this.isState(state)) return state;
    const state = this.states++;
    const at = this.poolStarts[state];
    this.endStarts[state] = this.ends.length;
    this.groups[state] = <u8>group;
    memory.copy(
      changetype<usize>(this.pool) + ((<usize>at) << 2),
      changetype<usize>(this.list),
      (<usize>this.listed) << 2,
    );
    for (let i = 0; i < this.newEnds.length; i++) this.ends.push(this.newEnds[i]);
    this.poolStarts[state + 1] = at + this.listed;
    this.endStarts[state + 1] = this.ends.length;
    this.older[state] = this.buckets[bucket];
    this.buckets[bucket] = state;
    return state;
  }

  private isState(state: i32): bool {
    const start = this.poolStarts[state];
    if (this.poolStarts[state + 1] - start != this.listed) return false;
    // All that is listed carries the mark of this turn.
    for (let i = 0; i < this.listed; i++)
      if (unchecked(this.marks[unchecked(this.pool[start + i])]) != this.turn) return false;
    const ends = this.endStarts[state];
    if (this.endStarts[state + 1] - ends != this.newEnds.length) return false;
    for (let i = 0; i < this.newEnds.length; i++)
      if (!this.newEnds.includes(unchecked(this.ends[ends + i]))) return false;
    return true;
  }
}

function mix(value: u32): u32 {
  value *= 0x9e3779b1;
  return (value ^ (value >> 15)) * 0x85ebca77;
}

function bitsOf(sets: ByteSet[]): StaticArray<u8> {
  const bits = new StaticArray<u8>(32 * sets.length);
  for (let i = 0; i < sets.length; i++)
    for (let byte = 0; byte < 256; byte++)
      if (sets[i].has(byte)) bits[32 * i + (byte >> 3)] |= <u8>(1 << ((<u8>byte) & 7));
  return bits;
}
