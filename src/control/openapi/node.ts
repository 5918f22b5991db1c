import { valueAt } from '../../runtime/json-schema.ts';
import type { Diagnostic } from '../diagnostic.ts';
import type { ConfigDocument, Path } from '../document.ts';
import { listNames, suggest } from '../nearest.ts';

/** A mapping of the document. */
export type Mapping = Readonly<Record<string, unknown>>;

/** A part of the document, and where it stands; of one that was referred to: where it is itself. */
export interface Part {
  readonly value: unknown;
  readonly path: Path;
}

/** An OpenAPI document while it is read: what is wrong with it is collected. */
export class ApiDocument {
  readonly diagnostics: Diagnostic[] = [];
  readonly root: Mapping;
  /** 3.0: its schemas are a dialect of their own. */
  readonly isOld: boolean;
  readonly #document: ConfigDocument;

  constructor(document: ConfigDocument) {
    this.#document = document;
    this.root = isMapping(document.value) ? document.value : {};
    const version = this.root['openapi'];
    this.isOld = typeof version === 'string' && version.startsWith('3.0.');
    if (this.isOld || (typeof version === 'string' && version.startsWith('3.1.'))) return;
    if ('swagger' in this.root)
      this.report(['swagger'], 'this is Swagger 2.0, and weir reads OpenAPI 3.0 and 3.1');
    else if (version === undefined) this.report([], 'this is no OpenAPI document: it has no field "openapi"');
    else this.report(['openapi'], `weir reads OpenAPI 3.0 and 3.1, not ${String(version)}`);
  }

  report(path: Path, message: string, hint?: string, key = false): void {
    this.diagnostics.push(this.#document.fault('WEIR1214', path, message, { hint, key }));
  }

  /** The part itself, or the one that its `$ref` leads to; null where that is wrong, which is reported. */
  resolve(part: Part): Part | null {
    let { value, path } = part;
    const seen = new Set<string>();
    while (isMapping(value) && typeof value['$ref'] === 'string') {
      const ref = value['$ref'];
      const target = this.target(ref, [...path, '$ref']);
      if (target === null) return null;
      if (seen.has(ref)) {
        this.report([...path, '$ref'], `"${ref}" leads back to itself`);
        return null;
      }
      seen.add(ref);
      ({ value, path } = target);
    }
    return { value, path };
  }

  /** What a reference leads to. @param at where it stands */
  target(ref: string, at: Path): Part | null {
    if (!ref.startsWith('#')) {
      this.report(
        at,
        `"${ref}" is in another document, and weir reads this one alone`,
        'put what is referred to under components',
      );
      return null;
    }
    const value = valueAt(this.root, ref.slice(1));
    if (value === undefined) {
      this.report(at, `"${ref}" leads to nothing`);
      return null;
    }
    return { value, path: pathOf(ref) };
  }

  /** A mapping with known fields, and extensions; null where it is none, which is reported. */
  mapping(part: Part, what: string, known: readonly string[] | null = null): Mapping | null {
    if (!isMapping(part.value)) {
      this.report(part.path, `${what} must be a mapping`);
      return null;
    }
    if (known === null) return part.value;
    for (const name of Object.keys(part.value)) {
      if (known.includes(name) || name.startsWith('x-')) continue;
      const hint = suggest(name, known) ?? `known: ${listNames(known, 12)}`;
      this.report([...part.path, name], `${what} has no field "${name}"`, hint, true);
    }
    return part.value;
  }

  list(part: Part, what: string): readonly Part[] {
    if (part.value === undefined) return [];
    if (Array.isArray(part.value))
      return part.value.map((value: unknown, i) => ({ value, path: [...part.path, i] }));
    this.report(part.path, `${what} must be a list`);
    return [];
  }
}

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member of a part. */
export function member({ value, path }: Part, name: string): Part {
  const own = isMapping(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return { value: own, path: [...path, name] };
}

/** Where a reference within the document leads. */
function pathOf(ref: string): Path {
  return partsOfPointer(/%/.test(ref) ? decodeURIComponent(ref) : ref).slice(1);
}

/** Of a JSON pointer (RFC 6901), with what stands before the first slash. */
export function partsOfPointer(pointer: string): string[] {
  return pointer.split('/').map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}
