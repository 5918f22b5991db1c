import cluster from 'node:cluster';
import { rmSync } from 'node:fs';
import type { Ledger, Stores } from '../runtime/ledger.ts';
import { LocalLedger } from '../runtime/ledger.ts';
import type { Quotas } from '../runtime/quota/quota.ts';
import { LocalSharedState, type SharedState } from '../runtime/wasm/shared.ts';
import type { MetricFamily } from '../runtime/metrics.ts';
import type { FilterTrip, RuntimeStatus } from '../runtime/runtime.ts';
import type { Snapshot } from '../runtime/snapshot.ts';
import { faultOf } from '../runtime/stage-fault.ts';
import { LeasedLedger } from './ledger.ts';
import { RemoteQuotas } from './quotas.ts';
import type { Log } from './log.ts';
import type { Code } from '../runtime/stage-fault.ts';
import { LiveExplanations, type ExplainSpec } from '../explain/live.ts';
import type { StreamWatch } from '../runtime/stream-observer.ts';
import type { Tap, TapSpec } from '../runtime/wasm/tap/tap.ts';
import { family } from './metric-family.ts';
import { pluginFamilies } from './plugin-families.ts';
import type { FromWorker, ToWorker } from './protocol.ts';
import { SharedLog } from './shared-log.ts';
import { StoreSet } from './store/stores.ts';

/** Milliseconds on the clock that all processes of the machine share. */
export function machineNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** The part of the runtime that a worker steers; `src/runtime/runtime.ts` is the one there is. */
export interface SteeredRuntime<Staged> {
  stage(snapshot: Snapshot, code: Code): Promise<Staged>;
  swap(staged: Staged): void;
  discard(staged: Staged): void;
  drain(limitMs: number): Promise<void>;
  dump(): MetricFamily[];
  status(): RuntimeStatus;
  /** @param write takes whole lines */
  tap(spec: TapSpec, write: (lines: string) => void): Tap;
  /** Ends a tap: resolves when its last line is written. */
  untap(tap: Tap): Promise<void>;
  watch(watch: StreamWatch | null): void;
}

export interface WorkerProgramOptions<Staged> {
  readonly id: number;
  readonly workers: number;
  /** How long streams may go on where the supervisor is gone. */
  readonly drainMs: number;
  /** Where workers share the data of guests; null: there is one worker. */
  readonly sharedFolder: string | null;
  readonly log: Log;
  makeRuntime(
    ledger: Ledger,
    quotas: Quotas,
    shared: SharedState,
    stores: Stores,
    onTrip: (trip: FilterTrip) => void,
  ): SteeredRuntime<Staged>;
}

/** After a fault that nobody caught, streams get this long. */
const FAILING_DRAIN_MS = 5000;
const HEARTBEAT_MS = 500;
/** Stores are told for so long what was charged last. */
const STORES_MS = 500;
/** A folder that is gone fails each call: one line in this time tells of it. */
const SHARED_FAILURE_MS = 10_000;

/** A worker process: one runtime, steered over the channel to the supervisor. */
export class WorkerProgram<Staged> {
  private readonly options: WorkerProgramOptions<Staged>;
  private readonly runtime: SteeredRuntime<Staged>;
  private readonly ledger: LeasedLedger | null;
  private readonly quotas: RemoteQuotas;
  private readonly shared: SharedLog | null;
  private readonly stores: StoreSet;
  /** Workers to be told of items in shared queues, once in a turn of the event loop. */
  private readonly toWake = new Set<number>();
  private sharedFailedAt = -Infinity;
  private readonly staged = new Map<number, Staged>();
  private readonly discarded = new Set<number>();
  private readonly taps = new Map<number, Tap>();
  private readonly explanations = new LiveExplanations(() => Date.now());
  private leaving = false;
  private orphan = false;

  constructor(options: WorkerProgramOptions<Staged>) {
    this.options = options;
    // One worker is the whole machine: its limits need nobody else.
    this.ledger =
      options.workers > 1
        ? new LeasedLedger({ now: machineNow, send: (asks) => this.send({ type: 'ledger', asks }) })
        : null;
    this.quotas = new RemoteQuotas({
      now: machineNow,
      send: (messages) => this.send({ type: 'quota', messages }),
    });
    this.shared = options.sharedFolder === null ? null : this.openShared(options.sharedFolder);
    this.stores = new StoreSet(options.log);
    this.runtime = options.makeRuntime(
      this.ledger ?? new LocalLedger(),
      this.quotas,
      this.shared ?? new LocalSharedState(),
      this.stores,
      (trip) => this.send({ type: 'tripped', trip }),
    );
  }

  start(): void {
    // Signals are for the supervisor, which tells its workers what to do; a terminal sends them to all.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
    process.on('message', (message) => this.receive(message as ToWorker));
    // On the worker, not on the process: node:cluster's own listener there comes first, and exits.
    cluster.worker?.on('disconnect', () => this.orphaned());
    process.on('uncaughtException', (error) => this.failing(error));
    process.on('unhandledRejection', (reason) => this.failing(reason));
    setInterval(() => this.send({ type: 'alive' }), HEARTBEAT_MS).unref();
    this.send({ type: 'up' });
  }

  private receive(message: ToWorker): void {
    switch (message.type) {
      case 'stage':
        void this.stage(message.id, message.snapshot, message.code);
        break;
      case 'swap':
        this.swap(message.id);
        break;
      case 'discard':
        this.discard(message.id);
        break;
      case 'drain':
        void this.leave(message.limitMs, 0);
        break;
      case 'dump':
        this.dump(message.id);
        break;
      case 'level':
        this.options.log.logger.level = message.level;
        break;
      case 'ledger':
        this.ledger?.receive(message.replies);
        break;
      case 'quota':
        this.quotas.receive(message.replies);
        break;
      case 'wake':
        this.shared?.sync();
        break;
      case 'tap':
        this.tap(message.id, message.spec);
        break;
      case 'explain':
        this.explain(message.id, message.spec);
        break;
      case 'watchTaken':
        this.taps.get(message.id)?.taken(message.bytes);
        break;
      case 'unwatch':
        void this.unwatch(message.id);
        break;
      case 'peers':
        this.shared?.keepOnly(new Set(message.alive), message.upTo);
        break;
    }
  }

  /** Null where the folder cannot be used: better a worker that shares with nobody than none. */
  private openShared(folder: string): SharedLog | null {
    try {
      return this.makeShared(folder);
    } catch (err) {
      this.options.log.logger.error({ err, folder }, 'this worker shares no data with the others');
      return null;
    }
  }

  private makeShared(folder: string): SharedLog {
    return new SharedLog({
      folder,
      worker: cluster.worker!.id,
      wake: (worker) => {
        if (this.toWake.size === 0) setImmediate(() => this.wake());
        this.toWake.add(worker);
      },
      failed: (err) => {
        const now = performance.now();
        if (now - this.sharedFailedAt < SHARED_FAILURE_MS) return;
        this.sharedFailedAt = now;
        this.options.log.logger.error({ err, folder }, 'shared data cannot be read or written');
      },
    });
  }

  private wake(): void {
    const workers = [...this.toWake];
    this.toWake.clear();
    this.send({ type: 'wake', workers });
  }

  private async stage(id: number, snapshot: Snapshot, code: Code): Promise<void> {
    try {
      const staged = await this.runtime.stage(snapshot, code);
      // The first requests are counted, too.
      await this.stores.tried();
      if (this.discarded.delete(id)) {
        this.runtime.discard(staged);
        return;
      }
      this.staged.set(id, staged);
      this.send({ type: 'staged', id });
    } catch (error) {
      this.discarded.delete(id);
      this.send({ type: 'refused', id, faults: [faultOf(error)] });
    }
  }

  private swap(id: number): void {
    const staged = this.staged.get(id);
    if (staged === undefined) return;
    this.staged.delete(id);
    this.runtime.swap(staged);
    this.send({ type: 'swapped', id });
  }

  private discard(id: number): void {
    const staged = this.staged.get(id);
    this.staged.delete(id);
    if (staged === undefined) this.discarded.add(id);
    else this.runtime.discard(staged);
  }

  private tap(id: number, spec: TapSpec): void {
    const tap = this.runtime.tap(spec, (lines) =>
      this.send({ type: 'watched', id, lines, streams: tap.streams }),
    );
    this.taps.set(id, tap);
    this.send({ type: 'watched', id, lines: '', streams: 0 });
  }

  private explain(id: number, spec: ExplainSpec): void {
    this.explanations.open(id, spec, (lines, streams) => this.send({ type: 'watched', id, lines, streams }));
    this.runtime.watch(this.explanations);
    this.send({ type: 'watched', id, lines: '', streams: 0 });
  }

  private async unwatch(id: number): Promise<void> {
    const tap = this.taps.get(id);
    if (tap !== undefined) await this.runtime.untap(tap);
    this.taps.delete(id);
    const explained = await this.explanations.close(id);
    // Requests pay nothing while none is to be explained.
    if (this.explanations.isEmpty) this.runtime.watch(null);
    this.send({ type: 'unwatched', id, streams: tap?.streams ?? explained, dropped: tap?.dropped ?? 0 });
  }

  private dump(id: number): void {
    const { user, system } = process.cpuUsage();
    const memory = process.memoryUsage();
    const status = this.runtime.status();
    this.send({
      type: 'dump',
      id,
      dump: {
        families: [
          ...this.runtime.dump(),
          ...pluginFamilies(status.plugins),
          ...this.stores.families(),
          ...this.families(),
        ],
        status,
        process: {
          cpuSeconds: (user + system) / 1e6,
          residentBytes: memory.rss,
          heapBytes: memory.heapUsed,
        },
      },
    });
  }

  private families(): MetricFamily[] {
    const { local, asked, timedOut } = this.ledger?.counts ?? { local: 0, asked: 0, timedOut: 0 };
    return [
      family(
        'counter',
        'weir_log_lines_dropped_total',
        'Log lines dropped because standard error was slow.',
        this.options.log.dropped(),
      ),
      family(
        'counter',
        'weir_ledger_local_decisions_total',
        'Limit decisions that workers took from tokens or refusals they held.',
        local,
      ),
      family(
        'counter',
        'weir_ledger_asks_total',
        'Limit decisions that workers asked the supervisor for.',
        asked,
      ),
      family(
        'counter',
        'weir_ledger_ask_timeouts_total',
        'Requests refused because the supervisor did not answer in time.',
        timedOut,
      ),
      family(
        'counter',
        'weir_quota_asks_total',
        'Questions of workers about quotas.',
        this.quotas.counts.asked,
      ),
      family(
        'counter',
        'weir_quota_ask_timeouts_total',
        'Questions about quotas that the supervisor did not answer in time.',
        this.quotas.counts.timedOut,
      ),
      family(
        'counter',
        'weir_shared_writes_total',
        'Writes to shared data and queues that workers put into their common log.',
        this.shared?.counts.steps ?? 0,
      ),
      family(
        'counter',
        'weir_shared_failures_total',
        'Accesses to shared data and queues that failed because the common log could not be read or written.',
        this.shared?.counts.failures ?? 0,
      ),
    ];
  }

  /** The supervisor is gone: nobody would restart this worker or tell it to end. */
  private orphaned(): void {
    // node:cluster ends a worker on the spot unless it believes that it was asked to leave.
    if (cluster.worker) cluster.worker.exitedAfterDisconnect = true;
    if (this.leaving) return;
    this.options.log.logger.error('the supervisor is gone, draining');
    this.orphan = true;
    void this.leave(this.options.drainMs, 1);
  }

  /** Nothing goes on in an unknown state: finish what runs, briefly, and make room for another. */
  private failing(error: unknown): void {
    this.options.log.logger.fatal({ err: error }, 'uncaught fault, draining');
    if (this.leaving) return;
    this.send({ type: 'failing' });
    void this.leave(FAILING_DRAIN_MS, 70);
  }

  private async leave(limitMs: number, code: number): Promise<void> {
    if (this.leaving) return;
    this.leaving = true;
    // Whatever the drain does, the process is gone a second after its limit.
    setTimeout(() => this.exit(code), limitMs + 1000).unref();
    try {
      await this.runtime.drain(limitMs);
    } catch (error) {
      this.options.log.logger.error({ err: error }, 'drain failed');
    }
    await this.stores.drain(STORES_MS);
    this.exit(code);
  }

  private exit(code: number): void {
    // The supervisor would have done it.
    if (this.orphan && this.options.sharedFolder !== null)
      rmSync(this.options.sharedFolder, { recursive: true, force: true });
    this.options.log.flush();
    process.exit(code);
  }

  private send(message: FromWorker): void {
    if (!process.connected) return;
    // A channel that closes under the message is dealt with by `disconnect`.
    process.send?.(message, undefined, undefined, () => undefined);
  }
}
