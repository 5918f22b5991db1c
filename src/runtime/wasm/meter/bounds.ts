import type { ModuleShape, Signature } from '../binary.ts';
import { ExternKind } from '../binary.ts';
import { UNITS_PER_NS, priceOf } from './prices.ts';

/**
 * How many of each kind a module has of its own. What the pass adds comes behind them, so an index that
 * is checked against these cannot name the meter.
 */
export interface Bounds {
  readonly types: readonly Signature[];
  /** Index into `types` of every function, imported ones first. */
  readonly functionTypes: readonly number[];
  readonly importedFunctions: number;
  /** Units of a call of each imported function; -1: it is called through a function of ours. */
  readonly prices: readonly number[];
  readonly tables: number;
  readonly globals: number;
  readonly tags: number;
  readonly elements: number;
}

export function boundsOf(shape: ModuleShape): Bounds {
  const { types, functionTypes, tables, globals, tags, elements } = shape;
  const prices = shape.imports.flatMap(({ kind, name }) => {
    if (kind !== ExternKind.Function) return [];
    const { ns, sizes } = priceOf(name);
    return [sizes.length > 0 ? -1 : ns * UNITS_PER_NS];
  });
  return { types, functionTypes, importedFunctions: prices.length, prices, tables, globals, tags, elements };
}
