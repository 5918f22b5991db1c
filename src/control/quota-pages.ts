import type { Page } from './admin-page.ts';
import { sendJson, sendText } from './admin-page.ts';
import {
  readQuotaChange,
  readQuotaQuery,
  type QuotaAdjustment,
  type QuotaChange,
  type QuotaQuery,
  type QuotaUsage,
} from './quota-request.ts';

/** The ledger of quotas as the admin server sees it. */
export interface QuotaSource {
  usage(query: QuotaQuery): QuotaUsage[];
  adjustments(query: QuotaQuery): QuotaAdjustment[];
  /** Resolves when it is on disk. @throws QuotaChangeRefused */
  change(change: QuotaChange): Promise<QuotaUsage>;
}

/** Why an account was not changed. */
export class QuotaChangeRefused extends Error {
  override readonly name = 'QuotaChangeRefused';
  readonly status: 404 | 409 | 503;

  constructor(status: 404 | 409 | 503, message: string) {
    super(message);
    this.status = status;
  }
}

export function quotaPages(source: QuotaSource): [path: string, page: Page][] {
  const changed = (action: QuotaChange['action'], about: string): Page => ({
    method: 'POST',
    about,
    answer: async (query, response) => {
      const change = readQuotaChange(action, query);
      if (typeof change === 'string') return sendText(response, 400, `${change}\n`);
      try {
        sendJson(response, 200, await source.change(change));
      } catch (error) {
        if (!(error instanceof QuotaChangeRefused)) throw error;
        sendText(response, error.status, `${error.message}\n`);
      }
    },
  });
  const read = (about: string, answer: (query: QuotaQuery) => unknown): Page => ({
    method: 'GET',
    about,
    answer: (query, response) => {
      const wanted = readQuotaQuery(query);
      if (typeof wanted === 'string') sendText(response, 400, `${wanted}\n`);
      else sendJson(response, 200, answer(wanted));
    },
  });
  return [
    [
      '/quota',
      read('what keys have used of quotas: ?quota=NAMESPACE/NAME&key=KEY', (query) => source.usage(query)),
    ],
    [
      '/quota/adjustments',
      read('top-ups and resets, the newest first, chosen as for /quota', (query) =>
        source.adjustments(query),
      ),
    ],
    [
      '/quota/top-up',
      changed('top-up', 'adds to the limit of a running window: ?quota=…&key=…&amount=1000&reason=…'),
    ],
    [
      '/quota/reset',
      changed('reset', 'sets what was used in a running window to 0: ?quota=…&key=…&reason=…'),
    ],
  ];
}
