import { Bytes } from '@weir/filters-sdk/assembly';
import { isJsonNumber } from '@weir/filters-sdk/assembly/json-scan';
import { Costs } from './costs';
import { MOST, hashOf, isSame } from './document';
import { Members, isArray, isObject } from './members';

/** Objects and lists within each other that are looked through. */
const MOST_DEPTH = 32;

/** What variables say of how often something is answered. One object for all requests. */
export class Variables {
  private names: usize[] = [];
  private lengths: i32[] = [];
  private hashes: u32[] = [];
  /** The number that it is; -1: none. */
  private numbers: i64[] = [];
  /** The largest number of an argument that counts, in an object or list that it is; 0: none. */
  private inner: i64[] = [];
  private count: i32 = 0;
  /** Those of the request are in front of the defaults. */
  private given: i32 = 0;
  /** Something was looked for and not there: a default may come yet. */
  missed: bool = false;

  get defaults(): i32 {
    return this.count - this.given;
  }

  /** @param text JSON object of them; empty: there are none */
  read(text: Bytes, costs: Costs): void {
    this.count = 0;
    this.missed = false;
    if (isObject(text)) {
      const members = new Members().begin(text);
      while (members.next())
        this.add(
          members.name.start,
          members.name.length,
          wholeOf(members.value),
          largestIn(members.value, costs, 0),
        );
    }
    this.given = this.count;
  }

  /** A default, in a document. */
  addDefault(name: usize, length: i32, value: i64): void {
    this.add(name, length, value, 0);
  }

  private add(name: usize, length: i32, number: i64, inner: i64): void {
    const at = this.count++;
    if (at == this.names.length) {
      this.names.push(0);
      this.lengths.push(0);
      this.hashes.push(0);
      this.numbers.push(0);
      this.inner.push(0);
    }
    this.names[at] = name;
    this.lengths[at] = length;
    this.hashes[at] = hashOf(name, length);
    this.numbers[at] = number;
    this.inner[at] = inner;
  }

  /**
   * @param counts the variable is the value of an argument that counts; otherwise such an argument may be in what it is
   * @returns how often, 1 where nothing says so
   */
  timesOf(name: usize, length: i32, counts: bool): i64 {
    const hash = hashOf(name, length);
    let most: i64 = 0;
    for (let i = 0; i < this.count; i++) {
      if (this.hashes[i] != hash || this.lengths[i] != length || !isSame(this.names[i], name, length))
        continue;
      most = max(most, counts ? max(this.numbers[i], this.inner[i]) : this.inner[i]);
      // What the request says takes the place of defaults; of operations with different ones the largest counts.
      if (i < this.given) return max(1, most);
    }
    if (most == 0) this.missed = true;
    return max(1, most);
  }
}

/** A whole number that is not below 0; -1 where it is none. */
function wholeOf(value: Bytes): i64 {
  if (!isJsonNumber(value)) return -1;
  const number = f64.parse(value.toString());
  return number >= 0 ? <i64>min<f64>(number, <f64>MOST) : -1;
}

function largestIn(value: Bytes, costs: Costs, depth: i32): i64 {
  if (depth > MOST_DEPTH || (!isObject(value) && !isArray(value))) return 0;
  const isMap = isObject(value);
  const members = new Members().begin(value);
  let most: i64 = 0;
  while (members.next()) {
    const inner = members.value;
    if (isMap && costs.isMultiplier(members.name.start, members.name.length))
      most = max(most, wholeOf(inner));
    most = max(most, largestIn(inner, costs, depth + 1));
  }
  return most;
}
