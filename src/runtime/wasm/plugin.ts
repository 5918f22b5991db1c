import type { GrpcTransport } from '../grpc/transport.ts';
import type { Ledger, SharedLedgers, Stores } from '../ledger.ts';
import type { Quotas } from '../quota/quota.ts';
import type { PluginSpec } from '../snapshot.ts';
import { BODY_PHASES, LogLevel } from './abi.ts';
import type { CalloutTransport } from './callouts.ts';
import { Grants } from './capabilities.ts';
import { StreamContext } from './context.ts';
import { environmentOf } from './environment.ts';
import { GuestLog } from './guest-log.ts';
import { Heap } from './heap.ts';
import { InstanceGroup, type PluginHealth } from './instance-group.ts';
import type { CompiledModule } from './module.ts';
import { MetricTable, type PluginMetrics } from './plugin-metrics.ts';
import { QueueConsumers } from './queues.ts';
import type { RootContext } from './root.ts';
import { spaceOf, type SharedState } from './shared.ts';
import type { StreamHost } from './stream-host.ts';
import { PROCESS_TIMERS, type Timers } from './timers.ts';
import { PluginUsage } from './usage.ts';

export { Wants } from './abi.ts';

export interface WasmHostDeps {
  /** @param level of `LogLevel` */
  log(level: number, plugin: string, message: string): void;
  readonly callouts: CalloutTransport;
  readonly grpc: GrpcTransport;
  readonly shared: SharedState;
  readonly metrics: PluginMetrics;
  readonly ledger: Ledger;
  /** Ledgers that span machines. Left out: the ledger above takes their place. */
  readonly stores?: Stores;
  readonly quotas: Quotas;
  /** Milliseconds since 1970. */
  now(): number;
  /** Of ticks and of what follows a trap. Default: the process's. */
  readonly timers?: Timers;
  readonly node: { readonly id: string; readonly cluster: string };
  readonly workerId: number;
  /** Variables of this process, for those that a Module may pass on. Default: none. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** The breaker of a plugin tripped; `reason` is the last trap. */
  tripped(plugin: Plugin, reason: string): void;
  /** An instance was made: for whoever has put something into the module that is to be read. */
  instantiated?(module: CompiledModule, exports: WebAssembly.Exports): void;
  /** A callback of a root context took so much fuel. */
  spent?(plugin: Plugin, callback: string, fuel: number): void;
  /** Lines below it are not made; guests can ask for it. Default: `LogLevel.Info`. */
  readonly logLevel?: number;
}

/** The Proxy-Wasm host of one worker: what plugins share. */
export class WasmHost {
  readonly deps: WasmHostDeps;
  readonly queues: QueueConsumers;
  readonly heap = new Heap();
  readonly logLevel: number;
  readonly timers: Timers;
  /** Groups that more than one plugin may join, by what has to be equal for it. */
  readonly #shared = new Map<CompiledModule, Map<string, InstanceGroup>>();

  constructor(deps: WasmHostDeps) {
    this.deps = deps;
    this.queues = new QueueConsumers(deps.shared);
    this.logLevel = deps.logLevel ?? LogLevel.Info;
    this.timers = deps.timers ?? PROCESS_TIMERS;
  }

  /**
   * Instantiates, starts and configures a plugin.
   *
   * @throws PluginStartError where the guest refuses, traps or takes too long
   */
  async startPlugin(module: CompiledModule, spec: PluginSpec): Promise<Plugin> {
    const plugin = new Plugin(this, this.#groupOf(module, spec), spec);
    plugin.start();
    return Promise.resolve(plugin);
  }

  /** A group without members and instances; another plugin begins anew. */
  forget(group: InstanceGroup): void {
    const groups = this.#shared.get(group.module);
    if (groups === undefined) return;
    for (const [key, each] of groups) if (each === group) groups.delete(key);
    if (groups.size === 0) this.#shared.delete(group.module);
  }

  #groupOf(module: CompiledModule, spec: PluginSpec): InstanceGroup {
    const { tenant, vmId, vmConfiguration, environment, instances, capabilities } = spec;
    const make = (): InstanceGroup =>
      new InstanceGroup(
        this,
        module,
        instances,
        new MetricTable(this.deps.metrics),
        environmentOf(environment, this.deps.environment ?? {}),
      );
    if (!instances.shared) return make();
    let groups = this.#shared.get(module);
    if (groups === undefined) this.#shared.set(module, (groups = new Map<string, InstanceGroup>()));
    const key = JSON.stringify([tenant, vmId, vmConfiguration, environment, instances, capabilities]);
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = make()));
    return group;
  }
}

/** Takes streams away from the instances that would serve them. */
export interface StreamChooser {
  /** @returns the root context that the stream is given to and counted at, or null where it is not chosen */
  choose(stream: StreamHost): RootContext | null;
}

/** One configuration of a module at its place in a chain: a root context in each instance of its group. */
export class Plugin {
  readonly host: WasmHostDeps;
  readonly group: InstanceGroup;
  readonly module: CompiledModule;
  readonly spec: PluginSpec;
  readonly metrics: MetricTable;
  readonly grants: Grants;
  /** Bits of `Wants`: callbacks that need not be called are not exported. */
  readonly wants: number;
  readonly logLevel: number;
  readonly configuration: Uint8Array;
  readonly vmConfiguration: Uint8Array;
  /** Of the data and queues that it shares. */
  readonly space: string;
  /** 0.1.0 reads a field that is not there as an empty one. */
  readonly emptyWhenMissing: boolean;
  /** In instances that take streams. The group keeps the list. */
  readonly roots: RootContext[] = [];
  /** Another digest served in its place before: there is something to go back to where it fails. */
  hasPredecessor = false;
  traps = 0;
  /** Chooses streams for an instance that is recorded; null: nobody does. */
  tap: StreamChooser | null = null;
  readonly usage = new PluginUsage();
  /** Counts what has the scope `cluster`; null: nothing does. */
  store: SharedLedgers | null = null;

  readonly #log: GuestLog;
  readonly #clusters: ReadonlyMap<string, number>;
  /** Contexts to be used again, the first `#freeCount`: an array that shrinks and grows is made anew each time. */
  readonly #free: StreamContext[] = [];
  #freeCount = 0;
  #turn = 0;
  #streams = 0;
  #retired: Promise<void> | null = null;
  #lastStreamGone: (() => void) | null = null;

  constructor(host: WasmHost, group: InstanceGroup, spec: PluginSpec) {
    this.host = { ...host.deps, now: () => host.deps.now() };
    this.group = group;
    this.module = group.module;
    this.spec = spec;
    this.grants = new Grants(spec.capabilities);
    this.wants = spec.withoutBodies === true ? group.module.wants & ~BODY_PHASES : group.module.wants;
    this.logLevel = host.logLevel;
    this.configuration = Buffer.from(spec.configuration);
    this.vmConfiguration = Buffer.from(spec.vmConfiguration);
    this.space = spaceOf(spec.tenant, Buffer.from(spec.vmId).toString('latin1'));
    this.emptyWhenMissing = group.module.abi === '0.1.0';
    this.metrics = group.metrics;
    this.#clusters = new Map(spec.callouts);
    this.#log = new GuestLog((level, message) => host.deps.log(level, spec.name, message), this.host.now);
  }

  /** @throws PluginStartError */
  start(): void {
    for (const warning of this.module.warnings) this.warnOnce(warning);
    this.host.shared.hold(this.space);
    this.store = this.#openStore();
    try {
      this.group.join(this);
    } catch (error) {
      this.host.shared.release(this.space);
      this.#closeStore();
      throw error;
    }
  }

  get health(): PluginHealth {
    return this.group.health;
  }

  /** Those of its group: plugins that share a VM have the same ones. */
  get instances(): number {
    return this.group.instances;
  }

  get heapBytes(): number {
    return this.group.heapBytes;
  }

  /** A context for a stream, or null while no instance is fit to serve: the chain then applies `onError`. */
  createContext(stream: StreamHost): StreamContext | null {
    const root = this.tap?.choose(stream) ?? this.#take();
    if (root === null) return null;
    const context = this.#freeCount === 0 ? new StreamContext(this) : this.#free[--this.#freeCount]!;
    context.begin(root, stream);
    this.#streams++;
    return context;
  }

  /** Moves a context that its guest does not know yet away from an instance that trapped. */
  rebind(context: StreamContext): void {
    const root = this.#take();
    if (root === null) return;
    context.vm.streams--;
    context.bind(root);
  }

  /** Takes back a context whose stream is over. */
  release(context: StreamContext): void {
    const { vm } = context;
    vm.streams--;
    this.#streams--;
    this.#free[this.#freeCount++] = context;
    if (this.group.needsLeft) this.group.left(vm);
    if (this.#streams === 0 && this.#lastStreamGone !== null) this.#lastStreamGone();
  }

  /** Ends the plugin once its last stream is over: done and delete for its root contexts, ticks and callouts stopped. */
  retire(): Promise<void> {
    this.#retired ??= this.#retire();
    return this.#retired;
  }

  async #retire(): Promise<void> {
    if (this.#streams > 0) await new Promise<void>((resolve) => (this.#lastStreamGone = resolve));
    this.#lastStreamGone = null;
    await this.group.leave(this);
    this.host.shared.release(this.space);
    this.#closeStore();
  }

  #openStore(): SharedLedgers | null {
    const { store } = this.spec;
    if (store === undefined) return null;
    return this.host.stores?.acquire(store) ?? { limits: this.host.ledger, quotas: this.host.quotas };
  }

  #closeStore(): void {
    const { store } = this.spec;
    if (store !== undefined) this.host.stores?.release(store);
  }

  /** A root context in an instance that gets one stream more. */
  #take(): RootContext | null {
    const { roots } = this;
    if (roots.length === 0) this.group.onDemand();
    if (roots.length === 0) return null;
    let root = roots[0]!;
    if (roots.length > 1) {
      this.#turn = (this.#turn + 1) % roots.length;
      root = roots[this.#turn]!;
    }
    root.vm.streams++;
    if (this.group.isCounting) this.group.taken(root.vm);
    return root;
  }

  /** Index of the cluster that a callout names, or -1. */
  cluster(name: string): number {
    return this.#clusters.get(name) ?? -1;
  }

  /** Names that callouts may use, for messages. */
  get upstreams(): string {
    return [...this.#clusters.keys()].join(', ');
  }

  logs(level: number): boolean {
    return level >= this.logLevel;
  }

  log(level: number, message: string): void {
    this.#log.line(level, message);
  }

  warnOnce(message: string): void {
    this.#log.warnOnce(message);
  }
}
