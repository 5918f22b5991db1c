import { Random, WeightedChoice } from '../balance.ts';
import { CompiledRetry } from '../retry.ts';
import type { ClusterSpec, TcpRuleSpec } from '../snapshot.ts';

const random = new Random();

/** What to do with connections, in the form that streams read. */
export class LiveTcpRule {
  readonly spec: TcpRuleSpec;
  readonly retry: CompiledRetry | null;
  readonly #choice: WeightedChoice;
  /** Clusters of its backends: `namespace/name`, and the name alone. */
  readonly #byName = new Map<string, number>();

  constructor(spec: TcpRuleSpec, clusters: readonly ClusterSpec[]) {
    this.spec = spec;
    this.retry = spec.retry === null ? null : new CompiledRetry(spec.retry);
    this.#choice = new WeightedChoice(spec.backends.map((backend) => backend.weight));
    for (const { cluster } of spec.backends) {
      if (cluster < 0) continue;
      const { name } = clusters[cluster]!;
      this.#byName.set(name, cluster);
      const short = name.slice(name.indexOf('/') + 1);
      if (!this.#byName.has(short)) this.#byName.set(short, cluster);
    }
  }

  /** Index of a cluster by weight; -1 where the rule has none, or its share is of one that does not exist. */
  pickCluster(): number {
    const index = this.#choice.pick(random);
    return index < 0 ? -1 : this.spec.backends[index]!.cluster;
  }

  /** Index of the backend's cluster that a filter names; -1: no backend has this name. */
  clusterNamed(name: string): number {
    return this.#byName.get(name) ?? -1;
  }
}
