import {
  UNAVAILABLE,
  type QuotaAnswer,
  type QuotaAsk,
  type Quotas,
  type QuotaWaiter,
} from '../runtime/quota/quota.ts';
import type { QuotaMessage, QuotaReply } from './protocol.ts';

/** A request that the supervisor has not answered by then is told that quotas are unavailable. */
export const QUOTA_DEADLINE_MS = 2000;
const SWEEP_MS = 100;
/** An answer that comes later than this is not waited for any more. */
const LATE_MS = 60_000;

interface Question {
  readonly ask: QuotaAsk;
  readonly askedAt: number;
  readonly waiter: QuotaWaiter;
  /** The waiter's, not the question's own. */
  readonly waiterTicket: number;
}

export interface RemoteQuotasDeps {
  send(messages: readonly QuotaMessage[]): void;
  /** Monotonic milliseconds. */
  now(): number;
}

/** The quotas of a worker: the supervisor keeps them. What it has to say leaves once per turn of the event loop. */
export class RemoteQuotas implements Quotas {
  readonly counts = { asked: 0, timedOut: 0 };
  readonly #deps: RemoteQuotasDeps;
  /** In the order they were asked, so the first one is the oldest. */
  readonly #questions = new Map<number, Question>();
  /** Asked, answered too late: what was taken is given back. */
  readonly #late = new Map<number, Question>();
  #outgoing: QuotaMessage[] = [];
  #lastTicket = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: RemoteQuotasDeps) {
    this.#deps = deps;
  }

  reserve(ask: QuotaAsk, waiter: QuotaWaiter, waiterTicket: number): null {
    const ticket = ++this.#lastTicket;
    this.counts.asked++;
    this.#questions.set(ticket, { ask, askedAt: this.#deps.now(), waiter, waiterTicket });
    this.#say({ kind: 'reserve', ticket, ask });
    this.#arm();
    return null;
  }

  commit(reservation: number, amount: number): void {
    this.#say({ kind: 'commit', reservation, amount });
  }

  release(reservation: number): void {
    this.#say({ kind: 'release', reservation });
  }

  refund(ask: QuotaAsk): void {
    this.#say({ kind: 'refund', ask });
  }

  receive(replies: readonly QuotaReply[]): void {
    for (const { ticket, answer } of replies) {
      const question = this.#questions.get(ticket);
      if (question === undefined) {
        this.#answeredLate(ticket, answer);
        continue;
      }
      this.#questions.delete(ticket);
      question.waiter.answered(question.waiterTicket, question.ask, answer);
    }
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #answeredLate(ticket: number, answer: QuotaAnswer): void {
    const question = this.#late.get(ticket);
    if (question === undefined) return;
    this.#late.delete(ticket);
    if (answer.reservation !== 0) this.release(answer.reservation);
    else if (answer.outcome === 'admitted' && !answer.repeated) this.refund(question.ask);
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => this.#tick(), SWEEP_MS).unref();
  }

  #tick(): void {
    this.#timer = null;
    const now = this.#deps.now();
    for (const [ticket, question] of this.#questions) {
      if (now - question.askedAt < QUOTA_DEADLINE_MS) break;
      this.#questions.delete(ticket);
      this.#late.set(ticket, question);
      this.counts.timedOut++;
      question.waiter.answered(question.waiterTicket, question.ask, UNAVAILABLE);
    }
    for (const [ticket, { askedAt }] of this.#late) {
      if (now - askedAt < LATE_MS) break;
      this.#late.delete(ticket);
    }
    if (this.#questions.size + this.#late.size > 0) this.#arm();
  }

  #say(message: QuotaMessage): void {
    this.#outgoing.push(message);
    if (this.#outgoing.length > 1) return;
    setImmediate(() => {
      const messages = this.#outgoing;
      this.#outgoing = [];
      this.#deps.send(messages);
    });
  }
}
