import { randomBytes } from 'node:crypto';
import type { ExplainSpec } from '../explain/live.ts';
import { parseDuration } from './schema/scalar.ts';

/** As an admin asks that requests be explained. */
export interface ExplainRequest {
  readonly spec: ExplainSpec;
  /** Milliseconds. */
  readonly limitMs: number;
}

const KNOWN = new Set(['count', 'for', 'redact']);
const DEFAULT_MS = 60_000;
const MOST_MS = 3_600_000;
const MOST_REQUESTS = 1000;

/**
 * Reads `/explain?count=10&for=30s&redact=x-session`.
 *
 * @returns a sentence where something is wrong
 */
export function readExplainRequest(query: URLSearchParams): ExplainRequest | string {
  const unknown = [...query.keys()].find((name) => !KNOWN.has(name));
  if (unknown !== undefined)
    return `there is no parameter ${JSON.stringify(unknown)}; there are ${[...KNOWN].join(', ')}`;
  const limitMs = query.has('for') ? parseDuration(query.get('for')!) : DEFAULT_MS;
  if (limitMs === null || limitMs <= 0 || limitMs > MOST_MS)
    return 'for: expected a duration up to 1h, such as 30s';
  const count = Number(query.get('count') ?? 1);
  if (!Number.isInteger(count) || count < 1 || count > MOST_REQUESTS)
    return `count: expected a number of requests, 1 to ${MOST_REQUESTS}`;
  const key = randomBytes(32).toString('base64');
  return { spec: { key, count, redact: query.getAll('redact') }, limitMs };
}
