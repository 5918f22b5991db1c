import { createHash } from 'node:crypto';
import type { Ledger, LedgerWaiter } from '../../runtime/ledger.ts';
import {
  ALGORITHMS,
  capacityOf,
  type Decision,
  emptyDecision,
  type Limit,
  sameLimit,
} from '../../runtime/limit.ts';
import type { TimedQuestion } from './deadline.ts';
import { Patience } from './patience.ts';
import { LIMIT_SCRIPT } from './script.ts';
import type { StoreScript } from './store-script.ts';

/** Of its capacity, so much of a limit is at most in the hands of workers for later: the bound of the error. */
const LEASED_SHARE = 0.01;
/** How long they may use it. */
const LEASE_MS = 200;
/** A key that is asked for again within this time is worth a lease. */
const HOT_MS = 50;
/** What runs in a worker that is gone counts for so long. */
const OUTLIVE_MS = 5000;
const HOLD_MS = 1000;
const SWEEP_MS = 500;
/** Beyond it, refusals that still hold are forgotten as well. */
const MAX_KEYS = 100_000;
/** Longer keys, and there are many of them, are kept by their digest. */
const LONGEST_KEY = 128;

/** What the ledger needs of a connection. */
export interface StoreServer {
  readonly isReady: boolean;
  run(script: StoreScript, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  ping(): Promise<void>;
}

interface StoreLedgerDeps {
  readonly server: StoreServer;
  readonly keyPrefix: string;
  readonly deadlineMs: number;
  /** This worker, among all that use the store. */
  readonly worker: string;
  /** Monotonic milliseconds. */
  now(): number;
}

interface Question extends TimedQuestion {
  readonly cost: number;
  readonly taking: boolean;
  readonly waiter: LedgerWaiter;
  readonly ticket: number;
}

interface Entry {
  readonly key: string;
  limit: Limit;
  /** Taken in advance, usable until `leaseEnds`. */
  tokens: number;
  leaseEnds: number;
  /** When they were taken, by the server's clock. */
  leasedAt: number;
  /** A refusal that holds: of this cost and more, until then. */
  deniedUntil: number;
  deniedCost: number;
  resetAt: number;
  remaining: number;
  /** Of concurrency: what runs here. */
  running: number;
  /** One question at a time; what comes meanwhile goes with the next. */
  asking: boolean;
  readonly waiting: Question[];
  usedAt: number;
}

/**
 * Limits that several machines count in one server. A key that is asked for often costs a round trip for many
 * requests: one question is under way at a time, and what comes meanwhile is asked together. Where a limit is large
 * enough, tokens are taken in advance.
 *
 * Nothing waits longer than the deadline, nor at all while the server is known to be out of reach: the decision is
 * then `failed`. What it admitted too late is given back.
 */
export class StoreLedger implements Ledger {
  readonly counts = { local: 0, asked: 0, unreachable: 0, late: 0, refused: 0 };
  readonly #deps: StoreLedgerDeps;
  readonly #entries = new Map<string, Entry>();
  readonly #decision = emptyDecision();
  /** Workers that use the store; none is known before the first answer. */
  #holders = Infinity;
  #joinedAt = 0;
  readonly #patience: Patience<Question>;
  readonly #sweeper: NodeJS.Timeout;

  constructor(deps: StoreLedgerDeps) {
    this.#deps = deps;
    const { server, deadlineMs } = deps;
    this.#patience = new Patience({
      server,
      deadlineMs,
      now: () => deps.now(),
      late: ({ waiter, ticket }) => {
        this.counts.late++;
        waiter.decided(ticket, this.#fail(null));
      },
    });
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  take(key: string, cost: number, limit: Limit, waiter: LedgerWaiter, ticket: number): Decision | null {
    return this.#decide(key, cost, limit, true, waiter, ticket);
  }

  peek(key: string, cost: number, limit: Limit, waiter: LedgerWaiter, ticket: number): Decision | null {
    return this.#decide(key, cost, limit, false, waiter, ticket);
  }

  charge(key: string, cost: number, limit: Limit): void {
    this.#tell(this.#entryOf(key, limit), 'charge', [String(cost)]);
  }

  giveBack(key: string, cost: number, limit: Limit, takenAt: number): void {
    const entry = this.#entryOf(key, limit);
    entry.running = Math.max(0, entry.running - cost);
    entry.deniedUntil = 0;
    this.#tell(entry, 'return', [String(cost), String(takenAt)]);
  }

  /** The server is there again, and may have forgotten everything. */
  connected(): void {
    this.#patience.heard();
    this.#join();
    for (const entry of this.#entries.values()) {
      entry.tokens = 0;
      entry.deniedUntil = 0;
      this.#hold(entry);
    }
  }

  close(): void {
    clearInterval(this.#sweeper);
    this.#patience.close();
  }

  #decide(
    key: string,
    cost: number,
    limit: Limit,
    taking: boolean,
    waiter: LedgerWaiter,
    ticket: number,
  ): Decision | null {
    const now = this.#deps.now();
    this.#patience.deadline.look(now);
    const entry = this.#entryOf(key, limit);
    if (entry.tokens >= cost && now < entry.leaseEnds) {
      this.counts.local++;
      if (taking) entry.tokens -= cost;
      entry.usedAt = now;
      return this.#fill(limit, true, entry.remaining + entry.tokens, entry.resetAt - now, 0, entry.leasedAt);
    }
    if (now < entry.deniedUntil && cost >= entry.deniedCost) {
      this.counts.local++;
      return this.#fill(limit, false, 0, entry.resetAt - now, entry.deniedUntil - now, 0);
    }
    if (!this.#patience.mayAsk) {
      this.counts.unreachable++;
      return this.#fail(limit);
    }
    const question = { cost, taking, askedAt: now, waiter, ticket, over: false };
    entry.waiting.push(question);
    this.#patience.deadline.add(question);
    // What came too late is told by the timer: from here the answer would be there before the guest waits for it.
    if (!entry.asking) this.#ask(entry, entry.waiting.splice(0));
    return null;
  }

  #entryOf(key: string, limit: Limit): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = {
        key: `${this.#deps.keyPrefix}:limit:${shortened(key)}`,
        limit,
        tokens: 0,
        leaseEnds: 0,
        leasedAt: 0,
        deniedUntil: 0,
        deniedCost: 0,
        resetAt: 0,
        remaining: 0,
        running: 0,
        asking: false,
        waiting: [],
        usedAt: -Infinity,
      };
      this.#entries.set(key, entry);
    } else if (!sameLimit(entry.limit, limit)) {
      entry.limit = limit;
      entry.tokens = 0;
      entry.deniedUntil = 0;
    }
    return entry;
  }

  /** Asks what waits, as far as there is time for it. */
  #askNext(entry: Entry): void {
    // Who is told that there is no time may ask again meanwhile.
    entry.asking = true;
    while (entry.waiting.length > 0) {
      const now = this.#deps.now();
      const questions = entry.waiting
        .splice(0)
        .filter((question) => this.#patience.deadline.hasTime(question, now));
      if (questions.length > 0) {
        this.#ask(entry, questions);
        return;
      }
    }
    entry.asking = false;
  }

  #ask(entry: Entry, questions: readonly Question[]): void {
    const now = this.#deps.now();
    const { limit } = entry;
    const costs = questions.map(({ cost, taking }) => (taking ? String(cost) : `?${cost}`));
    const isHot = now - entry.usedAt < HOT_MS;
    const share = Math.floor((capacityOf(limit) * LEASED_SHARE) / Math.max(1, this.#holders));
    entry.usedAt = now;
    entry.asking = true;
    this.counts.asked++;
    // What is left of a lease is used no more: it would be counted beyond its share.
    this.#returnLease(entry);
    void this.#run(entry, 'take', [String(isHot ? share : 0), String(LEASE_MS), ...costs]).then(
      (answer) => this.#answered(entry, questions, answer as Answer, now),
      () => this.#refused(entry, questions),
    );
  }

  #answered(entry: Entry, questions: readonly Question[], answer: Answer, askedAt: number): void {
    this.#patience.heard();
    const { limit } = entry;
    const [marks, remaining, resetMs, retryAfterMs, leased, usableMs, at] = answer;
    const now = this.#deps.now();
    entry.asking = false;
    entry.remaining = remaining;
    entry.resetAt = now + resetMs;
    entry.tokens = leased;
    // By this process's clock the server decided after it was asked, so this is not too late.
    entry.leaseEnds = askedAt + usableMs;
    entry.leasedAt = at;
    for (const [i, question] of questions.entries()) {
      const allowed = marks[i] === '1';
      if (allowed && question.taking && !question.over && limit.algorithm === 'concurrency')
        entry.running += question.cost;
      if (!allowed && limit.algorithm !== 'concurrency' && entry.deniedUntil <= now) {
        entry.deniedUntil = askedAt + retryAfterMs;
        entry.deniedCost = question.cost;
      }
      if (!question.over) {
        question.over = true;
        question.waiter.decided(
          question.ticket,
          this.#fill(limit, allowed, remaining + leased, resetMs, allowed ? 0 : retryAfterMs, at),
        );
      } else if (allowed && question.taking) this.#tell(entry, 'return', [String(question.cost), String(at)]);
    }
    if (entry.waiting.length > 0) this.#askNext(entry);
  }

  /** The connection broke, or the server answered with an error. */
  #refused(entry: Entry, questions: readonly Question[]): void {
    entry.asking = false;
    for (const question of [...questions, ...entry.waiting.splice(0)]) {
      if (question.over) continue;
      question.over = true;
      this.counts.refused++;
      question.waiter.decided(question.ticket, this.#fail(entry.limit));
    }
  }

  #run(entry: Entry, action: string, rest: readonly string[]): Promise<unknown> {
    const { algorithm, requests, periodMs } = entry.limit;
    return this.#deps.server.run(
      LIMIT_SCRIPT,
      [entry.key],
      [
        action,
        String(ALGORITHMS.indexOf(algorithm)),
        String(requests),
        String(periodMs),
        String(capacityOf(entry.limit)),
        this.#deps.worker,
        String(OUTLIVE_MS),
        ...rest,
      ],
    );
  }

  /** Not waited for. What is lost on the way is of a server that forgets, or made good by `hold`. */
  #tell(entry: Entry, action: string, rest: readonly string[]): void {
    if (!this.#deps.server.isReady) return;
    void this.#run(entry, action, rest).then(
      () => this.#patience.heard(),
      () => undefined,
    );
  }

  #returnLease(entry: Entry): void {
    if (entry.tokens > 0) this.#tell(entry, 'return', [String(entry.tokens), String(entry.leasedAt)]);
    entry.tokens = 0;
  }

  /** Tells what runs here, for a server that forgot, and so that it does not take this worker for gone. */
  #hold(entry: Entry): void {
    if (entry.limit.algorithm === 'concurrency' && entry.running > 0 && !entry.asking)
      this.#tell(entry, 'hold', [String(entry.running)]);
  }

  /** Counts this worker among those that use the store. */
  #join(): void {
    const { server, keyPrefix, worker } = this.#deps;
    if (!server.isReady) return;
    const algorithm = String(ALGORITHMS.indexOf('concurrency'));
    const args = ['hold', algorithm, '1', '1', '1', worker, String(OUTLIVE_MS), '1'];
    void server.run(LIMIT_SCRIPT, [`${keyPrefix}:workers`], args).then(
      (holders) => {
        this.#patience.heard();
        this.#holders = Number(holders);
      },
      () => undefined,
    );
  }

  #sweep(): void {
    const now = this.#deps.now();
    if (now - this.#joinedAt >= HOLD_MS) {
      this.#joinedAt = now;
      this.#join();
    }
    const isFull = this.#entries.size > MAX_KEYS;
    for (const [key, entry] of this.#entries) {
      if (entry.tokens > 0 && now >= entry.leaseEnds) this.#returnLease(entry);
      if (now - entry.usedAt < HOLD_MS) continue;
      this.#hold(entry);
      if (entry.running === 0 && !entry.asking && (isFull || entry.deniedUntil <= now))
        this.#entries.delete(key);
    }
    this.#patience.deadline.sweep();
  }

  #fail(limit: Limit | null): Decision {
    const decision = this.#decision;
    decision.allowed = false;
    decision.failed = true;
    decision.remaining = 0;
    decision.limit = limit === null ? 0 : capacityOf(limit);
    decision.resetMs = 0;
    decision.retryAfterMs = 1;
    decision.at = 0;
    return decision;
  }

  #fill(
    limit: Limit,
    allowed: boolean,
    remaining: number,
    resetMs: number,
    retryAfterMs: number,
    at: number,
  ): Decision {
    const decision = this.#decision;
    decision.allowed = allowed;
    decision.failed = false;
    decision.remaining = remaining;
    decision.limit = capacityOf(limit);
    decision.resetMs = Math.max(0, Math.ceil(resetMs));
    decision.retryAfterMs = allowed ? 0 : Math.max(1, Math.ceil(retryAfterMs));
    decision.at = at;
    return decision;
  }
}

type Answer = [
  marks: string,
  remaining: number,
  resetMs: number,
  retryAfterMs: number,
  leased: number,
  usableMs: number,
  at: number,
];

function shortened(key: string): string {
  return key.length <= LONGEST_KEY ? key : createHash('sha256').update(key, 'latin1').digest('base64url');
}
