import type { Logger } from 'pino';
import { formatDiagnostics } from '../control/diagnostic.ts';
import { loadConfiguration } from '../control/load.ts';
import { Source } from '../control/source.ts';
import type { RateLimitService } from '../ratelimit/service.ts';
import { LocalLedger } from '../runtime/ledger.ts';
import type { StoreSpec } from '../runtime/snapshot.ts';
import type { StoreSet } from '../worker/store/stores.ts';
import { Failure } from './failure.ts';

/** What a configuration says of limits, in force in the service of `weir ratelimit`. */
export class ServedLimits {
  readonly #files: readonly string[];
  readonly #service: RateLimitService;
  readonly #stores: StoreSet;
  /** One for all configurations, so that what was counted stays. */
  readonly #memory = new LocalLedger();
  #held: StoreSpec[] = [];
  /** One load at a time; the last one wins. */
  #loading: Promise<unknown> = Promise.resolve();
  #source: Source | null = null;
  /** What the last load has read, and from when on, by the wall clock. */
  #read: { readonly files: readonly string[]; readonly since: number } = { files: [], since: 0 };

  constructor(files: readonly string[], service: RateLimitService, stores: StoreSet) {
    this.#files = files;
    this.#service = service;
    this.#stores = stores;
  }

  /**
   * @returns whether there is something to serve; else the faults are on standard error, and what was in force stays
   * @throws Failure where nothing is wrong, but nothing is of limits
   */
  load(): Promise<boolean> {
    const loaded = this.#loading.then(() => this.#load());
    this.#loading = loaded.catch(() => undefined);
    return loaded;
  }

  /** As `load`, for a configuration that takes the place of another. The log tells what came of it. */
  async reload(log: Logger): Promise<void> {
    let reason = '';
    const isInForce = await this.load().catch((fault: unknown) => {
      reason = (fault as Error).message;
      return false;
    });
    this.#service.metrics.reloaded(isInForce);
    if (isInForce) log.info('configuration in force');
    else log.error(reason === '' ? {} : { reason }, 'configuration refused, the one before stays in force');
  }

  /** From here on files that change are read again, those too that have changed since they were read. */
  async watch(log: Logger): Promise<void> {
    this.#source = new Source(this.#files, () => void this.reload(log));
    await this.#source.follow(this.#read.files, this.#read.since);
  }

  /** Reads nothing more, and lets go of the Stores. */
  async close(): Promise<void> {
    await this.#source?.close();
    for (const store of this.#held.splice(0)) this.#stores.release(store);
  }

  async #load(): Promise<boolean> {
    const since = Date.now();
    const { snapshot, rateLimits, diagnostics, files } = await loadConfiguration(this.#files);
    this.#read = { files, since };
    await this.#source?.follow(files, since);
    process.stderr.write(formatDiagnostics(diagnostics, { color: process.stderr.isTTY, consequence: null }));
    if (snapshot === null) return false;
    if (rateLimits.length === 0)
      throw new Failure(
        `${this.#files.join(', ')}: no object of kind RateLimitService, so there is nothing to serve`,
      );
    const before = this.#held;
    this.#held = rateLimits.map(({ store }) => store).filter((store) => store !== null);
    const ledgers = new Map(this.#held.map((store) => [store, this.#stores.acquire(store).limits]));
    // The first calls are counted, too.
    await this.#stores.tried();
    this.#service.configure(rateLimits, ({ store }) => (store === null ? this.#memory : ledgers.get(store)!));
    // Calls that run still ask them, for as long as their deadline.
    for (const store of before) setTimeout(() => this.#stores.release(store), 2 * store.deadlineMs).unref();
    return true;
  }
}
