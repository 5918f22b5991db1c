import { Callouts } from './callouts.ts';
import { DeclaredProperties } from './declared-properties.ts';
import { Expressions } from './expressions.ts';
import { GrpcCalls } from './grpc.ts';
import { DONE_MS, ROOT_CALLOUTS } from './limits.ts';
import type { Plugin } from './plugin.ts';
import type { Vm } from './vm.ts';

/** A plugin's own context in one instance: what it owns between streams. */
export class RootContext {
  readonly vm: Vm;
  readonly plugin: Plugin;
  readonly id: number;
  /** These two make it alike a stream context. */
  readonly root: RootContext = this;
  readonly stream = null;
  readonly callouts: Callouts;
  readonly grpc: GrpcCalls;
  readonly declared = new DeclaredProperties();
  readonly expressions = new Expressions();
  /** Callouts that it has under way for itself, and how many it may have. */
  outstanding = 0;
  readonly mostCallouts = ROOT_CALLOUTS;
  /** `proxy_on_vm_start` runs: 0.1.0 asks for its configuration without saying which. */
  startingVm = false;
  /** The guest has read `plugin_root_id`: it chooses by it what it does. */
  asksRootId = false;
  /** Arguments of the foreign callback that runs; null outside one. */
  callData: Uint8Array | null = null;
  /** `proxy_on_done` answered false, `proxy_done` is waited for. */
  #pendingDone: (() => void) | null = null;
  #stopTicks: (() => void) | null = null;
  #ended: Promise<void> | null = null;

  constructor(vm: Vm, plugin: Plugin) {
    this.vm = vm;
    this.plugin = plugin;
    vm.roots.add(this);
    this.id = vm.contexts.add(this);
    this.callouts = new Callouts(this);
    this.grpc = new GrpcCalls(this);
  }

  /**
   * Context create, VM start and configure.
   *
   * @returns what the guest refused, or null where it is ready
   */
  start(): string | null {
    const { vmConfiguration, configuration } = this.plugin;
    const { contextCreate, vmStart, configure } = this.vm.callbacks;
    if (contextCreate !== null) this.vm.call(this, contextCreate, 'proxy_on_context_create', 0, 0);
    this.startingVm = true;
    const started = this.#accepts(vmStart, 'proxy_on_vm_start', vmConfiguration.length);
    this.startingVm = false;
    if (!started) return 'proxy_on_vm_start';
    if (!this.#accepts(configure, 'proxy_on_configure', configuration.length)) return 'proxy_on_configure';
    return null;
  }

  #accepts(callback: Vm['callbacks']['vmStart'], name: string, size: number): boolean {
    return !this.vm.dead && (callback === null || this.vm.call(this, callback, name, size, 0) !== 0);
  }

  /** @param periodMs 0 stops the ticks; another period takes the place of the one before */
  setTickPeriod(periodMs: number): void {
    this.#stopTicks?.();
    this.#stopTicks = null;
    const { tick } = this.vm.callbacks;
    if (periodMs === 0 || tick === null) return;
    // A longer delay than this would be taken for 1 ms.
    this.#stopTicks = this.vm.group.host.timers.every(
      Math.min(periodMs, 0x7fff_ffff),
      () => void this.vm.call(this, tick, 'proxy_on_tick', 0, 0),
    );
  }

  /** Delivers the answer of a foreign function; nothing where the context is gone. */
  onForeignFunction(contextId: number, functionId: number, data: Uint8Array): void {
    const context = this.vm.contexts.get(contextId);
    const { foreignFunction } = this.vm.callbacks;
    if (this.vm.dead || context === null || foreignFunction === null) return;
    this.callData = data;
    this.vm.call(context, foreignFunction, 'proxy_on_foreign_function', functionId, data.length);
    this.callData = null;
  }

  onQueueReady(queueId: number): void {
    const { queueReady } = this.vm.callbacks;
    if (this.vm.dead || queueReady === null) return;
    this.vm.call(this, queueReady, 'proxy_on_queue_ready', queueId, 0);
  }

  /**
   * Done, then delete, once no stream context is left. Resolves when the guest has been told; its other
   * root contexts go on.
   */
  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    const { vm } = this;
    const { done, delete: remove } = vm.callbacks;
    if (!vm.dead && done !== null && vm.call(this, done, 'proxy_on_done', 0, 0) === 0)
      await this.#doneCalled();
    this.dispose();
    if (remove !== null && !vm.dead) vm.call(this, remove, 'proxy_on_delete', 0, 0);
    vm.contexts.remove(this.id);
  }

  #doneCalled(): Promise<void> {
    return new Promise((resolve) => {
      const giveUpWaiting = this.vm.group.host.timers.after(DONE_MS, resolve);
      this.#pendingDone = () => {
        giveUpWaiting();
        // The guest that says so is still on the stack.
        setImmediate(resolve);
      };
    });
  }

  /** `proxy_done`: false where nothing waits for it. */
  done(): boolean {
    const pending = this.#pendingDone;
    this.#pendingDone = null;
    pending?.();
    return pending !== null;
  }

  /** No callback comes after this, whatever is still under way. */
  dispose(): void {
    this.#stopTicks?.();
    this.#stopTicks = null;
    this.callouts.cancel();
    this.grpc.cancel();
    this.vm.group.host.queues.remove(this);
  }
}
