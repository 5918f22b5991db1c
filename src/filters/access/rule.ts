import { Claim } from '@weir/filters-sdk/assembly/claims';
import { Config, JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import {
  AddressIn,
  ClaimIs,
  Condition,
  ConsumerIs,
  ExpressionHolds,
  FieldIs,
  HostIs,
  IdentityIs,
  MethodIs,
  Not,
  ParameterIs,
  PathIs,
  PortIs,
  ServerNameIs,
} from './conditions';
import { Facts } from './facts';
import { Globs } from './glob';

/** Conditions that must all hold. */
type All = Condition[];

/** `from` (one of), `to` (one of) and `when` (all of); what is left out holds. */
export class Rule {
  private from: All[] = [];
  private to: All[] = [];
  private when: All = [];
  /** The path conditions of each of `to`; null where one has none. */
  readonly paths: PathIs[] | null;
  /** The names that each of `from` is about; null where one takes others. */
  readonly consumers: ArrayBuffer[] | null;
  /** The hosts that each of `to` is about; the same. */
  readonly hosts: ArrayBuffer[] | null;
  /** The addresses that each of `from` is about; the same. */
  readonly addresses: AddressIn[] | null;
  /** The first field that has to have one of some values; null where there is none. */
  readonly field: FieldIs | null;

  constructor(
    /** `policy#rule`, as details of answers, metrics and explanations tell it. */
    readonly name: string,
    value: JsonValue,
  ) {
    const config = Config.of(value);
    config.member('name');
    const from = config.items('from');
    for (let i = 0; i < from.length; i++) this.from.push(readSource(from[i], i));
    const to = config.items('to');
    for (let i = 0; i < to.length; i++) this.to.push(readOperation(to[i], i));
    const when = config.items('when');
    for (let i = 0; i < when.length; i++) this.when.push(readWhen(when[i], i));
    config.end();
    this.paths = pathsOf(this.to);
    this.consumers = consumersOf(this.from);
    this.hosts = hostsOf(this.to);
    this.addresses = addressesOf(this.from);
    this.field = fieldOf(this.when);
  }

  matches(facts: Facts, lenient: bool): bool {
    return (
      anyOf(this.to, facts, lenient) && anyOf(this.from, facts, lenient) && allOf(this.when, facts, lenient)
    );
  }

  /** Where the condition stands that keeps the rule from matching; empty where it matches. */
  missing(facts: Facts, lenient: bool): string {
    const to = missingOfAny(this.to, facts, lenient);
    if (to.length > 0) return to;
    const from = missingOfAny(this.from, facts, lenient);
    return from.length > 0 ? from : missingOf(this.when, facts, lenient);
  }
}

function pathsOf(alternatives: All[]): PathIs[] | null {
  const paths: PathIs[] = [];
  for (let i = 0; i < alternatives.length; i++) {
    const before = paths.length;
    for (let k = 0; k < alternatives[i].length && paths.length == before; k++) {
      const condition = alternatives[i][k];
      if (condition instanceof PathIs) paths.push(<PathIs>condition);
    }
    if (paths.length == before) return null;
  }
  return paths.length > 0 ? paths : null;
}

function consumersOf(alternatives: All[]): ArrayBuffer[] | null {
  const names: ArrayBuffer[] = [];
  for (let i = 0; i < alternatives.length; i++) {
    let exact: ArrayBuffer[] | null = null;
    for (let k = 0; k < alternatives[i].length && exact === null; k++) {
      const condition = alternatives[i][k];
      if (condition instanceof ConsumerIs) exact = (<ConsumerIs>condition).names.exact();
    }
    if (exact === null) return null;
    for (let k = 0; k < exact.length; k++) names.push(exact[k]);
  }
  return names.length > 0 ? names : null;
}

function hostsOf(alternatives: All[]): ArrayBuffer[] | null {
  const hosts: ArrayBuffer[] = [];
  for (let i = 0; i < alternatives.length; i++) {
    let exact: ArrayBuffer[] | null = null;
    for (let k = 0; k < alternatives[i].length && exact === null; k++) {
      const condition = alternatives[i][k];
      if (condition instanceof HostIs) exact = (<HostIs>condition).hosts.exact();
    }
    if (exact === null) return null;
    for (let k = 0; k < exact.length; k++) hosts.push(exact[k]);
  }
  return hosts.length > 0 ? hosts : null;
}

function addressesOf(alternatives: All[]): AddressIn[] | null {
  const found: AddressIn[] = [];
  for (let i = 0; i < alternatives.length; i++) {
    const before = found.length;
    for (let k = 0; k < alternatives[i].length && found.length == before; k++) {
      const condition = alternatives[i][k];
      if (condition instanceof AddressIn && (<AddressIn>condition).groups() !== null)
        found.push(<AddressIn>condition);
    }
    if (found.length == before) return null;
  }
  return found.length > 0 ? found : null;
}

function fieldOf(all: All): FieldIs | null {
  for (let i = 0; i < all.length; i++) {
    const condition = all[i];
    if (condition instanceof FieldIs && (<FieldIs>condition).values.exact() !== null)
      return <FieldIs>condition;
  }
  return null;
}

function anyOf(alternatives: All[], facts: Facts, lenient: bool): bool {
  for (let i = 0; i < alternatives.length; i++)
    if (allOf(unchecked(alternatives[i]), facts, lenient)) return true;
  return alternatives.length == 0;
}

function allOf(all: All, facts: Facts, lenient: bool): bool {
  for (let i = 0; i < all.length; i++) if (!unchecked(all[i]).holds(facts, lenient)) return false;
  return true;
}

function missingOf(all: All, facts: Facts, lenient: bool): string {
  for (let i = 0; i < all.length; i++) if (!all[i].holds(facts, lenient)) return all[i].place;
  return '';
}

/** Of the alternative that got furthest. */
function missingOfAny(alternatives: All[], facts: Facts, lenient: bool): string {
  let best = '';
  let most = -1;
  for (let i = 0; i < alternatives.length; i++) {
    const all = alternatives[i];
    let held = 0;
    while (held < all.length && all[held].holds(facts, lenient)) held++;
    if (held == all.length) return '';
    if (held <= most) continue;
    most = held;
    best = all[held].place;
  }
  return best;
}

/** Reads the conditions of one object of `from` or `to`. */
class Reader {
  readonly all: All = [];
  private config: Config;

  constructor(
    value: JsonValue,
    private part: string,
    private index: i32,
  ) {
    this.config = Config.of(value);
  }

  /** A field and its negation: `hosts` and `notHosts`. */
  both(name: string, negated: string, make: (values: JsonValue[]) => Condition): this {
    const values = this.list(name);
    if (values !== null) this.add(name, make(values));
    const others = this.list(negated);
    if (others !== null) this.add(negated, new Not(make(others)));
    return this;
  }

  claims(): this {
    const claims = this.list('claims');
    for (let i = 0; claims !== null && i < claims.length; i++) {
      const config = Config.of(claims[i]);
      const claim = config.required('claim');
      const values = new Values(config);
      if (claim !== null)
        this.add(
          'claims[' + i.toString() + ']',
          values.wrap(new ClaimIs(Claim.read(claim).path, values.globs)),
        );
      config.end();
    }
    return this;
  }

  end(): All {
    this.config.end();
    return this.all;
  }

  private list(name: string): JsonValue[] | null {
    const value = this.config.member(name);
    if (value === null) return null;
    if (value.kind != JsonKind.Array || value.items.length == 0)
      faultAt(value, 'expected a list that is not empty');
    return value.items;
  }

  private add(name: string, condition: Condition): void {
    condition.place = this.part + '[' + this.index.toString() + '].' + name;
    this.all.push(condition);
  }
}

function readSource(value: JsonValue, index: i32): All {
  return new Reader(value, 'from', index)
    .both('consumers', 'notConsumers', (values): Condition => new ConsumerIs(Globs.read(values)))
    .both('identities', 'notIdentities', (values): Condition => new IdentityIs(Globs.read(values)))
    .both('ipBlocks', 'notIpBlocks', (values): Condition => new AddressIn(values, true))
    .both('remoteIpBlocks', 'notRemoteIpBlocks', (values): Condition => new AddressIn(values, false))
    .claims()
    .end();
}

function readOperation(value: JsonValue, index: i32): All {
  return new Reader(value, 'to', index)
    .both('hosts', 'notHosts', (values): Condition => new HostIs(Globs.read(values, true)))
    .both('paths', 'notPaths', (values): Condition => new PathIs(values))
    .both('methods', 'notMethods', (values): Condition => new MethodIs(values))
    .both('ports', 'notPorts', (values): Condition => new PortIs(values))
    .both('serverNames', 'notServerNames', (values): Condition => new ServerNameIs(Globs.read(values, true)))
    .end();
}

/** `values` or `notValues` of one object. */
class Values {
  readonly globs: Globs;
  private negated: bool;

  constructor(config: Config) {
    const values = config.member('values');
    const others = config.member('notValues');
    if ((values === null) == (others === null))
      faultAt(config.value, 'needs one of "values" and "notValues"');
    this.negated = values === null;
    const list = values !== null ? values : others;
    if (list !== null && list.items.length == 0) faultAt(list, 'expected a list that is not empty');
    this.globs = Globs.read(list === null ? [] : list.items);
  }

  wrap(condition: Condition): Condition {
    return this.negated ? new Not(condition) : condition;
  }
}

function readWhen(value: JsonValue, index: i32): Condition {
  const config = Config.of(value);
  const condition = readSubject(config);
  condition.place = 'when[' + index.toString() + ']';
  config.end();
  return condition;
}

function readSubject(config: Config): Condition {
  const expression = config.member('expression');
  if (expression !== null) return new ExpressionHolds(expression);
  const values = new Values(config);
  const header = config.member('header');
  if (header !== null) return values.wrap(new FieldIs(header.text, values.globs));
  const query = config.member('query');
  if (query !== null) return values.wrap(new ParameterIs(query.text, values.globs));
  const claim = config.member('claim');
  if (claim === null) faultAt(config.value, 'expected one of header, query, claim and expression');
  return values.wrap(new ClaimIs(claim === null ? [] : Claim.read(claim).path, values.globs));
}
