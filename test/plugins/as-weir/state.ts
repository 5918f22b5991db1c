import {
  Action,
  LogLevel,
  StreamContext,
  compareAndSetShared,
  dequeue,
  enqueue,
  getShared,
  log,
  property,
  replyWith,
  requestHeader,
  requestHeaders,
  resolveQueue,
  resumeRequest,
  sharedVersion,
} from '@weir/filters-sdk/assembly';
import { proxy_set_effective_context } from '@weir/filters-sdk/assembly/env';
import { Counter, Gauge, Histogram, MetricName } from '@weir/filters-sdk/assembly/metrics';

const waiting: u32[] = [];

export class Waiting extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    waiting.push(this.id);
    return Action.Pause;
  }
}

export function resumeWaiting(): void {
  while (waiting.length > 0) {
    proxy_set_effective_context(waiting.shift());
    requestHeaders.set('x-resumed-by', 'tick');
    resumeRequest();
  }
}

export class Metrics {
  readonly counter: Counter = new Counter(new MetricName('plugin_counter'));
  readonly gauge: Gauge = new Gauge(new MetricName('plugin_gauge'));
  readonly histogram: Histogram = new Histogram(new MetricName('plugin_histogram'));
  readonly labelled: Counter = new Counter(
    new MetricName('plugin_labels').label('route', 'check=out "x"').label('class', '2xx'),
  );
  readonly level: Gauge = new Gauge(new MetricName('plugin_level'));
}

export class Counting extends StreamContext {
  constructor(private metrics: Metrics) {
    super();
  }

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const metrics = this.metrics;
    metrics.counter.add();
    metrics.gauge.add(5);
    metrics.gauge.add(-3);
    metrics.histogram.observe(42);
    metrics.labelled.add(3);
    metrics.level.set(metrics.labelled.value);
    requestHeaders.set('x-labelled', metrics.level.value.toString());
    requestHeaders.set('x-counter', metrics.counter.value.toString());
    requestHeaders.set('x-gauge', metrics.gauge.value.toString());
    return Action.Continue;
  }
}

export class Shared extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    let value = 1;
    for (;;) {
      const before = getShared('count');
      value = before === null ? 1 : <i32>before.toUnsigned() + 1;
      if (compareAndSetShared('count', value.toString(), before === null ? 0 : sharedVersion())) break;
    }
    getShared('count');
    const stale = compareAndSetShared('count', 'lost', sharedVersion() + 1000);
    requestHeaders.set('x-shared', value.toString());
    requestHeaders.set('x-stale', stale ? '0' : '8');
    requestHeaders.set('x-missing', getShared('missing') === null ? 'yes' : 'no');
    return Action.Continue;
  }
}

export class Queue extends StreamContext {
  constructor(private queue: u32) {
    super();
  }

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const path = requestHeader(':path')!;
    if (path.equals('/last')) {
      const last = getShared('last');
      return replyWith(200, last === null ? '' : last.toString());
    }
    const vm = property('plugin_vm_id')!.toString();
    const same = resolveQueue(vm, 'jobs') == this.queue;
    const unknown = resolveQueue(vm, 'no such queue') == 0;
    const taken = enqueue(this.queue, path);
    requestHeaders.set('x-queue', same && unknown && taken ? 'ok' : 'wrong');
    return Action.Continue;
  }
}

export function takeJobs(queue: u32): void {
  for (let job = dequeue(queue); job !== null; job = dequeue(queue)) {
    compareAndSetShared('last', job, 0);
    log(LogLevel.Info, 'job ' + job.toString());
  }
}
