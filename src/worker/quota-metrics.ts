import type { Logger } from 'pino';
import type { MetricFamily } from '../runtime/metrics.ts';
import type { Account } from '../runtime/quota/account.ts';
import type { QuotaAnswer, QuotaAsk, QuotaOutcome } from '../runtime/quota/quota.ts';
import { family } from './metric-family.ts';

/** Quotas with series of their own; there are as many as filters and Plans say. */
const MAX_QUOTAS = 1000;

interface Counts {
  readonly outcomes: Record<QuotaOutcome, number>;
  charged: number;
  soft: number;
  hard: number;
}

/** What is told of the quotas of one scope. Counts are by quota, never by key: keys are as many as consumers. */
export class QuotaMetrics {
  readonly #counts = new Map<string, Counts>();
  readonly #scope: 'node' | 'cluster';
  readonly #log: Logger;

  constructor(scope: 'node' | 'cluster', log: Logger) {
    this.#scope = scope;
    this.#log = log;
  }

  decided({ owner, quotas }: QuotaAsk, answer: QuotaAnswer): void {
    for (const [i, { name }] of quotas.entries()) {
      // Of several, the one that refuses is the one that refused.
      if (answer.refusedBy >= 0 && answer.refusedBy !== i) continue;
      this.#of(`${owner}/${name}`).outcomes[answer.outcome]++;
    }
  }

  charged({ owner, quota }: Account, amount: number): void {
    this.#of(`${owner}/${quota}`).charged += amount;
  }

  /** Logs it as well. */
  reached({ owner, quota, key, used, limit, extra, end, plan }: Account, mark: 'soft' | 'hard'): void {
    this.#of(`${owner}/${quota}`)[mark]++;
    this.#log.warn(
      {
        quota: `${owner}/${quota}`,
        ...(plan !== '' && { plan: readable(plan) }),
        scope: this.#scope,
        key: readable(key),
        used,
        limit: limit + extra,
        until: new Date(end).toISOString(),
      },
      mark === 'soft' ? 'a quota has reached its soft limit' : 'a quota is used up',
    );
  }

  families(): MetricFamily[] {
    const all = [...this.#counts];
    const scope = this.#scope;
    const of = (read: (counts: Counts) => number): [Record<string, string>, number][] =>
      all.map(([quota, counts]) => [{ quota, scope }, read(counts)]);
    return [
      family(
        'counter',
        'weir_quota_decisions_total',
        'Requests that asked for an amount of a quota.',
        all.flatMap(([quota, { outcomes }]) =>
          Object.entries(outcomes).map(([result, count]): [Record<string, string>, number] => [
            { quota, scope, result },
            count,
          ]),
        ),
      ),
      family(
        'counter',
        'weir_quota_charged_total',
        'Amounts that were charged.',
        of(({ charged }) => charged),
      ),
      family(
        'counter',
        'weir_quota_soft_limits_reached_total',
        'Accounts that reached their soft limit in a window.',
        of(({ soft }) => soft),
      ),
      family(
        'counter',
        'weir_quota_hard_limits_reached_total',
        'Accounts that were refused in a window.',
        of(({ hard }) => hard),
      ),
    ];
  }

  #of(quota: string): Counts {
    let counts = this.#counts.get(quota);
    if (counts === undefined) {
      counts = { outcomes: { admitted: 0, refused: 0, unavailable: 0 }, charged: 0, soft: 0, hard: 0 };
      if (this.#counts.size < MAX_QUOTAS) this.#counts.set(quota, counts);
    }
    return counts;
  }
}

export function reservationFamily(scope: 'node' | 'cluster', count: number): MetricFamily {
  return family('gauge', 'weir_quota_reservations', 'Requests under way for which an amount is kept back.', [
    [{ scope }, count],
  ]);
}

/** A key as people read it: its parts with commas between. */
export function readable(key: string): string {
  return Buffer.from(key, 'latin1').toString('utf8').replaceAll('\0', ', ');
}
