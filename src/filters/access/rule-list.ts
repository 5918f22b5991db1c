import { Bytes, lower, view } from '@weir/filters-sdk/assembly';
import { firstSegment } from './conditions';
import { Facts, Known } from './facts';
import { Rule } from './rule';

const NONE: i32[] = [];

/** Numbers of rules, ascending, by the hash of what each of them is about. */
class Index {
  private numbers: Map<u32, i32[]> = new Map<u32, i32[]>();

  get isEmpty(): bool {
    return this.numbers.size == 0;
  }

  add(hash: u32, number: i32): void {
    if (!this.numbers.has(hash)) this.numbers.set(hash, []);
    const known = this.numbers.get(hash);
    if (!known.includes(number)) known.push(number);
  }

  find(hash: u32): i32[] {
    return this.numbers.has(hash) ? this.numbers.get(hash) : NONE;
  }
}

/**
 * Rules in their order. Each stands in one index: by the first segment of the paths that it is about, else by its consumers,
 * else by its hosts. So of a hundred rules for a hundred paths or consumers a request looks at one.
 */
export class RuleList {
  private rules: Rule[] = [];
  /** Numbers of rules that are about anything, ascending. */
  private anywhere: i32[] = [];
  private bySegment: Index = new Index();
  private byConsumer: Index = new Index();
  private byHost: Index = new Index();

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
    const consumers = rule.consumers;
    const hosts = rule.hosts;
    if (segments !== null)
      for (let i = 0; i < segments.length; i++) this.bySegment.add(segments[i].hash(), number);
    else if (consumers !== null)
      for (let i = 0; i < consumers.length; i++) this.byConsumer.add(view(consumers[i]).hash(), number);
    else if (hosts !== null)
      for (let i = 0; i < hosts.length; i++) this.byHost.add(hashOfHost(view(hosts[i])), number);
    else this.anywhere.push(number);
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
    if (this.rules.length == 0) return null;
    // What cannot be read fits rules that deny, so none may be left out; nor where a path can be read in two ways.
    if (lenient && (!facts.isRequest || facts.path.unsure || facts.path.end >= 0))
      return this.matchAll(facts);
    let ofPath = NONE;
    let ofHost = NONE;
    let ofConsumer = NONE;
    if (facts.isRequest && !this.bySegment.isEmpty)
      ofPath = this.bySegment.find(firstSegment(facts, lenient).hash());
    if (facts.isRequest && !this.byHost.isEmpty) ofHost = this.byHost.find(hashOfHost(facts.host));
    if (!this.byConsumer.isEmpty) {
      const known = facts.readConsumer();
      if (lenient && known == Known.Unreadable) return this.matchAll(facts);
      if (known == Known.Yes) ofConsumer = this.byConsumer.find(facts.value.hash());
    }
    return this.firstOf(facts, ofPath, ofConsumer, ofHost);
  }

  /** In the order of the rules, over ascending lists. */
  private firstOf(facts: Facts, ofPath: i32[], ofConsumer: i32[], ofHost: i32[]): Rule | null {
    const anywhere = this.anywhere;
    let a = 0;
    let p = 0;
    let c = 0;
    let h = 0;
    while (true) {
      let number = a < anywhere.length ? unchecked(anywhere[a]) : i32.MAX_VALUE;
      if (p < ofPath.length) number = min(number, unchecked(ofPath[p]));
      if (c < ofConsumer.length) number = min(number, unchecked(ofConsumer[c]));
      if (h < ofHost.length) number = min(number, unchecked(ofHost[h]));
      if (number == i32.MAX_VALUE) return null;
      // A rule stands in one of them.
      if (a < anywhere.length && unchecked(anywhere[a]) == number) a++;
      else if (p < ofPath.length && unchecked(ofPath[p]) == number) p++;
      else if (c < ofConsumer.length && unchecked(ofConsumer[c]) == number) c++;
      else h++;
      const rule = this.rules[number];
      if (rule.matches(facts, this.lenient)) return rule;
    }
  }

  private matchAll(facts: Facts): Rule | null {
    for (let i = 0; i < this.rules.length; i++)
      if (this.rules[i].matches(facts, this.lenient)) return this.rules[i];
    return null;
  }
}

/** FNV-1a over the letters without their case: hosts have none. */
function hashOfHost(host: Bytes): u32 {
  let hash: u32 = 0x811c9dc5;
  for (let i = 0; i < host.length; i++) hash = (hash ^ (<u32>lower(host.at(i)))) * 0x01000193;
  return hash;
}
