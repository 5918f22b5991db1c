import type { RateLimitDomain, RateLimitRule } from '../control/rate-limit-services.ts';
import type { Descriptor } from './messages.ts';

/** The rules of one domain, found by the keys of a descriptor. */
export class RuleTable {
  /** Those with more fixed values first, from the first entry on. */
  readonly #byKeys = new Map<string, RateLimitRule[]>();

  constructor({ rules }: RateLimitDomain) {
    for (const rule of rules) {
      const keys = keysOf(rule.keys);
      const list = this.#byKeys.get(keys);
      if (list === undefined) this.#byKeys.set(keys, [rule]);
      else list.push(rule);
    }
    for (const list of this.#byKeys.values()) list.sort(compareRules);
  }

  /** Null: none fits, so it is not limited. */
  find({ entries }: Descriptor): RateLimitRule | null {
    const list = this.#byKeys.get(keysOf(entries.map(([key]) => key)));
    return (
      list?.find(({ values }) => values.every((value, i) => value === null || value === entries[i]![1])) ??
      null
    );
  }
}

/** `user,path=/login`: the keys of a rule, and the values that it asks for. */
export function labelOf({ keys, values }: RateLimitRule): string {
  return keys.map((key, i) => (values[i] === null ? key : `${key}=${values[i]}`)).join(',');
}

/** What is counted by itself: the rule, and the values that it leaves open. */
export function countedAs(domain: string, rule: RateLimitRule, { entries }: Descriptor): string {
  return JSON.stringify([domain, rule.keys, rule.values, entries.map(([, value]) => value)]);
}

function keysOf(keys: readonly string[]): string {
  return JSON.stringify(keys);
}

function compareRules(a: RateLimitRule, b: RateLimitRule): number {
  for (const [i, value] of a.values.entries()) {
    const other = b.values[i]!;
    if ((value === null) !== (other === null)) return value === null ? 1 : -1;
  }
  return 0;
}
