import { LocalQuotas } from '../../src/runtime/quota/local.ts';
import { LogLevel as Level } from '../../src/runtime/wasm/abi.ts';
import type { CompiledModule } from '../../src/runtime/wasm/module.ts';
import { WasmHost } from '../../src/runtime/wasm/plugin.ts';
import { LocalSharedState } from '../../src/runtime/wasm/shared.ts';
import { passwordsAtWork } from '../../src/runtime/wasm/password-function.ts';
import { ScriptedCalls } from './call-script.ts';
import { ManualClock } from './clock.ts';
import { Deliveries } from './deliveries.ts';
import { ScriptedGrpc } from './grpc-script.ts';
import { ScriptedLedger } from './limit-script.ts';
import { MetricBook } from './metric-book.ts';
import type { LogLevel, LogLine } from './testing.d.ts';

const START_MS = 1_700_000_000_000;

export interface PluginLine extends LogLine {
  readonly plugin: string;
}

/** A worker's host of filters whose surroundings are the test's: clock, calls, metrics, lines. */
export class KitHost {
  readonly clock: ManualClock;
  /** Of calls: what plugins name them, to the index of their cluster. */
  readonly upstreams: string[] = [];
  readonly calls: ScriptedCalls;
  readonly grpc: ScriptedGrpc;
  readonly limits: ScriptedLedger;
  readonly metrics = new MetricBook();
  readonly shared: LocalSharedState;
  readonly lines: PluginLine[] = [];
  readonly wasm: WasmHost;
  /** What the guest runs for at this moment, for those who ask who resumed a stream; empty: its stream itself. */
  cause = '';
  /** Of modules whose lines are counted: to be told of each instance. */
  readonly counters = new Map<CompiledModule, (exports: WebAssembly.Exports) => void>();
  /** Told of each line and of each delivery, before and after. */
  readonly watchers = new Set<HostWatcher>();
  readonly deliveries = new Deliveries();
  #pumping = false;

  constructor(options: { readonly clock?: Date | number; readonly node?: { id: string; cluster: string } }) {
    const { clock = START_MS, node = { id: 'test', cluster: 'test' } } = options;
    this.clock = new ManualClock(Number(clock));
    const now = (): number => this.clock.now;
    this.calls = new ScriptedCalls(this.clock, this.upstreams, this.deliveries);
    this.grpc = new ScriptedGrpc(this.clock, this.upstreams, this.deliveries);
    this.limits = new ScriptedLedger(now, this.deliveries);
    this.shared = new LocalSharedState(now);
    this.wasm = new WasmHost({
      log: (level, plugin, message) => this.#line({ level: LEVELS[level]!, plugin, message }),
      callouts: this.calls,
      grpc: this.grpc,
      shared: this.shared,
      metrics: this.metrics,
      ledger: this.limits,
      quotas: new LocalQuotas(now),
      now,
      timers: this.clock,
      node,
      workerId: 0,
      environment: {},
      tripped: () => undefined,
      instantiated: (module, exports) => this.counters.get(module)?.(exports),
      logLevel: Level.Trace,
    });
  }

  /** Delivers what scripts have answered, until there is nothing more to deliver now. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (;;) {
        this.calls.pump();
        this.grpc.pump();
        const next = this.deliveries.next();
        if (next === undefined) break;
        this.run(next.cause, next.job);
      }
    } finally {
      this.#pumping = false;
    }
  }

  /** Runs what is no step of a stream: an answer, a tick. */
  run(cause: string, job: () => void): void {
    this.cause = cause;
    job();
    this.cause = '';
    for (const watcher of this.watchers) watcher.delivered(cause);
  }

  /** The same, until no script has promised an answer any more and the queue of the process was let through. */
  async settle(): Promise<void> {
    this.pump();
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      this.pump();
      const awaited = [...this.deliveries.awaited, ...passwordsAtWork()];
      if (awaited.length === 0) break;
      await Promise.race(awaited);
      this.pump();
    }
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms, () => {
      for (const watcher of this.watchers) watcher.delivered('tick');
      this.pump();
    });
    await this.settle();
  }

  /** @returns the index of the upstream's cluster, the same each time */
  cluster(name: string): number {
    const known = this.upstreams.indexOf(name);
    return known >= 0 ? known : this.upstreams.push(name) - 1;
  }

  #line(line: PluginLine): void {
    this.lines.push(line);
    for (const watcher of this.watchers) watcher.logged(line);
  }
}

export interface HostWatcher {
  logged(line: PluginLine): void;
  delivered(cause: string): void;
}

const LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];
