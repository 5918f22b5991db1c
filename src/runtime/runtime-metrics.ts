import type { Cluster } from './cluster.ts';
import { type MetricRegistry, type Metrics } from './metrics.ts';

/** Weir's own metrics of a worker, registered for its whole life. Each field is a slot. */
export class RuntimeMetrics {
  readonly downstreamConnections: number;
  readonly downstreamConnectionsTotal: number;
  readonly downstreamConnectionsRefused: number;
  readonly downstreamRequestsRefused: number;
  readonly streamsActive: number;
  readonly accessLogDropped: number;
  readonly snapshots: number;

  constructor(metrics: Metrics) {
    const gauge = (name: string, help: string): number => metrics.gauge(name, help, {});
    const counter = (name: string, help: string): number => metrics.counter(name, help, {});
    this.downstreamConnections = gauge('weir_downstream_connections', 'Open client connections.');
    this.downstreamConnectionsTotal = counter(
      'weir_downstream_connections_total',
      'Accepted client connections.',
    );
    this.downstreamConnectionsRefused = counter(
      'weir_downstream_connections_refused_total',
      'Client connections closed at once because of a limit.',
    );
    this.downstreamRequestsRefused = counter(
      'weir_downstream_requests_refused_total',
      'Requests that broke the rules of HTTP or a limit of the listener.',
    );
    this.streamsActive = gauge('weir_streams_active', 'Requests in flight.');
    this.accessLogDropped = counter('weir_access_log_dropped_total', 'Access log lines that were dropped.');
    this.snapshots = gauge('weir_snapshots', 'Snapshots that are still in use.');
  }
}

/** Metrics of one cluster; `registry` is the scope of the snapshot. */
export class ClusterMetrics {
  /** Counters, for `Metrics.inc`. */
  readonly retries: number;
  readonly retriesRefused: number;
  readonly connectFailures: number;
  readonly overflows: number;
  readonly #connections: number;
  readonly #active: number;
  readonly #pending: number;
  readonly #endpoints: number;

  constructor(registry: MetricRegistry, name: string) {
    const labels = { cluster: name };
    const counter = (metric: string, help: string): number => registry.counter(metric, help, labels);
    const gauge = (metric: string, help: string): number => registry.gauge(metric, help, labels);
    this.retries = counter('weir_retries_total', 'Attempts after the first one.');
    this.retriesRefused = counter('weir_retries_refused_total', 'Retries that the budget did not allow.');
    this.connectFailures = counter(
      'weir_upstream_connect_failures_total',
      'Upstream connections that were not made.',
    );
    this.overflows = counter('weir_upstream_overflows_total', 'Requests refused by a limit of the cluster.');
    this.#connections = gauge('weir_upstream_connections', 'Open upstream connections.');
    this.#active = gauge('weir_upstream_requests_active', 'Attempts in flight.');
    this.#pending = gauge('weir_upstream_requests_pending', 'Requests that wait for a connection.');
    this.#endpoints = gauge('weir_upstream_endpoints', 'Addresses of the cluster.');
  }

  /** Copies the cluster's own counts, just before a dump: so no gauge can drift or outlive its cluster. */
  collect(metrics: Metrics, cluster: Cluster): void {
    metrics.set(this.#connections, cluster.connections);
    metrics.set(this.#active, cluster.activeRequests);
    metrics.set(this.#pending, cluster.pendingRequests);
    metrics.set(this.#endpoints, cluster.endpoints.length);
  }
}

/** The callbacks of a filter that are timed. */
export const Phase = {
  RequestHeaders: 0,
  RequestBody: 1,
  RequestTrailers: 2,
  ResponseHeaders: 3,
  ResponseBody: 4,
  ResponseTrailers: 5,
  NewConnection: 6,
  DownstreamData: 7,
  UpstreamData: 8,
} as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

const PHASES = [
  'request_headers',
  'request_body',
  'request_trailers',
  'response_headers',
  'response_body',
  'response_trailers',
  'new_connection',
  'downstream_data',
  'upstream_data',
];

/** Seconds. A call takes about a microsecond; its budget ends at some milliseconds. */
const FILTER_BOUNDS = [
  0.000001, 0.0000025, 0.000005, 0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
  0.01, 0.05, 0.1,
];

/** Metrics of one filter; `registry` is the scope of the snapshot. */
export class FilterMetrics {
  readonly traps: number;
  readonly denied: number;
  /** Slot of `weir_filter_duration_seconds` by `Phase`. */
  readonly durations: Int32Array;
  readonly #registry: MetricRegistry;
  readonly #filter: string;
  /** Slots of `weir_filter_duration_seconds` of callbacks that are no part of a stream, by their names. */
  readonly #rootCallbacks = new Map<string, number>();

  constructor(registry: MetricRegistry, filter: string) {
    this.#registry = registry;
    this.#filter = filter;
    this.traps = registry.counter('weir_filter_traps_total', 'Calls of a filter that ended in a trap.', {
      filter,
    });
    this.denied = registry.counter('weir_filter_replies_total', 'Requests that a filter answered itself.', {
      filter,
    });
    this.durations = Int32Array.from(PHASES, (phase) => this.#duration(phase));
  }

  /** @param name `proxy_on_tick` and its like: few, and made with their first call */
  rootCallback(name: string): number {
    let slot = this.#rootCallbacks.get(name);
    if (slot === undefined)
      this.#rootCallbacks.set(name, (slot = this.#duration(name.replace(/^proxy_on_/, ''))));
    return slot;
  }

  #duration(phase: string): number {
    return this.#registry.histogram(
      'weir_filter_duration_seconds',
      'Time in a callback of a filter.',
      { filter: this.#filter, phase },
      FILTER_BOUNDS,
    );
  }
}
