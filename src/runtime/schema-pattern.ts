import { LinearRegex } from './regex.ts';

/** What ajv asks of a pattern. */
export interface SchemaPattern {
  readonly test: (text: string) => boolean;
  /** By this ajv tells them apart. */
  readonly toString: () => string;
}

/**
 * A pattern of a JSON Schema, matched in linear time: JavaScript's own engine would let whoever wrote the pattern, or the
 * text, stop weir. A pattern of JSON Schema need not match the whole text.
 *
 * @throws PatternError where that cannot be done for it
 */
export function schemaPattern(pattern: string): SchemaPattern {
  const regex = new LinearRegex(`[\\s\\S]*(?:${pattern})[\\s\\S]*`, true);
  return {
    test: (text) => {
      const bytes = Buffer.from(text);
      return regex.matches(bytes, 0, bytes.length);
    },
    toString: () => pattern,
  };
}
