// Metrics with labels: counts requests by method and class of status, and how large their answers are.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  responseHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { Counter, Gauge, Histogram, MetricName } from '@weir/filters-sdk/assembly/metrics';

const METHOD = utf8(':method');
const STATUS = utf8(':status');
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'other'];
const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'];

class MetricsRoot extends RootContext {
  private counters: Counter[] = [];
  inFlight!: Gauge;
  sizes!: Histogram;

  /** Metrics are defined once, and here: a request looks a number up in an array. */
  onConfigure(_configuration: ArrayBuffer): bool {
    this.inFlight = new Gauge(new MetricName('requests_in_flight'));
    this.sizes = new Histogram(new MetricName('answer_bytes'));
    for (let m = 0; m < METHODS.length; m++) {
      for (let c = 0; c < CLASSES.length; c++) {
        const name = new MetricName('requests_total').label('method', METHODS[m]).label('class', CLASSES[c]);
        this.counters.push(new Counter(name));
      }
    }
    return true;
  }

  count(method: i32, status: i32): void {
    const kind = min(max(status / 100, 1), 5) - 1;
    this.counters[method * CLASSES.length + kind].add();
  }

  createStream(): StreamContext {
    return new Measured(this);
  }
}

class Measured extends StreamContext {
  private method: i32 = 0;
  private bytes: u64 = 0;
  private begun: bool = false;

  constructor(private root: MetricsRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const method = requestHeaders.get(METHOD);
    this.method = indexOfMethod(method);
    this.begun = true;
    this.root.inFlight.add(1);
    return Action.Continue;
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    const status = responseHeaders.get(STATUS);
    this.root.count(this.method, status === null ? 0 : <i32>status.toUnsigned());
    return Action.Continue;
  }

  onResponseBody(size: i32, _endOfStream: bool): Action {
    // A part each time, since nothing is kept.
    this.bytes += size;
    return Action.Continue;
  }

  onDone(): void {
    if (!this.begun) return;
    this.root.inFlight.add(-1);
    this.root.sizes.observe(this.bytes);
  }

  recycle(): bool {
    this.method = 0;
    this.bytes = 0;
    this.begun = false;
    return true;
  }
}

/** Clients may invent methods; a label must not have more values than are listed. */
function indexOfMethod(method: Bytes | null): i32 {
  const other = METHODS.length - 1;
  for (let i = 0; method !== null && i < other; i++) if (method.equals(METHODS[i])) return i;
  return other;
}

registerRoot(new MetricsRoot());
