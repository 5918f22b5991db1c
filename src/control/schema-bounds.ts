/** Largest schema that a module may carry. */
export const SCHEMA_BYTES = 256 * 1024;
const MAX_DEPTH = 64;
const MAX_PARTS = 5000;
/** Parts where every `$ref` is replaced by what it means: what one value can cost at most. */
const MAX_EXPANDED = 20_000;

/** What would lead out of the schema, name its parts in a second way, or change how it is run. */
const REFUSED = new Set([
  '$id',
  '$anchor',
  '$dynamicRef',
  '$dynamicAnchor',
  '$recursiveRef',
  '$vocabulary',
  '$async',
]);
const LOCAL_REF = /^#\/(\$defs|definitions)\/([^/~%]+)$/;
const DIALECTS = /^https?:\/\/json-schema\.org\/draft(\/2020-12|\/2019-09|-07|-06)\/schema#?$/;

/**
 * Why a schema that came with a module is not used; null where it may be. A module is not trusted: to
 * compile its schema, and to check a value with it, must take time in proportion to their sizes.
 */
export function schemaFault(schema: unknown): string | null {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    return 'it is not a JSON object';
  const root = schema as Record<string, unknown>;
  const dialect = root['$schema'];
  if (dialect !== undefined && (typeof dialect !== 'string' || !DIALECTS.test(dialect)))
    return `it is written in a dialect that is not known: ${JSON.stringify(dialect).slice(0, 80)}`;
  try {
    new Walk(root).run();
    return null;
  } catch (error) {
    if (error instanceof Unfit) return error.message;
    throw error;
  }
}

class Unfit extends Error {}

class Walk {
  readonly #root: Record<string, unknown>;
  /** Expanded parts of each definition; null while it is being counted. */
  readonly #costs = new Map<string, number | null>();
  #parts = 0;

  constructor(root: Record<string, unknown>) {
    this.#root = root;
  }

  run(): void {
    if (this.#cost(this.#root, 0) > MAX_EXPANDED)
      throw new Unfit(`its references stand for more than ${MAX_EXPANDED} parts`);
  }

  #cost(value: unknown, depth: number): number {
    if (depth > MAX_DEPTH) throw new Unfit(`it is nested in more than ${MAX_DEPTH} levels`);
    if (typeof value !== 'object' || value === null) return 0;
    if (++this.#parts > MAX_PARTS) throw new Unfit(`it has more than ${MAX_PARTS} parts`);
    let cost = 1;
    for (const [name, part] of Object.entries(value)) {
      if (!Array.isArray(value)) {
        if (REFUSED.has(name) && !isProperty(part)) throw new Unfit(`it uses ${name}, which is not offered`);
        if (name === '$ref' && typeof part === 'string') cost += this.#costOf(part);
      }
      cost += this.#cost(part, depth + 1);
      if (cost > MAX_EXPANDED) throw new Unfit(`its references stand for more than ${MAX_EXPANDED} parts`);
    }
    return cost;
  }

  #costOf(reference: string): number {
    const [, list, name] = LOCAL_REF.exec(reference) ?? [];
    const definitions = list === undefined ? undefined : this.#root[list];
    const isThere =
      typeof definitions === 'object' && definitions !== null && Object.hasOwn(definitions, name!);
    if (!isThere) throw new Unfit(`$ref ${JSON.stringify(reference).slice(0, 80)} is none of its own $defs`);
    const known = this.#costs.get(reference);
    if (known === null) throw new Unfit(`$ref ${reference.slice(0, 80)} leads back to itself`);
    if (known !== undefined) return known;
    this.#costs.set(reference, null);
    const parts = this.#parts;
    const cost = this.#cost((definitions as Record<string, unknown>)[name!], 0);
    // They are counted where they stand.
    this.#parts = parts;
    this.#costs.set(reference, cost);
    return cost;
  }
}

/** A property may have the name of a keyword; what it is then is a schema. */
function isProperty(part: unknown): boolean {
  return typeof part === 'object' && part !== null;
}
