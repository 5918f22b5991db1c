import type { TcpRuleSpec } from '../runtime/snapshot.ts';
import type { BoundListener } from './attach.ts';
import { ruleSection, scopeKey } from './attachments.ts';
import { UNUSABLE, type ChainTable } from './chains.ts';
import type { ClusterTable } from './clusters.ts';
import type { Config, UsableObject } from './config.ts';
import { metadataOf } from './metadata.ts';
import { listenerScopes } from './rules.ts';
import type { TrafficTable } from './traffic.ts';

type Route = UsableObject<'TCPRoute'>;

/** The TCP rules of a snapshot: one for each listener that a route is attached to. */
export class TcpRuleTable {
  readonly specs: TcpRuleSpec[] = [];
  readonly #config: Config;
  readonly #clusters: ClusterTable;
  readonly #chains: ChainTable;
  readonly #traffic: TrafficTable;

  constructor(config: Config, clusters: ClusterTable, chains: ChainTable, traffic: TrafficTable) {
    this.#config = config;
    this.#clusters = clusters;
    this.#chains = chains;
    this.#traffic = traffic;
  }

  /** Index of the rule that takes the listener's connections; -1 where no route is attached. */
  index(listener: BoundListener): number {
    const [route, ...others] = listener.tcpRoutes;
    if (route === undefined) return -1;
    for (const other of others) {
      const message = `TCPRoutes ${route.namespace}/${route.name} and ${other.namespace}/${other.name} both take the connections of listener ${listener.name}`;
      this.#config.report(other, 'WEIR2007', ['spec', 'parentRefs'], message, {
        related: [route.document.place(['spec', 'parentRefs'])],
      });
    }
    return this.specs.push(this.#rule(listener, route)) - 1;
  }

  /** Checks the references of a route that takes no connections, so that all faults come in one run. */
  check(route: Route): void {
    this.#backends(route);
  }

  #rule(listener: BoundListener, route: Route): TcpRuleSpec {
    const name = `${route.namespace}/${route.name}`;
    const section = ruleSection(route.value.spec.rules[0]!, 0);
    const scopes = [
      ...listenerScopes(listener),
      scopeKey('TCPRoute', route.namespace, route.name),
      scopeKey('TCPRoute', route.namespace, route.name, section),
    ];
    const attached = scopes.map((scope) => this.#chains.attachments.at(scope).map((entry) => entry.policy));
    const chain = this.#chains.effective(attached, scopes, 'tcp');
    const backends = this.#backends(route);
    return {
      name: `${name}#${section}`,
      route: name,
      source: route.document.position(['spec', 'rules', 0]),
      metadata: metadataOf(route.value.metadata.annotations),
      // Without one of its filters it must not serve: no backend, so that connections are closed.
      ...(chain === UNUSABLE ? { chain: 0, backends: [] } : { chain, backends }),
      ...this.#traffic.effectiveTcp(scopes),
    };
  }

  #backends(route: Route): TcpRuleSpec['backends'] {
    return route.value.spec.rules[0]!.backendRefs.map((backend, i) => ({
      cluster: this.#clusters.resolve(route, ['spec', 'rules', 0, 'backendRefs', i], backend),
      weight: backend.weight,
    }));
  }
}
