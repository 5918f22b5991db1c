import * as z from 'zod';
import { capacityFits } from '../../runtime/limit.ts';
import { isTimeZone } from '../../runtime/quota/window.ts';
import { object } from './meta.ts';
import { filterDuration, integer, refuse } from './scalar.ts';

const DAY = 24 * 3_600_000;
const MOST_REQUESTS = 1_000_000_000;
const NAME = /^[ !#-[\]-~]{1,64}$/;
const PERCENT = /^[0-9]{1,3}%$/;
const PERIOD = /^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$/;

const name = () => z.string().regex(NAME, { error: 'must be 1 to 64 printable characters without " and \\' });
const amount = () => integer(0, Number.MAX_SAFE_INTEGER);
const share = () =>
  z.union([
    amount(),
    z.string().regex(PERCENT, { error: 'must be a whole number or a percentage such as 80%' }),
  ]);

const quota = () =>
  z.strictObject({
    name: name().describe('In the RateLimit fields, in metrics, in `weir quota`.'),
    limit: amount().describe('What each key of the filter may use in a window.'),
    window: z
      .enum(['month', 'hour', 'day', 'week', 'year'])
      .optional()
      .describe('By the calendar: from midnight, from Monday (`week`), from the first. Default: month.'),
    timezone: z
      .string()
      .refine(isTimeZone, { error: 'must be a name of the IANA database such as Europe/Berlin' })
      .optional()
      .describe('Whose calendar it is. Default: UTC.'),
    soft: share()
      .optional()
      .describe(
        'From here on clients and the log are warned: an amount, or `80%` of the limit. Default: never.',
      ),
    grace: share()
      .optional()
      .describe(
        'What is let through beyond the limit, with a warning: an amount or a percentage. Default: nothing.',
      ),
  });

const limit = () =>
  z
    .strictObject({
      requests: integer(1, MOST_REQUESTS).describe(
        'Requests in each period; for `concurrency` how many may be under way at a time.',
      ),
      per: z
        .string()
        .meta({ pattern: PERIOD.source })
        .optional()
        .describe(
          'The period: `500ms`, `1s`, `1m`, `1h30m`, at most 31 days. Required, but for `concurrency`.',
        ),
      burst: integer(0, MOST_REQUESTS)
        .optional()
        .describe("How many may come at once. Default: a whole period's for `token-bucket`, one for `gcra`."),
      algorithm: z
        .enum(['token-bucket', 'gcra', 'fixed-window', 'sliding-window', 'concurrency'])
        .optional()
        .describe('How it is counted, see the filter rate-limit. Default: token-bucket.'),
    })
    .superRefine(({ requests, per, burst = 0, algorithm = 'token-bucket' }, ctx) => {
      if (burst > 0 && algorithm !== 'token-bucket' && algorithm !== 'gcra')
        refuse(ctx, 'WEIR1046', 'only token-bucket and gcra have a burst', ['burst']);
      if (algorithm === 'concurrency') {
        if (per !== undefined) refuse(ctx, 'WEIR1046', 'concurrency has no period', ['per']);
        return;
      }
      if (per === undefined) {
        refuse(ctx, 'WEIR1046', `${algorithm} needs per, its period`);
        return;
      }
      const periodMs = filterDuration(per);
      if (periodMs === null || periodMs < 1 || periodMs > 31 * DAY)
        refuse(ctx, 'WEIR1044', `must be a duration of 1ms to 31d such as 1s or 1h30m, got "${per}"`, [
          'per',
        ]);
      else if (!capacityFits(requests, burst, periodMs))
        refuse(ctx, 'WEIR1044', 'too many for so long a period', ['requests']);
    });

const taken = () => z.union([integer(1, MOST_REQUESTS), z.string().min(1)]);

const cost = () =>
  z.union([
    taken(),
    z.strictObject({
      request: taken().optional().describe('Taken when the request comes.'),
      response: z.string().min(1).optional().describe('An attribute of the answer, charged when it is over.'),
      per: integer(1, MOST_REQUESTS).optional().describe("Of the response's cost so many count as one."),
    }),
  ]);

const rateLimit = () =>
  z.strictObject({
    name: name().optional().describe('In the RateLimit fields. Default: `default`.'),
    limit: limit().describe('How much, and how it is counted.'),
    cost: cost()
      .optional()
      .describe(
        'What one request takes: a number, an attribute, or as the answer says. Default: that of the filter.',
      ),
  });

export const planSpec = z
  .strictObject({
    description: z.string().max(1024).optional().describe('For people.'),
    quotas: z
      .array(quota())
      .max(16)
      .default([])
      .describe('For filters quota: what a consumer may use in a window, all of them.'),
    rateLimits: z
      .array(rateLimit())
      .max(8)
      .default([])
      .describe('For filters rate-limit: how fast it may come, all of them.'),
  })
  .superRefine(({ quotas, rateLimits }, ctx) => {
    if (quotas.length + rateLimits.length === 0) refuse(ctx, 'WEIR1046', 'a Plan needs quotas or rateLimits');
    for (const [field, items] of Object.entries({ quotas, rateLimits })) {
      const names = new Set<string>();
      for (const [i, { name: given = 'default' }] of items.entries()) {
        if (names.has(given))
          refuse(ctx, 'WEIR1046', `${field} name "${given}" is used twice in this Plan`, [field, i]);
        names.add(given);
      }
    }
  });

export const plan = object(['policy.weir/v1alpha1'], 'Plan', planSpec).describe(
  'What a consumer may use: quotas and rate limits, named by `plan` of Consumers. Filters select Plans by label with `planLabel`. See plans.md.',
);
