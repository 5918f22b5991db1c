import { accountId, hasRoom, leftOf, openAccount, rollOver, type Account } from './account.ts';
import { UNAVAILABLE, type QuotaAnswer, type QuotaAsk, type QuotaSpec } from './quota.ts';
import { Calendar } from './window.ts';

/** An account for every key that is charged; beyond it new keys are unavailable, since to forget one would be to give its quota anew. */
const MAX_ACCOUNTS = 500_000;
/** An id is known for this long. */
export const ID_MS = 24 * 3_600_000;
const MAX_IDS = 500_000;
/** What is kept back by a request that never says how it ended. */
export const HOLD_MS = 3_600_000;

interface Reservation {
  readonly accounts: readonly Account[];
  /** Windows in which it began, index for index. */
  readonly starts: readonly number[];
  readonly amount: number;
  readonly id: string;
  readonly holder: number;
  readonly chargeIfLost: boolean;
  readonly until: number;
}

/** Told of what is to be written down, where somebody does. */
export interface BookKeeper {
  accountChanged(account: Account): void;
  idAdded(id: string, until: number): void;
  idRemoved(id: string): void;
  /** Once in a window: it was warned (soft), or refused (hard). */
  reached(account: Account, mark: 'soft' | 'hard'): void;
  /** Counted for metrics. */
  decided(ask: QuotaAsk, answer: QuotaAnswer): void;
  charged(account: Account, amount: number): void;
}

/**
 * All accounts, in memory. Nothing here waits and nothing is written: whoever keeps the book on disk is told of
 * what changes.
 */
export class QuotaBook {
  readonly accounts = new Map<string, Account>();
  /** Ids that were charged, with the time until which they are known, in this order. */
  readonly ids = new Map<string, number>();
  readonly #keeper: BookKeeper | null;
  readonly #calendar = new Calendar();
  readonly #reservations = new Map<number, Reservation>();
  #lastReservation = 0;

  constructor(keeper: BookKeeper | null = null) {
    this.#keeper = keeper;
  }

  get reservations(): number {
    return this.#reservations.size;
  }

  /** @param holder whose reservations end together */
  reserve(ask: QuotaAsk, holder: number, now: number): QuotaAnswer {
    const answer = this.#reserve(ask, holder, now);
    this.#keeper?.decided(ask, answer);
    return answer;
  }

  #reserve(ask: QuotaAsk, holder: number, now: number): QuotaAnswer {
    const accounts: Account[] = [];
    for (const spec of ask.quotas) {
      const account = this.#account(ask, spec, now);
      if (account === null) return UNAVAILABLE;
      accounts.push(account);
    }
    const id = idOf(ask);
    if (id !== '' && this.#knows(id, now)) return answerOf(accounts, now, { repeated: true });
    const refusedBy = accounts.findIndex((account) => !hasRoom(account, ask.amount));
    if (refusedBy >= 0) {
      this.#tell(accounts[refusedBy]!, 'hard');
      return answerOf(accounts, now, { refusedBy });
    }
    if (!ask.hold) {
      for (const account of accounts) this.#charge(account, ask.amount);
      this.#remember(id, now);
      return answerOf(accounts, now, {});
    }
    do this.#lastReservation = this.#lastReservation === 0x7fff_ffff ? 1 : this.#lastReservation + 1;
    while (this.#reservations.has(this.#lastReservation));
    const reservation = this.#lastReservation;
    const starts = accounts.map(({ start }) => start);
    this.#reservations.set(reservation, {
      accounts,
      starts,
      amount: ask.amount,
      id,
      holder,
      chargeIfLost: ask.chargeIfLost ?? false,
      until: now + HOLD_MS,
    });
    for (const account of accounts) account.reserved += ask.amount;
    return answerOf(accounts, now, { reservation });
  }

  /** Charges what was kept back: to the window in which it began, and whatever it came to. */
  commit(reservation: number, amount: number, now: number): void {
    const held = this.#end(reservation);
    if (held === null) return;
    if (held.id !== '' && this.#knows(held.id, now)) return;
    for (const [i, account] of held.accounts.entries()) {
      if (account.start === held.starts[i]) this.#charge(account, amount);
      else if (account.lastStart === held.starts[i]) {
        account.lastUsed += amount;
        this.#keeper?.accountChanged(account);
        this.#keeper?.charged(account, amount);
      }
    }
    this.#remember(held.id, now);
  }

  release(reservation: number): void {
    this.#end(reservation);
  }

  /** Ends what is kept back for a worker that is gone, each as it was asked for. */
  abandon(holder: number, now: number): void {
    for (const [number, held] of this.#reservations) {
      if (held.holder !== holder) continue;
      if (held.chargeIfLost) this.commit(number, held.amount, now);
      else this.release(number);
    }
  }

  /** Takes a charge back that was made at once. */
  refund(ask: QuotaAsk, now: number): void {
    for (const spec of ask.quotas) {
      const account = this.#account(ask, spec, now);
      if (account === null || account.used === 0) continue;
      account.used = Math.max(0, account.used - ask.amount);
      this.#keeper?.accountChanged(account);
    }
    const id = idOf(ask);
    if (id !== '' && this.ids.delete(id)) this.#keeper?.idRemoved(id);
  }

  /** Adds to the limit of the running window; a negative amount takes away. */
  topUp(account: Account, amount: number, now: number): void {
    this.#toNow(account, now);
    account.extra += amount;
    account.toldSoft = false;
    account.toldHard = false;
    this.#keeper?.accountChanged(account);
  }

  /** As if the window had begun now; what was added stays. */
  reset(account: Account, now: number): void {
    this.#toNow(account, now);
    account.used = 0;
    account.toldSoft = false;
    account.toldHard = false;
    this.#keeper?.accountChanged(account);
  }

  /** Lets go of ids that are old, of what nobody answers for, and of accounts whose last window is over and told. */
  sweep(now: number): void {
    for (const [id, until] of this.ids) {
      if (until > now) break;
      this.ids.delete(id);
    }
    for (const [number, { until }] of this.#reservations) if (until <= now) this.#end(number);
    for (const [id, account] of this.accounts) {
      // Kept for another window of its kind, so that the one that ended can be read.
      if (account.end + (account.end - account.start) < now && account.reserved === 0)
        this.accounts.delete(id);
    }
  }

  #account(ask: QuotaAsk, spec: QuotaSpec, now: number): Account | null {
    const { window, timeZone, name: quota } = spec;
    const name = { owner: ask.owner, quota, window, timeZone, key: ask.key };
    const id = accountId(name);
    let account = this.accounts.get(id);
    if (account === undefined) {
      if (this.accounts.size >= MAX_ACCOUNTS) return null;
      account = openAccount(name, spec, this.#calendar.spanAt(window, timeZone, now));
      this.accounts.set(id, account);
      return account;
    }
    this.#toNow(account, now);
    account.limit = spec.limit;
    account.soft = spec.soft;
    account.grace = spec.grace;
    account.plan = spec.plan ?? '';
    return account;
  }

  #toNow(account: Account, now: number): void {
    // A clock that is set back does not give a window anew.
    if (now < account.end) return;
    rollOver(account, this.#calendar.spanAt(account.window, account.timeZone, now));
    this.#keeper?.accountChanged(account);
  }

  #charge(account: Account, amount: number): void {
    account.used += amount;
    if (account.soft > 0 && account.used >= account.soft + account.extra) this.#tell(account, 'soft');
    this.#keeper?.accountChanged(account);
    this.#keeper?.charged(account, amount);
  }

  #tell(account: Account, mark: 'soft' | 'hard'): void {
    const told = mark === 'soft' ? account.toldSoft : account.toldHard;
    if (told) return;
    if (mark === 'soft') account.toldSoft = true;
    else account.toldHard = true;
    this.#keeper?.reached(account, mark);
  }

  #end(reservation: number): Reservation | null {
    const held = this.#reservations.get(reservation);
    if (held === undefined) return null;
    this.#reservations.delete(reservation);
    for (const [i, account] of held.accounts.entries())
      if (account.start === held.starts[i]) account.reserved -= held.amount;
    return held;
  }

  #knows(id: string, now: number): boolean {
    const until = this.ids.get(id);
    return until !== undefined && until > now;
  }

  #remember(id: string, now: number): void {
    if (id === '') return;
    if (this.ids.size >= MAX_IDS) this.ids.delete(this.ids.keys().next().value!);
    this.ids.delete(id);
    this.ids.set(id, now + ID_MS);
    this.#keeper?.idAdded(id, now + ID_MS);
  }
}

/** Ids of two keys, or of two sets of quotas, never meet. */
export function idOf({ owner, quotas, key, id }: QuotaAsk): string {
  return id === '' ? '' : [owner, ...quotas.map(({ name }) => name), key, id].join('\0');
}

function answerOf(
  accounts: readonly Account[],
  now: number,
  rest: { reservation?: number; repeated?: boolean; refusedBy?: number },
): QuotaAnswer {
  const { reservation = 0, repeated = false, refusedBy = -1 } = rest;
  return {
    outcome: refusedBy < 0 ? 'admitted' : 'refused',
    reservation,
    repeated,
    refusedBy,
    left: accounts.map((account) => leftOf(account, now)),
  };
}
