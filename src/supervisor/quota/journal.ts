import type { Account } from '../../runtime/quota/account.ts';
import type { QuotaBook } from '../../runtime/quota/book.ts';
import { DamagedLedger, LedgerFile, type OpenedLedger } from './ledger-file.ts';
import { accountRecord, type Adjustment, type LedgerRecord } from './records.ts';

/** A file smaller than this goes on, and one that has not grown to twice of what it began with. */
const COMPACT_BYTES = 4 * 1024 * 1024;
/** Accounts of one line of a new file. */
const CHUNK = 500;
/** Between two tries to write again. */
const RETRY_MS = 1000;

/** What has to be on disk before somebody is told. */
export interface Waiting {
  written(): void;
  /** It is not on disk, and has to be undone. */
  failed(): void;
}

export interface JournalDeps {
  readonly book: QuotaBook;
  readonly adjustments: readonly Adjustment[];
  /** Told when writing begins to fail, with the error, and with null when it succeeds again. */
  failing(error: Error | null): void;
}

/**
 * Writes what changes in a book: all that came while one write was under way goes into the next, with one sync for all
 * of it. So a write costs the same however many charges wait for it.
 */
export class QuotaJournal {
  readonly counts = { writes: 0, failures: 0, compactions: 0 };
  readonly #deps: JournalDeps;
  readonly #file: LedgerFile;
  readonly #dirty = new Set<Account>();
  #extras: LedgerRecord[] = [];
  #waiting: Waiting[] = [];
  /** What changes while the file's successor is being written. */
  #since: { accounts: Set<Account>; extras: LedgerRecord[] } | null = null;
  #beganWith: number;
  #running: Promise<void> | null = null;
  #compacting: Promise<void> | null = null;
  #failure: Error | null = null;
  #triedAt = 0;
  /** To be run when no write is under way. */
  #between: (() => Promise<void>) | null = null;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;

  /** @param opened its records are in the book already */
  constructor(opened: OpenedLedger, deps: JournalDeps) {
    this.#file = opened.file;
    this.#beganWith = opened.file.bytes;
    this.#deps = deps;
  }

  /** Why nothing can be written now; null where it can. */
  get failure(): Error | null {
    return this.#failure;
  }

  get bytes(): number {
    return this.#file.bytes;
  }

  note(account: Account): void {
    this.#dirty.add(account);
    this.#since?.accounts.add(account);
    this.#wake();
  }

  add(record: LedgerRecord): void {
    this.#extras.push(record);
    this.#since?.extras.push(record);
    this.#wake();
  }

  /** Tells when all that was noted so far is on disk. */
  await(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#wake();
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#retry) clearTimeout(this.#retry);
    while (this.#running !== null) await this.#running;
    await this.#compacting;
    await this.#file.close();
  }

  #wake(): void {
    // In the next turn, so that all of one message from a worker is in one write.
    this.#running ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#run());
  }

  async #run(): Promise<void> {
    while (this.#hasWork()) {
      if (this.#between !== null) await this.#between();
      else if (this.#failure === null || (await this.#recover())) await this.#write();
      else break;
    }
    this.#running = null;
    if (this.#failure !== null) this.#retryLater();
    else if (this.#compacting === null && this.#isLarge()) {
      const over = (): void => void (this.#compacting = null);
      this.#compacting = this.#compact((job) => this.#betweenWrites(job)).then(over, over);
    }
  }

  #hasWork(): boolean {
    return this.#dirty.size + this.#extras.length + this.#waiting.length > 0 || this.#between !== null;
  }

  #retryLater(): void {
    if (this.#failure instanceof DamagedLedger || this.#closed) return;
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.#wake();
    }, RETRY_MS).unref();
  }

  async #write(): Promise<void> {
    const records = [...[...this.#dirty].map(accountRecord), ...this.#extras];
    const waiting = this.#waiting;
    this.#dirty.clear();
    this.#extras = [];
    this.#waiting = [];
    try {
      if (records.length > 0) {
        await this.#file.append(records);
        this.counts.writes++;
      }
      for (const each of waiting) each.written();
    } catch (error) {
      this.#fail(error as Error, waiting);
    }
  }

  /** What was being written is undone, and so is what came meanwhile: it rests on it. */
  #fail(error: Error, waiting: readonly Waiting[]): void {
    this.counts.failures++;
    this.#triedAt = performance.now();
    if (this.#failure === null) this.#deps.failing(error);
    this.#failure = error;
    const all = [...waiting, ...this.#waiting];
    this.#waiting = [];
    for (const each of all) each.failed();
  }

  /** Nothing can be appended to a file that may end in half a line: all goes into a new one. */
  async #recover(): Promise<boolean> {
    const wait = RETRY_MS - (performance.now() - this.#triedAt);
    // Another process has the folder; to take it back would be to fight.
    if (wait > 0 || this.#failure instanceof DamagedLedger) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const each of waiting) each.failed();
      return false;
    }
    try {
      await this.#compacting;
      await this.#compact((job) => job());
    } catch (error) {
      this.#fail(error as Error, []);
      return false;
    }
    this.#failure = null;
    this.#deps.failing(null);
    return true;
  }

  #isLarge(): boolean {
    return this.#file.bytes > Math.max(COMPACT_BYTES, 2 * this.#beganWith);
  }

  /**
   * Appending goes on while the new file is written; it stands still only for what has changed since.
   *
   * @param quietly runs a job while nothing is appended
   */
  async #compact(quietly: (job: () => Promise<void>) => Promise<void>): Promise<void> {
    const { book, adjustments } = this.#deps;
    const since = { accounts: new Set<Account>(), extras: [] as LedgerRecord[] };
    this.#since = since;
    const next = await this.#file.successor();
    try {
      for (const chunk of chunks(book.accounts.values())) await next.write(chunk.map(accountRecord));
      for (const chunk of chunks(book.ids)) await next.write(chunk.map(([id, until]) => ({ id, until })));
      for (const chunk of chunks(adjustments))
        await next.write(chunk.map((adjusted) => ({ adjusted }) satisfies LedgerRecord));
      await quietly(async () => {
        await next.write([...[...since.accounts].map(accountRecord), ...since.extras]);
        await next.takeOver();
      });
      this.#beganWith = this.#file.bytes;
      this.counts.compactions++;
    } catch (error) {
      await next.abandon();
      throw error;
    } finally {
      this.#since = null;
    }
  }

  #betweenWrites(job: () => Promise<void>): Promise<void> {
    // While it recovers nothing is appended.
    if (this.#failure !== null) return job();
    return new Promise((resolve, reject) => {
      this.#between = async () => {
        this.#between = null;
        await job().then(resolve, reject);
      };
      this.#wake();
    });
  }
}

function* chunks<T>(values: Iterable<T>): Generator<T[]> {
  let chunk: T[] = [];
  for (const value of values) {
    chunk.push(value);
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
