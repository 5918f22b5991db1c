import { join } from 'node:path';
import type { Logger } from 'pino';
import type { QuotaQuery } from '../../control/quota-request.ts';
import type { Account } from '../../runtime/quota/account.ts';
import { QuotaBook } from '../../runtime/quota/book.ts';
import { UNAVAILABLE, type QuotaAnswer, type QuotaAsk } from '../../runtime/quota/quota.ts';
import type { QuotaMessage, QuotaReply } from '../../worker/protocol.ts';
import { QuotaMetrics, readable } from '../../worker/quota-metrics.ts';
import { DamagedLedger, LedgerFile } from './ledger-file.ts';
import { QuotaJournal } from './journal.ts';
import { replay, type Adjustment } from './records.ts';
import { matchesQuery, type QuotaShelf } from './shelf.ts';

const SWEEP_MS = 60_000;
/** Of what people did; the oldest make room. */
export const KEPT_ADJUSTMENTS = 10_000;

export interface QuotaServiceDeps {
  /** Null: accounts are in memory alone and begin anew with weir. */
  readonly dataDir: string | null;
  readonly log: Logger;
  send(worker: number, replies: readonly QuotaReply[]): void;
  /** Milliseconds since 1970. */
  now(): number;
}

/**
 * The ledger of quotas, in the one process that may write it. Workers ask; who is told that a charge was made is told
 * after it is on disk. What is kept back, and what is refused, is answered at once.
 */
export class QuotaService implements QuotaShelf {
  readonly scope = 'node';
  readonly store = null;
  readonly metrics: QuotaMetrics;
  private readonly adjusted: Adjustment[] = [];
  private readonly deps: QuotaServiceDeps;
  private readonly book: QuotaBook;
  private journal: QuotaJournal | null = null;
  /** Why there is no ledger, though there should be one. */
  private damage: Error | null = null;
  private readonly outgoing = new Map<number, QuotaReply[]>();
  private readonly sweeper: NodeJS.Timeout;

  constructor(deps: QuotaServiceDeps) {
    this.deps = deps;
    this.metrics = new QuotaMetrics('node', deps.log);
    this.book = new QuotaBook({
      accountChanged: (account) => this.journal?.note(account),
      idAdded: (id, until) => this.journal?.add({ id, until }),
      idRemoved: (id) => this.journal?.add({ noId: id }),
      reached: (account, mark) => this.metrics.reached(account, mark),
      decided: (ask, answer) => this.metrics.decided(ask, answer),
      charged: (account, amount) => this.metrics.charged(account, amount),
    });
    this.sweeper = setInterval(() => this.book.sweep(deps.now()), SWEEP_MS).unref();
  }

  /** Reads what was charged. A ledger that cannot be read makes quotas unavailable, and nothing else. */
  async open(): Promise<void> {
    const { dataDir, log } = this.deps;
    if (dataDir === null) return;
    try {
      const opened = await LedgerFile.open(join(dataDir, 'quota'));
      replay(opened.records, this.book, this.adjusted);
      if (opened.cutBytes > 0)
        log.warn(
          { file: opened.file.path, bytes: opened.cutBytes },
          'a write to the ledger of quotas was interrupted; what it held was never acknowledged, and was cut off',
        );
      const { book, adjusted } = this;
      this.journal = new QuotaJournal(opened, {
        book,
        adjustments: adjusted,
        failing: (error) => this.failing(error),
      });
    } catch (error) {
      this.damage = error as Error;
      log.fatal({ err: error }, 'the ledger of quotas cannot be used: quotas are unavailable');
    }
  }

  receive(worker: number, messages: readonly QuotaMessage[]): void {
    const now = this.deps.now();
    for (const message of messages) {
      switch (message.kind) {
        case 'reserve':
          this.reserve(worker, message.ticket, message.ask, now);
          break;
        case 'commit':
          this.book.commit(message.reservation, message.amount, now);
          break;
        case 'release':
          this.book.release(message.reservation);
          break;
        case 'refund':
          this.book.refund(message.ask, now);
          break;
      }
    }
  }

  workerGone(worker: number): void {
    this.book.abandon(worker, this.deps.now());
    this.outgoing.delete(worker);
  }

  accounts(query: QuotaQuery, most: number): Promise<Account[]> {
    const all = [...this.book.accounts.values()].filter((account) => matchesQuery(account, query));
    return Promise.resolve(all.slice(0, most));
  }

  adjustments(query: QuotaQuery): Promise<Adjustment[]> {
    return Promise.resolve(this.adjusted.filter((each) => matchesQuery(each, query)).reverse());
  }

  async adjust(
    account: Account,
    action: Adjustment['action'],
    amount: number,
    reason: string,
  ): Promise<Account> {
    const failure = this.damage ?? this.journal?.failure;
    if (failure) throw failure;
    const now = this.deps.now();
    const { owner, quota, key, window, timeZone } = account;
    if (action === 'top-up') this.book.topUp(account, amount, now);
    const told = action === 'top-up' ? amount : account.end > now ? account.used : 0;
    if (action === 'reset') this.book.reset(account, now);
    const number = (this.adjusted.at(-1)?.number ?? 0) + 1;
    const adjusted = {
      ...{ number, at: now, action, owner, quota, key, window, timeZone },
      ...{ amount: told, reason },
    };
    this.adjusted.push(adjusted);
    if (this.adjusted.length > KEPT_ADJUSTMENTS) this.adjusted.shift();
    this.journal?.add({ adjusted });
    this.deps.log.info({ adjusted: { ...adjusted, key: readable(key) } }, `quota ${action}`);
    await this.written();
    return account;
  }

  /** For metrics. */
  get state(): { accounts: number; reservations: number; bytes: number; failing: boolean; writes: number } {
    const { book, journal, damage } = this;
    return {
      accounts: book.accounts.size,
      reservations: book.reservations,
      bytes: journal?.bytes ?? 0,
      failing: damage !== null || (journal?.failure ?? null) !== null,
      writes: journal?.counts.writes ?? 0,
    };
  }

  async close(): Promise<void> {
    clearInterval(this.sweeper);
    await this.journal?.close();
  }

  private reserve(worker: number, ticket: number, ask: QuotaAsk, now: number): void {
    if (this.damage !== null || (this.journal?.failure ?? null) !== null) {
      this.metrics.decided(ask, UNAVAILABLE);
      this.reply(worker, ticket, UNAVAILABLE);
      return;
    }
    const answer = this.book.reserve(ask, worker, now);
    // Only what says that a charge was made has to wait until it is.
    if (this.journal === null || ask.hold || answer.outcome !== 'admitted') {
      this.reply(worker, ticket, answer);
      return;
    }
    this.journal.await({
      written: () => this.reply(worker, ticket, answer),
      failed: () => {
        if (!answer.repeated) this.book.refund(ask, this.deps.now());
        this.reply(worker, ticket, UNAVAILABLE);
      },
    });
  }

  private written(): Promise<void> {
    const { journal } = this;
    if (journal === null) return Promise.resolve();
    return new Promise((resolve, reject) => {
      journal.await({
        written: resolve,
        failed: () => reject(journal.failure ?? new Error('it was not written')),
      });
    });
  }

  private reply(worker: number, ticket: number, answer: QuotaAnswer): void {
    const queue = this.outgoing.get(worker);
    if (queue) queue.push({ ticket, answer });
    else this.outgoing.set(worker, [{ ticket, answer }]);
    if (this.outgoing.size > 1 || queue) return;
    setImmediate(() => {
      const batches = [...this.outgoing];
      this.outgoing.clear();
      for (const [to, replies] of batches) this.deps.send(to, replies);
    });
  }

  private failing(error: Error | null): void {
    const { log } = this.deps;
    if (error === null) log.info('the ledger of quotas can be written again');
    else if (error instanceof DamagedLedger)
      log.fatal({ err: error }, 'quotas are unavailable until weir is started anew');
    else
      log.fatal(
        { err: error },
        'the ledger of quotas cannot be written: quotas are unavailable until it can',
      );
  }
}
