import { KINDS } from './schema/kind.ts';

/** A document that could not be read, and what it says it is. References to what it may be are not told as faults of their own. */
export interface Unread {
  /** Null: it may be of any kind. */
  readonly kind: string | null;
  /** Null: it may have any name. */
  readonly name: string | null;
}

/** Nothing of it is known. */
export const UNREAD: Unread = { kind: null, name: null };

/** @param value of a document, as far as it could be read */
export function unreadOf(value: unknown): Unread {
  const { kind, metadata } = (value ?? {}) as { kind?: unknown; metadata?: { name?: unknown } | null };
  const name = metadata?.name;
  return {
    // A kind that there is not is a mistake for another.
    kind: typeof kind === 'string' && Object.hasOwn(KINDS, kind) ? kind : null,
    name: typeof name === 'string' ? name : null,
  };
}

export function mayBe(unread: Unread, kind: string, name: string): boolean {
  return (unread.kind ?? kind) === kind && (unread.name ?? name) === name;
}
