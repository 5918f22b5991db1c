import cluster from 'node:cluster';
import type { Logger } from 'pino';
import type { FilterTrip } from '../runtime/runtime.ts';
import type { StageFault } from '../runtime/stage-fault.ts';
import type { FromWorker, LedgerAsk, QuotaMessage, WorkerDump } from '../worker/protocol.ts';
import { Backoff, CrashLoop } from './restart.ts';
import { WorkerProcess, type Deployable, type WorkerEvents } from './worker-process.ts';

export type { Deployable } from './worker-process.ts';

/**
 * A worker whose event loop has not turned while it had this much CPU time, beyond what a filter may take
 * to start, is ended and replaced. One that gets no CPU time is given `STALL_WAIT` times as long.
 */
const STALL_LIMIT_MS = 1000;
const STALL_WAIT = 5;
/** A process that has not reported within this time of its start is ended and replaced. */
const START_LIMIT_MS = 20_000;
const WATCH_MS = 250;
/** Longer than this between two looks, and the supervisor itself was stopped. */
const STOPPED_MS = 2000;
/** Beyond the drain's own limit, before a worker that ignores it is killed. */
const DRAIN_GRACE_MS = 2000;

export interface FleetOptions {
  readonly size: number;
  /** Program of a worker, and what it is told at its start. */
  readonly entry: string;
  readonly environment: (slot: number) => Record<string, string>;
  readonly log: Logger;
  /** Default: 1 s. */
  readonly stallLimitMs?: number;
  /** Workers may stand at a breakpoint: none is ended for it. Default: no. */
  readonly isDebugged?: boolean;
  onLedger(worker: number, asks: readonly LedgerAsk[]): void;
  onQuota(worker: number, messages: readonly QuotaMessage[]): void;
  onUp(worker: number): void;
  onWatched(worker: number, message: Extract<FromWorker, { type: 'watched' | 'unwatched' }>): void;
  onExit(worker: number, lastDump: WorkerDump | null): void;
  /** A filter traps again and again in a worker. */
  onTrip(trip: FilterTrip): void;
  /** Workers keep exiting under the snapshot in force. */
  onCrashLoop(): void;
}

interface Slot {
  readonly index: number;
  readonly backoff: Backoff;
  process: WorkerProcess | null;
  restartTimer: NodeJS.Timeout | null;
  restarts: number;
}

/**
 * The worker processes. Each slot has one that serves, restarted when it exits and brought to the
 * snapshot in force whenever it has another. Listening sockets are shared handles (`SCHED_NONE`):
 * a worker that dies takes none along while another one lives.
 */
export class Fleet {
  private readonly options: FleetOptions;
  private readonly slots: Slot[];
  private readonly crashLoop = new CrashLoop();
  /** Processes that finish their last streams beside the one that took their place. */
  private readonly leaving = new Set<WorkerProcess>();
  private inForce: Deployable | null = null;
  private draining = false;
  /** Workers that met a fault which nobody caught. */
  uncaughtFaults = 0;
  private watchdog: NodeJS.Timeout | null = null;
  /** Of the newest process. */
  private lastId = 0;
  private watchedAt = 0;
  private readonly exitListeners = new Set<() => void>();

  constructor(options: FleetOptions) {
    this.options = options;
    this.slots = Array.from({ length: options.size }, (_, i) => ({
      index: i + 1,
      backoff: new Backoff(),
      process: null,
      restartTimer: null,
      restarts: 0,
    }));
  }

  /** Forks all workers, the first time that it is called; they wait for the first snapshot. */
  start(): void {
    if (this.watchdog) return;
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({ exec: this.options.entry, args: [], serialization: 'advanced' });
    for (const slot of this.slots) this.fork(slot);
    this.watchedAt = performance.now();
    this.watchdog = setInterval(() => this.watch(), WATCH_MS).unref();
  }

  get current(): Deployable | null {
    return this.inForce;
  }

  get size(): number {
    return this.slots.length;
  }

  get restarts(): number {
    return this.slots.reduce((sum, slot) => sum + slot.restarts, 0);
  }

  /** Every worker serves the snapshot in force. */
  get isReady(): boolean {
    return !this.draining && this.slots.every((slot) => this.serves(slot));
  }

  /** One line a slot, for people. */
  describe(): {
    slot: number;
    pid: number | null;
    version: string | null;
    serving: boolean;
    restarts: number;
    ageMs: number;
  }[] {
    return this.slots.map((slot) => ({
      slot: slot.index,
      pid: slot.process?.pid ?? null,
      version: slot.process?.version ?? null,
      serving: this.serves(slot),
      restarts: slot.restarts,
      ageMs: slot.process ? Math.round(performance.now() - slot.process.startedAt) : 0,
    }));
  }

  /**
   * Two phases: all workers stage the snapshot, then all swap. Where one refuses, all discard it
   * and go on with what they serve.
   *
   * @returns why it was refused; empty where it is in force
   */
  async deploy(deployable: Deployable): Promise<readonly StageFault[]> {
    if (this.inForce === null) await this.allUp();
    const before = this.inForce?.snapshot.version ?? null;
    const workers = this.processes().filter((worker) => worker.isUp && worker.version === before);
    const results = await Promise.all(workers.map((worker) => worker.stage(deployable)));

    const staged: { worker: WorkerProcess; id: number }[] = [];
    const faults: StageFault[] = [];
    for (const [i, worker] of workers.entries()) {
      const result = results[i]!;
      if (typeof result === 'number') staged.push({ worker, id: result });
      // A worker that was killed meanwhile says nothing of the snapshot; its successor catches up.
      else if (!worker.hasExited || workers.every((each) => each.hasExited)) faults.push(...result);
    }
    if (staged.length === 0 && faults.length === 0) {
      faults.push({ kind: 'worker', source: null, message: 'no worker is up to stage the snapshot' });
    }
    if (faults.length > 0) {
      for (const { worker, id } of staged) worker.discard(id);
      return distinct(faults);
    }
    this.inForce = deployable;
    this.crashLoop.reset();
    await Promise.all(
      staged.map(async ({ worker, id }) => {
        if (!(await worker.swap(id, deployable.snapshot)) && !worker.hasExited) worker.kill();
      }),
    );
    for (const worker of this.processes()) void this.catchUp(worker);
    return [];
  }

  /** Puts a snapshot in force that served before, without asking whether all workers can. */
  revert(deployable: Deployable): void {
    this.inForce = deployable;
    this.crashLoop.reset();
    for (const worker of this.processes()) void this.catchUp(worker);
  }

  /** Metrics and status of every worker; the last known ones where it does not answer in time. */
  async dumps(limitMs: number): Promise<{ slot: number; dump: WorkerDump }[]> {
    const workers = [...this.processes(), ...this.leaving];
    const dumps = await Promise.all(workers.map((worker) => worker.dump(limitMs)));
    return workers.flatMap((worker, i) => {
      const dump = dumps[i];
      return dump && !worker.hasExited ? [{ slot: worker.slot, dump }] : [];
    });
  }

  /** Ids of the processes that are up. */
  get ids(): readonly number[] {
    return this.processes().flatMap(({ id, isUp }) => (isUp ? [id] : []));
  }

  setLevel(level: string): void {
    for (const worker of this.processes()) worker.send({ type: 'level', level });
  }

  sendTo(worker: number, message: Parameters<WorkerProcess['send']>[0]): void {
    for (const process of [...this.processes(), ...this.leaving])
      if (process.id === worker) process.send(message);
  }

  /** No new work: streams finish until the limit, then every process is gone. */
  async drain(limitMs: number): Promise<void> {
    this.draining = true;
    if (this.watchdog) clearInterval(this.watchdog);
    for (const slot of this.slots) if (slot.restartTimer) clearTimeout(slot.restartTimer);
    for (const worker of this.processes()) {
      if (worker.isUp) worker.drain(limitMs);
      // It has no streams, and does not listen to the supervisor yet.
      else worker.kill();
    }
    const timer = setTimeout(() => this.kill(), limitMs + DRAIN_GRACE_MS);
    await this.until(() => this.everyProcess().every((worker) => worker.hasExited));
    clearTimeout(timer);
  }

  /** Ends all processes at once. */
  kill(): void {
    this.draining = true;
    for (const worker of this.everyProcess()) if (!worker.hasExited) worker.kill();
  }

  private peers(): Extract<Parameters<WorkerProcess['send']>[0], { type: 'peers' }> {
    const alive = this.everyProcess().filter((worker) => !worker.hasExited);
    return { type: 'peers', alive: alive.map(({ id }) => id), upTo: this.lastId };
  }

  private everyProcess(): WorkerProcess[] {
    return [...this.slots.flatMap((slot) => slot.process ?? []), ...this.leaving];
  }

  private processes(): WorkerProcess[] {
    return this.slots.flatMap((slot) => (slot.process && !slot.process.hasExited ? [slot.process] : []));
  }

  private serves({ process }: Slot): boolean {
    if (!process || process.hasExited || process.isLeaving) return false;
    return this.inForce !== null && process.version === this.inForce.snapshot.version;
  }

  private fork(slot: Slot): void {
    slot.restartTimer = null;
    const events: WorkerEvents = {
      up: (worker) => {
        worker.send(this.peers());
        this.options.onUp(worker.id);
        void this.catchUp(worker);
      },
      ledger: (worker, asks) => this.options.onLedger(worker.id, asks),
      quota: (worker, messages) => this.options.onQuota(worker.id, messages),
      wake: (workers) => {
        for (const id of workers) this.sendTo(id, { type: 'wake' });
      },
      failing: (worker) => this.detach(slot, worker),
      watched: (worker, message) => this.options.onWatched(worker.id, message),
      tripped: (trip) => this.options.onTrip(trip),
      exited: (worker, code, signal) => this.exited(slot, worker, code, signal),
    };
    slot.process = new WorkerProcess(
      slot.index,
      this.options.environment(slot.index),
      events,
      this.options.isDebugged ?? false,
    );
    this.lastId = slot.process.id;
  }

  /** A process that ends by itself makes room at once. */
  private detach(slot: Slot, worker: WorkerProcess): void {
    this.uncaughtFaults++;
    if (slot.process !== worker) return;
    this.leaving.add(worker);
    slot.process = null;
    this.replace(slot);
  }

  private exited(slot: Slot, worker: WorkerProcess, code: number | null, signal: string | null): void {
    this.options.onExit(worker.id, worker.lastDump);
    this.leaving.delete(worker);
    for (const each of this.everyProcess()) each.send(this.peers());
    if (!this.draining) {
      this.options.log.error({ worker: slot.index, workerPid: worker.pid, code, signal }, 'a worker exited');
      if (slot.process === worker) {
        slot.process = null;
        this.replace(slot);
      }
    }
    for (const listener of this.exitListeners) listener();
  }

  private replace(slot: Slot): void {
    if (this.draining) return;
    const now = performance.now();
    slot.restarts++;
    const delay = slot.backoff.exited(now);
    if (delay === 0) this.fork(slot);
    else slot.restartTimer = setTimeout(() => this.fork(slot), delay);
    if (this.inForce && this.crashLoop.exited(now)) this.options.onCrashLoop();
  }

  /** Brings a worker to the snapshot in force, however often that changes meanwhile. */
  private async catchUp(worker: WorkerProcess): Promise<void> {
    while (worker.isUp && !worker.isLeaving && !worker.hasExited && !this.draining) {
      const target = this.inForce;
      if (target === null || worker.version === target.snapshot.version || worker.isCatchingUp) return;
      worker.isCatchingUp = true;
      const staged = await worker.stage(target);
      worker.isCatchingUp = false;
      if (typeof staged !== 'number') {
        if (worker.hasExited) return;
        this.options.log.error(
          { worker: worker.slot, faults: staged },
          'a worker cannot take the snapshot in force',
        );
        worker.kill();
      } else if (this.inForce !== target) {
        worker.discard(staged);
      } else if (!(await worker.swap(staged, target.snapshot)) && !worker.hasExited) {
        worker.kill();
      }
    }
  }

  private watch(): void {
    const now = performance.now();
    // The supervisor itself was stopped: what workers said meanwhile is not read yet.
    const wasStopped = now - this.watchedAt > STOPPED_MS;
    this.watchedAt = now;
    if (wasStopped) return;
    for (const worker of this.processes()) {
      if (worker.isLeaving || !this.isStalled(worker, now)) continue;
      this.options.log.error(
        { worker: worker.slot, workerPid: worker.pid, stalledMs: Math.round(now - worker.aliveAt) },
        'a worker does not answer, ending it',
      );
      worker.kill();
    }
  }

  private isStalled(worker: WorkerProcess, now: number): boolean {
    // At each look, so that what it had before it fell silent is known.
    const busy = worker.busyMs();
    const silent = now - worker.aliveAt;
    if (!worker.isUp) return silent >= START_LIMIT_MS;
    if (this.options.isDebugged === true) return false;
    const limit = (this.options.stallLimitMs ?? STALL_LIMIT_MS) + worker.longestStartMs;
    return silent >= limit && (silent >= STALL_WAIT * limit || busy >= limit);
  }

  /** At the first start: every slot has a process that reported, or has given up once. */
  private async allUp(): Promise<void> {
    const until = performance.now() + START_LIMIT_MS;
    while (performance.now() < until && !this.draining) {
      const processes = this.processes();
      if (processes.length === this.size && processes.every((worker) => worker.isUp)) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  private until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        this.exitListeners.delete(check);
        resolve();
      };
      this.exitListeners.add(check);
      check();
    });
  }
}

/** Workers refuse for the same reason as a rule; it is told once. */
function distinct(faults: readonly StageFault[]): StageFault[] {
  return [...new Map(faults.map((fault) => [JSON.stringify(fault), fault])).values()];
}
