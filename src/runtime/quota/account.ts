import type { QuotaLeft, QuotaSpec } from './quota.ts';
import type { QuotaWindow, WindowSpan } from './window.ts';

/** What an account is found by. A quota with another window, or in another zone, is another account. */
export interface AccountName {
  /** Namespace. */
  readonly owner: string;
  readonly quota: string;
  readonly window: QuotaWindow;
  readonly timeZone: string;
  /** One character for each byte. */
  readonly key: string;
}

/** What one key has used of one quota in one window. */
export interface Account extends AccountName {
  start: number;
  end: number;
  used: number;
  /** Kept back for requests that are under way; in memory alone. */
  reserved: number;
  /** Added to the limit of this window by hand. */
  extra: number;
  /** As the filter said last: a ledger knows no limits of its own. */
  limit: number;
  soft: number;
  grace: number;
  /** Of these, as {@link QuotaSpec.plan}; empty: none. */
  plan: string;
  /** The window before, as it ended. */
  lastStart: number;
  lastUsed: number;
  /** Of this window, what has been told. */
  toldSoft: boolean;
  toldHard: boolean;
}

export function accountId({ owner, quota, window, timeZone, key }: AccountName): string {
  return `${owner}\0${quota}\0${window}\0${timeZone}\0${key}`;
}

export function openAccount(name: AccountName, spec: QuotaSpec, span: WindowSpan): Account {
  const { owner, quota, window, timeZone, key } = name;
  const { limit, soft, grace, plan = '' } = spec;
  return {
    ...{ owner, quota, window, timeZone, key },
    ...{ start: span.start, end: span.end, used: 0, reserved: 0, extra: 0 },
    ...{ limit, soft, grace, plan, lastStart: 0, lastUsed: 0, toldSoft: false, toldHard: false },
  };
}

/** Begins another window with nothing used. What is kept back goes on and is charged to the window it began in. */
export function rollOver(account: Account, span: WindowSpan): void {
  account.lastStart = account.start;
  account.lastUsed = account.used;
  account.start = span.start;
  account.end = span.end;
  account.used = 0;
  account.reserved = 0;
  account.extra = 0;
  account.toldSoft = false;
  account.toldHard = false;
}

/** Whether `amount` more may be taken. What is not known yet needs room for one. */
export function hasRoom({ used, reserved, limit, extra, grace }: Account, amount: number): boolean {
  return used + reserved + Math.max(1, amount) <= limit + extra + grace;
}

export function leftOf(account: Account, now: number): QuotaLeft {
  const { used, reserved, limit, extra, soft, start, end } = account;
  const taken = used + reserved;
  return {
    limit: limit + extra,
    remaining: Math.max(0, limit + extra - taken),
    resetMs: Math.max(1, end - now),
    windowMs: end - start,
    softReached: soft > 0 && taken >= soft + extra,
    inGrace: taken > limit + extra,
  };
}
