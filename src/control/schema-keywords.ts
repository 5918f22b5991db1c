import type { Ajv2020 } from 'ajv/dist/2020.js';
import { PatternError } from '../runtime/regex-parse.ts';
import { schemaPattern, type SchemaPattern } from '../runtime/schema-pattern.ts';
import { parseSize } from './schema/scalar.ts';

type Bounds = readonly [least: number, most: number];

const BOUNDS = { type: 'array', items: { type: 'number' }, minItems: 2, maxItems: 2 };

/** The keywords that schemas of configuration classes use beside the standard's. */
export function addKeywords(ajv: Ajv2020): void {
  const shared = { metaSchema: BOUNDS, errors: false };
  ajv.addKeyword({ keyword: 'x-weir-duration', validate: within(filterDuration), ...shared });
  ajv.addKeyword({ keyword: 'x-weir-size', validate: within(parseSize), ...shared });
}

const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds of a duration as filters have them: with days, and with more digits than weir's own. */
function filterDuration(text: string): number | null {
  if (!/^(\d{1,12}d)?(\d{1,12}h)?(\d{1,12}m)?(\d{1,12}s)?(\d{1,12}ms)?$/.test(text)) return null;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(d|h|ms|m|s)/g))
    total += Number(amount) * UNIT_MS[unit!]!;
  return total;
}

/** Text that is no duration or size at all is told by the pattern beside it, a number where none may be by the type. */
function within(parse: (text: string) => number | null) {
  return (bounds: Bounds, value: unknown): boolean => {
    const amount = typeof value === 'string' ? parse(value) : value;
    return typeof amount !== 'number' || (amount >= bounds[0] && amount <= bounds[1]);
  };
}

/**
 * Patterns of schemas that came with modules, matched in linear time. One that this cannot be done for is not checked,
 * and noted in `skipped`.
 */
export function linearEngine(skipped: string[]) {
  const engine = (pattern: string): SchemaPattern => {
    try {
      return schemaPattern(pattern);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      skipped.push(pattern);
      return { test: () => true, toString: () => pattern };
    }
  };
  // Only used where ajv writes its code to a file.
  engine.code = '';
  return engine;
}
