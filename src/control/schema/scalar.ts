import { isIP } from 'node:net';
import * as z from 'zod';
import type { ErrorCode } from '../../errors.ts';
import { regexFault } from '../../runtime/regex.ts';
import { Expression, ExpressionError } from '../../runtime/wasm/cel.ts';

/** How a scalar is called in messages and docs, and what one looks like. */
export interface ScalarName {
  readonly name: string;
  readonly example: string;
}

/** Names of schemas whose JSON type says too little, such as durations. */
export const scalarNames = z.registry<ScalarName>();

function named<T extends z.ZodType>(schema: T, name: string, example: string): T {
  scalarNames.add(schema, { name, example });
  return schema;
}

/** Reports a fault with a code of its own from inside a schema. */
export function refuse(
  ctx: z.RefinementCtx,
  code: ErrorCode,
  message: string,
  path: readonly (string | number)[] = [],
): void {
  ctx.addIssue({ code: 'custom', message, path: [...path], params: { code } });
}

/** A field of the standard or of the model that this version does not act on. */
export function notYet(what: string, instead?: string) {
  return z
    .unknown()
    .superRefine((_, ctx) => {
      const hint = instead === undefined ? '' : `: ${instead}`;
      refuse(ctx, 'WEIR1045', `is not supported yet${hint}`);
    })
    .optional()
    .meta({ description: `Not supported yet: ${what}`, 'x-weir-unsupported': true });
}

/** One of the values of `all`, of which only those of `now` work in this version. */
export function oneOf<const All extends readonly string[], const Now extends All[number]>(
  all: All,
  now: readonly Now[],
) {
  return z
    .enum(all)
    .superRefine((value, ctx) => {
      if ((now as readonly string[]).includes(value)) return;
      refuse(ctx, 'WEIR1045', `"${value}" is not supported yet; supported: ${now.join(', ')}`);
    })
    .transform((value) => value as Now)
    .meta({ 'x-weir-supported': [...now] });
}

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
const DURATION = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/;

/** Milliseconds of a Gateway API duration (GEP-2257), or null where the text is none. */
export function parseDuration(text: string): number | null {
  if (!DURATION.test(text)) return null;
  let total = 0;
  for (const [, digits, unit] of text.matchAll(/([0-9]+)(h|ms|m|s)/g)) {
    total += Number(digits) * UNIT_MS[unit!]!;
  }
  return total;
}

/** Milliseconds of a duration as filters have them: with days, and with more digits than weir's own. */
export function filterDuration(text: string): number | null {
  if (!/^(\d{1,12}d)?(\d{1,12}h)?(\d{1,12}m)?(\d{1,12}s)?(\d{1,12}ms)?$/.test(text)) return null;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(d|h|ms|m|s)/g))
    total += Number(amount) * (unit === 'd' ? 24 * UNIT_MS['h']! : UNIT_MS[unit!]!);
  return total;
}

/** The shortest text for a number of milliseconds. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  for (const unit of ['h', 'm', 's'] as const) {
    if (ms % UNIT_MS[unit]! === 0) return `${ms / UNIT_MS[unit]!}${unit}`;
  }
  return `${ms}ms`;
}

/**
 * A duration as text, milliseconds when read.
 *
 * @param min,max range in milliseconds; a `min` of 0 admits `0s`, which switches the limit off
 */
export function duration(min = 0, max = 24 * 3_600_000) {
  return named(
    z
      .string()
      .transform((text, ctx) => {
        const ms = parseDuration(text);
        if (ms === null) {
          refuse(ctx, 'WEIR1044', `must be a duration such as 250ms, 3s or 1h30m, got "${text}"`);
          return z.NEVER;
        }
        if (ms < min || ms > max) {
          const range = `${formatDuration(min)} to ${formatDuration(max)}`;
          refuse(ctx, 'WEIR1044', `must be ${range}, got ${text}`);
          return z.NEVER;
        }
        return ms;
      })
      .meta({ pattern: DURATION.source, examples: ['250ms'] }),
    'duration',
    '250ms',
  );
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  k: 1000,
  M: 1000 ** 2,
  G: 1000 ** 3,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
};
const SIZE = /^([0-9]{1,12})(Ki|Mi|Gi|k|M|G)?$/;

/** Bytes of a size such as `64Ki`, or null where the text is none. */
export function parseSize(text: string): number | null {
  const found = SIZE.exec(text);
  return found === null ? null : Number(found[1]) * UNIT_BYTES[found[2] ?? '']!;
}

/** The shortest text for a number of bytes. */
export function formatSize(bytes: number): string {
  for (const unit of ['Gi', 'Mi', 'Ki'] as const) {
    if (bytes > 0 && bytes % UNIT_BYTES[unit]! === 0) return `${bytes / UNIT_BYTES[unit]!}${unit}`;
  }
  return String(bytes);
}

/** A size as text or plain number, bytes when read. */
export function size(min: number, max: number) {
  return named(
    z
      .union([z.number(), z.string()])
      .transform((value, ctx) => {
        const bytes = parseSize(String(value));
        if (bytes === null) {
          refuse(ctx, 'WEIR1044', `must be a size such as 512, 64Ki or 1Mi, got "${value}"`);
          return z.NEVER;
        }
        if (bytes < min || bytes > max) {
          refuse(ctx, 'WEIR1044', `must be ${formatSize(min)} to ${formatSize(max)}, got ${value}`);
          return z.NEVER;
        }
        return bytes;
      })
      .meta({ pattern: SIZE.source, examples: ['64Ki'] }),
    'size',
    '64Ki',
  );
}

const RATE = /^([0-9]{1,12}(?:Ki|Mi|Gi|k|M|G)?)\/s$/;

/** Bytes a second such as `1Mi/s`, a number when read. */
export function byteRate(min: number, max: number) {
  return named(
    z
      .string()
      .transform((text, ctx) => {
        const bytes = parseSize(RATE.exec(text)?.[1] ?? '');
        if (bytes === null) {
          refuse(ctx, 'WEIR1044', `must be bytes a second such as 512Ki/s or 10Mi/s, got "${text}"`);
          return z.NEVER;
        }
        if (bytes < min || bytes > max) {
          refuse(ctx, 'WEIR1044', `must be ${formatSize(min)}/s to ${formatSize(max)}/s, got ${text}`);
          return z.NEVER;
        }
        return bytes;
      })
      .meta({ pattern: RATE.source, examples: ['1Mi/s'] }),
    'rate',
    '1Mi/s',
  );
}

/** A whole number in a range. */
export function integer(min: number, max: number) {
  return named(z.number().int().min(min).max(max), `integer ${min}..${max}`, String(min));
}

/** RFC 3339, with the offset that tells which moment is meant. */
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

export const moment = () =>
  z.string().refine((text) => MOMENT.test(text) && !Number.isNaN(Date.parse(text)), {
    error: 'must be a time such as 2027-01-31T00:00:00Z',
  });

export const port = () => named(z.number().int().min(1).max(65_535), 'port number', '8080');

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';

function matching(pattern: RegExp, max: number, what: string, example: string) {
  return named(
    z
      .string()
      .max(max, { error: `must be at most ${max} characters` })
      .regex(pattern, { error: `must be ${what}, such as ${example}` }),
    'string',
    example,
  );
}

/** Names of objects: DNS subdomain. */
export const objectName = () =>
  matching(
    new RegExp(`^${LABEL}(\\.${LABEL})*$`),
    253,
    'lower-case letters, digits, "-" and "."',
    'checkout-v1',
  );

/** Names inside objects: listeners, rules, filters. */
export const sectionName = objectName;

export const namespaceName = () =>
  matching(new RegExp(`^${LABEL}$`), 63, 'lower-case letters, digits and "-"', 'shop');

export const group = () =>
  matching(new RegExp(`^$|^${LABEL}(\\.${LABEL})*$`), 253, 'an API group', 'policy.weir');

export const kind = () =>
  matching(/^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/, 63, 'the name of a kind', 'Upstream');

const notAnAddress = (value: string) => isIP(value) === 0;

/** A DNS name, wildcards as the first label allowed. */
export const hostname = () =>
  matching(
    new RegExp(`^(\\*\\.)?${LABEL}(\\.${LABEL})*$`),
    253,
    'a lower-case DNS name without port',
    '*.example.com',
  ).refine(notAnAddress, { error: 'must be a DNS name, not an IP address' });

/** A DNS name without wildcard. */
export const preciseHostname = () =>
  matching(
    new RegExp(`^${LABEL}(\\.${LABEL})*$`),
    253,
    'a lower-case DNS name without port or wildcard',
    'shop.example.com',
  );

/** An IP literal or a DNS name. */
export const address = () =>
  named(
    z
      .string()
      .max(253)
      .refine((value) => isIP(value) !== 0 || /^[a-zA-Z0-9_]([-a-zA-Z0-9_.]*[a-zA-Z0-9])?\.?$/.test(value), {
        error: 'must be an IP address or a DNS name, without scheme and port',
      }),
    'address',
    '127.0.0.1',
  );

export const headerName = () =>
  matching(/^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/, 256, 'a header name', 'x-request-id');

/** A field value as RFC 9110, section 5.5, lets it be sent: no control characters, no outer spaces. */
export const headerValue = () =>
  named(
    z
      .string()
      .max(4096)
      .refine((value) => /^([!-~\u0080-\u00ff]+([\t ]+[!-~\u0080-\u00ff]+)*)?$/.test(value), {
        error: 'must be printable, without spaces at its ends',
      }),
    'string',
    'checkout',
  );

/** A CEL expression over properties (docs/properties.md). */
export const expression = () =>
  named(
    z.string().superRefine((text, ctx) => {
      const fault = checkExpression(text);
      if (fault !== null) ctx.addIssue({ code: 'custom', message: fault });
    }),
    'a CEL expression',
    'request.path',
  );

/** What is wrong with a CEL expression; null where the runtime takes it. */
function checkExpression(text: string): string | null {
  try {
    new Expression(text);
    return null;
  } catch (error) {
    if (error instanceof ExpressionError) return `must be a CEL expression (${error.message})`;
    throw error;
  }
}

/** What is wrong with a regular expression; null where the runtime takes it. It must match a value as a whole. */
export function checkRegex(source: string): string | null {
  if (source.length > 1024) return 'must be at most 1024 characters';
  const fault = regexFault(source);
  return fault === null ? null : `must be a regular expression (${fault})`;
}
