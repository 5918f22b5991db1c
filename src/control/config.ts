import type { Diagnostic } from './diagnostic.ts';
import type { ConfigDocument, FaultOptions, Path } from './document.ts';
import type { ErrorCode } from '../errors.ts';
import { nearest, listNames } from './nearest.ts';
import type { KindName, ValueOf } from './schema/kind.ts';
import { mayBe, unreadOf, type Unread } from './unread.ts';
import { validateDocument, type ConfigObject } from './validate.ts';

/** An object whose value can be used. */
export type UsableObject<K extends KindName> = ConfigObject<K> & { readonly value: ValueOf<K> };

/**
 * The objects of one configuration, by kind, namespace and name. Their order does not depend on
 * the files that they came from, so the same objects always compile to the same snapshot.
 */
export class Config {
  readonly diagnostics: Diagnostic[] = [];
  readonly #objects = new Map<KindName, Map<string, ConfigObject>>();
  readonly #unread: Unread[];

  /** @param unread documents that were there and could not be read */
  constructor(documents: readonly ConfigDocument[], unread: readonly Unread[] = []) {
    this.#unread = [...unread];
    for (const document of documents) {
      const { object, diagnostics } = validateDocument(document);
      this.diagnostics.push(...diagnostics);
      if (object === null) this.#unread.push(unreadOf(document.value));
      else this.#add(object);
    }
  }

  #add(object: ConfigObject): void {
    const { kind, namespace, name, document } = object;
    let ofKind = this.#objects.get(kind);
    if (ofKind === undefined) this.#objects.set(kind, (ofKind = new Map()));
    const key = `${namespace}/${name}`;
    const first = ofKind.get(key);
    if (first === undefined) {
      ofKind.set(key, object);
      return;
    }
    this.diagnostics.push(
      document.fault('WEIR2001', ['metadata', 'name'], `${kind} ${key} is declared twice`, {
        related: [first.document.place(['metadata', 'name'])],
      }),
    );
  }

  /** All usable objects of a kind, by namespace and name. */
  all<K extends KindName>(kind: K): UsableObject<K>[] {
    const objects = [...(this.#objects.get(kind)?.values() ?? [])] as unknown as ConfigObject<K>[];
    return objects
      .filter((object): object is UsableObject<K> => object.value !== null)
      .sort((a, b) => compareText(a.namespace, b.namespace) || compareText(a.name, b.name));
  }

  /** The object, usable or not; undefined where none is declared. */
  find<K extends KindName>(kind: K, namespace: string, name: string): ConfigObject<K> | undefined {
    return this.#objects.get(kind)?.get(`${namespace}/${name}`) as ConfigObject<K> | undefined;
  }

  /** Names of the kind in a namespace, usable or not, sorted. */
  names(kind: KindName, namespace: string): string[] {
    const objects = [...(this.#objects.get(kind)?.values() ?? [])];
    return objects
      .filter((object) => object.namespace === namespace)
      .map((object) => object.name)
      .sort();
  }

  /** Reports a fault in an object. */
  report(object: ConfigObject, code: ErrorCode, path: Path, message: string, options?: FaultOptions): void {
    this.diagnostics.push(object.document.fault(code, path, message, options));
  }

  /** Reports a reference to something that is not declared, with what it could have been; not where it may be what was not read. */
  reportMissing(
    object: ConfigObject,
    code: ErrorCode,
    path: Path,
    what: string,
    wanted: { readonly kind: KindName; readonly namespace: string; readonly name: string },
  ): void {
    const { kind, namespace, name } = wanted;
    if (this.#unread.some((each) => mayBe(each, kind, name))) return;
    const known = this.names(kind, namespace);
    const close = nearest(name, known);
    const elsewhere = [...(this.#objects.get(kind)?.values() ?? [])].filter((other) => other.name === name);
    const notes =
      known.length > 0
        ? [`known ${kind}s in namespace ${namespace}: ${listNames(known)}`]
        : [`namespace ${namespace} has no ${kind}`];
    for (const other of elsewhere) notes.push(`there is one in namespace ${other.namespace}`);
    this.report(object, code, path, `${what} ${kind} ${namespace}/${name} not found`, {
      hint: close === null ? undefined : `did you mean "${close}"?`,
      notes,
    });
  }
}

/** Order by code units, which does not depend on the locale of the machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
