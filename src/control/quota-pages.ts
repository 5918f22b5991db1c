import type { ServerResponse } from 'node:http';
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

/** The ledgers of quotas as the admin server sees them. All throw {@link QuotaRefused}. */
export interface QuotaSource {
  usage(query: QuotaQuery): Promise<QuotaUsage[]>;
  adjustments(query: QuotaQuery): Promise<QuotaAdjustment[]>;
  /** Resolves when it is on disk, or in the Store. */
  change(change: QuotaChange): Promise<QuotaUsage>;
}

/** Why accounts are not shown or changed. */
export class QuotaRefused extends Error {
  override readonly name = 'QuotaRefused';
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
      await answerWith(response, source.change(change));
    },
  });
  const read = (about: string, answer: (query: QuotaQuery) => Promise<unknown>): Page => ({
    method: 'GET',
    about,
    answer: async (query, response) => {
      const wanted = readQuotaQuery(query);
      if (typeof wanted === 'string') sendText(response, 400, `${wanted}\n`);
      else await answerWith(response, answer(wanted));
    },
  });
  return [
    [
      '/quota',
      read('what keys have used of quotas: ?quota=NAMESPACE/NAME&key=KEY&scope=cluster', (query) =>
        source.usage(query),
      ),
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

async function answerWith(response: ServerResponse, answer: Promise<unknown>): Promise<void> {
  try {
    sendJson(response, 200, await answer);
  } catch (error) {
    if (!(error instanceof QuotaRefused)) throw error;
    sendText(response, error.status, `${error.message}\n`);
  }
}
