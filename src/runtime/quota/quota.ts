import type { QuotaWindow } from './window.ts';

/** One quota as a filter states it. Amounts are whole numbers of whatever is counted. */
export interface QuotaSpec {
  readonly name: string;
  /** Of each window. */
  readonly limit: number;
  /** From here on requests are warned; 0: never. */
  readonly soft: number;
  /** What is let through beyond the limit. */
  readonly grace: number;
  readonly window: QuotaWindow;
  /** Whose calendar it is, of the IANA database. */
  readonly timeZone: string;
  /** The plan that it is of, one character for each byte; left out: none. */
  readonly plan?: string;
}

/** A request wants `amount` of all these quotas or of none. */
export interface QuotaAsk {
  /** Namespace whose quotas they are. */
  readonly owner: string;
  /** Whose usage it is, one character for each byte. */
  readonly key: string;
  readonly quotas: readonly QuotaSpec[];
  readonly amount: number;
  /** Keep the amount back and charge later; else charge at once. */
  readonly hold: boolean;
  /** What is kept back is charged, not given back, where the worker that holds it dies. Left out: given back. */
  readonly chargeIfLost?: boolean;
  /** Charged once, however often it is asked; empty: none. */
  readonly id: string;
}

/** What is left of one quota after a decision. */
export interface QuotaLeft {
  /** With what was added to this window by hand. */
  readonly limit: number;
  /** Neither charged nor kept back. */
  readonly remaining: number;
  /** Until the window ends. */
  readonly resetMs: number;
  /** The whole window. */
  readonly windowMs: number;
  readonly softReached: boolean;
  readonly inGrace: boolean;
}

/** `unavailable`: the ledger cannot say, or cannot keep what it is told. */
export type QuotaOutcome = 'admitted' | 'refused' | 'unavailable';

export interface QuotaAnswer {
  readonly outcome: QuotaOutcome;
  /** Names what is kept back; 0 where nothing is. */
  readonly reservation: number;
  /** The id was charged before, and nothing now. */
  readonly repeated: boolean;
  /** Index of the quota that refuses; -1: none. */
  readonly refusedBy: number;
  /** Index for index with the quotas that were asked for; empty where it is unavailable. */
  readonly left: readonly QuotaLeft[];
}

export const UNAVAILABLE: QuotaAnswer = {
  outcome: 'unavailable',
  reservation: 0,
  repeated: false,
  refusedBy: -1,
  left: [],
};

/** Whom quotas tell of an answer that took time. */
export interface QuotaWaiter {
  /** @param ask as it was passed to `reserve`, with its ticket */
  answered(ticket: number, ask: QuotaAsk, answer: QuotaAnswer): void;
}

/** The ledger of quotas as a worker has it. */
export interface Quotas {
  /** @returns the answer; null where the waiter will be told */
  reserve(ask: QuotaAsk, waiter: QuotaWaiter, ticket: number): QuotaAnswer | null;
  /** Charges what was kept back with what it came to, which may be more. */
  commit(reservation: number, amount: number): void;
  /** Charges nothing. */
  release(reservation: number): void;
  /** Takes back what was charged at once, for a request that ended before it was served. */
  refund(ask: QuotaAsk): void;
}
