import { Bytes } from '@weir/filters-sdk/assembly';
import { firstSegment } from './conditions';
import { Facts } from './facts';
import { Rule } from './rule';

const NONE: i32[] = [];

/**
 * Rules in their order, by the first segment of the paths that they are about: of a hundred rules for a hundred paths a
 * request looks at one.
 */
export class RuleList {
  private rules: Rule[] = [];
  /** Numbers of rules, ascending. */
  private anywhere: i32[] = [];
  private bySegment: Map<u32, i32[]> = new Map<u32, i32[]>();

  /** @param lenient whether a match denies, see Condition */
  constructor(private lenient: bool) {}

  get length(): i32 {
    return this.rules.length;
  }

  at(index: i32): Rule {
    return this.rules[index];
  }

  add(rule: Rule): void {
    const number = this.rules.push(rule) - 1;
    const segments = this.segmentsOf(rule);
    if (segments === null) {
      this.anywhere.push(number);
      return;
    }
    for (let i = 0; i < segments.length; i++) {
      const key = segments[i].hash();
      if (!this.bySegment.has(key)) this.bySegment.set(key, []);
      const numbers = this.bySegment.get(key);
      if (!numbers.includes(number)) numbers.push(number);
    }
  }

  private segmentsOf(rule: Rule): Bytes[] | null {
    const paths = rule.paths;
    if (paths === null) return null;
    const all: Bytes[] = [];
    for (let i = 0; i < paths.length; i++) {
      const some = paths[i].firstSegments(this.lenient);
      if (some === null) return null;
      for (let k = 0; k < some.length; k++) all.push(some[k]);
    }
    return all;
  }

  /** The first rule that matches, or null. */
  match(facts: Facts): Rule | null {
    const lenient = this.lenient;
    const rules = this.rules;
    if (rules.length == 0) return null;
    if (lenient && (!facts.isRequest || facts.path.unsure)) return this.matchAll(facts);
    const anywhere = this.anywhere;
    let here = NONE;
    if (facts.isRequest && this.bySegment.size > 0) {
      const key = firstSegment(facts, lenient).hash();
      if (this.bySegment.has(key)) here = this.bySegment.get(key);
    }
    for (let a = 0, h = 0; a < anywhere.length || h < here.length;) {
      const isHere = a == anywhere.length || (h < here.length && unchecked(here[h]) < unchecked(anywhere[a]));
      const rule = rules[isHere ? unchecked(here[h++]) : unchecked(anywhere[a++])];
      if (rule.matches(facts, lenient)) return rule;
    }
    return null;
  }

  private matchAll(facts: Facts): Rule | null {
    for (let i = 0; i < this.rules.length; i++)
      if (this.rules[i].matches(facts, this.lenient)) return this.rules[i];
    return null;
  }
}
