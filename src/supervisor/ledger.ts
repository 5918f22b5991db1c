import type { LedgerAsk, LedgerReply } from '../worker/protocol.ts';
import { sameLimit, type Limit } from '../runtime/limit.ts';
import * as leases from './lease.ts';

/** A worker that has not given its tokens back by then is decided without. */
export const RECALL_DEADLINE_MS = 500;
/** Keys beyond this push out the ones that have not been asked for longest. */
export const MAX_KEYS = 200_000;
const SWEEP_MS = 10_000;

interface Entry {
  readonly key: string;
  readonly account: leases.Account;
  limit: Limit;
  /** Tokens that each worker holds. */
  readonly holders: Map<number, number>;
  /** Of a limit of concurrency: what runs in each worker; else null. */
  running: Map<number, number> | null;
  /** Workers that were told of a refusal which holds for a while. */
  readonly refused: Set<number>;
  /** Requests that wait for a recall to end, in the order they came. */
  readonly waiting: Waiting[];
  recall: Recall | null;
}

interface Waiting {
  readonly worker: number;
  readonly ticket: number;
  readonly cost: number;
  readonly taking: boolean;
}

interface Recall {
  readonly id: number;
  readonly unanswered: Set<number>;
  readonly deadline: NodeJS.Timeout;
}

export interface SharedLedgerDeps {
  /** Workers that could hold tokens. */
  workers(): number;
  send(worker: number, replies: readonly LedgerReply[]): void;
  /** Monotonic milliseconds on the clock that workers read too. */
  now(): number;
}

/**
 * The counters behind limits with scope `node`: one account a key, for all workers of the machine.
 *
 * Workers hold leased tokens while there are many. Before a request is refused, what other
 * workers hold of that key is recalled, so that a limit of 100 admits 100 wherever they arrive.
 */
export class SharedLedger {
  readonly counts = { decided: 0, denied: 0, recalls: 0, recallsTimedOut: 0, evicted: 0, writtenOff: 0 };
  private readonly deps: SharedLedgerDeps;
  private readonly entries = new Map<string, Entry>();
  private readonly outgoing = new Map<number, LedgerReply[]>();
  private flushScheduled = false;
  private lastRecall = 0;
  private readonly sweeper: NodeJS.Timeout;
  /** Of the machine's clock, so that windows begin by the wall's. */
  private readonly unixOffset: number;

  constructor(deps: SharedLedgerDeps) {
    this.deps = deps;
    this.unixOffset = Date.now() - deps.now();
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  get keys(): number {
    return this.entries.size;
  }

  receive(worker: number, asks: readonly LedgerAsk[]): void {
    const now = this.deps.now();
    for (const ask of asks) {
      if (ask.kind === 'take') this.ask(worker, ask, now);
      else if (ask.kind === 'used') this.reportUsed(worker, ask.key, ask.count, ask.at, now);
      else if (ask.kind === 'charge')
        leases.charge(this.entryFor(ask.key, ask.limit, now).account, ask.count, now);
      else if (ask.kind === 'refund') this.refund(worker, ask.key, ask.count, ask.at, now);
      else this.takeBack(worker, ask.key, ask.count, ask.recall, now);
    }
  }

  /** The tokens of a worker that is gone count as used; what ran in it has ended. */
  workerGone(worker: number): void {
    const now = this.deps.now();
    for (const entry of this.entries.values()) {
      const running = entry.running?.get(worker);
      if (running !== undefined) this.refund(worker, entry.key, running, now, now);
      entry.refused.delete(worker);
      const held = entry.holders.get(worker);
      if (held !== undefined) {
        entry.holders.delete(worker);
        leases.writeOff(entry.account, held, now);
        this.counts.writtenOff += held;
      }
      if (entry.recall?.unanswered.delete(worker) && entry.recall.unanswered.size === 0) {
        this.endRecall(entry, now);
      }
    }
    this.outgoing.delete(worker);
  }

  close(): void {
    clearInterval(this.sweeper);
    for (const { recall } of this.entries.values()) if (recall) clearTimeout(recall.deadline);
    this.entries.clear();
  }

  private ask(worker: number, ask: Extract<LedgerAsk, { kind: 'take' }>, now: number): void {
    const entry = this.entryFor(ask.key, ask.limit, now);
    const { ticket, cost, taking } = ask;
    const waiting = { worker, ticket, cost, taking };
    if (entry.recall) entry.waiting.push(waiting);
    else if (this.takes(entry, waiting, now)) this.admit(entry, waiting, now);
    else if (entry.holders.size > 0 && ask.cost <= entry.account.capacity) {
      entry.waiting.push(waiting);
      this.recall(entry);
    } else this.deny(entry, waiting, now);
  }

  private takes({ account, running }: Entry, { worker, cost, taking }: Waiting, now: number): boolean {
    if (!taking) return leases.covers(account, cost, now);
    if (!leases.take(account, cost, now)) return false;
    running?.set(worker, (running.get(worker) ?? 0) + cost);
    return true;
  }

  private entryFor(key: string, limit: Limit, now: number): Entry {
    let entry = this.entries.get(key);
    if (entry) {
      // The map keeps the order of use: what was asked for last stands last.
      this.entries.delete(key);
      this.entries.set(key, entry);
      if (!sameLimit(entry.limit, limit)) {
        leases.resize(entry.account, limit, now, this.unixOffset);
        entry.limit = limit;
        entry.running =
          limit.algorithm === 'concurrency' ? (entry.running ?? new Map<number, number>()) : null;
      }
      return entry;
    }
    if (this.entries.size >= MAX_KEYS) this.evict();
    const account = leases.openAccount(limit, now, this.unixOffset);
    const running = limit.algorithm === 'concurrency' ? new Map<number, number>() : null;
    entry = {
      key,
      account,
      limit,
      holders: new Map(),
      running,
      refused: new Set(),
      waiting: [],
      recall: null,
    };
    this.entries.set(key, entry);
    return entry;
  }

  private admit(entry: Entry, { worker, ticket }: Waiting, now: number): void {
    const { account, holders } = entry;
    entry.refused.delete(worker);
    // With somebody waiting, tokens are scarce.
    const leased = entry.waiting.length > 0 ? 0 : leases.lease(account, this.deps.workers(), now);
    if (leased > 0) holders.set(worker, (holders.get(worker) ?? 0) + leased);
    this.counts.decided++;
    this.reply(worker, {
      kind: 'decided',
      ticket,
      allowed: true,
      leased,
      remaining: remainingOf(account),
      resetMs: Math.ceil(leases.untilFull(account)),
      retryAfterMs: 0,
      deniedUntil: 0,
      at: now,
      turnsAt: turnsAtOf(account),
    });
  }

  private deny(entry: Entry, { worker, ticket, cost }: Waiting, now: number): void {
    const { account } = entry;
    // What asks for more than there can ever be is told to come back when all of it is there.
    const wait = Math.min(leases.waitFor(account, cost), Math.max(1, leases.untilFull(account)));
    this.counts.decided++;
    this.counts.denied++;
    // With tokens out, one may come back before the bucket refills; a slot may at any time.
    const holds = entry.holders.size === 0 && entry.recall === null && entry.running === null;
    if (holds) entry.refused.add(worker);
    this.reply(worker, {
      kind: 'decided',
      ticket,
      allowed: false,
      leased: 0,
      remaining: remainingOf(account),
      resetMs: Math.ceil(leases.untilFull(account)),
      retryAfterMs: Math.max(1, Math.ceil(wait)),
      deniedUntil: holds ? now + wait : 0,
      at: now,
      turnsAt: turnsAtOf(account),
    });
  }

  private recall(entry: Entry): void {
    const id = ++this.lastRecall;
    this.counts.recalls++;
    const deadline = setTimeout(() => {
      this.counts.recallsTimedOut++;
      this.endRecall(entry, this.deps.now());
    }, RECALL_DEADLINE_MS).unref();
    entry.recall = { id, unanswered: new Set(entry.holders.keys()), deadline };
    for (const worker of entry.holders.keys())
      this.reply(worker, { kind: 'recall', key: entry.key, recall: id });
  }

  private endRecall(entry: Entry, now: number): void {
    if (entry.recall) clearTimeout(entry.recall.deadline);
    entry.recall = null;
    for (let next = entry.waiting.shift(); next; next = entry.waiting.shift()) {
      if (this.takes(entry, next, now)) this.admit(entry, next, now);
      else this.deny(entry, next, now);
    }
  }

  private reportUsed(worker: number, key: string, count: number, at: number, now: number): void {
    const entry = this.entries.get(key);
    if (!entry) return;
    this.unhold(entry, worker, count);
    leases.reportUsed(entry.account, count, Math.min(at, now), now);
  }

  private refund(worker: number, key: string, count: number, takenAt: number, now: number): void {
    const entry = this.entries.get(key);
    if (!entry) return;
    const left = (entry.running?.get(worker) ?? 0) - count;
    if (left > 0) entry.running?.set(worker, left);
    else entry.running?.delete(worker);
    leases.refund(entry.account, count, takenAt, now);
    this.reopen(entry);
  }

  /** Something came back before its time: what was refused until then is to be asked again. */
  private reopen(entry: Entry): void {
    for (const worker of entry.refused) this.reply(worker, { kind: 'reopened', key: entry.key });
    entry.refused.clear();
  }

  private takeBack(worker: number, key: string, count: number, recall: number, now: number): void {
    const entry = this.entries.get(key);
    if (!entry) return;
    this.unhold(entry, worker, count);
    leases.giveBack(entry.account, count, now);
    if (count > 0) this.reopen(entry);
    if (entry.recall?.id !== recall) return;
    entry.recall.unanswered.delete(worker);
    if (entry.recall.unanswered.size === 0) this.endRecall(entry, now);
  }

  private unhold(entry: Entry, worker: number, count: number): void {
    const left = (entry.holders.get(worker) ?? 0) - count;
    if (left > 0) entry.holders.set(worker, left);
    else entry.holders.delete(worker);
  }

  private reply(worker: number, reply: LedgerReply): void {
    const queue = this.outgoing.get(worker);
    if (queue) queue.push(reply);
    else this.outgoing.set(worker, [reply]);
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    setImmediate(() => this.flush());
  }

  private flush(): void {
    this.flushScheduled = false;
    const batches = [...this.outgoing];
    this.outgoing.clear();
    for (const [worker, replies] of batches) this.deps.send(worker, replies);
  }

  /** Forgets accounts that are full and with nobody: a new one would be the same. */
  private sweep(): void {
    const now = this.deps.now();
    for (const [key, entry] of this.entries) {
      if (entry.holders.size > 0 || entry.recall) continue;
      leases.refill(entry.account, now);
      if (entry.account.level >= entry.account.capacity) this.entries.delete(key);
    }
  }

  private evict(): void {
    for (const [key, entry] of this.entries) {
      if (entry.holders.size > 0 || entry.recall) continue;
      this.entries.delete(key);
      this.counts.evicted++;
      return;
    }
  }
}

function turnsAtOf({ turnsAt }: leases.Account): number {
  return turnsAt === Infinity ? 0 : turnsAt;
}

function remainingOf(account: leases.Account): number {
  return Math.max(0, Math.floor(account.level + account.leased + 1e-6));
}
