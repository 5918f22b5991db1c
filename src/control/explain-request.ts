import { randomBytes } from 'node:crypto';
import type { ExplainSpec } from '../explain/live.ts';
import { timeOf, unknownParameter } from './watch-query.ts';

/** As an admin asks that requests be explained. */
export interface ExplainRequest {
  readonly spec: ExplainSpec;
  /** Milliseconds. */
  readonly limitMs: number;
}

const KNOWN = new Set(['count', 'for', 'redact']);
const MOST_REQUESTS = 1000;

/**
 * Reads `/explain?count=10&for=30s&redact=x-session`.
 *
 * @returns a sentence where something is wrong
 */
export function readExplainRequest(query: URLSearchParams): ExplainRequest | string {
  const unknown = unknownParameter(query, KNOWN);
  if (unknown !== null) return unknown;
  const limitMs = timeOf(query);
  if (typeof limitMs === 'string') return limitMs;
  const count = Number(query.get('count') ?? 1);
  if (!Number.isInteger(count) || count < 1 || count > MOST_REQUESTS)
    return `count: expected a number of requests, 1 to ${MOST_REQUESTS}`;
  const key = randomBytes(32).toString('base64');
  return { spec: { key, count, redact: query.getAll('redact') }, limitMs };
}
