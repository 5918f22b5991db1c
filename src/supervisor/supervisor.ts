import type { Logger } from 'pino';
import { AdminServer } from '../control/admin.ts';
import type { AdminAddress } from '../control/admin-address.ts';
import { Canary } from '../control/canary.ts';
import type { Loaded } from '../control/load.ts';
import { Rollout } from '../control/rollout.ts';
import { Source } from '../control/source.ts';
import { StateStore, type SavedSnapshot } from '../control/state.ts';
import { listenReason } from '../runtime/listen-reason.ts';
import type { StageFault } from '../runtime/stage-fault.ts';
import type { Log } from '../worker/log.ts';
import { machineNow } from '../worker/program.ts';
import { entryOf, entryPathOf } from './entry.ts';
import { Fleet } from './fleet.ts';
import { SharedLedger } from './ledger.ts';
import { QuotaService } from './quota/service.ts';
import { MetricsBoard } from './metrics.ts';
import { makeSharedFolder } from './shared-folder.ts';
import { StatusView } from './status-view.ts';
import { Watches } from './watches.ts';

export interface SupervisorOptions {
  /** Reads the configuration as it is now. */
  load(): Promise<Loaded>;
  /** Runs the PolicyTests of the configuration that was loaded last; null: they need not pass. */
  readonly test: ((version: string) => Promise<readonly StageFault[]>) | null;
  /** Files and folders that it is read from, to be watched. */
  readonly paths: readonly string[];
  readonly workers: number;
  readonly admin: AdminAddress;
  readonly adminToken: string | null;
  /** Null: nothing is kept on disk. */
  readonly dataDir: string | null;
  /** Start from the last good snapshot where the configuration is refused or absent. */
  readonly resume: boolean;
  readonly watch: boolean;
  readonly drainMs: number;
  /** Between not being ready and not accepting any more. */
  readonly preDrainMs: number;
  /** CPU time without a turn of its event loop after which a worker is ended. */
  readonly stallLimitMs: number;
  /** On which the worker, one alone, lets a debugger in; null: none. */
  readonly inspectPort: number | null;
  readonly color: boolean;
  /** Of weir. */
  readonly version: string;
}

/** How starting went. */
export type Start = 'serving' | 'refused' | 'cannot-listen';

/**
 * The one process that carries no traffic: it keeps the workers running, reads configurations and
 * brings them in force, keeps shared limits, and answers for all of it on the admin address.
 */
export class Supervisor {
  private readonly options: SupervisorOptions;
  private readonly log: Log;
  private readonly fleet: Fleet;
  private readonly ledger: SharedLedger;
  private readonly quotas: QuotaService;
  private readonly watches: Watches;
  private readonly board = new MetricsBoard();
  private readonly canary = new Canary(entryOf('canary-thread'));
  private rollout!: Rollout;
  private source: Source | null = null;
  private admin: AdminServer | null = null;
  private draining = false;

  constructor(options: SupervisorOptions, log: Log) {
    this.options = options;
    this.log = log;
    this.ledger = new SharedLedger({
      workers: () => options.workers,
      send: (worker, replies) => this.fleet.sendTo(worker, { type: 'ledger', replies }),
      now: machineNow,
    });
    this.quotas = new QuotaService({
      dataDir: options.dataDir,
      log: log.logger,
      send: (worker, replies) => this.fleet.sendTo(worker, { type: 'quota', replies }),
      now: () => Date.now(),
    });
    this.watches = new Watches({
      log: log.logger,
      workers: () => this.fleet.ids,
      send: (worker, message) => this.fleet.sendTo(worker, message),
    });
    // One worker is the whole machine: what it shares stays in its memory.
    const sharedFolder = options.workers > 1 ? makeSharedFolder() : null;
    this.fleet = new Fleet({
      size: options.workers,
      entry: entryPathOf('worker'),
      environment: (slot) => ({
        WEIR_WORKER: JSON.stringify({
          id: slot,
          workers: options.workers,
          level: this.logger.level,
          drainMs: options.drainMs,
          sharedFolder,
          inspectPort: options.inspectPort,
        }),
      }),
      log: log.logger,
      stallLimitMs: options.stallLimitMs,
      isDebugged: options.inspectPort !== null,
      onLedger: (worker, asks) => this.ledger.receive(worker, asks),
      onQuota: (worker, messages) => this.quotas.receive(worker, messages),
      onUp: (worker) => this.watches.up(worker),
      onWatched: (worker, message) => this.watches.receive(worker, message),
      onExit: (worker, lastDump) => {
        this.watches.gone(worker);
        this.ledger.workerGone(worker);
        this.quotas.workerGone(worker);
        this.board.retire(lastDump);
      },
      onTrip: (trip) => void this.rollout.tripped(trip),
      onCrashLoop: () => this.rollout.rollBack(),
    });
  }

  /** Reads the configuration and brings up the workers; resolves when they serve or cannot. */
  async start(): Promise<Start> {
    const state = await this.openState();
    const saved = state ? await this.newest(state) : null;
    this.rollout = this.makeRollout(state);
    await this.quotas.open();
    if (!(await this.openAdmin())) return 'cannot-listen';
    if (this.options.watch) {
      this.source = new Source(this.options.paths, () => void this.rollout.request());
    }
    if (saved) this.rollout.remember(saved);
    await this.rollout.request();
    if (this.rollout.current) return 'serving';
    if (this.options.resume && saved) {
      this.fleet.start();
      if (await this.rollout.resume(saved)) return 'serving';
    }
    return this.rollout.refusal?.isListenFault ? 'cannot-listen' : 'refused';
  }

  /** Reads the configuration again. */
  async reload(): Promise<void> {
    await this.rollout.insist();
  }

  /** Not ready, no new connections, streams finish until the limit. Resolves when all workers are gone. */
  async drain(): Promise<void> {
    this.draining = true;
    await this.source?.close();
    if (this.options.preDrainMs > 0)
      await new Promise((resolve) => setTimeout(resolve, this.options.preDrainMs));
    await this.fleet.drain(this.options.drainMs);
    await this.close();
  }

  /** Ends the workers at once. */
  async abort(): Promise<void> {
    this.draining = true;
    this.fleet.kill();
    await this.close();
  }

  private get logger(): Logger {
    return this.log.logger;
  }

  private async close(): Promise<void> {
    await this.source?.close();
    await this.rollout.settled();
    this.ledger.close();
    await this.quotas.close();
    this.admin?.close();
  }

  private makeRollout(state: StateStore | null): Rollout {
    const { options } = this;
    const rollout = new Rollout({
      load: () => options.load(),
      follow: async (files, readSince) => this.source?.follow(files, readSince),
      tryOut: (snapshot, code) => {
        // Workers start while the canary is at work; where it refuses, the start ends and they with it.
        this.fleet.start();
        return this.canary.tryOut(snapshot, code);
      },
      test: options.test,
      workers: this.fleet,
      state,
      log: this.logger,
      print: (text) => process.stderr.write(text),
      color: options.color,
      name: options.paths[0] ?? 'command line',
    });
    rollout.stateFailing = options.dataDir !== null && state === null;
    return rollout;
  }

  /** A folder that cannot be used is an alarm, not a reason not to serve. */
  private async openState(): Promise<StateStore | null> {
    const { dataDir } = this.options;
    if (dataDir === null) return null;
    try {
      return await StateStore.open(dataDir, (file, movedTo, reason) => {
        this.logger.fatal({ file, movedTo, reason }, 'a saved file is damaged and was set aside');
      });
    } catch (error) {
      this.logger.fatal({ err: error, dataDir }, 'the data folder cannot be used, nothing will be saved');
      return null;
    }
  }

  private async newest(state: StateStore): Promise<SavedSnapshot | null> {
    try {
      return await state.newest();
    } catch (error) {
      this.logger.fatal({ err: error }, 'the saved snapshots cannot be read');
      return null;
    }
  }

  private async openAdmin(): Promise<boolean> {
    const { admin: address, adminToken } = this.options;
    if (address.kind === 'off') return true;
    const view = new StatusView({
      fleet: this.fleet,
      ledger: this.ledger,
      quotas: this.quotas,
      board: this.board,
      rollout: this.rollout,
      watches: this.watches,
      weirVersion: this.options.version,
      isDraining: () => this.draining,
      wantsState: this.options.dataDir !== null,
      log: this.logger,
    });
    this.admin = new AdminServer(view, { token: adminToken });
    try {
      const url = await this.admin.listen(address);
      this.logger.info({ admin: url }, 'admin server listening');
      return true;
    } catch (error) {
      const where = address.kind === 'unix' ? `unix:${address.path}` : `${address.host}:${address.port}`;
      const { code = 'unknown', message } = error as NodeJS.ErrnoException;
      process.stderr.write(
        `error: the admin address ${where} cannot be bound: ${listenReason(code) ?? message}; choose another with --admin, or --admin off\n`,
      );
      this.logger.fatal({ admin: where, code }, 'the admin address cannot be bound');
      return false;
    }
  }
}
