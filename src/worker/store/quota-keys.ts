import { createHash } from 'node:crypto';
import { accountId, type AccountName } from '../../runtime/quota/account.ts';
import type { QuotaWindow } from '../../runtime/quota/window.ts';

/** Names of what quotas keep in a Store. */
export class QuotaKeys {
  /** Of all accounts. */
  readonly accounts: string;
  /** Behind it stands a holder. */
  readonly held: string;
  readonly holders: string;
  /** Behind it stands a holder, see {@link charged}. */
  readonly charges: string;
  readonly adjustments: string;
  readonly #prefix: string;

  /** @param keyPrefix of the Store */
  constructor(keyPrefix: string) {
    this.#prefix = `${keyPrefix}:quota:`;
    this.accounts = `${this.#prefix}account:`;
    this.held = `${this.#prefix}held:`;
    this.holders = `${this.#prefix}holders`;
    this.charges = `${this.#prefix}charged:`;
    this.adjustments = `${this.#prefix}adjustments`;
  }

  account(name: AccountName): string {
    return `${this.accounts}${accountId(name)}`;
  }

  /** What {@link account} was made of; null where it is none. */
  nameOf(key: string): AccountName | null {
    const [owner, quota, window, timeZone, ...rest] = key.slice(this.accounts.length).split('\0');
    if (timeZone === undefined || rest.length === 0) return null;
    return {
      owner: owner!,
      quota: quota!,
      window: window as QuotaWindow,
      timeZone,
      key: rest.join('\0'),
    };
  }

  /** @param id as `idOf` of a book makes it: long, and not for other eyes */
  id(id: string): string {
    return `${this.#prefix}id:${createHash('sha256').update(id, 'latin1').digest('base64url')}`;
  }

  /** Reservations of a holder that must not be made any more. */
  voided(holder: string): string {
    return `${this.#prefix}voided:${holder}`;
  }

  /** Reservations of a holder that were charged at once, as far as it is not known to have heard of it, or since it seemed to be gone. */
  charged(holder: string): string {
    return `${this.charges}${holder}`;
  }

  settled(holder: string): string {
    return `${this.#prefix}settled:${holder}`;
  }
}
