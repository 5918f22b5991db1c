import { MetricType, Status } from './abi';
import { Bytes } from './bytes';
import { out } from './arena';
import { proxy_define_metric, proxy_get_metric, proxy_increment_metric, proxy_record_metric } from './env';
import { ByteWriter } from './writer';

/**
 * A name with labels. The ABI knows names alone, so labels stand in the name, as in
 * `requests_total_route=checkout_class=2xx`: a label's name begins after the last `_` before its `=`. A
 * label's name therefore has no `_`, and `=` in a value becomes `:`.
 *
 * Label values must be few: the host keeps each combination for ever, and refuses beyond its limit.
 */
export class MetricName {
  private text: ByteWriter = new ByteWriter(96);

  constructor(name: string) {
    this.text.add(name);
  }

  label<V>(name: string, value: V): this {
    this.text.addByte(95).add(name).addByte(61);
    const from = this.text.length;
    this.text.add<V>(value);
    const view = this.text.view();
    for (let i = from; i < view.length; i++) if (view.at(i) == 61) store<u8>(view.start + i, 58);
    return this;
  }

  view(): Bytes {
    return this.text.view();
  }
}

/** 0 where the host refuses it; such a metric counts nothing. */
function define(type: MetricType, name: MetricName): u32 {
  const bytes = name.view();
  return proxy_define_metric(type, bytes.start, bytes.length, out) == Status.Ok ? load<u32>(out) : 0;
}

/** Grows only. Defining it again finds the same one. */
export class Counter {
  private metric: u32;

  constructor(name: MetricName) {
    this.metric = define(MetricType.Counter, name);
  }

  add(count: i64 = 1): void {
    if (this.metric != 0) proxy_increment_metric(this.metric, count);
  }

  get value(): u64 {
    return read(this.metric);
  }
}

/** Goes up and down. */
export class Gauge {
  private metric: u32;

  constructor(name: MetricName) {
    this.metric = define(MetricType.Gauge, name);
  }

  set(value: u64): void {
    if (this.metric != 0) proxy_record_metric(this.metric, value);
  }

  /** May be negative. */
  add(difference: i64): void {
    if (this.metric != 0) proxy_increment_metric(this.metric, difference);
  }

  get value(): u64 {
    return read(this.metric);
  }
}

/** Keeps how often values of which size were seen. */
export class Histogram {
  private metric: u32;

  constructor(name: MetricName) {
    this.metric = define(MetricType.Histogram, name);
  }

  observe(value: u64): void {
    if (this.metric != 0) proxy_record_metric(this.metric, value);
  }
}

function read(metric: u32): u64 {
  return metric != 0 && proxy_get_metric(metric, out) == Status.Ok ? load<u64>(out) : 0;
}
