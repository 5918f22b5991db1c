import type { Ledger } from '../ledger.ts';
import type { PluginSpec } from '../snapshot.ts';
import { LogLevel } from './abi.ts';
import type { CalloutTransport } from './callouts.ts';
import { Grants } from './capabilities.ts';
import { StreamContext } from './context.ts';
import { CrashLoop } from './crash-loop.ts';
import { GuestLog } from './guest-log.ts';
import { runWithin } from './guard.ts';
import { START_MS } from './limits.ts';
import type { CompiledModule } from './module.ts';
import { MetricTable, type PluginMetrics } from './plugin-metrics.ts';
import { SharedQueues } from './queues.ts';
import { RootContext } from './root.ts';
import type { SharedStore } from './shared.ts';
import type { StreamHost } from './stream-host.ts';
import { Vm } from './vm.ts';

export { Wants } from './abi.ts';

export interface WasmHostDeps {
  /** @param level of `LogLevel` */
  log(level: number, plugin: string, message: string): void;
  readonly callouts: CalloutTransport;
  readonly shared: SharedStore;
  readonly metrics: PluginMetrics;
  readonly ledger: Ledger;
  /** Milliseconds since 1970. */
  now(): number;
  readonly node: { readonly id: string; readonly cluster: string };
  readonly workerId: number;
  /** Lines below it are not made; guests can ask for it. Default: `LogLevel.Info`. */
  readonly logLevel?: number;
}

/** The Proxy-Wasm host of one worker: what plugins share. */
export class WasmHost {
  readonly deps: WasmHostDeps;
  readonly queues = new SharedQueues();
  readonly logLevel: number;

  constructor(deps: WasmHostDeps) {
    this.deps = deps;
    this.logLevel = deps.logLevel ?? LogLevel.Info;
  }

  /**
   * Instantiates, starts and configures a plugin.
   *
   * @throws PluginStartError where the guest refuses, traps or takes too long
   */
  async startPlugin(module: CompiledModule, spec: PluginSpec): Promise<Plugin> {
    const plugin = new Plugin(this, module, spec);
    await plugin.start();
    return plugin;
  }
}

/** A plugin that cannot serve with its module and configuration. */
export class PluginStartError extends Error {
  readonly plugin: string;
  readonly reason: string;

  constructor(plugin: string, reason: string) {
    super(`${plugin}: ${reason}`);
    this.name = 'PluginStartError';
    this.plugin = plugin;
    this.reason = reason;
  }
}

/** `recovering`: an instance trapped and the next is being made. `tripped`: it traps too often to be tried soon. */
export type PluginHealth = 'healthy' | 'recovering' | 'tripped';

const FRAMES = 3;
/** A guest's line of a stack: its name where the module has a name section, its number and offset else. */
const FRAME = /at (?:(.+) \()?wasm:\/\/.*(wasm-function\[\d+\]:0x[0-9a-f]+)/;

/** A module with one configuration, and its instances in this worker. */
export class Plugin {
  readonly host: WasmHostDeps & { readonly queues: SharedQueues };
  readonly module: CompiledModule;
  readonly spec: PluginSpec;
  readonly metrics: MetricTable;
  readonly grants: Grants;
  /** Bits of `Wants`: callbacks that need not be called are not exported. */
  readonly wants: number;
  readonly logLevel: number;
  readonly configuration: Uint8Array;
  readonly vmConfiguration: Uint8Array;
  /** 0.1.0 reads a field that is not there as an empty one. */
  readonly emptyWhenMissing: boolean;
  traps = 0;
  health: PluginHealth = 'healthy';

  readonly #log: GuestLog;
  readonly #clusters: ReadonlyMap<string, number>;
  readonly #crashes = new CrashLoop();
  readonly #vms: Vm[] = [];
  /** Contexts to be used again, the first `#freeCount`: an array that shrinks and grows is made anew each time. */
  readonly #free: StreamContext[] = [];
  #freeCount = 0;
  #turn = 0;
  #replacement: NodeJS.Timeout | null = null;
  #retired: Promise<void> | null = null;
  #lastStreamGone: (() => void) | null = null;

  constructor(host: WasmHost, module: CompiledModule, spec: PluginSpec) {
    this.host = { ...host.deps, queues: host.queues, now: () => host.deps.now() };
    this.module = module;
    this.spec = spec;
    this.grants = new Grants(spec.capabilities);
    this.wants = module.wants;
    this.logLevel = host.logLevel;
    this.configuration = Buffer.from(spec.configuration);
    this.vmConfiguration = Buffer.from(spec.vmConfiguration);
    this.emptyWhenMissing = module.abi === '0.1.0';
    this.metrics = new MetricTable(host.deps.metrics, spec);
    this.#clusters = new Map(spec.callouts);
    this.#log = new GuestLog((level, message) => host.deps.log(level, spec.name, message), this.host.now);
  }

  /** @throws PluginStartError */
  async start(): Promise<void> {
    for (const warning of this.module.warnings) this.warnOnce(warning);
    this.#vms.push(this.#startVm());
    return Promise.resolve();
  }

  get instances(): number {
    return this.#vms.length;
  }

  get heapBytes(): number {
    return this.#vms.reduce((sum, vm) => sum + vm.heapBytes, 0);
  }

  /** A context for a stream, or null while no instance is fit to serve: the chain then applies `onError`. */
  createContext(stream: StreamHost): StreamContext | null {
    const vm = this.#pick();
    if (vm === null) return null;
    const context = this.#freeCount === 0 ? new StreamContext(this) : this.#free[--this.#freeCount]!;
    vm.streams++;
    context.begin(vm, stream);
    return context;
  }

  /** Moves a context that its guest does not know yet away from an instance that trapped. */
  rebind(context: StreamContext): void {
    const vm = this.#pick();
    if (vm === null) return;
    context.vm.streams--;
    vm.streams++;
    context.vm = vm;
  }

  /** Takes back a context whose stream is over. */
  release(context: StreamContext): void {
    context.vm.streams--;
    this.#free[this.#freeCount++] = context;
    if (this.#lastStreamGone !== null && this.#isIdle()) this.#lastStreamGone();
  }

  /** Ends the plugin once its last stream is over: done and delete for its root contexts, ticks and callouts stopped. */
  retire(): Promise<void> {
    this.#retired ??= this.#retire();
    return this.#retired;
  }

  async #retire(): Promise<void> {
    if (!this.#isIdle()) await new Promise<void>((resolve) => (this.#lastStreamGone = resolve));
    this.#lastStreamGone = null;
    if (this.#replacement !== null) clearTimeout(this.#replacement);
    this.#replacement = null;
    await Promise.all(this.#vms.splice(0).map((vm) => vm.root.end()));
  }

  #isIdle(): boolean {
    return this.#vms.every((vm) => vm.streams === 0);
  }

  #pick(): Vm | null {
    const { length } = this.#vms;
    if (length < 2) return length === 0 ? null : this.#vms[0]!;
    this.#turn = (this.#turn + 1) % length;
    return this.#vms[this.#turn]!;
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

  /** An instance trapped: it is dropped, its streams are told, another takes its place. */
  trapped(vm: Vm, callback: string, error: unknown): void {
    vm.trapReason = `trap in ${callback}: ${describe(error)}${lastWords(vm)}`;
    const index = this.#vms.indexOf(vm);
    // One that starts is nobody's yet, and one that ends is not replaced.
    if (index < 0) return;
    this.#vms.splice(index, 1);
    this.traps++;
    vm.root.dispose();
    this.#log.line(LogLevel.Error, vm.trapReason);
    // Not from within the stream whose callback it was: that one learns of it by the callback's result.
    queueMicrotask(() => tellStreams(vm));
    this.#replaceAfter(vm);
  }

  #replaceAfter(vm: Vm): void {
    const now = this.host.now();
    const delay = this.#crashes.trap(now, now - vm.startedAt);
    const tripped = this.#crashes.isTripped(now);
    this.health = tripped ? 'tripped' : 'recovering';
    if (tripped)
      this.#log.line(LogLevel.Critical, `it traps again and again: no other instance for ${delay / 1000} s`);
    if (this.#retired !== null && this.#isIdle()) {
      this.#lastStreamGone?.();
      return;
    }
    this.#replacement = setTimeout(() => this.#replace(), delay);
    this.#replacement.unref();
  }

  #replace(): void {
    this.#replacement = null;
    const vm = new Vm(this);
    try {
      this.#startVm(vm);
    } catch (error) {
      this.#log.line(LogLevel.Error, (error as PluginStartError).reason);
      this.#replaceAfter(vm);
      return;
    }
    this.#vms.push(vm);
    this.health = 'healthy';
  }

  #startVm(vm = new Vm(this)): Vm {
    vm.startedAt = this.host.now();
    let refusal: string | null = null;
    try {
      runWithin(START_MS, () => {
        vm.start();
        vm.root = new RootContext(vm);
        refusal = vm.root.start(this.vmConfiguration.length, this.configuration.length);
      });
      if (vm.trapReason !== '') throw new PluginStartError(this.spec.name, vm.trapReason);
      if (refusal !== null)
        throw new PluginStartError(this.spec.name, `${refusal as string} answered false${lastWords(vm)}`);
    } catch (error) {
      vm.dead = true;
      vm.root?.dispose();
      if (error instanceof PluginStartError) throw error;
      throw new PluginStartError(this.spec.name, `its start: ${describe(error)}${lastWords(vm)}`);
    }
    return vm;
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

/** What happened, and the guest functions on top of the stack. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const frames: string[] = [];
  for (const line of (error.stack ?? '').split('\n')) {
    const frame = FRAME.exec(line);
    if (frame !== null && frames.length < FRAMES) frames.push(frame[1] ?? frame[2]!);
  }
  return frames.length === 0 ? error.message : `${error.message} in ${frames.join(' < ')}`;
}

function lastWords(vm: Vm): string {
  const said = vm.lastWords;
  if (said === '') return '';
  const broken = said.includes('wasmexport function called after main.main returned');
  return `; it logged last: ${said}${broken ? ' (build it with -buildmode=c-shared)' : ''}`;
}
