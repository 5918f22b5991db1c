// Counts requests, and measures how long they take.

// Hands on the callbacks that the host makes. Without this line the module is no filter.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  RootContext,
  StreamContext,
  integerProperty,
  now,
  propertyPath,
  registerRoot,
  requestHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';
import { Counter, Histogram, MetricName } from '@weir/filters-sdk/assembly/metrics';

const METHOD = utf8(':method');
const STATUS = propertyPath('response.code');
const DURATION = 'my_filter_duration_ms';

// Every value of a label is a series of its own for ever: a client must not be able to make new ones. So there is a
// list of methods, and one name for all others.
const METHODS: string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other'];
const CLASSES: string[] = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'];

class MetricsRoot extends RootContext {
  /** By method and class. Defined when they are first counted. */
  private counters: Array<Counter | null> = new Array<Counter | null>(METHODS.length * CLASSES.length);
  duration: Histogram | null = null;

  onConfigure(configuration: ArrayBuffer): bool {
    this.duration = new Histogram(new MetricName(DURATION));
    return readConfig(configuration).end();
  }

  createStream(): StreamContext {
    return new Measured(this);
  }

  count(method: i32, statusClass: i32): void {
    const at = method * CLASSES.length + statusClass;
    let counter = this.counters[at];
    if (counter === null) {
      const name = new MetricName('my_filter_requests_total');
      counter = new Counter(name.label('method', METHODS[method]).label('class', CLASSES[statusClass]));
      this.counters[at] = counter;
    }
    counter.add();
  }
}

class Measured extends StreamContext {
  private method: i32 = METHODS.length - 1;
  private startedAt: i64 = 0;

  constructor(private root: MetricsRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    this.startedAt = now();
    this.method = indexOfMethod(requestHeaders.get(METHOD));
    return Action.Continue;
  }

  /** The stream is over, however it ended; everything is known now. */
  onLog(): void {
    const status = integerProperty(STATUS, 0);
    this.root.count(this.method, status >= 100 && status < 600 ? <i32>(status / 100) : 0);
    this.root.duration!.observe(<u64>((now() - this.startedAt) / 1_000_000));
  }
}

function indexOfMethod(method: Bytes | null): i32 {
  const other = METHODS.length - 1;
  if (method === null) return other;
  for (let i = 0; i < other; i++) if (method.equals(METHODS[i])) return i;
  return other;
}

registerRoot(new MetricsRoot());
