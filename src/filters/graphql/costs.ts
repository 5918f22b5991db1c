import { JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { view } from '@weir/filters-sdk/assembly';
import { hashOf, isSame } from './document';

/** What fields cost, and which arguments say how often something is answered. */
export class Costs {
  private usual: i64 = 1;
  private names: ArrayBuffer[] = [];
  private weights: i64[] = [];
  private multipliers: ArrayBuffer[] = [];
  /** Index of a name by its hash. */
  private byHash: Map<u32, i32> = new Map<u32, i32>();

  setUsual(weight: i64): void {
    this.usual = weight;
  }

  addField(value: JsonValue): void {
    const weight = value.number;
    if (value.kind != JsonKind.Number || weight != floor(weight) || weight < 0 || weight > 1_000_000) {
      faultAt(value, 'expected a whole number from 0 to 1000000');
      return;
    }
    const hash = view(value.name).hash();
    if (this.byHash.has(hash)) faultAt(value, 'two fields whose names cannot be told apart: leave one out');
    this.byHash.set(hash, this.names.length);
    this.names.push(value.name);
    this.weights.push(<i64>weight);
  }

  addMultiplier(name: ArrayBuffer): void {
    this.multipliers.push(name);
  }

  weightOf(start: usize, length: i32): i64 {
    if (this.names.length == 0) return this.usual;
    const hash = hashOf(start, length);
    if (!this.byHash.has(hash)) return this.usual;
    const index = this.byHash.get(hash);
    const name = this.names[index];
    const isIt = name.byteLength == length && isSame(changetype<usize>(name), start, length);
    return isIt ? this.weights[index] : this.usual;
  }

  isMultiplier(start: usize, length: i32): bool {
    for (let i = 0; i < this.multipliers.length; i++) {
      const name = this.multipliers[i];
      if (name.byteLength == length && isSame(changetype<usize>(name), start, length)) return true;
    }
    return false;
  }
}
