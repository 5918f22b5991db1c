import { randomUUID } from 'node:crypto';
import { leftOf, openAccount, type Account } from '../../runtime/quota/account.ts';
import { HOLD_MS, ID_MS, idOf } from '../../runtime/quota/book.ts';
import {
  UNAVAILABLE,
  type QuotaAnswer,
  type QuotaAsk,
  type Quotas,
  type QuotaSpec,
  type QuotaWaiter,
} from '../../runtime/quota/quota.ts';
import { Calendar, type WindowSpan } from '../../runtime/quota/window.ts';
import type { QuotaMetrics } from '../quota-metrics.ts';
import type { TimedQuestion } from './deadline.ts';
import { isUndone } from './client.ts';
import type { StoreServer } from './ledger.ts';
import { Patience } from './patience.ts';
import { QuotaKeys } from './quota-keys.ts';
import { HOLDER_SCRIPT, RESERVE_SCRIPT, type SettleOperation } from './quota-script.ts';
import { Settlements, type Settlement } from './settlements.ts';

/** What is kept back for a worker that says nothing for so long is given back. */
const ALIVE_MS = 10_000;
const BEAT_MS = 1000;
/** A server whose clock goes on from one window to the next is asked again; one whose clock leaps is not asked for ever. */
const TRIES = 3;
/** It is told of so many with each question. */
const MOST_KNOWN = 100;
/** Numbers of a Store have this bit; those of the supervisor have not. */
const RESERVATION = 0x8000_0000;

interface StoreQuotasDeps {
  readonly server: StoreServer;
  readonly keyPrefix: string;
  readonly deadlineMs: number;
  readonly metrics: QuotaMetrics;
  /** Monotonic milliseconds. */
  now(): number;
  /** Milliseconds since 1970. */
  wallNow(): number;
  /** The server answered with an error, or the connection broke. */
  refused(fault: Error): void;
}

interface Question extends TimedQuestion {
  readonly ask: QuotaAsk;
  readonly waiter: QuotaWaiter;
  readonly ticket: number;
  readonly reservation: number;
  tries: number;
}

interface Held {
  readonly ask: QuotaAsk;
  readonly spans: readonly WindowSpan[];
  readonly heldAt: number;
}

/**
 * Quotas that several machines count in one server, by one script for each question, and by the server's clock. Nothing
 * is taken in advance, so that they are exact. Nothing waits longer than the deadline; what was admitted too late is given
 * back. What was served and has to be charged waits in memory while the server is away.
 */
export class StoreQuotas implements Quotas {
  readonly counts = { local: 0, asked: 0, unreachable: 0, late: 0, refused: 0 };
  readonly #deps: StoreQuotasDeps;
  readonly #keys: QuotaKeys;
  readonly #calendar = new Calendar();
  readonly #patience: Patience<Question>;
  readonly #settlements: Settlements;
  /** New for each of these, so that numbers of settlements begin anew. */
  readonly #holder = randomUUID();
  readonly #held = new Map<number, Held>();
  readonly #beat: NodeJS.Timeout;
  #lastReservation = 0;
  /** Those charged at once that the server is to be told were heard of: until then it could take them back. */
  #known: number[] = [];
  /** Somebody asked: what others have left is ended as well. */
  #isUsed = false;
  /** What the server's clock is ahead of this machine's. */
  #skewMs = 0;

  constructor(deps: StoreQuotasDeps) {
    this.#deps = deps;
    const { server, deadlineMs, metrics } = deps;
    this.#keys = new QuotaKeys(deps.keyPrefix);
    this.#patience = new Patience({
      server,
      deadlineMs,
      now: () => deps.now(),
      late: (question) => {
        this.counts.late++;
        this.#tell(question, UNAVAILABLE);
      },
    });
    this.#settlements = new Settlements({
      server,
      keys: [
        this.#keys.settled(this.#holder),
        `${this.#keys.held}${this.#holder}`,
        this.#keys.voided(this.#holder),
        this.#keys.charged(this.#holder),
      ],
      idMs: ID_MS,
      changed: ({ ask, spans, operation }, index, softReached, used, extra) => {
        if (operation.what !== 'commit') return;
        const account = accountOf(ask, ask.quotas[index]!, spans[index]!, { used, extra, reserved: 0 });
        metrics.charged(account, Number(operation.amount));
        if (softReached) metrics.reached(account, 'soft');
      },
      refused: (fault) => deps.refused(fault),
    });
    this.#beat = setInterval(() => this.#live(), BEAT_MS).unref();
  }

  get reservations(): number {
    return this.#held.size;
  }

  /** Settlements that the server was not told yet, and those that it never will be. */
  get settlements(): { readonly waiting: number; readonly lost: number } {
    return { waiting: this.#settlements.count, lost: this.#settlements.lost };
  }

  reserve(ask: QuotaAsk, waiter: QuotaWaiter, ticket: number): QuotaAnswer | null {
    const askedAt = this.#deps.now();
    this.#patience.deadline.look(askedAt);
    if (!this.#patience.mayAsk) {
      this.counts.unreachable++;
      this.#deps.metrics.decided(ask, UNAVAILABLE);
      return UNAVAILABLE;
    }
    const question = {
      ask,
      waiter,
      ticket,
      reservation: this.#nextReservation(),
      tries: 0,
      askedAt,
      over: false,
    };
    this.#isUsed = true;
    this.counts.asked++;
    this.#patience.deadline.add(question);
    this.#ask(question);
    return null;
  }

  commit(reservation: number, amount: number): void {
    this.#settle(reservation, 'commit', amount);
  }

  release(reservation: number): void {
    this.#settle(reservation, 'release', 0);
  }

  refund(ask: QuotaAsk): void {
    this.#say('refund', 0, ask.amount, ask, this.#spansOf(ask));
  }

  /** The server is there again. */
  connected(): void {
    this.#patience.heard();
    this.#settlements.flush();
  }

  /** Resolves when the server was told all, or there is no more time. */
  drain(limitMs: number): Promise<void> {
    return this.#settlements.drain(limitMs);
  }

  close(): void {
    clearInterval(this.#beat);
    this.#patience.close();
  }

  #ask(question: Question): void {
    const { ask, reservation } = question;
    const spans = this.#spansOf(ask);
    const id = idOf(ask);
    const keys = [
      `${this.#keys.held}${this.#holder}`,
      this.#keys.holders,
      this.#keys.voided(this.#holder),
      this.#keys.charged(this.#holder),
      ...ask.quotas.map((spec) => this.#keyOf(ask, spec)),
      ...(id === '' ? [] : [this.#keys.id(id)]),
    ];
    const known = this.#known.splice(0, MOST_KNOWN);
    const args: (string | number)[] = [
      this.#holder,
      reservation,
      ask.amount,
      ALIVE_MS,
      ID_MS,
      spans.length,
      ask.hold ? (ask.chargeIfLost === true ? 'lost' : '') : 'now',
      known.join(' '),
    ];
    for (const [i, { limit, soft, grace, plan = '' }] of ask.quotas.entries())
      args.push(spans[i]!.start, spans[i]!.end, limit, soft, grace, plan);
    void this.#deps.server.run(RESERVE_SCRIPT, keys, args.map(String)).then(
      (given) => {
        const answer = given as ReserveAnswer;
        if (answer[0] === 'window') this.#known.push(...known);
        this.#answered(question, spans, answer);
      },
      (fault: unknown) => {
        this.#known.push(...known);
        this.#refused(question, spans, fault as Error);
      },
    );
  }

  #answered(question: Question, spans: readonly WindowSpan[], given: ReserveAnswer): void {
    this.#patience.heard();
    const { ask, reservation } = question;
    const { metrics } = this.#deps;
    const [outcome, now, refusedBy, ...numbers] = given;
    this.#skewMs = now - this.#deps.wallNow();
    if (outcome === 'window') {
      if (!this.#patience.deadline.hasTime(question, this.#deps.now())) return;
      if (++question.tries < TRIES) this.#ask(question);
      else this.#refused(question, spans, new Error('the clock of the server leaps'));
      return;
    }
    const accounts = ask.quotas.map((spec, i) => {
      const [start, end, used, reserved, extra, mark] = numbers.slice(6 * i, 6 * i + 6) as Numbers;
      const account = accountOf(ask, spec, { start, end }, { used, reserved, extra });
      if (mark !== 0) metrics.reached(account, mark === 1 ? 'soft' : 'hard');
      if (outcome === 'admitted' && !ask.hold) metrics.charged(account, ask.amount);
      return account;
    });
    const holds = outcome === 'admitted' && ask.hold;
    // Where the clock of the server was set back, that window is not the one that was asked for.
    const begun = accounts.map(({ start, end }) => ({ start, end }));
    if (holds) this.#held.set(reservation, { ask, spans: begun, heldAt: this.#deps.now() });
    if (question.over) {
      if (holds) this.release(reservation);
      else if (outcome === 'admitted') this.#say('release', reservation, 0, ask, begun);
      return;
    }
    question.over = true;
    if (outcome === 'admitted' && !ask.hold) this.#known.push(reservation);
    this.#tell(question, {
      outcome: outcome === 'refused' ? 'refused' : 'admitted',
      reservation: holds ? reservation : 0,
      repeated: outcome === 'repeated',
      refusedBy,
      left: accounts.map((account) => leftOf(account, now)),
    });
  }

  /** What may have been kept back or charged is given back; what was not yet will not be any more. */
  #refused(question: Question, spans: readonly WindowSpan[], fault: Error): void {
    const { ask, reservation, over } = question;
    this.#deps.refused(fault);
    if (!isUndone(fault)) this.#say('release', reservation, 0, ask, spans, true);
    if (over) return;
    question.over = true;
    this.counts.refused++;
    this.#tell(question, UNAVAILABLE);
  }

  #tell({ ask, waiter, ticket }: Question, answer: QuotaAnswer): void {
    this.#deps.metrics.decided(ask, answer);
    waiter.answered(ticket, ask, answer);
  }

  #settle(reservation: number, what: 'commit' | 'release', amount: number): void {
    const held = this.#held.get(reservation);
    if (held === undefined) return;
    this.#held.delete(reservation);
    this.#say(what, reservation, amount, held.ask, held.spans);
  }

  #say(
    what: SettleOperation['what'],
    reservation: number,
    amount: number,
    ask: QuotaAsk,
    spans: readonly WindowSpan[],
    isUnknown = false,
  ): void {
    const id = idOf(ask);
    const accounts = ask.quotas.map((spec, i) => {
      const { limit, soft, grace, plan = '' } = spec;
      const { start, end } = spans[i]!;
      const numbers = [start, end, limit, soft, grace].map(String) as [
        string,
        string,
        string,
        string,
        string,
      ];
      return [this.#keyOf(ask, spec), ...numbers, plan] as const;
    });
    const operation: SettleOperation = {
      what,
      reservation: reservation === 0 ? '' : String(reservation),
      isUnknown,
      amount: String(amount),
      reserved: String(ask.amount),
      id: id === '' ? '' : this.#keys.id(id),
      accounts,
    };
    this.#settlements.add({ operation, ask, spans } satisfies Settlement);
  }

  /** Once a second: this worker lives, and what waits is told. */
  #live(): void {
    this.#patience.deadline.sweep();
    this.#settlements.flush();
    const due = this.#deps.now() - HOLD_MS;
    for (const [reservation, { heldAt }] of this.#held) {
      if (heldAt > due) break;
      this.release(reservation);
    }
    if (!this.#isUsed || !this.#patience.mayAsk) return;
    const { held, charges } = this.#keys;
    const args = [this.#holder, String(ALIVE_MS), held, charges, String(ID_MS)];
    void this.#deps.server.run(HOLDER_SCRIPT, [this.#keys.holders], args).then(
      () => this.#patience.heard(),
      () => undefined,
    );
  }

  #nextReservation(): number {
    do this.#lastReservation = (this.#lastReservation % 0x7fff_ffff) + 1;
    while (this.#held.has((this.#lastReservation | RESERVATION) >>> 0));
    return (this.#lastReservation | RESERVATION) >>> 0;
  }

  #spansOf({ quotas }: QuotaAsk): WindowSpan[] {
    const now = this.#deps.wallNow() + this.#skewMs;
    return quotas.map(({ window, timeZone }) => this.#calendar.spanAt(window, timeZone, now));
  }

  #keyOf({ owner, key }: QuotaAsk, { name: quota, window, timeZone }: QuotaSpec): string {
    return this.#keys.account({ owner, quota, window, timeZone, key });
  }
}

type Numbers = [start: number, end: number, used: number, reserved: number, extra: number, mark: number];
/** As {@link RESERVE_SCRIPT} answers; of `window` the first two alone. */
type ReserveAnswer = [
  outcome: 'admitted' | 'refused' | 'repeated' | 'window',
  now: number,
  refusedBy: number,
  ...numbers: number[],
];

function accountOf(
  { owner, key }: QuotaAsk,
  spec: QuotaSpec,
  span: WindowSpan,
  counts: Pick<Account, 'used' | 'reserved' | 'extra'>,
): Account {
  const { name: quota, window, timeZone } = spec;
  return { ...openAccount({ owner, quota, window, timeZone, key }, spec, span), ...counts };
}
