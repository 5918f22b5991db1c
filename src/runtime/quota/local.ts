import { QuotaBook } from './book.ts';
import type { QuotaAnswer, QuotaAsk, Quotas } from './quota.ts';

/** Quotas of this process alone, in memory: where requests are rehearsed and filters are tested. */
export class LocalQuotas implements Quotas {
  readonly book: QuotaBook;
  readonly #now: () => number;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
    this.book = new QuotaBook();
  }

  reserve(ask: QuotaAsk): QuotaAnswer {
    return this.book.reserve(ask, 0, this.#now());
  }

  commit(reservation: number, amount: number): void {
    this.book.commit(reservation, amount, this.#now());
  }

  release(reservation: number): void {
    this.book.release(reservation);
  }

  refund(ask: QuotaAsk): void {
    this.book.refund(ask, this.#now());
  }
}
