import type { TcpRuleSpec } from '../runtime/snapshot.ts';
import type { BoundListener } from './attach.ts';
import { ruleSection, scopeKey } from './attachments.ts';
import { UNUSABLE, type ChainTable } from './chains.ts';
import type { ClusterTable } from './clusters.ts';
import type { Config, UsableObject } from './config.ts';
import { metadataOf } from './metadata.ts';
import { listenerScopes } from './rules.ts';
import type { TrafficTable } from './traffic.ts';

type Route = UsableObject<'TCPRoute'> | UsableObject<'TLSRoute'>;

/** The TCP rules of a snapshot. A route that listeners with different policies reach has one for each. */
export class TcpRuleTable {
  readonly specs: TcpRuleSpec[] = [];
  readonly #config: Config;
  readonly #clusters: ClusterTable;
  readonly #chains: ChainTable;
  readonly #traffic: TrafficTable;
  readonly #indexes = new Map<string, number>();

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
    return this.#rule(listener, route);
  }

  /** The rules of a listener that TLS passes through, by hostname. */
  byHostname(listener: BoundListener): Map<string, number> {
    const rules = new Map<string, number>();
    const owners = new Map<string, Route>();
    for (const [route, hostnames] of listener.tlsRoutes) {
      const rule = this.#rule(listener, route);
      for (const hostname of hostnames) {
        const owner = owners.get(hostname);
        if (owner === undefined) {
          owners.set(hostname, route);
          rules.set(hostname, rule);
          continue;
        }
        const name = hostname === '' ? 'any hostname' : `hostname ${hostname}`;
        const message = `TLSRoutes ${owner.namespace}/${owner.name} and ${route.namespace}/${route.name} both take ${name} on listener ${listener.name}`;
        this.#config.report(route, 'WEIR2007', ['spec', 'hostnames'], message, {
          related: [owner.document.place(['spec', 'hostnames'])],
        });
      }
    }
    return rules;
  }

  /** Checks the references of a route that takes no connections, so that all faults come in one run. */
  check(route: Route): void {
    this.#backends(route);
  }

  /** Index of the route's rule as it is for connections of the listener. */
  #rule(listener: BoundListener, route: Route): number {
    const name = `${route.namespace}/${route.name}`;
    const section = ruleSection(route.value.spec.rules[0]!, 0);
    const scopes = [
      ...listenerScopes(listener),
      scopeKey(route.kind, route.namespace, route.name),
      scopeKey(route.kind, route.namespace, route.name, section),
    ];
    const attached = scopes.map((scope) => this.#chains.attachments.at(scope).map((entry) => entry.policy));
    const chain = this.#chains.effective(attached, scopes, 'tcp');
    const backends = this.#backends(route);
    const spec: TcpRuleSpec = {
      name: `${name}#${section}`,
      route: name,
      source: route.document.position(['spec', 'rules', 0]),
      metadata: metadataOf(route.value.metadata.annotations),
      // Without one of its filters it must not serve: no backend, so that connections are closed.
      ...(chain === UNUSABLE ? { chain: 0, backends: [] } : { chain, backends }),
      ...this.#traffic.effectiveTcp(scopes),
    };
    const key = JSON.stringify([route.kind, spec]);
    let index = this.#indexes.get(key);
    if (index === undefined) this.#indexes.set(key, (index = this.specs.push(spec) - 1));
    return index;
  }

  #backends(route: Route): TcpRuleSpec['backends'] {
    return route.value.spec.rules[0]!.backendRefs.map((backend, i) => ({
      cluster: this.#clusters.resolve(route, ['spec', 'rules', 0, 'backendRefs', i], backend),
      weight: backend.weight,
    }));
  }
}
