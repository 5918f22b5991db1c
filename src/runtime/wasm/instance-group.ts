import type { InstancesSpec } from '../snapshot.ts';
import { LogLevel } from './abi.ts';
import { StreamContext } from './context.ts';
import { CrashLoop } from './crash-loop.ts';
import { dropInstance, noRoom, startInstance, startRoot } from './instance-start.ts';
import type { CompiledModule } from './module.ts';
import type { MetricTable } from './plugin-metrics.ts';
import type { Plugin, WasmHost } from './plugin.ts';
import { lastWords, type PluginStartError } from './start-error.ts';
import type { Witness } from './tap/witness.ts';
import { describe } from './trap/describe.ts';
import { loadSymbols } from './trap/symbols.ts';
import { Vm } from './vm.ts';

/** `recovering`: an instance trapped and the next is being made. `tripped`: it traps too often to be tried soon. */
export type PluginHealth = 'healthy' | 'recovering' | 'tripped';

/**
 * The instances of one module in this worker that serve the same plugins: one plugin, or all whose
 * VM id, module and VM configuration are the same. Each plugin has a root context in each instance.
 *
 * An instance is `ready`, or `leaving`: it gets no more streams and ends with its last one.
 */
export class InstanceGroup {
  readonly host: WasmHost;
  readonly module: CompiledModule;
  readonly spec: InstancesSpec;
  /** Metrics of all members under one range of ids: what one root context defined another may count. */
  readonly metrics: MetricTable;
  /** `KEY=value` and a NUL, for each variable that guests may read. */
  readonly environment: readonly Uint8Array[];
  /** Whether `taken` has to be told of streams. */
  readonly isCounting: boolean;
  /** Whether `left` has to be told of streams. */
  needsLeft: boolean;
  health: PluginHealth = 'healthy';

  readonly #crashes = new CrashLoop();
  readonly #members = new Set<Plugin>();
  readonly #ready: Vm[] = [];
  readonly #leaving = new Set<Vm>();
  /** Of a tap, which chooses the streams that they get. */
  readonly #watched = new Set<Vm>();
  /** Plugins whose root contexts are being told of their end. */
  #ending = 0;
  /** Takes back what is to start the next instance. */
  #backoff: (() => void) | null = null;
  #refill: NodeJS.Immediate | null = null;

  constructor(
    host: WasmHost,
    module: CompiledModule,
    spec: InstancesSpec,
    metrics: MetricTable,
    environment: readonly Uint8Array[],
  ) {
    this.host = host;
    this.module = module;
    this.spec = spec;
    this.metrics = metrics;
    this.environment = environment;
    this.isCounting = this.needsLeft = spec.recycleAfter > 0;
  }

  /** To be without room is no fault of the guest: it does not count as a trap. */
  get #mayGrow(): boolean {
    return this.instances < this.spec.max && noRoom(this) === null;
  }

  get instances(): number {
    return this.#ready.length + this.#leaving.size + this.#watched.size;
  }

  get heapBytes(): number {
    let sum = 0;
    for (const vm of this.#ready) sum += vm.heapBytes;
    for (const vm of this.#leaving) sum += vm.heapBytes;
    for (const vm of this.#watched) sum += vm.heapBytes;
    return sum;
  }

  /**
   * Starts the plugin in each instance that is there, or the first instances.
   *
   * @throws PluginStartError where the guest refuses, traps or takes too long; nothing is left of it then
   */
  join(plugin: Plugin): void {
    const vms = [...this.#ready, ...this.#watched];
    if (this.#ready.length > 0) {
      try {
        for (const vm of vms) startRoot(vm, plugin);
      } catch (error) {
        for (const vm of vms) void this.#endRoot(vm, plugin);
        throw error;
      }
      this.#members.add(plugin);
      for (const vm of this.#ready) if (!vm.dead) plugin.roots.push(vm.rootOf(plugin)!);
      return;
    }
    this.#members.add(plugin);
    try {
      for (let i = 0; i < this.spec.min; i++) this.#add(this.#made());
    } catch (error) {
      while (this.#ready.length > 0) dropInstance(this.#unready(0));
      this.#members.delete(plugin);
      throw error;
    }
    this.#recovered();
  }

  /** Ends the plugin's root contexts; no stream of it is left. */
  async leave(plugin: Plugin): Promise<void> {
    this.#members.delete(plugin);
    plugin.roots.length = 0;
    if (this.#members.size === 0) this.#cancel();
    this.#ending++;
    const vms = [...this.#ready, ...this.#leaving, ...this.#watched];
    await Promise.all(vms.map((vm) => this.#endRoot(vm, plugin)));
    this.#ending--;
    if (this.#members.size > 0 || this.#ending > 0) return;
    for (const vm of this.#watched) dropInstance(vm);
    this.#watched.clear();
    while (this.#ready.length > 0) dropInstance(this.#unready(0));
    this.host.forget(this);
  }

  /** Another instance where none is ready: one that serves a stream alone is made on demand. */
  onDemand(): void {
    if (this.spec.recycleAfter !== 1 || this.#backoff !== null || this.#members.size === 0) return;
    if (this.#mayGrow) this.#start();
  }

  /**
   * Starts an instance beside the others whose streams somebody else chooses.
   *
   * @param look makes what looks on at it
   * @throws PluginStartError
   */
  watch(look: (vm: Vm) => Witness): Vm {
    const vm = new Vm(this, this.#first());
    vm.witness = look(vm);
    startInstance(vm, [...this.#members]);
    this.#watched.add(vm);
    this.needsLeft = true;
    return vm;
  }

  /** It gets no more streams, and ends with its last one. */
  unwatch(vm: Vm): void {
    if (!this.#watched.delete(vm)) return;
    this.#leaving.add(vm);
    this.left(vm);
  }

  /** The plugins that an instance serves, in the order of their start. */
  get members(): readonly Plugin[] {
    return [...this.#members];
  }

  /** A stream was given to the instance. */
  taken(vm: Vm): void {
    vm.taken++;
    if (vm.taken < this.spec.recycleAfter) return;
    // One that serves a single stream is used up at once; another one serves until its successor is there.
    if (this.spec.recycleAfter === 1) this.#leave(vm);
    this.#refillSoon();
  }

  /** A stream of the instance is over. */
  left(vm: Vm): void {
    if (vm.streams > 0 || !this.#leaving.has(vm)) return;
    void this.#end(vm);
  }

  /** An instance trapped: it is dropped, its streams are told, another takes its place. */
  trapped(vm: Vm, callback: string, error: unknown): void {
    const reason = (): string => `trap in ${callback}: ${describe(error, this.module)}${lastWords(vm)}`;
    vm.trapReason = reason();
    const index = this.#ready.indexOf(vm);
    // One that starts is nobody's yet.
    if (index < 0 && !this.#leaving.has(vm) && !this.#watched.has(vm)) return;
    const { plugin } = vm;
    plugin.traps++;
    this.#tell(vm, plugin, reason);
    if (index >= 0) this.#unready(index);
    this.#leaving.delete(vm);
    this.#watched.delete(vm);
    this.#waits();
    dropInstance(vm);
    // Not from within the stream whose callback it was: that one learns of it by the callback's result.
    queueMicrotask(() => tellStreams(vm));
    this.#replaceAfter(vm, plugin);
  }

  /** Logs why an instance trapped; with the first trap of a module once its sources can be named. */
  #tell(vm: Vm, plugin: Plugin, reason: () => string): void {
    const tell = (): void => {
      vm.trapReason = reason();
      plugin.log(LogLevel.Error, vm.trapReason);
    };
    const loading = loadSymbols(this.module);
    if (loading === null) tell();
    else void loading.then(tell, tell);
  }

  #replaceAfter(vm: Vm, plugin: Plugin): void {
    const now = this.host.deps.now();
    const delay = this.#crashes.trap(now, now - vm.startedAt, plugin.hasPredecessor);
    const tripped = this.#crashes.isTripped(now);
    if (tripped) {
      plugin.log(LogLevel.Critical, `it traps again and again: no other instance for ${delay / 1000} s`);
      this.host.deps.tripped(plugin, vm.trapReason || 'it does not start');
    }
    // Those that are left go on; while they do, nothing is missing but their number.
    if (this.#ready.length === 0 || tripped) this.health = tripped ? 'tripped' : 'recovering';
    if (this.#members.size === 0 || this.#backoff !== null) return;
    this.#backoff = this.host.timers.after(delay, () => {
      this.#backoff = null;
      this.#fill();
    });
  }

  #refillSoon(): void {
    if (this.#refill !== null || this.#backoff !== null || this.#members.size === 0) return;
    this.#refill = setImmediate(() => {
      this.#refill = null;
      this.#fill();
    });
    this.#refill.unref();
  }

  /** Brings the number of ready instances to its minimum, in the place of those that have served enough. */
  #fill(): void {
    const { min, recycleAfter } = this.spec;
    const spent = this.#ready.filter((vm) => recycleAfter > 0 && vm.taken >= recycleAfter);
    for (let missing = min - this.#ready.length + spent.length; missing > 0; missing--) {
      if (!this.#mayGrow || !this.#start()) break;
      const used = spent.pop();
      if (used !== undefined) this.#leave(used);
    }
  }

  /** False where it did not start: it is tried again later. */
  #start(): boolean {
    const vm = new Vm(this, this.#first());
    try {
      startInstance(vm, [...this.#members]);
    } catch (error) {
      const plugin = [...this.#members].find(({ spec }) => spec.name === (error as PluginStartError).plugin);
      (plugin ?? this.#first()).log(LogLevel.Error, (error as PluginStartError).reason);
      this.#replaceAfter(vm, plugin ?? this.#first());
      return false;
    }
    this.#add(vm);
    this.#recovered();
    return true;
  }

  /** @throws PluginStartError */
  #made(): Vm {
    const vm = new Vm(this, this.#first());
    startInstance(vm, [...this.#members]);
    return vm;
  }

  #recovered(): void {
    this.#cancel();
    this.health = 'healthy';
  }

  #cancel(): void {
    this.#backoff?.();
    if (this.#refill !== null) clearImmediate(this.#refill);
    this.#backoff = this.#refill = null;
  }

  #add(vm: Vm): void {
    this.#ready.push(vm);
    for (const plugin of this.#members) plugin.roots.push(vm.rootOf(plugin)!);
  }

  #leave(vm: Vm): void {
    this.#unready(this.#ready.indexOf(vm));
    this.#leaving.add(vm);
    this.left(vm);
  }

  #unready(index: number): Vm {
    const vm = this.#ready.splice(index, 1)[0]!;
    for (const plugin of this.#members) plugin.roots.splice(plugin.roots.indexOf(vm.rootOf(plugin)!), 1);
    return vm;
  }

  /** Without instances that end with their last stream nobody has to be told of streams. */
  #waits(): void {
    this.needsLeft = this.isCounting || this.#leaving.size + this.#watched.size > 0;
  }

  async #end(vm: Vm): Promise<void> {
    // A second call finds it gone from both lists.
    this.#leaving.delete(vm);
    this.#waits();
    await Promise.all([...vm.roots].map((root) => root.end()));
    dropInstance(vm);
    // It may have been what there was no room beside.
    if (this.#ready.length < this.spec.min) this.#refillSoon();
  }

  async #endRoot(vm: Vm, plugin: Plugin): Promise<void> {
    const root = vm.rootOf(plugin);
    if (root === null) return;
    await root.end();
    vm.roots.delete(root);
  }

  #first(): Plugin {
    return this.#members.values().next().value!;
  }
}

/** Each stream once: those whose callback returned `TRAPPED` know it already. */
function tellStreams(vm: Vm): void {
  for (const context of [...vm.contexts]) {
    if (!(context instanceof StreamContext) || context.failed || context.stream === null) continue;
    context.failed = true;
    context.stream.contextFailed(context);
  }
}
