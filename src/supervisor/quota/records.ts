import { accountId, type Account } from '../../runtime/quota/account.ts';
import type { QuotaBook } from '../../runtime/quota/book.ts';
import type { QuotaWindow } from '../../runtime/quota/window.ts';

/** What a person did to an account. */
export interface Adjustment {
  /** One more than that of the one before. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly action: 'top-up' | 'reset';
  readonly owner: string;
  readonly quota: string;
  readonly key: string;
  readonly window: QuotaWindow;
  readonly timeZone: string;
  /** Added to the limit; of a reset, what was used until then. */
  readonly amount: number;
  readonly reason: string;
}

/**
 * What stands in the ledger's file. Accounts are written as they are, not what was added to them: so the last record of
 * an account is all there is to know of it, and to read one twice changes nothing.
 */
export type LedgerRecord =
  | {
      readonly account: readonly [
        owner: string,
        quota: string,
        window: QuotaWindow,
        timeZone: string,
        key: string,
      ];
      readonly start: number;
      readonly end: number;
      readonly used: number;
      readonly extra: number;
      readonly limit: number;
      readonly soft: number;
      readonly grace: number;
      /** Left out: none. */
      readonly plan?: string;
      /** Start of the window before, and what was used in it. */
      readonly last: readonly [number, number];
    }
  | { readonly id: string; readonly until: number }
  /** The charge of an id was taken back. */
  | { readonly noId: string }
  | { readonly adjusted: Adjustment };

export function accountRecord(account: Account): LedgerRecord {
  const { owner, quota, window, timeZone, key, start, end, used, extra, limit, soft, grace, plan } = account;
  return {
    account: [owner, quota, window, timeZone, key],
    start,
    end,
    used,
    extra,
    limit,
    soft,
    grace,
    ...(plan === '' ? {} : { plan }),
    last: [account.lastStart, account.lastUsed],
  };
}

/** Puts what a file holds into a book and into the list of adjustments. */
export function replay(records: readonly unknown[], book: QuotaBook, adjustments: Adjustment[]): void {
  for (const record of records as readonly LedgerRecord[]) {
    if ('account' in record) {
      const account = accountOf(record);
      book.accounts.set(accountId(account), account);
    } else if ('id' in record) {
      book.ids.delete(record.id);
      book.ids.set(record.id, record.until);
    } else if ('noId' in record) book.ids.delete(record.noId);
    else if (record.adjusted.number > (adjustments.at(-1)?.number ?? 0)) adjustments.push(record.adjusted);
  }
}

function accountOf(record: Extract<LedgerRecord, { account: unknown }>): Account {
  const { account, last, start, end, used, extra, limit, soft, grace, plan = '' } = record;
  const [owner, quota, window, timeZone, key] = account;
  return {
    ...{ owner, quota, window, timeZone, key, start, end, used, extra, limit, soft, grace, plan },
    reserved: 0,
    lastStart: last[0],
    lastUsed: last[1],
    toldSoft: soft > 0 && used >= soft + extra,
    toldHard: false,
  };
}
