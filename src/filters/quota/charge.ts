import { Attribute, parseAttribute } from '@weir/filters-sdk/assembly/attributes';
import { ByteWriter, Bytes, lower, responseHeaders, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { Expression } from '@weir/filters-sdk/assembly/state';
import { MOST } from './plan';

/** Where the amount comes from. */
export enum Source {
  Constant,
  Attribute,
  /** A field of the answer. */
  Header,
  /** Bytes of the answer's body. */
  Body,
  /** A number in the answer's JSON. */
  Json,
}

const SERVED = 'response.code < 500';
const text = new ByteWriter(32);

/** When a request is charged, and how much. */
export class Charge {
  onResponse: bool = false;
  source: Source = Source.Constant;
  /** Kept back until the amount is known, and charged where it never is. */
  estimate: u64 = 1;
  /** What becomes of what was kept back in a worker that dies: it is charged, else given back. */
  ifLost: bool = false;
  /** Of JSON: names of members from the outside in. */
  path: ArrayBuffer[] = [];
  private constant: u64 = 1;
  private attribute: Attribute | null = null;
  private header: ArrayBuffer = new ArrayBuffer(0);
  private when: Expression | null = null;

  read(config: Config): void {
    this.onResponse = config.choice('on', ['request', 'response']) == 1;
    const amount = config.member('amount');
    if (amount !== null) this.readAmount(amount);
    this.estimate = <u64>config.integer('reserve', 0, MOST, <i64>this.constant);
    if (config.has('reserve') && !this.onResponse) config.fault('reserve', 'is for "on": "response"');
    this.ifLost = config.choice('ifWorkerDies', ['release', 'charge']) == 1;
    if (this.ifLost && !this.onResponse) config.fault('ifWorkerDies', 'is for "on": "response"');
    const when = config.member('when');
    if (when !== null) {
      const expression = new Expression(String.UTF8.decode(when.text));
      if (!expression.valid) faultAt(when, 'not a CEL expression that this host can evaluate');
      this.when = expression;
    } else if (this.onResponse) this.when = new Expression(SERVED);
  }

  private readAmount(value: JsonValue): void {
    if (value.kind == JsonKind.Number) {
      const number = value.number;
      if (number >= 0 && number <= <f64>MOST && number == floor(number)) this.constant = <u64>number;
      else faultAt(value, 'expected a whole number from 0 on');
      return;
    }
    const config = Config.of(value);
    if (value.items.length != 1) faultAt(value, 'expected one of: attribute, header, body, json');
    if (config.has('attribute')) this.readAttribute(config.member('attribute')!);
    if (config.has('header')) {
      this.source = Source.Header;
      const name = config.text('header');
      for (let i = 0; i < name.byteLength; i++) {
        const at = changetype<usize>(name) + i;
        store<u8>(at, lower(load<u8>(at)));
      }
      this.header = name;
    }
    if (config.has('body')) {
      this.source = Source.Body;
      config.choice('body', ['bytes']);
    }
    if (config.has('json')) {
      this.source = Source.Json;
      this.readPath(config.member('json')!);
    }
    config.end();
    if (this.source > Source.Attribute && !this.onResponse)
      faultAt(value, 'is known with the answer alone: it needs "on": "response"');
  }

  private readAttribute(value: JsonValue): void {
    this.source = Source.Attribute;
    const name = view(value.text);
    this.attribute = parseAttribute(name);
    const ofAnswer = name.startsWith('response.') || name.startsWith('upstream.');
    if (this.attribute === null) faultAt(value, 'unknown attribute');
    else if (ofAnswer && !this.onResponse) faultAt(value, 'not known yet when the request comes');
  }

  private readPath(value: JsonValue): void {
    let rest = view(value.text);
    for (;;) {
      const dot = rest.indexOf(46);
      const name = dot < 0 ? rest : rest.slice(0, dot);
      if (name.length == 0) faultAt(value, 'expected names with dots between, such as usage.total_tokens');
      this.path.push(name.copy());
      if (dot < 0) return;
      rest = rest.slice(dot + 1);
    }
  }

  /** Whether the running request is to be charged. */
  applies(): bool {
    const when = this.when;
    return when === null || when.holds();
  }

  /** What is asked for when the request comes. */
  ofRequest(): u64 {
    if (this.onResponse) return this.estimate;
    const known = this.known();
    return known < 0 ? 1 : <u64>known;
  }

  /** What constants, attributes and fields of the answer say; -1: nothing. */
  known(): i64 {
    switch (this.source) {
      case Source.Constant:
        return <i64>this.constant;
      case Source.Attribute:
        text.clear();
        return this.attribute!.write(text) ? text.view().toUnsigned() : -1;
      case Source.Header:
        return this.sumOfFields();
      default:
        return -1;
    }
  }

  /** All values of the field count; one that is no number makes all of it unknown. */
  private sumOfFields(): i64 {
    let sum: i64 = -1;
    const fields = responseHeaders.all();
    while (fields.nextNamed(this.header)) {
      const value = trimmed(fields.value).toUnsigned();
      if (value < 0 || value > MOST) return -1;
      sum = min(MOST, max<i64>(sum, 0) + value);
    }
    return sum;
  }
}

function trimmed(bytes: Bytes): Bytes {
  let from = 0;
  let to = bytes.length;
  while (from < to && bytes.at(from) == 32) from++;
  while (to > from && bytes.at(to - 1) == 32) to--;
  return bytes.slice(from, to);
}
