import cluster, { type Worker } from 'node:cluster';
import { START_MS } from '../runtime/wasm/limits.ts';
import { processMilliseconds } from './process-time.ts';
import { compiledAs, type Snapshot } from '../runtime/snapshot.ts';
import type { FilterTrip } from '../runtime/runtime.ts';
import { codeOf, type Code, type StageFault } from '../runtime/stage-fault.ts';
import type { FromWorker, LedgerAsk, QuotaMessage, ToWorker, WorkerDump } from '../worker/protocol.ts';

/** A snapshot that does not get staged within this time is refused. */
export const STAGE_LIMIT_MS = 30_000;
const SWAP_LIMIT_MS = 5000;
/** A worker that stands at a breakpoint answers when somebody lets it go on. */
const DEBUGGED_LIMIT_MS = 24 * 3600 * 1000;

/** A snapshot with the bytes of all its modules. */
export interface Deployable {
  readonly snapshot: Snapshot;
  readonly code: Code;
}

export interface WorkerEvents {
  /** The process runs and waits for a snapshot. */
  up(worker: WorkerProcess): void;
  ledger(worker: WorkerProcess, asks: readonly LedgerAsk[]): void;
  quota(worker: WorkerProcess, messages: readonly QuotaMessage[]): void;
  /** Items of shared queues wait for other workers. */
  wake(workers: readonly number[]): void;
  /** It met a fault that nobody caught; it drains and exits by itself. */
  failing(worker: WorkerProcess): void;
  tripped(trip: FilterTrip): void;
  watched(worker: WorkerProcess, message: Extract<FromWorker, { type: 'watched' | 'unwatched' }>): void;
  exited(worker: WorkerProcess, code: number | null, signal: string | null): void;
}

interface Request {
  readonly settle: (answer: FromWorker | null) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * One worker process as its supervisor sees it. Questions are answered with null where the
 * process exits or does not answer in time, so nothing waits for a dead worker.
 */
export class WorkerProcess {
  readonly slot: number;
  readonly startedAt = performance.now();
  /** Of the snapshot that it serves. */
  version: string | null = null;
  isUp = false;
  /** It serves no new connections: draining, or failing. */
  isLeaving = false;
  isCatchingUp = false;
  hasExited = false;
  /** When it last said that its event loop turns. */
  aliveAt = performance.now();
  /** What the filters of its snapshots may take to start, one after the other. */
  longestStartMs = 0;
  lastDump: WorkerDump | null = null;
  private readonly worker: Worker;
  private readonly isDebugged: boolean;
  private readonly events: WorkerEvents;
  private readonly requests = new Map<number, Request>();
  /** Modules that it has compiled: those of the snapshot it serves. */
  private known = new Set<string>();
  private lastId = 0;
  /** `aliveAt` when its CPU time was read, and that time; null where the system does not say. */
  private lookedAt = 0;
  private cpuMs: number | null = null;

  /** @param isDebugged it may stand still for as long as somebody looks at it */
  constructor(slot: number, env: Record<string, string>, events: WorkerEvents, isDebugged: boolean) {
    this.slot = slot;
    this.isDebugged = isDebugged;
    this.events = events;
    this.worker = cluster.fork(env);
    this.worker.on('message', (message: FromWorker) => this.receive(message));
    this.worker.on('error', () => undefined);
    this.worker.on('exit', (code: number | null, signal: string | null) => {
      this.hasExited = true;
      for (const { settle } of this.requests.values()) settle(null);
      // What it has said last is read before: nothing that it charged is lost, and nothing is kept back behind its end.
      const tell = (): void => events.exited(this, code, signal);
      if (this.worker.isConnected()) this.worker.once('disconnect', tell);
      else tell();
    });
  }

  get id(): number {
    return this.worker.id;
  }

  get pid(): number {
    return this.worker.process.pid ?? 0;
  }

  /** @returns the number to swap or discard by, or why the worker refused */
  async stage({ snapshot, code }: Deployable): Promise<number | readonly StageFault[]> {
    const id = ++this.lastId;
    this.longestStartMs = Math.max(this.longestStartMs, longestStart(snapshot));
    const unknown = snapshot.modules.filter((module) => !this.known.has(compiledAs(module)));
    const missing = codeOf(
      code,
      unknown.map(({ digest }) => digest),
    );
    const answer = await this.ask(
      id,
      { type: 'stage', id, snapshot, code: missing },
      this.patience(STAGE_LIMIT_MS),
    );
    if (answer?.type === 'staged') return id;
    if (answer?.type === 'refused') return answer.faults;
    const what = this.hasExited ? 'exited' : `did not answer within ${STAGE_LIMIT_MS / 1000} s`;
    if (!this.hasExited) this.discard(id);
    return [
      { kind: 'worker', source: null, message: `worker ${this.slot} ${what} while it staged the snapshot` },
    ];
  }

  /** @returns whether the worker serves the snapshot */
  async swap(id: number, snapshot: Snapshot): Promise<boolean> {
    const answer = await this.ask(id, { type: 'swap', id }, this.patience(SWAP_LIMIT_MS));
    if (answer?.type !== 'swapped') return false;
    this.version = snapshot.version;
    this.longestStartMs = longestStart(snapshot);
    this.known = new Set(snapshot.modules.map(compiledAs));
    return true;
  }

  /** CPU time that it has had since it last answered, counted from the first look at it after that. */
  busyMs(): number {
    const cpuMs = processMilliseconds(this.pid);
    if (this.lookedAt !== this.aliveAt) {
      this.lookedAt = this.aliveAt;
      this.cpuMs = cpuMs;
    }
    return cpuMs === null || this.cpuMs === null ? 0 : cpuMs - this.cpuMs;
  }

  discard(id: number): void {
    this.send({ type: 'discard', id });
  }

  /** Metrics and status, as they are or as they were last; null where none ever came. */
  async dump(limitMs: number): Promise<WorkerDump | null> {
    if (!this.isUp) return null;
    const id = ++this.lastId;
    const answer = await this.ask(id, { type: 'dump', id }, limitMs);
    if (answer?.type === 'dump') this.lastDump = answer.dump;
    return this.lastDump;
  }

  drain(limitMs: number): void {
    this.isLeaving = true;
    this.send({ type: 'drain', limitMs });
  }

  kill(): void {
    this.worker.process.kill('SIGKILL');
  }

  send(message: ToWorker): void {
    if (this.hasExited || !this.worker.isConnected()) return;
    this.worker.process.send(message, undefined, undefined, () => undefined);
  }

  private patience(limitMs: number): number {
    return this.isDebugged ? DEBUGGED_LIMIT_MS : limitMs;
  }

  private ask(id: number, message: ToWorker, limitMs: number): Promise<FromWorker | null> {
    if (this.hasExited) return Promise.resolve(null);
    return new Promise((resolve) => {
      const settle = (answer: FromWorker | null): void => {
        clearTimeout(timer);
        this.requests.delete(id);
        resolve(answer);
      };
      const timer = setTimeout(() => settle(null), limitMs);
      this.requests.set(id, { settle, timer });
      this.send(message);
    });
  }

  private receive(message: FromWorker): void {
    this.aliveAt = performance.now();
    switch (message.type) {
      case 'up':
        this.isUp = true;
        this.events.up(this);
        break;
      case 'staged':
      case 'refused':
      case 'swapped':
      case 'dump':
        this.requests.get(message.id)?.settle(message);
        break;
      case 'ledger':
        this.events.ledger(this, message.asks);
        break;
      case 'quota':
        this.events.quota(this, message.messages);
        break;
      case 'watched':
      case 'unwatched':
        this.events.watched(this, message);
        break;
      case 'tripped':
        this.events.tripped(message.trip);
        break;
      case 'wake':
        this.events.wake(message.workers);
        break;
      case 'failing':
        this.isLeaving = true;
        this.events.failing(this);
        break;
      case 'alive':
        break;
    }
  }
}

/** Milliseconds for which a worker may be busy with the start of one filter, all of its first instances. */
function longestStart({ plugins, modules }: Snapshot): number {
  const starts = plugins.map(
    ({ module, instances }) => (modules[module]!.cpu?.perStartMs ?? START_MS) * instances.min,
  );
  return Math.max(0, ...starts);
}
