import { QuotaChangeRefused, type QuotaSource } from '../../control/quota-pages.ts';
import type { QuotaAdjustment, QuotaChange, QuotaQuery, QuotaUsage } from '../../control/quota-request.ts';
import { leftOf, type Account, type AccountName } from '../../runtime/quota/account.ts';
import type { QuotaService } from './service.ts';

/** Answers of `/quota` are at most so long. */
const MOST_SHOWN = 10_000;

/** What the admin server shows of the ledger and does to it. */
export class QuotaView implements QuotaSource {
  private readonly quotas: QuotaService;
  private readonly now: () => number;

  /** @param now milliseconds since 1970 */
  constructor(quotas: QuotaService, now: () => number) {
    this.quotas = quotas;
    this.now = now;
  }

  usage(query: QuotaQuery): QuotaUsage[] {
    return this.find(query)
      .slice(0, MOST_SHOWN)
      .map((account) => this.usageOf(account));
  }

  adjustments(query: QuotaQuery): QuotaAdjustment[] {
    return this.quotas.adjustments
      .filter((adjustment) => matches(adjustment, query))
      .reverse()
      .slice(0, MOST_SHOWN)
      .map(({ at, action, owner, quota, key, window, timeZone, amount, reason }) => ({
        at: new Date(at).toISOString(),
        action,
        quota: `${owner}/${quota}`,
        key: partsOf(key),
        window,
        timezone: timeZone,
        amount,
        reason,
      }));
  }

  async change({ action, account: query, amount, reason }: QuotaChange): Promise<QuotaUsage> {
    const found = this.find(query);
    if (found.length === 0)
      throw new QuotaChangeRefused(
        404,
        'nothing was charged to such an account; GET /quota lists those that there are',
      );
    if (found.length > 1) {
      const names = found.map((each) => `${each.owner}/${each.quota} ${each.window} ${each.timeZone}`);
      throw new QuotaChangeRefused(
        409,
        `${found.length} accounts match, name one by quota=NAMESPACE/NAME, window= and timezone=: ${names.slice(0, 5).join('; ')}`,
      );
    }
    const account = found[0]!;
    try {
      await this.quotas.adjust(account, action, amount, reason);
    } catch (error) {
      throw new QuotaChangeRefused(503, `the ledger cannot be written: ${(error as Error).message}`);
    }
    return this.usageOf(account);
  }

  private find(query: QuotaQuery): Account[] {
    return this.quotas.accounts().filter((account) => matches(account, query));
  }

  private usageOf(account: Account): QuotaUsage {
    const { owner, quota, key, window, timeZone, start, end, used, reserved, extra } = account;
    const { limit, remaining } = leftOf(account, this.now());
    return {
      quota: `${owner}/${quota}`,
      key: partsOf(key),
      window,
      timezone: timeZone,
      from: new Date(start).toISOString(),
      until: new Date(end).toISOString(),
      limit,
      added: extra,
      used,
      reserved,
      remaining,
      before:
        account.lastStart === 0
          ? null
          : { from: new Date(account.lastStart).toISOString(), used: account.lastUsed },
    };
  }
}

function matches(account: AccountName, query: QuotaQuery): boolean {
  const { namespace, quota, key, window, timezone } = query;
  return (
    (namespace === undefined || namespace === account.owner) &&
    (quota === undefined || quota === account.quota) &&
    (window === undefined || window === account.window) &&
    (timezone === undefined || timezone === account.timeZone) &&
    (key === undefined || keyOf(key) === account.key)
  );
}

function partsOf(key: string): string[] {
  return Buffer.from(key, 'latin1').toString('utf8').split('\0');
}

function keyOf(parts: readonly string[]): string {
  return Buffer.from(parts.join('\0'), 'utf8').toString('latin1');
}
