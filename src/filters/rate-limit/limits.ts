import { Bytes, ByteWriter } from '@weir/filters-sdk/assembly';
import { Config, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { OnFailure, Scope } from '@weir/filters-sdk/assembly/limits';
import { LimitRule } from './rule';

/** As many as the host takes in one call. */
const MOST_RULES = 8;

/** Limits that must all admit a request. */
export class Limits {
  rules: LimitRule[] = [];
  /** Something is charged when the stream is over. */
  chargesLater: bool = false;
  /** Of all rules: `"name";q=100;w=60, …` */
  policy: ArrayBuffer = new ArrayBuffer(0);
  /** In `onExplain`: `plan gold: `; empty: of no plan. */
  title: string = '';

  /** The one that a configuration is itself. */
  static single(config: Config, cost: JsonValue | null): Limits {
    const limits = new Limits();
    limits.rules.push(new LimitRule(config, config.items('key'), cost));
    return limits;
  }

  /**
   * The list `limits` of an object.
   *
   * @param key of all of them; null: each has its own
   * @param cost of those that say nothing of it
   */
  static list(config: Config, key: JsonValue[] | null, cost: JsonValue | null): Limits {
    const limits = new Limits();
    const items = config.items('limits');
    for (let i = 0; i < items.length; i++) {
      const item = Config.of(items[i]);
      const own = item.member('cost');
      const rule = new LimitRule(item, key === null ? item.items('key') : key, own === null ? cost : own);
      for (let j = 0; j < i; j++) {
        if (sameBytes(rule.quotedName, limits.rules[j].quotedName)) {
          faultAt(items[i], 'another limit of this list has its name');
        }
      }
      item.end();
      limits.rules.push(rule);
    }
    if (items.length > MOST_RULES) config.fault('limits', 'expected at most 8 limits');
    return limits;
  }

  /** They are of the plan of this name, and refusals tell so. */
  name(plan: ArrayBuffer): void {
    this.title = 'plan ' + String.UTF8.decode(plan) + ': ';
    for (let i = 0; i < this.rules.length; i++) this.rules[i].ofPlan(plan);
  }

  /** What rules are called, with commas between. */
  get names(): string {
    let text = '';
    for (let i = 0; i < this.rules.length; i++) {
      if (i > 0) text += ', ';
      text += String.UTF8.decode(this.rules[i].quotedName);
    }
    return text;
  }

  place(scope: Scope, onFailure: OnFailure): void {
    const policy = new ByteWriter(64);
    for (let i = 0; i < this.rules.length; i++) {
      const rule = this.rules[i];
      rule.place(scope, onFailure);
      if (rule.responseCost !== null) this.chargesLater = true;
      if (i > 0) policy.add(', ');
      policy.add(rule.policy);
    }
    this.policy = policy.copy();
  }
}

function sameBytes(a: ArrayBuffer, b: ArrayBuffer): bool {
  return Bytes.of(changetype<usize>(a), a.byteLength).equals(b);
}
