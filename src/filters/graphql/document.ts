/** What a definition is. */
export enum Kind {
  Query = 0,
  Mutation = 1,
  Subscription = 2,
  Fragment = 3,
}

/** What a document breaks beside its grammar. */
export enum Conflict {
  None,
  /** Two operations or fragments of one name, or an operation without one beside another. */
  Twice,
  UnknownFragment,
  Cycle,
  /** Fragments in fragments, further than is looked. */
  Depth,
}

/** Sums end here: what is beyond is beyond every limit. */
export const MOST: i64 = 2_000_000_000;
/** Fragments in one another, and lists, objects and selections too. */
export const MOST_NESTING = 100;

export function sum(a: i64, b: i64): i64 {
  return min(a + b, MOST);
}

export function product(a: i64, b: i64): i64 {
  return min(a * b, MOST);
}

/** An operation or a fragment, with what its own selections come to. */
export class Definition {
  kind: Kind = Kind.Query;
  name: usize = 0;
  nameLength: i32 = 0;
  hash: u32 = 0;
  cost: i64 = 0;
  depth: i32 = 0;
  aliases: i64 = 0;
  directives: i64 = 0;
  rootFields: i64 = 0;
  introspects: bool = false;
  /** Its spreads are from here up to `lastSpread`. */
  firstSpread: i32 = 0;
  lastSpread: i32 = 0;
  /** 0: its fragments are still to be added; 1: that is being done; 2: it is done. */
  state: i32 = 0;

  clear(): void {
    this.name = 0;
    this.nameLength = 0;
    this.hash = 0;
    this.cost = 0;
    this.depth = 0;
    this.aliases = 0;
    this.directives = 0;
    this.rootFields = 0;
    this.introspects = false;
    this.state = 0;
  }

  setName(start: usize, length: i32): void {
    this.name = start;
    this.nameLength = length;
    this.hash = hashOf(start, length);
  }
}

/** Where a fragment is spread. */
class Spread {
  name: usize = 0;
  nameLength: i32 = 0;
  hash: u32 = 0;
  /** How often what it brings counts. */
  times: i64 = 1;
  /** Levels of fields around it. */
  depth: i32 = 0;
}

/** What a document defines. One object for all documents: what it needed once is used again. */
export class Definitions {
  private pool: Definition[] = [];
  private spreads: Spread[] = [];
  count: i32 = 0;
  private spreadCount: i32 = 0;

  clear(): void {
    this.count = 0;
    this.spreadCount = 0;
  }

  add(kind: Kind): Definition {
    if (this.count == this.pool.length) this.pool.push(new Definition());
    const definition = this.pool[this.count++];
    definition.clear();
    definition.kind = kind;
    definition.firstSpread = definition.lastSpread = this.spreadCount;
    return definition;
  }

  addSpread(into: Definition, start: usize, length: i32, times: i64, depth: i32): void {
    if (this.spreadCount == this.spreads.length) this.spreads.push(new Spread());
    const spread = this.spreads[this.spreadCount++];
    spread.name = start;
    spread.nameLength = length;
    spread.hash = hashOf(start, length);
    spread.times = times;
    spread.depth = depth;
    into.lastSpread = this.spreadCount;
  }

  at(index: i32): Definition {
    return this.pool[index];
  }

  /** Adds to each definition what its fragments bring. */
  resolve(): Conflict {
    const conflict = this.checkNames();
    if (conflict != Conflict.None) return conflict;
    for (let i = 0; i < this.count; i++) {
      const found = this.expand(this.pool[i], 0);
      if (found != Conflict.None) return found;
    }
    return Conflict.None;
  }

  private checkNames(): Conflict {
    let operations = 0;
    let nameless = 0;
    for (let i = 0; i < this.count; i++) {
      const one = this.pool[i];
      if (one.kind != Kind.Fragment) {
        operations++;
        if (one.nameLength == 0) nameless++;
      }
      for (let k = 0; k < i && one.nameLength > 0; k++) {
        const other = this.pool[k];
        if ((one.kind == Kind.Fragment) != (other.kind == Kind.Fragment) || one.hash != other.hash) continue;
        if (one.nameLength == other.nameLength && isSame(one.name, other.name, one.nameLength))
          return Conflict.Twice;
      }
    }
    return nameless > 0 && operations > 1 ? Conflict.Twice : Conflict.None;
  }

  private expand(definition: Definition, level: i32): Conflict {
    if (definition.state == 2) return Conflict.None;
    if (definition.state == 1) return Conflict.Cycle;
    if (level > MOST_NESTING) return Conflict.Depth;
    definition.state = 1;
    for (let i = definition.firstSpread; i < definition.lastSpread; i++) {
      const spread = this.spreads[i];
      const fragment = this.fragmentOf(spread);
      if (fragment === null) return Conflict.UnknownFragment;
      const conflict = this.expand(fragment, level + 1);
      if (conflict != Conflict.None) return conflict;
      definition.cost = sum(definition.cost, product(spread.times, fragment.cost));
      definition.depth = max(definition.depth, spread.depth + fragment.depth);
      definition.aliases = sum(definition.aliases, fragment.aliases);
      definition.directives = sum(definition.directives, fragment.directives);
      if (spread.depth == 0) definition.rootFields = sum(definition.rootFields, fragment.rootFields);
      if (fragment.introspects) definition.introspects = true;
    }
    definition.state = 2;
    return Conflict.None;
  }

  private fragmentOf(spread: Spread): Definition | null {
    for (let i = 0; i < this.count; i++) {
      const one = this.pool[i];
      if (one.kind != Kind.Fragment || one.hash != spread.hash || one.nameLength != spread.nameLength)
        continue;
      if (isSame(one.name, spread.name, one.nameLength)) return one;
    }
    return null;
  }
}

/** FNV-1a: to tell names apart quickly, not to protect anything. */
export function hashOf(start: usize, length: i32): u32 {
  let hash: u32 = 0x811c9dc5;
  for (let i = 0; i < length; i++) hash = (hash ^ load<u8>(start + i)) * 0x01000193;
  return hash;
}

export function isSame(left: usize, right: usize, length: i32): bool {
  for (let i = 0; i < length; i++) if (load<u8>(left + i) != load<u8>(right + i)) return false;
  return true;
}
