import type { Ajv2020 } from 'ajv/dist/2020.js';
import type { DataValidationCxt } from 'ajv/dist/types/index.js';
import { isTimeZone } from '../runtime/quota/window.ts';
import { PatternError } from '../runtime/regex-parse.ts';
import { schemaPattern, type SchemaPattern } from '../runtime/schema-pattern.ts';
import { filterDuration, parseSize } from './schema/scalar.ts';

type Bounds = readonly [least: number, most: number];

const BOUNDS = { type: 'array', items: { type: 'number' }, minItems: 2, maxItems: 2 };

/**
 * The keywords that schemas use beside the standard's.
 *
 * @param onUpstream is told of each value that names an Upstream, with its JSON pointer
 */
export function addKeywords(ajv: Ajv2020, onUpstream: (name: string, pointer: string) => void): void {
  ajv.addKeyword({
    keyword: 'x-weir-upstream',
    type: 'string',
    schemaType: 'boolean',
    errors: false,
    validate: (names: boolean, value: string, _schema?: unknown, at?: DataValidationCxt): boolean => {
      if (names && at !== undefined) onUpstream(value, at.instancePath);
      return true;
    },
  });
  ajv.addKeyword({
    keyword: 'x-weir-time-zone',
    type: 'string',
    schemaType: 'boolean',
    errors: false,
    validate: (wanted: boolean, name: string): boolean => !wanted || isTimeZone(name),
  });
  const shared = { metaSchema: BOUNDS, errors: false };
  ajv.addKeyword({ keyword: 'x-weir-duration', validate: within(filterDuration), ...shared });
  ajv.addKeyword({ keyword: 'x-weir-size', validate: within(parseSize), ...shared });
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
