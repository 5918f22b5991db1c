import type { Ledger, LedgerWaiter } from '../runtime/ledger.ts';
import { capacityOf, type Decision, emptyDecision, type Limit, sameLimit } from '../runtime/limit.ts';
import type { LedgerAsk, LedgerReply } from './protocol.ts';

/**
 * A request whose question the supervisor has not answered by then is refused: a limit is there to
 * protect something, and the supervisor is out of reach for moments only. Counted in `timedOut`.
 */
export const ASK_DEADLINE_MS = 1000;
/** Tokens that lay unused this long go back. */
const IDLE_MS = 2000;
/** Use is reported at least this often, so that the bucket refills on time. */
const REPORT_MS = 10;
const SWEEP_MS = 1000;
/** Known refusals beyond this number are asked again. */
const MAX_DENIALS = 50_000;

interface Lease {
  readonly key: string;
  limit: Limit;
  tokens: number;
  /** Used and not yet reported. */
  used: number;
  usedAt: number;
  /** As the supervisor last told. */
  remaining: number;
  resetMs: number;
  /** When the window ends; 0 where there are none. */
  turnsAt: number;
}

interface Question {
  readonly key: string;
  readonly limit: Limit;
  readonly cost: number;
  readonly taking: boolean;
  readonly askedAt: number;
  readonly waiter: LedgerWaiter;
  /** The waiter's, not the question's own. */
  readonly waiterTicket: number;
}

interface Denial {
  readonly limit: Limit;
  readonly cost: number;
  readonly until: number;
  readonly resetAt: number;
}

export interface LeasedLedgerDeps {
  send(asks: readonly LedgerAsk[]): void;
  /** Monotonic milliseconds on the clock that the supervisor reads too. */
  now(): number;
}

/**
 * A worker's view of the limits that all workers share. Decides at once from tokens it has been
 * handed in advance, or from a refusal that still holds; asks the supervisor else. What it has to
 * say leaves once per turn of the event loop.
 */
export class LeasedLedger implements Ledger {
  readonly counts = { local: 0, asked: 0, timedOut: 0 };
  private readonly deps: LeasedLedgerDeps;
  private readonly held = new Map<string, Lease>();
  private readonly dirty = new Set<Lease>();
  private readonly denials = new Map<string, Denial>();
  /** In the order they were asked, so the first one is the oldest. */
  private readonly questions = new Map<number, Question>();
  /** Asked, answered too late: an admission that comes after all is kept as a token. */
  private readonly late = new Map<number, Question>();
  private readonly decision = emptyDecision();
  private outgoing: LedgerAsk[] = [];
  private lastTicket = 0;
  private flushScheduled = false;
  /** Runs only while there is something to report, to time out or to give back. */
  private timer: NodeJS.Timeout | null = null;
  private timerDelay = 0;
  private nextSweep = 0;

  constructor(deps: LeasedLedgerDeps) {
    this.deps = deps;
  }

  take(key: string, cost: number, limit: Limit, waiter: LedgerWaiter, waiterTicket: number): Decision | null {
    return this.decide(key, cost, limit, true, waiter, waiterTicket);
  }

  peek(key: string, cost: number, limit: Limit, waiter: LedgerWaiter, waiterTicket: number): Decision | null {
    return this.decide(key, cost, limit, false, waiter, waiterTicket);
  }

  charge(key: string, cost: number, limit: Limit): void {
    const lease = this.leaseFor(key, limit, this.deps.now());
    const held = lease === null ? 0 : Math.min(lease.tokens, cost);
    if (held > 0) this.use(lease!, held, this.deps.now());
    if (cost > held) this.say({ kind: 'charge', key, limit, count: cost - held });
  }

  giveBack(key: string, cost: number, _limit: Limit, takenAt: number): void {
    this.say({ kind: 'refund', key, count: cost, at: takenAt });
  }

  private decide(
    key: string,
    cost: number,
    limit: Limit,
    taking: boolean,
    waiter: LedgerWaiter,
    waiterTicket: number,
  ): Decision | null {
    const now = this.deps.now();
    const lease = this.leaseFor(key, limit, now);
    if (lease !== null && lease.tokens >= cost) {
      if (taking) this.use(lease, cost, now);
      this.counts.local++;
      const resetMs = lease.turnsAt > 0 ? lease.turnsAt - now : lease.resetMs;
      return this.fill(true, lease.remaining, limit, resetMs, 0, now);
    }
    const denial = this.denials.get(key);
    if (denial) {
      if (now < denial.until && cost >= denial.cost && sameLimit(denial.limit, limit)) {
        this.counts.local++;
        return this.fill(false, 0, limit, denial.resetAt - now, denial.until - now, now);
      }
      this.denials.delete(key);
    }
    const ticket = ++this.lastTicket;
    this.counts.asked++;
    this.questions.set(ticket, { key, limit, cost, taking, askedAt: now, waiter, waiterTicket });
    if (lease) this.report(lease);
    this.say({ kind: 'take', key, limit, cost, taking, ticket });
    this.arm(REPORT_MS);
    return null;
  }

  /** What is held of this limit; what was used of a window that has ended is reported as that. */
  private leaseFor(key: string, limit: Limit, now: number): Lease | null {
    const lease = this.held.get(key);
    if (lease === undefined || !sameLimit(lease.limit, limit)) return null;
    if (lease.turnsAt > 0 && now >= lease.turnsAt) {
      this.report(lease);
      lease.turnsAt += limit.periodMs * (1 + Math.floor((now - lease.turnsAt) / limit.periodMs));
    }
    return lease;
  }

  private use(lease: Lease, cost: number, now: number): void {
    lease.tokens -= cost;
    lease.used += cost;
    lease.usedAt = now;
    lease.remaining = Math.max(0, lease.remaining - cost);
    this.dirty.add(lease);
    this.arm(REPORT_MS);
  }

  receive(replies: readonly LedgerReply[]): void {
    for (const reply of replies) {
      if (reply.kind === 'recall') this.recalled(reply.key, reply.recall);
      else if (reply.kind === 'reopened') this.denials.delete(reply.key);
      else this.decided(reply);
    }
  }

  close(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private decided(reply: Extract<LedgerReply, { kind: 'decided' }>): void {
    const late = this.late.get(reply.ticket);
    const question = late ?? this.questions.get(reply.ticket);
    if (!question) return;
    this.late.delete(reply.ticket);
    this.questions.delete(reply.ticket);
    const { key, limit, cost } = question;
    const { allowed, remaining, resetMs, retryAfterMs } = reply;
    if (reply.leased > 0) this.hold(key, limit, reply);
    if (reply.deniedUntil > 0) this.remember(key, limit, cost, reply);
    if (late) {
      // The request was refused meanwhile, so the token it got was not used.
      if (allowed && late.taking) this.giveBack(key, cost, limit, reply.at);
      return;
    }
    question.waiter.decided(
      question.waiterTicket,
      this.fill(allowed, remaining, limit, resetMs, retryAfterMs, reply.at),
    );
  }

  private hold(key: string, limit: Limit, reply: Extract<LedgerReply, { kind: 'decided' }>): void {
    const { leased, remaining, resetMs, turnsAt } = reply;
    const lease = this.held.get(key);
    if (!lease) {
      const usedAt = this.deps.now();
      this.held.set(key, { key, limit, tokens: leased, used: 0, usedAt, remaining, resetMs, turnsAt });
      return;
    }
    lease.limit = limit;
    lease.turnsAt = turnsAt;
    lease.tokens += leased;
    lease.remaining = remaining;
    lease.resetMs = resetMs;
  }

  /** What the supervisor refused stays refused until a token can have flowed in. */
  private remember(
    key: string,
    limit: Limit,
    cost: number,
    reply: { deniedUntil: number; resetMs: number },
  ): void {
    const resetAt = this.deps.now() + reply.resetMs;
    if (this.denials.size >= MAX_DENIALS) this.denials.clear();
    this.denials.set(key, { limit, cost, until: reply.deniedUntil, resetAt });
  }

  private recalled(key: string, recall: number): void {
    const lease = this.held.get(key);
    if (lease) this.report(lease);
    this.say({ kind: 'returned', key, count: lease?.tokens ?? 0, recall });
    this.held.delete(key);
  }

  private report(lease: Lease): void {
    this.dirty.delete(lease);
    if (lease.used === 0) return;
    this.say({ kind: 'used', key: lease.key, count: lease.used, at: lease.usedAt });
    lease.used = 0;
  }

  /** One object for all decisions, as the interface has it. */
  private fill(
    allowed: boolean,
    remaining: number,
    limit: Limit,
    resetMs: number,
    retryAfterMs: number,
    at: number,
  ): Decision {
    const decision = this.decision;
    decision.allowed = allowed;
    decision.remaining = remaining;
    decision.limit = capacityOf(limit);
    decision.resetMs = Math.max(0, Math.ceil(resetMs));
    decision.at = at;
    decision.retryAfterMs = allowed ? 0 : Math.max(1, Math.ceil(retryAfterMs));
    return decision;
  }

  private arm(delayMs: number): void {
    if (this.timer) {
      if (this.timerDelay <= delayMs) return;
      clearTimeout(this.timer);
    }
    this.timerDelay = delayMs;
    this.timer = setTimeout(() => this.tick(), delayMs).unref();
  }

  private tick(): void {
    this.timer = null;
    const now = this.deps.now();
    for (const lease of this.dirty) this.report(lease);
    for (const [ticket, question] of this.questions) {
      if (now - question.askedAt < ASK_DEADLINE_MS) break;
      this.questions.delete(ticket);
      this.late.set(ticket, question);
      this.counts.timedOut++;
      question.waiter.decided(
        question.waiterTicket,
        this.fill(false, 0, question.limit, ASK_DEADLINE_MS, ASK_DEADLINE_MS, now),
      );
    }
    if (now >= this.nextSweep) {
      this.nextSweep = now + SWEEP_MS;
      this.sweep(now);
    }
    if (this.questions.size > 0) this.arm(REPORT_MS);
    else if (this.held.size + this.denials.size + this.late.size > 0) this.arm(SWEEP_MS);
  }

  private sweep(now: number): void {
    for (const lease of this.held.values()) {
      if (now - lease.usedAt < IDLE_MS) continue;
      if (lease.tokens > 0) this.say({ kind: 'returned', key: lease.key, count: lease.tokens, recall: 0 });
      this.held.delete(lease.key);
    }
    for (const [key, denial] of this.denials) if (denial.until <= now) this.denials.delete(key);
    for (const [ticket, question] of this.late) {
      if (now - question.askedAt > 60_000) this.late.delete(ticket);
    }
  }

  private say(ask: LedgerAsk): void {
    this.outgoing.push(ask);
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    setImmediate(() => {
      this.flushScheduled = false;
      const asks = this.outgoing;
      this.outgoing = [];
      this.deps.send(asks);
    });
  }
}
