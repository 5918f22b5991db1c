import { Attribute, parseAttribute } from '@weir/filters-sdk/assembly/attributes';
import { ByteWriter, Reply, encode, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { wholeOf } from '@weir/filters-sdk/assembly/config-values';
import { Algorithm, Limit, OnFailure, Scope } from '@weir/filters-sdk/assembly/limits';
import { escaped } from '@weir/filters-sdk/assembly/plans';
import { Expression } from '@weir/filters-sdk/assembly/state';

/** 31 days. */
const LONGEST_MS: i64 = 2678400000;
const MOST_REQUESTS: i64 = 1000000000;
/** Of requests times period: all arithmetic stays below 2^53. */
const MOST_UNITS: i64 = 4503599627370496;

const number = new ByteWriter(32);

/** One limit: what is counted by itself, how much of it, and what a request takes. */
export class LimitRule {
  limit: Limit = new Limit(1, 1000, 0, Algorithm.TokenBucket, Scope.Node);
  /** Where it is not an attribute's. */
  private constantCost: u32 = 1;
  private requestCost: Attribute | null = null;
  /** What is charged when the stream is over; null: nothing. */
  responseCost: Attribute | null = null;
  /** The response's cost counts so many as one. */
  private per: i64 = 1;
  /** Whether the request only asks for room, since all is charged later. */
  asksOnly: bool = false;
  isConcurrency: bool = false;
  /** `"name";q=100;w=60` */
  policy: ArrayBuffer = new ArrayBuffer(0);
  /** `"name"` */
  quotedName: ArrayBuffer = new ArrayBuffer(0);
  /** `"name";r=` */
  remaining: ArrayBuffer = new ArrayBuffer(0);
  /** What a request is answered that it refuses. */
  refusal: Reply = Reply.problem(429, 'Too Many Requests', 'rate limit exceeded', 'rate_limited');
  /** What stands in `rate_limit.refused_by` then: `gold#second`, or `second` without a plan. */
  label: ArrayBuffer = new ArrayBuffer(0);
  private requests: u32 = 1;
  private periodMs: u32 = 1;
  private burst: u32 = 0;
  private algorithm: Algorithm = Algorithm.TokenBucket;
  /** What every key begins with: the limit's name, and constants. */
  private prefix: ArrayBuffer = new ArrayBuffer(0);
  private parts: KeyPart[] = [];

  constructor(config: Config, keys: JsonValue[], cost: JsonValue | null) {
    this.readLimit(config);
    if (cost !== null) this.readCost(cost);
    this.readName(config, keys);
  }

  private readLimit(config: Config): void {
    const limit = config.object('limit', true);
    const choices = ['token-bucket', 'gcra', 'fixed-window', 'sliding-window', 'concurrency'];
    this.algorithm = limit.choice('algorithm', choices);
    this.isConcurrency = this.algorithm == Algorithm.Concurrency;
    const requests = limit.integer('requests', 1, MOST_REQUESTS, 0);
    let periodMs: i64 = 1;
    if (!this.isConcurrency) periodMs = limit.duration('per', 1, LONGEST_MS, 0);
    else if (limit.has('per')) {
      limit.member('per');
      limit.fault('per', 'concurrency has no period');
    }
    const burst = limit.integer('burst', 0, MOST_REQUESTS, 0);
    if (burst > 0 && this.algorithm > Algorithm.Gcra) {
      limit.fault('burst', 'only token-bucket and gcra have one');
    }
    if (max(requests, burst) * periodMs > MOST_UNITS) {
      limit.fault('requests', 'too many for so long a period');
    }
    this.requests = <u32>requests;
    this.periodMs = <u32>periodMs;
    this.burst = <u32>burst;
  }

  place(scope: Scope, onFailure: OnFailure): void {
    this.limit = new Limit(this.requests, this.periodMs, this.burst, this.algorithm, scope, onFailure);
  }

  ofPlan(plan: ArrayBuffer): void {
    const own = String.UTF8.decode(this.label);
    const name = escaped(plan);
    const detail = 'the rate limit ' + own + ' of the plan ' + name + ' is exceeded';
    const members = '"limit":"' + own + '","plan":"' + name + '"';
    this.refusal = Reply.problem(429, 'Too Many Requests', detail, 'rate_limited', members);
    this.label = new ByteWriter(64).add(plan).add('#').add(this.label).copy();
  }

  private readCost(cost: JsonValue): void {
    if (cost.kind != JsonKind.Object) {
      this.readRequestCost(cost);
      return;
    }
    const config = Config.of(cost);
    const request = config.member('request');
    const response = config.member('response');
    if (request !== null) this.readRequestCost(request);
    if (response !== null) {
      this.responseCost = readAttribute(response, 'request.');
      this.asksOnly = request === null;
      if (this.isConcurrency) faultAt(response, 'nothing is charged of concurrency afterwards');
    }
    this.per = config.integer('per', 1, MOST_REQUESTS, 1);
    config.end();
  }

  private readRequestCost(cost: JsonValue): void {
    if (cost.kind == JsonKind.String) this.requestCost = readAttribute(cost, 'response.');
    else this.constantCost = <u32>wholeOf(cost, 1, MOST_REQUESTS);
  }

  private readName(config: Config, keys: JsonValue[]): void {
    const text = new ByteWriter(32);
    if (config.has('name')) text.add(config.text('name'));
    else text.add('default');
    if (!isName(text)) faultAt(config.value.get('name')!, '1 to 64 printable characters without " and \\');

    this.label = text.copy();
    const quoted = new ByteWriter(64).add('"').add(text.view()).add('"');
    this.quotedName = quoted.copy();
    this.remaining = quoted.add(';r=').copy();
    quoted.truncate(this.quotedName.byteLength);
    quoted.add(';q=').addNumber(this.requests);
    if (this.isConcurrency) quoted.add(';qu="concurrent-requests"');
    // A window is told in whole seconds.
    else if (this.periodMs % 1000 == 0) quoted.add(';w=').addNumber(this.periodMs / 1000);
    this.policy = quoted.copy();

    for (let i = 0; i < keys.length; i++) this.readKey(keys[i], text);
    this.prefix = text.copy();
  }

  private readKey(value: JsonValue, prefix: ByteWriter): void {
    if (value.kind == JsonKind.String) {
      const name = value.is('request.path') ? encode('request.url_path') : view(value.text);
      // Else a client would get a new limit for each query that it thinks of.
      const attribute = parseAttribute(name);
      if (name.startsWith('response.') || name.startsWith('upstream.')) {
        faultAt(value, 'not known yet when the request comes');
      } else if (attribute === null) {
        faultAt(value, 'unknown attribute; a fixed text is written {"constant": …}');
      } else this.parts.push(new KeyPart(attribute, null));
      return;
    }
    if (value.kind != JsonKind.Object) {
      faultAt(value, 'expected the name of an attribute, or an object with "constant" or "cel"');
      return;
    }
    const config = Config.of(value);
    if (config.has('cel')) {
      const expression = new Expression(String.UTF8.decode(config.text('cel')));
      if (!expression.valid) config.fault('cel', 'not a CEL expression that this host can evaluate');
      this.parts.push(new KeyPart(null, expression));
    } else prefix.addByte(0).add(config.text('constant'));
    config.end();
  }

  /** The key of the running request: name, constants, the rest, each behind a NUL. Missing ones are empty. */
  writeKey(into: ByteWriter): void {
    into.add(this.prefix);
    const parts = this.parts;
    for (let i = 0; i < parts.length; i++) {
      into.addByte(0);
      unchecked(parts[i]).write(into);
    }
  }

  /** What the running request takes. */
  costOfRequest(): u32 {
    const attribute = this.requestCost;
    return attribute === null ? this.constantCost : <u32>numberOf(attribute, 1);
  }

  /** What is to be charged for the running stream, which is over. */
  costOfResponse(): u32 {
    const attribute = this.responseCost;
    if (attribute === null) return 0;
    return <u32>((numberOf(attribute, 0) + this.per - 1) / this.per);
  }
}

/** A part of a key that each request has of its own. */
class KeyPart {
  constructor(
    private attribute: Attribute | null,
    private expression: Expression | null,
  ) {}

  write(into: ByteWriter): void {
    const attribute = this.attribute;
    if (attribute !== null) attribute.write(into);
    const expression = this.expression;
    if (expression === null) return;
    const value = expression.evaluate();
    if (value !== null) into.add(value);
  }
}

/** @param notYet what begins so is not known at that time */
function readAttribute(value: JsonValue, notYet: string): Attribute | null {
  if (value.kind != JsonKind.String) {
    faultAt(value, 'expected the name of an attribute');
    return null;
  }
  const name = view(value.text);
  if (name.startsWith(notYet)) {
    faultAt(value, notYet == 'request.' ? 'not of the answer' : 'not known yet when the request comes');
    return null;
  }
  const attribute = parseAttribute(name);
  if (attribute === null) faultAt(value, 'unknown attribute');
  return attribute;
}

/** A number that an attribute is, or `missing` where it is none. */
function numberOf(attribute: Attribute, missing: i64): i64 {
  number.clear();
  if (!attribute.write(number)) return missing;
  const value = number.view().trim().toUnsigned();
  return value < 0 ? missing : min(value, MOST_REQUESTS);
}

/** What may stand in a structured field's string. */
function isName(text: ByteWriter): bool {
  const bytes = text.view();
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes.at(i);
    if (byte < 32 || byte > 126 || byte == 34 || byte == 92) return false;
  }
  return bytes.length > 0 && bytes.length <= 64;
}
