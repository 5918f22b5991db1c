import { randomBytes } from 'node:crypto';
import type { TapSpec } from '../runtime/wasm/tap/tap.ts';
import { parseSize } from './schema/scalar.ts';
import { timeOf, unknownParameter } from './watch-query.ts';

/** A tap as an admin asks for it. */
export interface TapRequest {
  readonly spec: TapSpec;
  /** Milliseconds. */
  readonly limitMs: number;
  readonly limitBytes: number;
}

const KNOWN = new Set(['filter', 'path', 'header', 'count', 'for', 'bytes', 'redact', 'secrets', 'bodies']);
export const ALL_BODIES = Number.MAX_SAFE_INTEGER;
const DEFAULT_BYTES = 1024 * 1024 * 1024;

/**
 * Reads `/tap?filter=NAME&path=/api&header=name:value&count=10&for=30s&bytes=1000000&redact=x-session&secrets=keep&bodies=4Ki`.
 *
 * @returns a sentence where something is wrong
 */
export function readTapRequest(query: URLSearchParams): TapRequest | string {
  const unknown = unknownParameter(query, KNOWN);
  if (unknown !== null) return unknown;
  const filters = query.getAll('filter');
  if (filters.length === 0)
    return 'filter=NAME is missing: whose requests are to be recorded? * is every filter';
  const limitMs = timeOf(query);
  if (typeof limitMs === 'string') return limitMs;
  const count = positive(query.get('count'), Number.MAX_SAFE_INTEGER);
  if (count === null) return 'count: expected a number of requests, 1 or more';
  const limitBytes = positive(query.get('bytes'), DEFAULT_BYTES);
  if (limitBytes === null) return 'bytes: expected a number, 1 or more';
  const secrets = query.get('secrets') ?? 'redact';
  if (secrets !== 'redact' && secrets !== 'keep') return 'secrets: expected redact or keep';
  const bodyBytes = bodyLimit(query.get('bodies') ?? 'none');
  if (bodyBytes === null) return 'bodies: expected none, all, or how much of each, such as 4Ki';
  const headers = query.getAll('header').map((text) => {
    const colon = text.indexOf(':');
    return colon < 0
      ? ([text.toLowerCase(), ''] as const)
      : ([text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim()] as const);
  });
  return {
    spec: {
      filters,
      path: query.get('path') ?? '',
      headers,
      count,
      keepSecrets: secrets === 'keep',
      bodyBytes,
      redact: query.getAll('redact'),
      key: randomBytes(32).toString('base64'),
    },
    limitMs,
    limitBytes,
  };
}

/** Why there is nothing to record; null where there is. @param names of the filters that there are */
export function missingFilter({ spec }: TapRequest, names: readonly string[]): string | null {
  const missing = spec.filters.find(
    (filter) => filter !== '*' && !names.some((name) => name === filter || name.endsWith(`#${filter}`)),
  );
  if (missing === undefined) return null;
  return `no filter is named ${JSON.stringify(missing)}; there are: ${names.join(', ') || 'none'}`;
}

function bodyLimit(text: string): number | null {
  if (text === 'all') return ALL_BODIES;
  return text === 'none' ? 0 : parseSize(text);
}

function positive(text: string | null, otherwise: number): number | null {
  if (text === null) return otherwise;
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : null;
}
