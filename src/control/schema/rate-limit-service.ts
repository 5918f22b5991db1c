import * as z from 'zod';
import { capacityFits } from '../../runtime/limit.ts';
import { object } from './meta.ts';
import { duration, integer, objectName, refuse } from './scalar.ts';

const DAY = 24 * 3_600_000;
const MOST = 1_000_000_000;

const limit = () =>
  z
    .strictObject({
      requests: integer(1, MOST).describe('Hits in each period.'),
      per: duration(1, 31 * DAY).describe('The period.'),
      burst: integer(0, MOST)
        .default(0)
        .describe("How many may come at once. 0: a whole period's for `token-bucket`, one for `gcra`."),
      algorithm: z
        .enum(['token-bucket', 'gcra', 'fixed-window', 'sliding-window'])
        .default('fixed-window')
        .describe('How it is counted. See the filter rate-limit.'),
    })
    .superRefine((value, ctx) => {
      if (value.burst > 0 && value.algorithm.endsWith('-window'))
        refuse(ctx, 'WEIR1046', 'only token-bucket and gcra have a burst', ['burst']);
      if (!capacityFits(value.requests, value.burst, value.per))
        refuse(ctx, 'WEIR1044', 'too many for so long a period', ['requests']);
    });

const entry = () =>
  z.strictObject({
    key: z.string().min(1).max(256).describe('Key of the entry that Envoy sends.'),
    value: z
      .string()
      .min(1)
      .max(4096)
      .optional()
      .describe('Its value. Left out: any, each counted by itself.'),
  });

const MOST_ENTRIES = 16;
const MOST_RULES = 10_000;

const ruleFields = () => ({
  descriptor: z
    .array(entry())
    .min(1)
    .max(MOST_ENTRIES)
    .describe('Entries in the order that they are sent in, all of them; in nested limits those behind.'),
  limit: limit().optional().describe('How much.'),
  unlimited: z
    .boolean()
    .default(false)
    .describe('Whatever fits is let through and not counted, though another rule would fit as well.'),
  dryRun: z
    .boolean()
    .default(false)
    .describe(
      'Counts, and lets through what is over the limit; metrics tell of it. What others call shadow mode.',
    ),
});

interface RuleValue {
  readonly limit?: object | undefined;
  readonly unlimited: boolean;
  readonly dryRun: boolean;
  readonly limits?: readonly object[] | undefined;
}

function checkRule(value: RuleValue, ctx: z.RefinementCtx): void {
  const hasLimit = value.limit !== undefined;
  if (hasLimit && value.unlimited) refuse(ctx, 'WEIR1046', 'what is unlimited has no limit', ['limit']);
  if (!hasLimit && value.dryRun) refuse(ctx, 'WEIR1046', 'without a limit nothing is tried', ['dryRun']);
  if (!hasLimit && !value.unlimited && value.limits === undefined)
    refuse(ctx, 'WEIR1044', 'needs `limit`, `unlimited: true` or nested `limits`', ['descriptor']);
}

const nested = <Rule extends z.ZodType>(rule: Rule) =>
  z
    .array(rule)
    .min(1)
    .max(MOST_RULES)
    .optional()
    .describe(
      'Limits of descriptors that begin with these entries and go on with their own. They nest twice; each level may have several entries.',
    );

const innermost = () => z.strictObject(ruleFields()).superRefine(checkRule);
const inner = () => z.strictObject({ ...ruleFields(), limits: nested(innermost()) }).superRefine(checkRule);
const rule = () => z.strictObject({ ...ruleFields(), limits: nested(inner()) }).superRefine(checkRule);

export const rateLimitServiceSpec = z.strictObject({
  domain: z.string().min(1).max(256).describe('`domain` of the filters that ask.'),
  store: objectName()
    .optional()
    .describe('The Store of the namespace to count in. Default: the memory of this process.'),
  onStoreFailure: z
    .enum(['Deny', 'Allow', 'Error'])
    .default('Error')
    .describe(
      'While the Store cannot be asked. Error: the call fails, and `failure_mode_deny` of the filter decides. Deny: over the limit. Allow: within.',
    ),
  limits: z
    .array(rule())
    .min(1)
    .max(MOST_RULES)
    .describe(
      'Of those that fit a descriptor the one with more fixed values counts, from the first entry on. One that none fits is not limited.',
    ),
});

export const rateLimitService = object(
  ['policy.weir/v1alpha1'],
  'RateLimitService',
  rateLimitServiceSpec,
).describe("Limits that `weir ratelimit` serves by Envoy's protocol. See limits.md.");
