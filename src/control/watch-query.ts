import { parseDuration } from './schema/scalar.ts';

const DEFAULT_MS = 60_000;
const MOST_MS = 3_600_000;

/** A sentence about the first parameter that is not known; null where all are. */
export function unknownParameter(query: URLSearchParams, known: ReadonlySet<string>): string | null {
  const unknown = [...query.keys()].find((name) => !known.has(name));
  if (unknown === undefined) return null;
  return `there is no parameter ${JSON.stringify(unknown)}; there are ${[...known].join(', ')}`;
}

/** `for=30s` in milliseconds, or a sentence where it is wrong. */
export function timeOf(query: URLSearchParams): number | string {
  const limitMs = query.has('for') ? parseDuration(query.get('for')!) : DEFAULT_MS;
  if (limitMs !== null && limitMs > 0 && limitMs <= MOST_MS) return limitMs;
  return 'for: expected a duration up to 1h, such as 30s';
}
