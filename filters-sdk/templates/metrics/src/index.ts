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
import { configuration, items, pattern, readConfiguration } from '@weir/filters-sdk/assembly/configuration';
import { Counter, Histogram, MetricName } from '@weir/filters-sdk/assembly/metrics';

const METHOD = utf8(':method');
const STATUS = propertyPath('response.code');
const DURATION = 'my_filter_duration_ms';

const CLASSES: string[] = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'];

/** Counts requests by method and class of status, and measures how long they take. */
@configuration({ title: 'my-filter', phase: 'log', capabilities: ['headers', 'properties', 'metrics'] })
class Settings {
  /**
   * Methods that are counted for themselves; all others are `other`. Every value of a label is a series of its own for
   * ever, so clients must not be able to make new ones.
   */
  @items(1, 32) @pattern('[A-Z]+') methods: ArrayBuffer[] = [
    utf8('GET'),
    utf8('HEAD'),
    utf8('POST'),
    utf8('PUT'),
    utf8('PATCH'),
    utf8('DELETE'),
    utf8('OPTIONS'),
  ];
}

class MetricsRoot extends RootContext {
  private methods: ArrayBuffer[] = [];
  /** By method and class; the last method stands for all others. Defined when they are first counted. */
  private counters: Array<Counter | null> = [];
  duration: Histogram | null = null;

  onConfigure(text: ArrayBuffer): bool {
    // Null refuses the configuration: the log has each fault, with line and column.
    const settings = readConfiguration<Settings>(text);
    if (settings === null) return false;
    this.methods = settings.methods;
    this.counters = new Array<Counter | null>((settings.methods.length + 1) * CLASSES.length);
    this.duration = new Histogram(new MetricName(DURATION));
    return true;
  }

  /** Its place in the list; behind the last for all others. */
  indexOf(method: Bytes | null): i32 {
    const methods = this.methods;
    if (method === null) return methods.length;
    for (let i = 0; i < methods.length; i++) if (method.equals(methods[i])) return i;
    return methods.length;
  }

  createStream(): StreamContext {
    return new Measured(this);
  }

  count(method: i32, statusClass: i32): void {
    const at = method * CLASSES.length + statusClass;
    let counter = this.counters[at];
    if (counter === null) {
      const name = new MetricName('my_filter_requests_total');
      const label = method == this.methods.length ? 'other' : String.UTF8.decode(this.methods[method]);
      counter = new Counter(name.label('method', label).label('class', CLASSES[statusClass]));
      this.counters[at] = counter;
    }
    counter.add();
  }
}

class Measured extends StreamContext {
  private method: i32;
  private startedAt: i64 = 0;

  constructor(private root: MetricsRoot) {
    super();
    this.method = root.indexOf(null);
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    this.startedAt = now();
    this.method = this.root.indexOf(requestHeaders.get(METHOD));
    return Action.Continue;
  }

  /** The stream is over, however it ended; everything is known now. */
  onLog(): void {
    const status = integerProperty(STATUS, 0);
    this.root.count(this.method, status >= 100 && status < 600 ? <i32>(status / 100) : 0);
    this.root.duration!.observe(<u64>((now() - this.startedAt) / 1_000_000));
  }
}

registerRoot(new MetricsRoot());
