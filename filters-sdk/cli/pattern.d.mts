/** The table of a pattern that a whole text must match; `pattern.mjs` has its layout. @throws Error */
export function patternTable(pattern: string): number[];
