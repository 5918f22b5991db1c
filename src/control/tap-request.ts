import { randomBytes } from 'node:crypto';
import type { TapSpec } from '../runtime/wasm/tap/tap.ts';
import { parseDuration, parseSize } from './schema/scalar.ts';

/** A tap as an admin asks for it. */
export interface TapRequest {
  readonly spec: TapSpec;
  /** Milliseconds. */
  readonly limitMs: number;
  readonly limitBytes: number;
}

/** Where the lines of a tap go. */
export interface TapSink {
  /** Resolves when the reader has taken them. */
  write(lines: string): Promise<void>;
  /** Aborted when the reader is gone. */
  readonly signal: AbortSignal;
}

const KNOWN = new Set(['filter', 'path', 'header', 'count', 'for', 'bytes', 'redact', 'secrets', 'bodies']);
export const ALL_BODIES = Number.MAX_SAFE_INTEGER;
const DEFAULT_MS = 60_000;
const MOST_MS = 3_600_000;
const DEFAULT_BYTES = 1024 * 1024 * 1024;

/**
 * Reads `/tap?filter=NAME&path=/api&header=name:value&count=10&for=30s&bytes=1000000&redact=x-session&secrets=keep&bodies=4Ki`.
 *
 * @returns a sentence where something is wrong
 */
export function readTapRequest(query: URLSearchParams): TapRequest | string {
  const unknown = [...query.keys()].find((name) => !KNOWN.has(name));
  if (unknown !== undefined)
    return `there is no parameter ${JSON.stringify(unknown)}; there are ${[...KNOWN].join(', ')}`;
  const filters = query.getAll('filter');
  if (filters.length === 0)
    return 'filter=NAME is missing: whose requests are to be recorded? * is every filter';
  const limitMs = query.has('for') ? parseDuration(query.get('for')!) : DEFAULT_MS;
  if (limitMs === null || limitMs <= 0 || limitMs > MOST_MS)
    return 'for: expected a duration up to 1h, such as 30s';
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

function bodyLimit(text: string): number | null {
  if (text === 'all') return ALL_BODIES;
  return text === 'none' ? 0 : parseSize(text);
}

function positive(text: string | null, otherwise: number): number | null {
  if (text === null) return otherwise;
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : null;
}
