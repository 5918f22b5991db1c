import type { QuotaQuery } from '../../control/quota-request.ts';
import type { Account, AccountName } from '../../runtime/quota/account.ts';
import type { Adjustment } from './records.ts';

/** One ledger as it is shown and changed: the machine's own, or that of a Store. */
export interface QuotaShelf {
  readonly scope: 'node' | 'cluster';
  /** `namespace/name` of the Store; null: the machine's own. */
  readonly store: string | null;
  /** As they are now, at most `most`; one whose window is over is as it was then. */
  accounts(query: QuotaQuery, most: number): Promise<Account[]>;
  /** The newest first. */
  adjustments(query: QuotaQuery): Promise<Adjustment[]>;
  /**
   * Tops an account up or resets it, and resolves when that is kept.
   *
   * @param amount of a top-up; may be negative
   * @returns the account as it is then
   * @throws Error where it cannot be kept
   */
  adjust(account: Account, action: Adjustment['action'], amount: number, reason: string): Promise<Account>;
}

export function matchesQuery(account: AccountName, query: QuotaQuery): boolean {
  const { namespace, quota, key, window, timezone } = query;
  return (
    (namespace === undefined || namespace === account.owner) &&
    (quota === undefined || quota === account.quota) &&
    (window === undefined || window === account.window) &&
    (timezone === undefined || timezone === account.timeZone) &&
    (key === undefined || keyOf(key) === account.key)
  );
}

/** A key of the ledger, of the parts that people write. */
export function keyOf(parts: readonly string[]): string {
  return Buffer.from(parts.join('\0'), 'utf8').toString('latin1');
}

export function partsOf(key: string): string[] {
  return Buffer.from(key, 'latin1').toString('utf8').split('\0');
}
