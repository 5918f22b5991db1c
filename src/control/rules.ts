import type {
  BackendSpec,
  HeaderModifier,
  PathRewrite,
  RedirectSpec,
  RewriteSpec,
  RuleSpec,
} from '../runtime/snapshot.ts';
import type { BoundListener } from './attach.ts';
import { ruleSection, scopeKey } from './attachments.ts';
import { UNUSABLE, type ChainTable } from './chains.ts';
import type { ClusterTable } from './clusters.ts';
import type { Config, UsableObject } from './config.ts';
import { metadataOf } from './metadata.ts';
import { POLICY_GROUP } from './schema/reference.ts';
import type {
  HeaderModifierConfig,
  PathModifierConfig,
  RouteFilterConfig,
  RuleConfig,
} from './schema/http-route.ts';
import type { Traffic, TrafficTable } from './traffic.ts';

type Route = UsableObject<'HTTPRoute'>;

/** Protocols that Upgrade may name where nothing else is said. */
const UPGRADES = ['websocket'] as const;

/** The parts of a rule that are the same on every listener. */
type RuleCore = Omit<RuleSpec, 'chain' | keyof Traffic>;

/** The rules of a snapshot. A rule that is reached by listeners with different policies is there once for each. */
export class RuleTable {
  readonly specs: RuleSpec[] = [];
  readonly #config: Config;
  readonly #clusters: ClusterTable;
  readonly #chains: ChainTable;
  readonly #traffic: TrafficTable;
  readonly #cores = new Map<RuleConfig, RuleCore>();
  readonly #indexes = new Map<string, number>();

  constructor(config: Config, clusters: ClusterTable, chains: ChainTable, traffic: TrafficTable) {
    this.#config = config;
    this.#clusters = clusters;
    this.#chains = chains;
    this.#traffic = traffic;
  }

  /** Index of the rule as it is for requests that come in at the listener. */
  index(listener: BoundListener, route: Route, ruleIndex: number): number {
    const rule = route.value.spec.rules[ruleIndex]!;
    const scopes = scopesOf(listener, route, ruleSection(rule, ruleIndex));
    const attached = scopes.map((scope) => this.#chains.attachments.at(scope).map((entry) => entry.policy));
    attached.at(-1)!.push(...this.#extensions(route, ruleIndex));
    const core = this.#core(route, ruleIndex);
    const traffic = this.#traffic.effective(scopes, route, ruleIndex);
    const chain = this.#chains.effective(attached, scopes, 'http');
    // Without one of its filters the rule must not serve: no backend and no redirect, so 500.
    const refused = chain === UNUSABLE ? { chain: 0, backends: [], redirect: null } : { chain };
    const spec: RuleSpec = { ...core, ...traffic, ...refused };
    const key = JSON.stringify([core.name, spec.chain, traffic]);
    const existing = this.#indexes.get(key);
    if (existing !== undefined) return existing;
    this.#indexes.set(key, this.specs.length);
    return this.specs.push(spec) - 1;
  }

  /** Checks the references of a route that takes no traffic, so that all faults come in one run. */
  check(route: Route): void {
    for (let i = 0; i < route.value.spec.rules.length; i++) {
      this.#core(route, i);
      this.#extensions(route, i);
    }
  }

  #core(route: Route, index: number): RuleCore {
    const rule = route.value.spec.rules[index]!;
    let core = this.#cores.get(rule);
    if (core === undefined) {
      const name = `${route.namespace}/${route.name}`;
      core = {
        name: `${name}#${ruleSection(rule, index)}`,
        route: name,
        source: route.document.position(['spec', 'rules', index]),
        metadata: metadataOf(route.value.metadata.annotations),
        ...compileFilters(rule.filters),
        backends: this.#backends(route, index),
        upgrades: UPGRADES,
      };
      this.#cores.set(rule, core);
    }
    return core;
  }

  #backends(route: Route, index: number): BackendSpec[] {
    const backends: BackendSpec[] = [];
    for (const [i, backend] of route.value.spec.rules[index]!.backendRefs.entries()) {
      const path = ['spec', 'rules', index, 'backendRefs', i];
      const cluster = this.#clusters.resolve(route, path, backend);
      const { requestHeaders, responseHeaders } = compileFilters(backend.filters);
      if (backend.weight > 0)
        backends.push({ cluster, weight: backend.weight, requestHeaders, responseHeaders });
    }
    return backends;
  }

  /** The FilterChains that ExtensionRefs of the rule name, in their order. */
  #extensions(route: Route, index: number): UsableObject<'FilterChain'>[] {
    const chains: UsableObject<'FilterChain'>[] = [];
    for (const [i, { extensionRef }] of route.value.spec.rules[index]!.filters.entries()) {
      if (extensionRef === undefined) continue;
      const path = ['spec', 'rules', index, 'filters', i, 'extensionRef'];
      if (extensionRef.group !== POLICY_GROUP || extensionRef.kind !== 'FilterChain') {
        const what = `${extensionRef.kind} in group "${extensionRef.group}"`;
        this.#config.report(
          route,
          'WEIR2110',
          [...path, 'kind'],
          `an ExtensionRef must name a FilterChain in group "${POLICY_GROUP}", got ${what}`,
        );
        continue;
      }
      const found = this.#config.find('FilterChain', route.namespace, extensionRef.name);
      if (found === undefined) {
        const wanted = { kind: 'FilterChain', namespace: route.namespace, name: extensionRef.name } as const;
        this.#config.reportMissing(route, 'WEIR2106', [...path, 'name'], 'ExtensionRef', wanted);
      } else if (found.value !== null) {
        chains.push(found as UsableObject<'FilterChain'>);
      }
    }
    return chains;
  }
}

/** The scopes of a request, from outside in. */
function scopesOf(listener: BoundListener, route: Route, section: string): string[] {
  return [
    ...listenerScopes(listener),
    scopeKey('HTTPRoute', route.namespace, route.name),
    scopeKey('HTTPRoute', route.namespace, route.name, section),
  ];
}

/** The scopes of a request that matches no route. */
export function listenerScopes({ gateway, config }: BoundListener): string[] {
  return [
    scopeKey('Gateway', gateway.namespace, gateway.name),
    scopeKey('Gateway', gateway.namespace, gateway.name, config.name),
  ];
}

function compileFilters(filters: readonly RouteFilterConfig[] | readonly BackendFilter[]) {
  let requestHeaders: HeaderModifier | null = null;
  let responseHeaders: HeaderModifier | null = null;
  let rewrite: RewriteSpec | null = null;
  let redirect: RedirectSpec | null = null;
  for (const filter of filters) {
    if (filter.type === 'RequestHeaderModifier')
      requestHeaders = compileModifier(filter.requestHeaderModifier!);
    if (filter.type === 'ResponseHeaderModifier')
      responseHeaders = compileModifier(filter.responseHeaderModifier!);
    if (filter.type === 'URLRewrite') {
      const { hostname, path } = filter.urlRewrite!;
      rewrite = { hostname: hostname ?? null, path: compilePathModifier(path) };
    }
    if (filter.type === 'RequestRedirect') {
      const { scheme, hostname, path, port, statusCode } = filter.requestRedirect!;
      redirect = {
        scheme: scheme ?? null,
        hostname: hostname ?? null,
        path: compilePathModifier(path),
        port: port ?? null,
        status: statusCode,
      };
    }
  }
  return { requestHeaders, responseHeaders, rewrite, redirect };
}

type BackendFilter = RuleConfig['backendRefs'][number]['filters'][number];

function compileModifier({ remove, set, add }: HeaderModifierConfig): HeaderModifier {
  return {
    remove: [...remove],
    set: set.map(({ name, value }) => [name, value] as const),
    add: add.map(({ name, value }) => [name, value] as const),
  };
}

function compilePathModifier(path: PathModifierConfig | undefined): PathRewrite | null {
  if (path === undefined) return null;
  return path.type === 'ReplaceFullPath'
    ? { type: 'full', value: path.replaceFullPath! }
    : { type: 'prefix', value: path.replacePrefixMatch! };
}
