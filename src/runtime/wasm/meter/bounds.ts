import type { ModuleShape, Signature } from '../binary.ts';
import { ExternKind } from '../binary.ts';

/**
 * How many of each kind a module has of its own. What the pass adds comes behind them, so an index that
 * is checked against these cannot name the meter.
 */
export interface Bounds {
  readonly types: readonly Signature[];
  /** Index into `types` of every function, imported ones first. */
  readonly functionTypes: readonly number[];
  readonly importedFunctions: number;
  readonly tables: number;
  readonly globals: number;
  readonly tags: number;
  readonly elements: number;
}

export function boundsOf(shape: ModuleShape): Bounds {
  const { types, functionTypes, tables, globals, tags, elements } = shape;
  const importedFunctions = shape.imports.filter(({ kind }) => kind === ExternKind.Function).length;
  return { types, functionTypes, importedFunctions, tables, globals, tags, elements };
}
