import { MetricType, Status } from './abi';
import { Bytes, encode, sizeOf, startOf, utf8 } from './bytes';
import { out } from './arena';
import { proxy_define_metric, proxy_get_metric, proxy_increment_metric, proxy_record_metric } from './env';
import { ByteWriter } from './writer';

/**
 * A name with labels, as Prometheus writes them: `requests_total{route="checkout",class="2xx"}`. The ABI knows names
 * alone: weir takes the labels out of it, and to others it is a name like any (Envoy's `stats_tags` can).
 *
 * A label's name consists of letters, digits and `_`. Label values must be few: the host keeps each combination for
 * ever, and refuses beyond its limit.
 */
export class MetricName {
  private name: ArrayBuffer;
  private labels: ByteWriter = new ByteWriter(64);

  constructor(name: string) {
    this.name = utf8(name);
  }

  label<V>(name: string, value: V): this {
    if (isString<V>()) return this.label<Bytes>(name, encode(changetype<string>(value)));
    const labels = this.labels;
    labels
      .addByte(labels.length == 0 ? 123 : 44)
      .add(name)
      .addByte(61)
      .addByte(34);
    const start = startOf<V>(value);
    for (let i = 0; i < sizeOf<V>(value); i++) {
      const byte: i32 = load<u8>(start + i);
      if (byte == 34 || byte == 92 || byte == 10) labels.addByte(92);
      labels.addByte(byte == 10 ? 110 : byte);
    }
    labels.addByte(34);
    return this;
  }

  /** The SDK's. */
  view(): Bytes {
    const text = new ByteWriter(96).add(this.name);
    if (this.labels.length > 0) text.add(this.labels.view()).addByte(125);
    return text.view();
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
