import cluster from 'node:cluster';
import type { Ledger } from '../runtime/ledger.ts';
import { LocalLedger } from '../runtime/ledger.ts';
import type { MetricFamily } from '../runtime/metrics.ts';
import type { FilterTrip, RuntimeStatus } from '../runtime/runtime.ts';
import type { Snapshot } from '../runtime/snapshot.ts';
import { faultOf } from '../runtime/stage-fault.ts';
import { LeasedLedger } from './ledger.ts';
import type { Log } from './log.ts';
import type { Code } from '../runtime/stage-fault.ts';
import { family } from './metric-family.ts';
import type { FromWorker, ToWorker } from './protocol.ts';

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
}

export interface WorkerProgramOptions<Staged> {
  readonly id: number;
  readonly workers: number;
  /** How long streams may go on where the supervisor is gone. */
  readonly drainMs: number;
  readonly log: Log;
  makeRuntime(ledger: Ledger, onTrip: (trip: FilterTrip) => void): SteeredRuntime<Staged>;
}

/** After a fault that nobody caught, streams get this long. */
const FAILING_DRAIN_MS = 5000;
const HEARTBEAT_MS = 500;

/** A worker process: one runtime, steered over the channel to the supervisor. */
export class WorkerProgram<Staged> {
  private readonly options: WorkerProgramOptions<Staged>;
  private readonly runtime: SteeredRuntime<Staged>;
  private readonly shared: LeasedLedger | null;
  private readonly staged = new Map<number, Staged>();
  private readonly discarded = new Set<number>();
  private leaving = false;

  constructor(options: WorkerProgramOptions<Staged>) {
    this.options = options;
    // One worker is the whole machine: its limits need nobody else.
    this.shared =
      options.workers > 1
        ? new LeasedLedger({ now: machineNow, send: (asks) => this.send({ type: 'ledger', asks }) })
        : null;
    this.runtime = options.makeRuntime(this.shared ?? new LocalLedger(), (trip) =>
      this.send({ type: 'tripped', trip }),
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
        this.shared?.receive(message.replies);
        break;
    }
  }

  private async stage(id: number, snapshot: Snapshot, code: Code): Promise<void> {
    try {
      const staged = await this.runtime.stage(snapshot, code);
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

  private dump(id: number): void {
    const { user, system } = process.cpuUsage();
    const memory = process.memoryUsage();
    this.send({
      type: 'dump',
      id,
      dump: {
        families: [...this.runtime.dump(), ...this.families()],
        status: this.runtime.status(),
        process: {
          cpuSeconds: (user + system) / 1e6,
          residentBytes: memory.rss,
          heapBytes: memory.heapUsed,
        },
      },
    });
  }

  private families(): MetricFamily[] {
    const { local, asked, timedOut } = this.shared?.counts ?? { local: 0, asked: 0, timedOut: 0 };
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
    ];
  }

  /** The supervisor is gone: nobody would restart this worker or tell it to end. */
  private orphaned(): void {
    // node:cluster ends a worker on the spot unless it believes that it was asked to leave.
    if (cluster.worker) cluster.worker.exitedAfterDisconnect = true;
    if (this.leaving) return;
    this.options.log.logger.error('the supervisor is gone, draining');
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
    this.exit(code);
  }

  private exit(code: number): void {
    this.options.log.flush();
    process.exit(code);
  }

  private send(message: FromWorker): void {
    if (!process.connected) return;
    // A channel that closes under the message is dealt with by `disconnect`.
    process.send?.(message, undefined, undefined, () => undefined);
  }
}
