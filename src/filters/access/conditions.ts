import { ByteWriter, Bytes, lower, utf8, view } from '@weir/filters-sdk/assembly';
import { JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { isSpellingOf } from '@weir/filters-sdk/assembly/fields';
import { Parts, decodeQuery } from '@weir/filters-sdk/assembly/parts';
import { PeerNames, dnsNames, uriNames } from '@weir/filters-sdk/assembly/peer-names';
import { Expression } from '@weir/filters-sdk/assembly/state';
import { Block } from '@weir/filters-sdk/assembly/addresses';
import { Facts, Known } from './facts';
import { Globs } from './glob';
import { PATH_KINDS, PathKind, PathPattern, firstSegmentOf } from './path';

const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;

/**
 * One condition of a rule.
 *
 * What is not sure is decided by who asks. Rules that allow ask strictly: all values of a repeated field must fit, and what
 * cannot be read does not. Rules that deny ask leniently: one value is enough, and what cannot be read fits. A negated
 * condition turns it round.
 */
export abstract class Condition {
  /** Where it stands in its rule: `to[0].paths`. */
  place: string = '';

  abstract holds(facts: Facts, lenient: bool): bool;
}

export class Not extends Condition {
  constructor(private inner: Condition) {
    super();
  }

  holds(facts: Facts, lenient: bool): bool {
    return !this.inner.holds(facts, !lenient);
  }
}

export class ConsumerIs extends Condition {
  constructor(readonly names: Globs) {
    super();
  }

  holds(facts: Facts, lenient: bool): bool {
    const known = facts.readConsumer();
    return known == Known.Yes ? this.names.take(facts.value) : lenient && known == Known.Unreadable;
  }
}

/** Names in the client's certificate. */
export class IdentityIs extends Condition {
  constructor(private names: Globs) {
    super();
  }

  holds(_facts: Facts, lenient: bool): bool {
    return this.holdsFor(uriNames(), lenient) || this.holdsFor(dnsNames(), lenient);
  }

  /** Each of them is true of the client, so that one is enough to allow as well. */
  private holdsFor(given: PeerNames, lenient: bool): bool {
    while (given.next()) if (this.names.take(given.name)) return true;
    return lenient && given.unreadable;
  }
}

export class ServerNameIs extends Condition {
  constructor(private names: Globs) {
    super();
  }

  holds(facts: Facts, lenient: bool): bool {
    const known = facts.readServerName();
    return known == Known.Yes ? this.names.take(facts.value) : lenient && known == Known.Unreadable;
  }
}

export class AddressIn extends Condition {
  private blocks: Block[] = [];

  constructor(
    values: JsonValue[],
    readonly isPeer: bool,
  ) {
    super();
    for (let i = 0; i < values.length; i++) {
      const block = Block.read(view(values[i].text));
      if (block === null) faultAt(values[i], 'expected an address or a block such as 10.0.0.0/8');
      else this.blocks.push(block);
    }
  }

  /** Of the addresses that it takes; null where it takes those of many. */
  groups(): u32[] | null {
    const groups: u32[] = [];
    for (let i = 0; i < this.blocks.length; i++) {
      const group = this.blocks[i].kin;
      if (group < 0) return null;
      groups.push(<u32>group);
    }
    return groups;
  }

  holds(facts: Facts, lenient: bool): bool {
    const known = this.isPeer ? facts.readPeer() : facts.readClient();
    if (known != Known.Yes) return lenient;
    const blocks = this.blocks;
    for (let i = 0; i < blocks.length; i++) if (unchecked(blocks[i]).has(facts.address, lenient)) return true;
    return false;
  }
}

export class PortIs extends Condition {
  private ports: i32[] = [];

  constructor(values: JsonValue[]) {
    super();
    for (let i = 0; i < values.length; i++) this.ports.push(<i32>values[i].number);
  }

  holds(facts: Facts, lenient: bool): bool {
    const port = facts.port;
    return port < 0 ? lenient : this.ports.includes(port);
  }
}

export class HostIs extends Condition {
  constructor(readonly hosts: Globs) {
    super();
  }

  holds(facts: Facts, lenient: bool): bool {
    return facts.isRequest ? this.hosts.take(facts.host) : lenient;
  }
}

export class MethodIs extends Condition {
  private methods: ArrayBuffer[] = [];

  constructor(values: JsonValue[]) {
    super();
    for (let i = 0; i < values.length; i++) {
      if (values[i].kind != JsonKind.String) faultAt(values[i], 'expected a string');
      this.methods.push(values[i].text);
    }
  }

  holds(facts: Facts, lenient: bool): bool {
    if (!facts.isRequest) return lenient;
    const methods = this.methods;
    const method = facts.method;
    for (let i = 0; i < methods.length; i++) {
      // Frameworks write it in capitals.
      if (lenient ? method.equalsIgnoreCase(unchecked(methods[i])) : method.equals(unchecked(methods[i])))
        return true;
    }
    return false;
  }
}

export class PathIs extends Condition {
  readonly patterns: PathPattern[] = [];
  private expressions: Expressions | null = null;

  constructor(values: JsonValue[]) {
    super();
    for (let i = 0; i < values.length; i++) this.add(values[i]);
  }

  private add(item: JsonValue): void {
    const type = item.get('type');
    const value = item.get('value');
    if (value === null || value.kind != JsonKind.String) {
      faultAt(item, 'expected an object with "value"');
      return;
    }
    let kind = 0;
    if (type !== null) {
      while (kind < PATH_KINDS.length && !type.is(PATH_KINDS[kind])) kind++;
      if (kind == PATH_KINDS.length) faultAt(type, 'expected one of: ' + PATH_KINDS.join(', '));
    }
    if (kind <= PathKind.Template) {
      this.patterns.push(new PathPattern(<PathKind>kind, value));
      return;
    }
    const expressions = this.expressions;
    const all = expressions === null ? new Expressions() : expressions;
    this.expressions = all;
    all.add(value, 'request.url_path.matches(' + quoted(value.text) + ')');
  }

  holds(facts: Facts, lenient: bool): bool {
    if (!facts.isRequest) return lenient;
    const patterns = this.patterns;
    const path = facts.path;
    for (let i = 0; i < patterns.length; i++) if (unchecked(patterns[i]).takes(path, lenient)) return true;
    const expressions = this.expressions;
    return expressions !== null && (lenient || !path.unsure) && expressions.anyHolds(lenient);
  }

  /** The first segments of the paths that it takes; null where there may be any. */
  firstSegments(lenient: bool): Bytes[] | null {
    if (this.expressions !== null) return null;
    const segments: Bytes[] = [];
    for (let i = 0; i < this.patterns.length; i++) {
      const segment = this.patterns[i].firstSegment(lenient);
      if (segment === null) return null;
      segments.push(segment);
    }
    return segments;
  }
}

/** What {@link PathIs.firstSegments} has to be compared with. */
export function firstSegment(facts: Facts, lenient: bool): Bytes {
  const path = facts.path;
  return firstSegmentOf(lenient ? path.loose : path.strict);
}

/** A regular expression as a whole, as a string of CEL. */
function quoted(pattern: ArrayBuffer): string {
  const text = view(pattern);
  const from = text.startsWith('(?i)') ? 4 : 0;
  const quoted = new ByteWriter(64).addByte(QUOTE).add(text.slice(0, from)).add('^(?:');
  for (let i = from; i < text.length; i++) {
    const byte = text.at(i);
    if (byte == QUOTE || byte == BACKSLASH) quoted.addByte(BACKSLASH);
    quoted.addByte(byte);
  }
  return quoted.add(')$"').view().toString();
}

class Expressions {
  private all: Expression[] = [];

  add(value: JsonValue, text: string): void {
    const expression = new Expression(text);
    if (!expression.valid) faultAt(value, 'not a regular expression that this host can match');
    this.all.push(expression);
  }

  anyHolds(lenient: bool): bool {
    for (let i = 0; i < this.all.length; i++) if (holds(this.all[i], lenient)) return true;
    return false;
  }
}

/** An expression without a value, or with one that is no boolean, cannot be read. */
function holds(expression: Expression, lenient: bool): bool {
  const value = expression.evaluate();
  if (value === null || value.length != 1) return lenient;
  return value.at(0) == 1;
}

export class ExpressionHolds extends Condition {
  private expression: Expression;

  constructor(value: JsonValue) {
    super();
    this.expression = new Expression(String.UTF8.decode(value.text));
    if (!this.expression.valid) faultAt(value, 'not a CEL expression that this host can evaluate');
  }

  holds(_facts: Facts, lenient: bool): bool {
    return holds(this.expression, lenient);
  }
}

/** The values of a field in every spelling that a server behind may take for it, read once however many rules ask. */
export class FieldValues {
  private turn: u32 = 0;
  private values: Bytes[] = [];

  constructor(readonly name: ArrayBuffer) {}

  of(facts: Facts): Bytes[] {
    if (this.turn == facts.turn) return this.values;
    this.turn = facts.turn;
    this.values.length = 0;
    const fields = facts.fields;
    while (fields.next()) {
      if (!fields.name.equals(this.name) && !isSpellingOf(fields.name, this.name)) continue;
      this.values.push(Bytes.of(fields.value.start, fields.value.length));
    }
    return this.values;
  }
}

const fieldsByName = new Map<string, FieldValues>();

/** Whether a server behind may take a field for one that rules ask for. */
export function isAskedFor(name: Bytes): bool {
  const fields = fieldsByName.values();
  for (let i = 0; i < fields.length; i++) if (isSpellingOf(name, fields[i].name)) return true;
  return false;
}

/** A field of the request. */
export class FieldIs extends Condition {
  readonly field: FieldValues;

  constructor(
    name: ArrayBuffer,
    readonly values: Globs,
  ) {
    super();
    let lowered = name.slice(0);
    const start = changetype<usize>(lowered);
    for (let i = 0; i < name.byteLength; i++) store<u8>(start + i, <u8>lower(load<u8>(start + i)));
    // A request has its host in another place.
    if (view(lowered).equals('host')) lowered = utf8(':authority');
    const key = String.UTF8.decode(lowered);
    if (!fieldsByName.has(key)) fieldsByName.set(key, new FieldValues(lowered));
    this.field = fieldsByName.get(key);
  }

  holds(facts: Facts, lenient: bool): bool {
    if (!facts.isRequest) return lenient;
    const values = this.field.of(facts);
    for (let i = 0; i < values.length; i++)
      if (this.fits(unchecked(values[i]), lenient) == lenient) return lenient;
    return values.length > 0 && !lenient;
  }

  /** The value as a whole, or its members: all of them, or one. */
  private fits(value: Bytes, lenient: bool): bool {
    if (this.values.take(value)) return true;
    if (value.indexOf(COMMA) < 0) return false;
    for (let at = 0; at <= value.length;) {
      const comma = value.indexOf(COMMA, at);
      const end = comma < 0 ? value.length : comma;
      if (this.values.take(value.slice(at, end).trim()) == lenient) return lenient;
      at = end + 1;
    }
    return !lenient;
  }
}

const parts = new Parts();
const decoded = new ByteWriter(128);

/** A parameter of the query, name and value decoded. */
export class ParameterIs extends Condition {
  constructor(
    private name: ArrayBuffer,
    private values: Globs,
  ) {
    super();
  }

  holds(facts: Facts, lenient: bool): bool {
    if (!facts.isRequest) return lenient;
    let found = false;
    parts.query(facts.target);
    while (parts.next()) {
      if (!decodeQuery(parts.name, decoded).equals(this.name)) continue;
      found = true;
      if (this.values.take(decodeQuery(parts.value, decoded)) == lenient) return lenient;
    }
    return found && !lenient;
  }
}

/** A claim of the token that was verified: the text itself, one of a list, or its JSON text. */
export class ClaimIs extends Condition {
  constructor(
    private path: ArrayBuffer[],
    private values: Globs,
  ) {
    super();
  }

  holds(facts: Facts, lenient: bool): bool {
    let value = facts.payload;
    if (value === null) return lenient && (!facts.isRequest || facts.claimsState == Known.Unreadable);
    const path = this.path;
    for (let i = 0; i < path.length; i++) {
      value = memberOf(value, unchecked(path[i]));
      if (value === null) return false;
    }
    if (value.kind != JsonKind.Array) return this.fits(value, facts);
    const items = value.items;
    for (let i = 0; i < items.length; i++) if (this.fits(items[i], facts)) return true;
    return false;
  }

  private fits(value: JsonValue, facts: Facts): bool {
    if (value.kind == JsonKind.String) return this.values.take(view(value.text));
    return this.values.take(facts.payloadBytes.slice(value.offset, value.end));
  }
}

function memberOf(object: JsonValue, name: ArrayBuffer): JsonValue | null {
  if (object.kind != JsonKind.Object) return null;
  const items = object.items;
  for (let i = 0; i < items.length; i++) if (view(name).equals(items[i].name)) return items[i];
  return null;
}
