import { OWN_PREFIX } from './filter-state.ts';
import { DECLARED_PROPERTIES } from './limits.ts';
import type { StateType } from './stream-host.ts';

/** What `declare_property` said about a property before it is set. */
export interface PropertyDeclaration {
  readonly type: StateType;
  readonly readOnly: boolean;
  readonly ofConnection: boolean;
}

/** The same with the key of the filter state that it is kept under. */
export interface DeclaredProperty extends PropertyDeclaration {
  readonly key: string;
}

const UNDECLARED: PropertyDeclaration = { type: 'bytes', readOnly: false, ofConnection: false };

/** The properties that one root context has declared, by path, and some that it has only set. */
export class DeclaredProperties {
  readonly #declared = new Map<string, DeclaredProperty>();
  /** So that a property that each stream sets costs no text each time. */
  readonly #undeclared = new Map<string, DeclaredProperty>();

  /** False where the path was declared before: the first stands. */
  declare(path: string, declaration: PropertyDeclaration): boolean {
    if (this.#declared.has(path) || this.#declared.size >= DECLARED_PROPERTIES) return false;
    this.#declared.set(path, { key: OWN_PREFIX + path, ...declaration });
    this.#undeclared.delete(path);
    return true;
  }

  of(path: string): DeclaredProperty {
    const known = this.#declared.get(path) ?? this.#undeclared.get(path);
    if (known !== undefined) return known;
    const property = { key: OWN_PREFIX + path, ...UNDECLARED };
    if (this.#undeclared.size < DECLARED_PROPERTIES) this.#undeclared.set(path, property);
    return property;
  }
}
