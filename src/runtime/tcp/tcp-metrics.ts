import type { Metrics, MetricScope } from '../metrics.ts';
import { destinationOf } from '../request-metrics.ts';
import { responseFlagsText } from '../response-flags.ts';
import type { ClusterSpec, TcpRuleSpec } from '../snapshot.ts';

/** Istio's standard metrics of TCP for every rule and cluster of a snapshot, seen from the source side. */
export class TcpMetrics {
  /** By rule, the last one for connections that no rule took: a series for each cluster, and one for none. */
  readonly #series: readonly (readonly TcpSeries[])[];

  /** @param scope lives as long as the snapshot; this object is not used after its end */
  constructor(scope: MetricScope, rules: readonly TcpRuleSpec[], clusters: readonly ClusterSpec[]) {
    const ofRules = rules.map((rule) => {
      const used = [...new Set(rule.backends.map((backend) => backend.cluster))].filter(
        (index) => index !== -1,
      );
      return [...used, -1].map(
        (index) => new TcpSeries(scope, rule.route, index, clusters[index]?.name ?? ''),
      );
    });
    this.#series = [...ofRules, [new TcpSeries(scope, 'unknown', -1, '')]];
  }

  /**
   * @param rule index of the rule, -1 where none took the connection
   * @param cluster index of the cluster that was chosen, -1 where it never came to that
   */
  series(rule: number, cluster: number): TcpSeries {
    const ofRule = this.#series[rule === -1 ? this.#series.length - 1 : rule]!;
    return ofRule.find((series) => series.cluster === cluster) ?? ofRule.at(-1)!;
  }
}

/** Connections of one rule to one cluster. */
export class TcpSeries {
  readonly cluster: number;
  readonly #metrics: Metrics;
  readonly #scope: MetricScope;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #opened: number;
  readonly #sent: number;
  readonly #received: number;
  /** Slots of closed connections, by flags. Weir alone sets those, so that they are few. */
  readonly #closed = new Map<number, number>();

  constructor(scope: MetricScope, route: string, cluster: number, clusterName: string) {
    this.cluster = cluster;
    this.#metrics = scope.metrics;
    this.#scope = scope;
    this.#labels = {
      reporter: 'source',
      source_workload: 'weir',
      request_protocol: 'tcp',
      ...destinationOf(clusterName),
      route,
    };
    const counter = (name: string, help: string): number => scope.counter(name, help, this.#labels);
    this.#opened = counter('istio_tcp_connections_opened_total', 'Connections that were taken.');
    this.#received = counter('istio_tcp_received_bytes_total', 'Bytes from clients.');
    this.#sent = counter('istio_tcp_sent_bytes_total', 'Bytes to clients.');
  }

  opened(): void {
    this.#metrics.inc(this.#opened);
  }

  received(bytes: number): void {
    this.#metrics.inc(this.#received, bytes);
  }

  sent(bytes: number): void {
    this.#metrics.inc(this.#sent, bytes);
  }

  /** @param flags of `ResponseFlag` */
  closed(flags: number): void {
    let slot = this.#closed.get(flags);
    if (slot === undefined) {
      slot = this.#scope.counter('istio_tcp_connections_closed_total', 'Connections that are over.', {
        ...this.#labels,
        response_flags: responseFlagsText(flags),
      });
      this.#closed.set(flags, slot);
    }
    this.#metrics.inc(slot);
  }
}
