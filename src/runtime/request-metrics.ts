import { type Metrics, type MetricScope } from './metrics.ts';
import { responseFlagsText } from './response-flags.ts';
import type { ClusterSpec, RuleSpec } from './snapshot.ts';

/** As Envoy and Istio have them, in milliseconds. */
const DURATION_BOUNDS = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000,
];
const SIZE_BOUNDS = [100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

// Pairs of status and flags that one route and cluster may have as series of their own.
const MAX_OUTCOMES = 64;

/**
 * Istio's standard metrics for every rule and cluster of a snapshot, seen from the source side. The
 * labels are those that Istio's dashboards and alerts group by, and `route`; histograms leave out the
 * response's, which would multiply their series.
 */
export class RequestMetrics {
  readonly #metrics: Metrics;
  /** By rule, the last one for requests without a rule: a series for each cluster, and one for none. */
  readonly #series: readonly (readonly RouteSeries[])[];

  /** @param scope lives as long as the snapshot; this object is not used after its end */
  constructor(scope: MetricScope, rules: readonly RuleSpec[], clusters: readonly ClusterSpec[]) {
    this.#metrics = scope.metrics;
    const ofRules = rules.map((rule) => {
      const used = [...new Set(rule.backends.map((backend) => backend.cluster))].filter(
        (index) => index !== -1,
      );
      return [...used, -1].map(
        (index) => new RouteSeries(scope, rule.route, index, clusters[index]?.name ?? ''),
      );
    });
    this.#series = [...ofRules, [new RouteSeries(scope, 'unknown', -1, '')]];
  }

  /**
   * Counts one request.
   *
   * @param rule index of its rule, -1 where none matched
   * @param cluster index of the cluster that was chosen, -1 where it never came to that
   * @param flags of `ResponseFlag`
   */
  record(
    rule: number,
    cluster: number,
    status: number,
    flags: number,
    durationMs: number,
    requestBytes: number,
    responseBytes: number,
  ): void {
    const ofRule = this.#series[rule === -1 ? this.#series.length - 1 : rule]!;
    let i = 0;
    while (i < ofRule.length - 1 && ofRule[i]!.cluster !== cluster) i++;
    const series = ofRule[i]!;
    const metrics = this.#metrics;
    metrics.inc(series.counterOf(status, flags));
    metrics.observe(series.duration, durationMs);
    metrics.observe(series.requestSize, requestBytes);
    metrics.observe(series.responseSize, responseBytes);
  }
}

class RouteSeries {
  readonly cluster: number;
  readonly duration: number;
  readonly requestSize: number;
  readonly responseSize: number;
  readonly #scope: MetricScope;
  readonly #labels: Readonly<Record<string, string>>;
  /** Outcomes seen so far, `flags << 10 | status`, and their counters' slots. */
  readonly #keys = new Int32Array(MAX_OUTCOMES);
  readonly #slots = new Int32Array(MAX_OUTCOMES);
  #known = 0;
  #last = -1;
  #lastSlot = 0;

  constructor(scope: MetricScope, route: string, cluster: number, clusterName: string) {
    this.cluster = cluster;
    this.#scope = scope;
    this.#labels = {
      reporter: 'source',
      source_workload: 'weir',
      request_protocol: 'http',
      ...destinationOf(clusterName),
      route,
    };
    const histogram = (name: string, help: string, bounds: readonly number[]): number =>
      scope.histogram(name, help, this.#labels, bounds);
    this.duration = histogram(
      'istio_request_duration_milliseconds',
      'Duration of requests.',
      DURATION_BOUNDS,
    );
    this.requestSize = histogram('istio_request_bytes', 'Size of request bodies.', SIZE_BOUNDS);
    this.responseSize = histogram('istio_response_bytes', 'Size of response bodies.', SIZE_BOUNDS);
  }

  /** The slot of `istio_requests_total` for an outcome; the series is made when it is first seen. */
  counterOf(status: number, flags: number): number {
    const key = (flags << 10) | status;
    if (key === this.#last) return this.#lastSlot;
    let i = 0;
    while (i < this.#known && this.#keys[i] !== key) i++;
    if (i === this.#known) i = this.#add(key, status, flags);
    this.#last = key;
    this.#lastSlot = this.#slots[i]!;
    return this.#lastSlot;
  }

  #add(key: number, status: number, flags: number): number {
    const last = this.#known === MAX_OUTCOMES - 1;
    // An upstream chooses its statuses; it does not choose how many series there are.
    if (this.#known === MAX_OUTCOMES) return MAX_OUTCOMES - 1;
    const i = this.#known++;
    this.#keys[i] = last ? -1 : key;
    this.#slots[i] = this.#scope.counter('istio_requests_total', 'Requests.', {
      ...this.#labels,
      response_code: last ? 'other' : String(status),
      response_flags: last ? 'other' : responseFlagsText(flags),
    });
    return i;
  }
}

/** A cluster's name is `namespace/name`, or `namespace/name:port` for a core Service. */
export function destinationOf(cluster: string): Record<string, string> {
  const [, namespace, name, port] = /^([^/]+)\/([^:]+)(:.+)?$/.exec(cluster) ?? [];
  if (namespace === undefined || name === undefined) {
    return {
      destination_service: 'unknown',
      destination_service_name: 'unknown',
      destination_service_namespace: 'unknown',
    };
  }
  return {
    destination_service:
      port === undefined ? `${name}.${namespace}` : `${name}.${namespace}.svc.cluster.local`,
    destination_service_name: name,
    destination_service_namespace: namespace,
  };
}
