import { DECLARED_PROPERTIES } from './limits.ts';
import type { StateType } from './stream-host.ts';

/** What `declare_property` said about a property before it is set. */
export interface DeclaredProperty {
  readonly type: StateType;
  readonly readOnly: boolean;
  readonly ofConnection: boolean;
}

const UNDECLARED: DeclaredProperty = { type: 'bytes', readOnly: false, ofConnection: false };

/** The properties that one root context has declared, by path. */
export class DeclaredProperties {
  readonly #byPath = new Map<string, DeclaredProperty>();

  /** False where the path was declared before: the first stands. */
  declare(path: string, property: DeclaredProperty): boolean {
    if (this.#byPath.has(path) || this.#byPath.size >= DECLARED_PROPERTIES) return false;
    this.#byPath.set(path, property);
    return true;
  }

  of(path: string): DeclaredProperty {
    return this.#byPath.get(path) ?? UNDECLARED;
  }
}
