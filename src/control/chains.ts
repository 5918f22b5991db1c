import type { ModuleSpec, PluginSpec } from '../runtime/snapshot.ts';
import { expandCapabilities } from '../runtime/wasm/capabilities.ts';
import { CALL_FRAMES, REQUEST_MS, START_MS } from '../runtime/wasm/limits.ts';
import { AccessTable, type EffectiveAccess } from './access.ts';
import type { Assets } from './assets.ts';
import { Attachments, type Attached } from './attachments.ts';
import type { ClusterTable } from './clusters.ts';
import type { Config, UsableObject } from './config.ts';
import { configurationText } from './configuration-text.ts';
import { ConsumerTable } from './consumers.ts';
import type { FilterSchema } from './filter-schema.ts';
import type { ModuleProtocols } from './module-protocols.ts';
import { vmFieldsOf, type VmFields } from './module-vm.ts';
import { suggest } from './nearest.ts';
import { failsClosed, PHASES, type Phase } from './phase.ts';
import { PlanTable } from './plans.ts';
import type { FilterConfig } from './schema/filter-chain.ts';
import { StoreTable } from './stores.ts';
import { valueAt } from './validate.ts';
import { checkSchemas, withApi } from './validation.ts';

type Chain = UsableObject<'FilterChain'>;

/** One filter in the chain of a scope; `plugin` is OFF where it is switched off, MISSING where it cannot be had. */
interface Link {
  readonly chain: Chain;
  readonly filter: string;
  /** In the chain object. */
  readonly index: number;
  readonly phase: Phase | null;
  readonly plugin: number;
}

/** As much as 10 000 Consumers with labels take to be read, and room. */
export const BUILTIN_MEMORY_BYTES = 64 * 1024 * 1024;
/** The built-in filter for AccessPolicies. */
const ACCESS = 'access';
const OFF = -1;
const MISSING = -2;

/** What {@link ChainTable.effective} returns for a chain with a filter that cannot be had. */
export const UNUSABLE = -1;

/** Modules, plugins and effective chains of a snapshot. */
export class ChainTable {
  readonly modules: ModuleSpec[] = [];
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
  readonly #links = new Map<Chain, Map<string, readonly Link[]>>();
  /** By module. */
  readonly #vms: VmFields[] = [];
  readonly #moduleIndexes = new Map<string, number>();
  readonly #chainIndexes = new Map<string, number>([['', 0]]);
  readonly #access: AccessTable;
  /** Plugins that were made of AccessPolicies, by their configuration. */
  readonly #accessIndexes = new Map<string, number>();

  constructor(config: Config, assets: Assets, clusters: ClusterTable) {
    this.#config = config;
    this.#assets = assets;
    this.#clusters = clusters;
    this.#consumers = new ConsumerTable(config, assets.standIns ?? null);
    this.plans = new PlanTable(config, assets);
    this.#stores = new StoreTable(config, assets);
    this.attachments = new Attachments(config, 'FilterChain');
    this.#access = new AccessTable(config);
    for (const chain of config.all('FilterChain')) this.#checkFilters(chain);
    for (const [scope, attached] of this.attachments.scopes()) this.#checkOrder(scope, attached);
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
    this.#checkPhases(links);
    const running = links.filter((link) => link.plugin !== OFF);
    const plugins = running.map((link) => link.plugin);
    const access = this.#access.effective(names);
    if (access !== null) {
      // One without a phase may be what finds out.
      this.#access.note(
        access,
        running.some(({ phase }) => phase === null || phase === 'authn'),
      );
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
      if (first !== undefined && !this.#isOfAttachment(chain, filter)) return first[i]!;
      return {
        chain,
        filter: filter.name,
        index: i,
        phase: this.#phaseOf(chain, filter.use),
        plugin: filter.mode === 'Off' ? OFF : this.#plugin(chain, filter, i, scope),
      };
    });
    byScope.set(scope, links);
    return links;
  }

  #isOfAttachment(chain: Chain, filter: FilterConfig): boolean {
    const own = moduleName(filter.use);
    const module = own === undefined ? undefined : this.#config.find('Module', chain.namespace, own);
    return module?.value?.spec.instances.isolation === 'Attachment';
  }

  #plugin(chain: Chain, filter: FilterConfig, index: number, scope: string): number {
    const module = this.#module(chain, filter.use);
    if (module === null) return MISSING;
    const callouts = filter.callouts.map((callout, i) => {
      const cluster = this.#clusters.resolve(chain, ['spec', 'filters', index, 'callouts', i], callout);
      return [callout.as ?? callout.name, cluster] as const;
    });
    const spec: PluginSpec = {
      name: `${chain.namespace}/${chain.name}#${filter.name}${this.#isOfAttachment(chain, filter) ? `@${scope}` : ''}`,
      filter: filter.name,
      source: chain.document.position(['spec', 'filters', index]),
      module,
      rootId: filter.rootId,
      // Shared data belongs to a namespace, so that one tenant cannot read that of another.
      tenant: chain.namespace,
      ...this.#vms[module]!,
      configuration: configurationText(this.#handed(chain, index)),
      ...this.#secretFields(chain, filter),
      onError: filter.onError === 'Deny' ? 'deny' : 'skip',
      capabilities: this.#capabilities(chain, filter.use),
      bodyBufferBytes: filter.body.buffer,
      onBodyOverflow: filter.body.onOverflow === 'Reject' ? 'reject' : 'stream',
      ...this.#bodies(chain, filter),
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
    const module = this.#module(first, ACCESS);
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
      ...this.#vms[module]!,
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

  /** The index of the module; null where it could not be read, which has been reported. */
  #module({ namespace }: { readonly namespace: string }, use: string): number | null {
    const own = moduleName(use);
    const name = own === undefined ? `builtin/${use}` : `${namespace}/${own}`;
    const existing = this.#moduleIndexes.get(name);
    if (existing !== undefined) return existing;
    const digest =
      own === undefined ? this.#assets.builtins.get(use)?.digest : this.#assets.modules.get(name);
    if (digest === undefined) return null;
    const object = own === undefined ? undefined : this.#config.find('Module', namespace, own);
    const limits = object?.value?.spec.limits;
    const spec: ModuleSpec = {
      name,
      digest,
      source: object?.document.position() ?? name,
      memoryBytes: limits?.memory ?? BUILTIN_MEMORY_BYTES,
      ...(object?.value?.spec.onTrap.rollback === false ? { keepsDigest: true } : {}),
      ...(limits === undefined
        ? builtinCpu(own === undefined ? this.#assets.builtins.get(use)?.schema : null)
        : {
            cpu: {
              perCallMs: limits.cpuPerCall,
              perRequestMs: limits.cpuPerRequest,
              perStartMs: limits.cpuPerStart,
              frames: limits.callDepth,
            },
          }),
    };
    this.#moduleIndexes.set(name, this.modules.length);
    this.#vms.push(vmFieldsOf(object?.value?.spec ?? null));
    return this.modules.push(spec) - 1;
  }

  #secretFields(chain: Chain, { name, use }: FilterConfig): { secretFields?: readonly string[] } {
    const marked = this.#schemaOf(chain, use)?.secretNames ?? [];
    const secretFields = [...new Set([...marked, ...this.#fromSecrets(chain, name)])];
    return secretFields.length === 0 ? {} : { secretFields };
  }

  /** Members of the filter's configuration that came from Secrets. */
  #fromSecrets(chain: Chain, filter: string): readonly string[] {
    return this.#assets.secretMembers.get(`${chain.namespace}/${chain.name}#${filter}`) ?? [];
  }

  #phaseOf(chain: Chain, use: string): Phase | null {
    const own = moduleName(use);
    const declared = this.#schemaOf(chain, use)?.phase ?? null;
    if (own === undefined) return declared;
    return this.#config.find('Module', chain.namespace, own)?.value?.spec.phase ?? declared;
  }

  #schemaOf(chain: Chain, use: string): FilterSchema | null {
    const own = moduleName(use);
    if (own === undefined) return this.#assets.builtins.get(use)?.schema ?? null;
    return this.#assets.schemas.get(`${chain.namespace}/${own}`)?.schema ?? null;
  }

  /** What the filter sees of bodies: a schema may say that its configuration decides. */
  #bodies(chain: Chain, filter: FilterConfig): Pick<PluginSpec, 'bodyWhileHeld' | 'withoutBodies'> {
    const shown = filter.body.whileHeadHeld === 'Show';
    const takes = this.#schemaOf(chain, filter.use)?.takesBodies(filter.config) ?? null;
    if (takes === null) return { bodyWhileHeld: shown };
    if (takes) return { bodyWhileHeld: true };
    return { bodyWhileHeld: shown, withoutBodies: true };
  }

  /** A filter that decides who may pass must not be passed by where it fails. */
  #checkOnError(chain: Chain, filter: FilterConfig, index: number): void {
    const phase = this.#phaseOf(chain, filter.use);
    if (filter.onError === 'Deny' || !failsClosed(phase)) return;
    const path = ['spec', 'filters', index, 'onError'];
    const message = `filter "${filter.name}": onError: Skip is not for filters of the phase ${phase}, which fail closed`;
    this.#config.report(chain, 'WEIR1046', path, message, { hint: 'leave onError out' });
  }

  /** To grant upstreams to a module that may not call any is a contradiction. */
  #checkCallouts(chain: Chain, filter: FilterConfig, index: number): void {
    if (filter.callouts.length === 0) return;
    const capabilities = this.#capabilities(chain, filter.use);
    if (capabilities.includes('httpCall') || capabilities.includes('grpcCall')) return;
    this.#config.report(
      chain,
      'WEIR1046',
      ['spec', 'filters', index, 'callouts'],
      `filter "${filter.name}" has callouts, and ${filter.use} has neither of the capabilities httpCall and grpcCall`,
    );
  }

  /** What a Module says, and for a built-in filter its schema. */
  #capabilities(chain: Chain, use: string): string[] {
    const own = moduleName(use);
    if (own === undefined) return expandCapabilities(this.#assets.builtins.get(use)?.schema?.capabilities);
    return expandCapabilities(this.#config.find('Module', chain.namespace, own)?.value?.spec.capabilities);
  }

  /** Warns where a filter runs after one of a later phase (merge rule 5). */
  #checkPhases(links: readonly Link[]): void {
    let latest: Link | null = null;
    for (const link of links) {
      if (link.phase === null || link.plugin === OFF) continue;
      if (latest === null || PHASES.indexOf(link.phase) >= PHASES.indexOf(latest.phase!)) {
        latest = link;
        continue;
      }
      const message = `filter "${link.filter}" (${link.phase}) runs after "${latest.filter}" (${latest.phase})`;
      this.#config.report(link.chain, 'WEIR3011', ['spec', 'filters', link.index, 'name'], message, {
        severity: 'warning',
        notes: [`phases in order: ${PHASES.join(', ')}`],
        related: [latest.chain.document.place(['spec', 'filters', latest.index, 'name'])],
      });
    }
  }

  #intern(plugins: readonly number[]): number {
    const key = plugins.join(',');
    const existing = this.#chainIndexes.get(key);
    if (existing !== undefined) return existing;
    this.#chainIndexes.set(key, this.chains.length);
    return this.chains.push([...plugins]) - 1;
  }

  /** References and configurations, whether or not the chain is in use. */
  #checkFilters(chain: Chain): void {
    for (const [i, filter] of chain.value.spec.filters.entries()) {
      const path = ['spec', 'filters', i];
      this.#checkCallouts(chain, filter, i);
      this.#checkOnError(chain, filter, i);
      this.#stores.check(chain, i);
      this.plans.check(chain, i);
      checkSchemas(this.#config, chain, i);
      const own = moduleName(filter.use);
      if (own !== undefined) {
        if (this.#config.find('Module', chain.namespace, own) === undefined) {
          const wanted = { kind: 'Module', namespace: chain.namespace, name: own } as const;
          this.#config.reportMissing(chain, 'WEIR2105', [...path, 'use'], `filter "${filter.name}":`, wanted);
        }
        const known = this.#assets.schemas.get(`${chain.namespace}/${own}`);
        if (known !== undefined) this.#checkConfig(chain, i, known.schema, known.from);
        continue;
      }
      const builtin = this.#assets.builtins.get(filter.use);
      if (builtin === undefined) {
        const known = [...this.#assets.builtins.keys()];
        const modules = this.#config.names('Module', chain.namespace).map((name) => `module/${name}`);
        this.#config.report(
          chain,
          'WEIR1205',
          [...path, 'use'],
          `filter "${filter.name}": no built-in filter is named "${filter.use}"`,
          {
            hint: modules.includes(`module/${filter.use}`)
              ? `did you mean "module/${filter.use}"?`
              : suggest(filter.use, [...known, ...modules]),
            notes: [
              known.length > 0
                ? `built-in filters: ${known.join(', ')}`
                : 'the built-in filters are not built: npm run build',
            ],
          },
        );
        continue;
      }
      const from = `of the built-in filter "${filter.use}"`;
      if (builtin.schema !== null) this.#checkConfig(chain, i, builtin.schema, from);
    }
  }

  /** @param from where the schema is */
  #checkConfig(chain: Chain, index: number, schema: FilterSchema, from: string): void {
    const filter = chain.value.spec.filters[index]!;
    const path = ['spec', 'filters', index];
    const secret = schema.secret || this.#fromSecrets(chain, filter.name).length > 0;
    for (const fault of schema.check(filter.config ?? {}, secret)) {
      const at = [...path, 'config', ...fault.path];
      const there = valueAt(chain.document.value, at) !== undefined || filter.config !== undefined;
      this.#config.report(
        chain,
        'WEIR1207',
        there ? at : [...path, 'use'],
        `filter "${filter.name}": ${fault.message}`,
        {
          key: fault.key,
          hideLine: secret,
          hint: fault.hint,
          notes: [
            `rule comes from the schema ${from}${fault.origin === undefined ? '' : `, ${fault.origin}`}`,
          ],
        },
      );
    }
  }

  /** Two chains on one target must say which comes first (merge rule 3). */
  #checkOrder(scope: string, attached: readonly Attached<'FilterChain'>[]): void {
    const places = new Map<string, Attached<'FilterChain'>>();
    for (const entry of attached) {
      const { spec } = entry.policy.value;
      const place = JSON.stringify(spec.placement ?? null);
      const other = places.get(place);
      if (other === undefined) {
        places.set(place, entry);
        if (!spec.inherit && scope.startsWith('Gateway ')) {
          this.#config.report(
            entry.policy,
            'WEIR1046',
            ['spec', 'inherit'],
            'inherit: false has a meaning on routes and rules only',
          );
        }
        continue;
      }
      const message = `FilterChains ${other.policy.name} and ${entry.policy.name} both attach to ${scope}, and nothing says which runs first`;
      this.#config.report(entry.policy, 'WEIR2003', ['spec', 'targetRefs', entry.index], message, {
        notes: ['merge rule 3: join them, move one to an inner scope, or give one a placement'],
        related: [other.policy.document.place(['spec', 'targetRefs', other.index])],
      });
    }
  }
}

/**
 * Where access is decided: behind all that finds out who asks, and before all that acts on it. A filter without a
 * phase may be either, so what stands in front of the later phases runs before.
 */
function placeOfAccess(links: readonly Link[]): number {
  const rank = ({ phase }: Link) => (phase === null ? -1 : PHASES.indexOf(phase));
  const authz = PHASES.indexOf('authz');
  const later = links.findIndex((link) => rank(link) >= authz);
  const lastBefore = links.findLastIndex((link) => link.phase !== null && rank(link) < authz);
  return Math.max(later < 0 ? links.length : later, lastBefore + 1);
}

/** The Module that a filter uses; undefined where it is one that ships with weir. */
function moduleName(use: string): string | undefined {
  return /^module\/(.*)$/.exec(use)?.[1];
}

/** A built-in filter may say that it needs more than a module has: its work is bounded by its own code. */
function builtinCpu(schema: FilterSchema | null | undefined): Pick<ModuleSpec, 'cpu'> {
  const perCallMs = schema?.cpuPerCallMs ?? null;
  if (perCallMs === null) return {};
  const perRequestMs = Math.max(REQUEST_MS, 2 * perCallMs);
  return { cpu: { perCallMs, perRequestMs, perStartMs: START_MS, frames: CALL_FRAMES } };
}
