import { Bytes, lower, view } from '@weir/filters-sdk/assembly';
import { AddressIn, FieldIs, FieldValues, firstSegment } from './conditions';
import { Facts, Known } from './facts';
import { Rule } from './rule';

const NONE: i32[] = [];
const COMMA = 44;

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

/** An index by the values of one field. */
class FieldIndex {
  private index: Index = new Index();

  constructor(readonly field: FieldValues) {}

  add(values: ArrayBuffer[], number: i32): void {
    for (let i = 0; i < values.length; i++) this.index.add(view(values[i]).hash(), number);
  }

  /** What the values as a whole, or their members, are looked for by. */
  find(facts: Facts, found: i32[]): void {
    const values = this.field.of(facts);
    for (let i = 0; i < values.length; i++) {
      const value = unchecked(values[i]);
      collect(this.index.find(value.hash()), found);
      for (let comma = value.indexOf(COMMA), at = 0; comma >= 0 || at > 0;) {
        const end = comma < 0 ? value.length : comma;
        collect(this.index.find(value.slice(at, end).trim().hash()), found);
        if (comma < 0) break;
        at = comma + 1;
        comma = value.indexOf(COMMA, at);
      }
    }
  }
}

/**
 * Rules in their order. Each stands in one index: by the first segment of the paths that it is about, else by its consumers,
 * its hosts, its addresses, or the values of a field. So of a hundred rules for a hundred paths or consumers a request looks at one.
 */
export class RuleList {
  private rules: Rule[] = [];
  /** Numbers of rules that are about anything, ascending. */
  private anywhere: i32[] = [];
  private bySegment: Index = new Index();
  private byConsumer: Index = new Index();
  private byHost: Index = new Index();
  private byPeer: Index = new Index();
  private byClient: Index = new Index();
  private byField: FieldIndex[] = [];
  /** Numbers of rules that a stream is to be held to. */
  private found: i32[] = [];

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
    const addresses = rule.addresses;
    const field = rule.field;
    if (segments !== null)
      for (let i = 0; i < segments.length; i++) this.bySegment.add(segments[i].hash(), number);
    else if (consumers !== null)
      for (let i = 0; i < consumers.length; i++) this.byConsumer.add(view(consumers[i]).hash(), number);
    else if (hosts !== null)
      for (let i = 0; i < hosts.length; i++) this.byHost.add(hashOfHost(view(hosts[i])), number);
    else if (addresses !== null)
      for (let i = 0; i < addresses.length; i++) this.addAddresses(addresses[i], number);
    else if (field !== null) this.addField(field, number);
    else this.anywhere.push(number);
  }

  private addAddresses(addresses: AddressIn, number: i32): void {
    const groups = addresses.groups();
    const index = addresses.isPeer ? this.byPeer : this.byClient;
    if (groups !== null) for (let i = 0; i < groups.length; i++) index.add(groups[i], number);
  }

  private addField(condition: FieldIs, number: i32): void {
    const all = this.byField;
    let at = 0;
    while (at < all.length && all[at].field !== condition.field) at++;
    if (at == all.length) all.push(new FieldIndex(condition.field));
    const values = condition.values.exact();
    if (values !== null) all[at].add(values, number);
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
    return this.find(facts) ? this.firstOf(facts) : this.matchAll(facts);
  }

  /** Looks up the rules to be held to, ascending; false where all have to be looked at. */
  private find(facts: Facts): bool {
    const lenient = this.lenient;
    const found = this.found;
    found.length = 0;
    if (facts.isRequest) {
      if (!this.bySegment.isEmpty) collect(this.bySegment.find(firstSegment(facts, lenient).hash()), found);
      if (!this.byHost.isEmpty) collect(this.byHost.find(hashOfHost(facts.host)), found);
      for (let i = 0; i < this.byField.length; i++) unchecked(this.byField[i]).find(facts, found);
    }
    if (!this.byConsumer.isEmpty) {
      const known = facts.readConsumer();
      if (lenient && known == Known.Unreadable) return false;
      if (known == Known.Yes) collect(this.byConsumer.find(facts.value.hash()), found);
    }
    if (!this.byPeer.isEmpty) {
      if (facts.readPeer() == Known.Yes) collect(this.byPeer.find(facts.address.kin), found);
      else if (lenient) return false;
    }
    if (!this.byClient.isEmpty) {
      if (facts.readClient() == Known.Yes) collect(this.byClient.find(facts.address.kin), found);
      else if (lenient) return false;
    }
    return true;
  }

  /** In the order of the rules, over two ascending lists. */
  private firstOf(facts: Facts): Rule | null {
    const anywhere = this.anywhere;
    const found = this.found;
    let a = 0;
    let f = 0;
    while (a < anywhere.length || f < found.length) {
      const next = a < anywhere.length ? unchecked(anywhere[a]) : i32.MAX_VALUE;
      const other = f < found.length ? unchecked(found[f]) : i32.MAX_VALUE;
      if (next < other) a++;
      else f++;
      const rule = this.rules[min(next, other)];
      if (rule.matches(facts, this.lenient)) return rule;
    }
    return null;
  }

  private matchAll(facts: Facts): Rule | null {
    for (let i = 0; i < this.rules.length; i++)
      if (this.rules[i].matches(facts, this.lenient)) return this.rules[i];
    return null;
  }
}

/** Puts numbers in their places among those that are there; each once. */
function collect(numbers: i32[], found: i32[]): void {
  for (let i = 0; i < numbers.length; i++) {
    const number = unchecked(numbers[i]);
    let at = found.length;
    while (at > 0 && unchecked(found[at - 1]) > number) at--;
    if (at > 0 && unchecked(found[at - 1]) == number) continue;
    found.push(number);
    for (let k = found.length - 1; k > at; k--) unchecked((found[k] = found[k - 1]));
    unchecked((found[at] = number));
  }
}

/** FNV-1a over the letters without their case: hosts have none. */
function hashOfHost(host: Bytes): u32 {
  let hash: u32 = 0x811c9dc5;
  for (let i = 0; i < host.length; i++) hash = (hash ^ (<u32>lower(host.at(i)))) * 0x01000193;
  return hash;
}
