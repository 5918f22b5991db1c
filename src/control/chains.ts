import type { ModuleSpec, PluginSpec } from '../runtime/snapshot.ts';
import { expandCapabilities } from '../runtime/wasm/capabilities.ts';
import { AccessTable, type EffectiveAccess } from './access.ts';
import type { Assets } from './assets.ts';
import { Attachments } from './attachments.ts';
import { checkOrder, checkPhases, MISSING, OFF, placeOfAccess, type Link } from './chain-order.ts';
import type { ClusterTable } from './clusters.ts';
import type { Config, UsableObject } from './config.ts';
import { configurationText } from './configuration-text.ts';
import { ConsumerTable } from './consumers.ts';
import { FilterChecks } from './filter-checks.ts';
import { FilterUses } from './filter-uses.ts';
import type { ModuleProtocols } from './module-protocols.ts';
import { ModuleTable } from './module-table.ts';
import { suggest } from './nearest.ts';
import { PlanTable } from './plans.ts';
import type { FilterConfig } from './schema/filter-chain.ts';
import { SenderTable } from './sender-names.ts';
import { StoreTable } from './stores.ts';
import { withApi } from './validation.ts';

type Chain = UsableObject<'FilterChain'>;

/** The built-in filter for AccessPolicies. */
const ACCESS = 'access';

/** What {@link ChainTable.effective} returns for a chain with a filter that cannot be had. */
export const UNUSABLE = -1;

/** Modules, plugins and effective chains of a snapshot. */
export class ChainTable {
  readonly plugins: PluginSpec[] = [];
  readonly chains: number[][] = [[]];
  readonly attachments: Attachments<'FilterChain'>;
  readonly plans: PlanTable;
  /** Chains that run somewhere. */
  readonly used = new Set<Chain>();
  readonly #config: Config;
  readonly #assets: Assets;
  readonly #clusters: ClusterTable;
  readonly #consumers: ConsumerTable;
  readonly #stores: StoreTable;
  readonly #uses: FilterUses;
  readonly #modules: ModuleTable;
  readonly #links = new Map<Chain, Map<string, readonly Link[]>>();
  readonly #chainIndexes = new Map<string, number>([['', 0]]);
  readonly #access: AccessTable;
  readonly #senders: SenderTable;
  /** Plugins that were made of AccessPolicies, by their configuration. */
  readonly #accessIndexes = new Map<string, number>();

  constructor(config: Config, assets: Assets, clusters: ClusterTable) {
    this.#config = config;
    this.#assets = assets;
    this.#clusters = clusters;
    this.#consumers = new ConsumerTable(config, assets.standIns ?? null);
    this.plans = new PlanTable(config, assets);
    this.#stores = new StoreTable(config, assets);
    this.#uses = new FilterUses(config, assets);
    this.#modules = new ModuleTable(assets, this.#uses);
    this.attachments = new Attachments(config, 'FilterChain');
    this.#access = new AccessTable(config);
    this.#senders = new SenderTable(this.plugins, this.modules);
    const checks = new FilterChecks({
      config,
      assets,
      uses: this.#uses,
      stores: this.#stores,
      plans: this.plans,
    });
    for (const chain of config.all('FilterChain')) checks.check(chain);
    for (const [scope, attached] of this.attachments.scopes()) checkOrder(config, scope, attached);
  }

  get modules(): readonly ModuleSpec[] {
    return this.#modules.specs;
  }

  /**
   * The chain of a request (merge rule 1): all attached chains, outer scope first.
   *
   * @param scopes the chains of each scope, from Gateway to rule. A chain that is attached at
   *   several of them runs once, at the outermost.
   * @param names of the scopes, for modules that have instances for each of them
   * @returns index into {@link chains}; UNUSABLE where a filter is missing, which has been
   *   reported: the requests must be refused, since the filter could be the one that protects them
   */
  effective(
    scopes: readonly (readonly Chain[])[],
    names: readonly string[],
    protocol: keyof ModuleProtocols,
  ): number {
    let links: Link[] = [];
    for (const [i, scope] of scopes.entries()) {
      if (scope.some((chain) => !chain.value.spec.inherit)) {
        links = links.filter((link) => link.chain.value.spec.enforced || scope.includes(link.chain));
      }
      for (const chain of scope) {
        if (links.some((link) => link.chain === chain)) continue;
        this.used.add(chain);
        links.splice(this.#placeOf(chain, links), 0, ...this.#linksOf(chain, names[i]!));
      }
    }
    if (links.some((link) => link.plugin === MISSING)) return UNUSABLE;
    const strangers = links.filter((link) => !this.#handles(link, protocol, names));
    if (strangers.length > 0) return UNUSABLE;
    checkPhases(this.#config, links);
    const running = links.filter((link) => link.plugin !== OFF);
    const plugins = running.map((link) => link.plugin);
    const access = this.#access.effective(names);
    if (access !== null) {
      this.#access.note(access, this.#senders.of(running));
      const plugin = this.#accessPlugin(access);
      if (plugin === MISSING) return UNUSABLE;
      plugins.splice(placeOfAccess(running), 0, plugin);
    }
    return this.#intern(plugins);
  }

  /** False, after reporting it, where the filter has callbacks for streams of another protocol alone. */
  #handles(link: Link, protocol: keyof ModuleProtocols, names: readonly string[]): boolean {
    if (link.plugin < 0) return true;
    const module = this.modules[this.plugins[link.plugin]!.module]!;
    const known = this.#assets.protocols.get(module.digest);
    const other = protocol === 'tcp' ? 'http' : 'tcp';
    if (known === undefined || known[protocol] || !known[other]) return true;
    const [handles, passes] = protocol === 'tcp' ? ['HTTP', 'connections'] : ['TCP', 'requests'];
    const message = `filter "${link.filter}" handles ${handles} only, and ${passes} of ${names.at(-1)!} pass it`;
    const where = protocol === 'tcp' ? 'HTTP listeners or HTTPRoutes' : 'TCP listeners or TCPRoutes';
    this.#config.report(link.chain, 'WEIR1211', ['spec', 'filters', link.index, 'use'], message, {
      hint: `attach the chain to ${where} alone, for example by sectionName`,
    });
    return false;
  }

  reportUnknownSenders(): void {
    this.#access.reportUnknownSenders();
  }

  #placeOf(chain: Chain, links: readonly Link[]): number {
    const { placement } = chain.value.spec;
    if (placement === undefined) return links.length;
    const anchor = placement.before ?? placement.after!;
    const at = links.findIndex((link) => link.filter === anchor);
    if (at >= 0) return placement.before === undefined ? at + 1 : at;
    const side = placement.before === undefined ? 'after' : 'before';
    const known = links.map((link) => link.filter);
    this.#config.report(
      chain,
      'WEIR2005',
      ['spec', 'placement', side],
      `no filter "${anchor}" runs in the chains outside of FilterChain ${chain.name}`,
      {
        hint: suggest(anchor, known),
        notes: known.length > 0 ? [`filters there: ${known.join(', ')}`] : [],
      },
    );
    return links.length;
  }

  #linksOf(chain: Chain, scope: string): readonly Link[] {
    let byScope = this.#links.get(chain);
    if (byScope === undefined) this.#links.set(chain, (byScope = new Map<string, readonly Link[]>()));
    const existing = byScope.get(scope);
    if (existing !== undefined) return existing;
    const first = byScope.values().next().value;
    const links = chain.value.spec.filters.map((filter, i): Link => {
      // One plugin for all places, but where each place is to have its own instances.
      if (first !== undefined && !this.#uses.isOfAttachment(chain, filter)) return first[i]!;
      return {
        chain,
        filter: filter.name,
        index: i,
        phase: this.#uses.phaseOf(chain, filter.use),
        plugin: filter.mode === 'Off' ? OFF : this.#plugin(chain, filter, i, scope),
      };
    });
    byScope.set(scope, links);
    return links;
  }

  #plugin(chain: Chain, filter: FilterConfig, index: number, scope: string): number {
    const module = this.#modules.index(chain, filter.use);
    if (module === null) return MISSING;
    const callouts = filter.callouts.map((callout, i) => {
      const cluster = this.#clusters.resolve(chain, ['spec', 'filters', index, 'callouts', i], callout);
      return [callout.as ?? callout.name, cluster] as const;
    });
    const spec: PluginSpec = {
      name: `${chain.namespace}/${chain.name}#${filter.name}${this.#uses.isOfAttachment(chain, filter) ? `@${scope}` : ''}`,
      filter: filter.name,
      source: chain.document.position(['spec', 'filters', index]),
      module,
      rootId: filter.rootId,
      // Shared data belongs to a namespace, so that one tenant cannot read that of another.
      tenant: chain.namespace,
      ...this.#modules.vms[module]!,
      configuration: configurationText(this.#handed(chain, index)),
      ...this.#uses.secretFields(chain, filter),
      onError: filter.onError === 'Deny' ? 'deny' : 'skip',
      capabilities: this.#uses.capabilitiesOf(chain, filter.use),
      bodyBufferBytes: filter.body.buffer,
      onBodyOverflow: filter.body.onOverflow === 'Reject' ? 'reject' : 'stream',
      ...this.#uses.bodies(chain, filter),
      properties: filter.properties === 'Envoy' ? 'envoy' : 'text',
      callouts: callouts.filter(([, cluster]) => cluster >= 0),
      ...(filter.use === ACCESS ? { decidesAgain: true } : {}),
      ...this.#stores.of(chain, index),
    };
    return this.plugins.push(spec) - 1;
  }

  /** The configuration that a filter's module receives. */
  #handed(chain: Chain, index: number): unknown {
    return (
      withApi(chain, index, this.#assets.apis) ??
      this.plans.expand(chain, index) ??
      this.#consumers.expand(chain, index)
    );
  }

  /** The filter that decides by AccessPolicies. */
  #accessPlugin({ name, policies, configuration, rules }: EffectiveAccess): number {
    const [first] = policies as [UsableObject<'AccessPolicy'>];
    const known = this.#accessIndexes.get(configuration);
    if (known !== undefined) return known;
    const module = this.#modules.index(first, ACCESS);
    if (module === null) {
      this.#config.report(first, 'WEIR1205', ['kind'], `the built-in filter ${ACCESS} is not built`, {
        hint: 'npm run build',
      });
      return MISSING;
    }
    // The same policies may be in force in another order of stages.
    const twins = this.plugins.filter((other) => other.name.replace(/@\d+$/, '') === `${name}#${ACCESS}`);
    const spec: PluginSpec = {
      name: `${name}#${ACCESS}${twins.length === 0 ? '' : `@${twins.length}`}`,
      filter: ACCESS,
      source: first.document.position(['metadata', 'name']),
      module,
      rootId: '',
      tenant: first.namespace,
      ...this.#modules.vms[module]!,
      configuration,
      onError: 'deny',
      capabilities: expandCapabilities(this.#assets.builtins.get(ACCESS)?.schema?.capabilities),
      bodyBufferBytes: 0,
      onBodyOverflow: 'reject',
      bodyWhileHeld: false,
      properties: 'envoy',
      callouts: [],
      decidesAgain: true,
      rules,
    };
    const index = this.plugins.push(spec) - 1;
    this.#accessIndexes.set(configuration, index);
    return index;
  }

  #intern(plugins: readonly number[]): number {
    const key = plugins.join(',');
    const existing = this.#chainIndexes.get(key);
    if (existing !== undefined) return existing;
    this.#chainIndexes.set(key, this.chains.length);
    return this.chains.push([...plugins]) - 1;
  }
}
