import {
  Context,
  Counter,
  FilterHeadersStatusValues,
  Gauge,
  Histogram,
  RootContext,
  WasmResultValues,
  continue_request,
  dequeue_shared_queue,
  enqueue_shared_queue,
  get_shared_data,
  proxy_set_effective_context,
  resolve_shared_queue,
  set_shared_data,
} from '@gcoredev/proxy-wasm-sdk-as/assembly';
import {
  INFO,
  logLine,
  metricValue,
  property,
  reply,
  requestHeader,
  setRequestHeader,
  text,
  utf8,
} from './support';

const waiting: u32[] = [];

export class Waiting extends Context {
  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    waiting.push(this.context_id);
    return FilterHeadersStatusValues.StopIteration;
  }
}

export function resumeWaiting(): void {
  while (waiting.length > 0) {
    proxy_set_effective_context(waiting.shift());
    setRequestHeader('x-resumed-by', 'tick');
    continue_request();
  }
}

let counter: Counter | null = null;
let gauge: Gauge | null = null;
let histogram: Histogram | null = null;

export function defineMetrics(): void {
  counter = new Counter('plugin_counter');
  gauge = new Gauge('plugin_gauge');
  histogram = new Histogram('plugin_histogram');
}

export class Counting extends Context {
  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    counter!.increment(1);
    gauge!.increment(5);
    gauge!.increment(-3);
    histogram!.record(histogram!.metric_id, 42);
    setRequestHeader('x-counter', metricValue(counter!.metric_id));
    setRequestHeader('x-gauge', metricValue(gauge!.metric_id));
    return FilterHeadersStatusValues.Continue;
  }
}

export class Shared extends Context {
  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    let value = 1;
    for (;;) {
      const before = get_shared_data('count');
      const known = before.value;
      value = known === null ? 1 : I32.parseInt(text(known)) + 1;
      if (set_shared_data('count', utf8(value.toString()), before.cas) == WasmResultValues.Ok) break;
    }
    const stale = set_shared_data('count', utf8('lost'), get_shared_data('count').cas + 1000);
    const missing = get_shared_data('missing').result == WasmResultValues.NotFound;
    setRequestHeader('x-shared', value.toString());
    setRequestHeader('x-stale', (<i32>stale).toString());
    setRequestHeader('x-missing', missing ? 'yes' : 'no');
    return FilterHeadersStatusValues.Continue;
  }
}

export class Queue extends Context {
  constructor(
    id: u32,
    root: RootContext,
    private queue: u32,
  ) {
    super(id, root);
  }

  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const path = requestHeader(':path');
    if (path == '/last') {
      const last = get_shared_data('last').value;
      reply(200, [], [], last === null ? '' : text(last));
      return FilterHeadersStatusValues.StopIteration;
    }
    const vm = text(property('plugin_vm_id'));
    const same = resolve_shared_queue(vm, 'jobs').token == this.queue;
    const unknown = resolve_shared_queue(vm, 'no such queue').result == WasmResultValues.NotFound;
    enqueue_shared_queue(this.queue, utf8(path));
    setRequestHeader('x-queue', same && unknown ? 'ok' : 'wrong');
    return FilterHeadersStatusValues.Continue;
  }
}

export function takeJobs(queue: u32): void {
  for (;;) {
    const job = dequeue_shared_queue(queue).data;
    if (job === null) return;
    set_shared_data('last', job, 0);
    logLine(INFO, 'job ' + text(job));
  }
}
