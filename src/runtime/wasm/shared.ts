import { Status } from './abi.ts';
import { SHARED_BYTES, SHARED_KEYS } from './limits.ts';

export interface SharedValue {
  readonly value: Uint8Array;
  /** Changes with every write; never 0. */
  readonly cas: number;
}

/**
 * Shared data: values by key, in namespaces. Calls answer at once, because a guest waits for them; a
 * store that spans workers keeps its data where all of them can reach it.
 */
export interface SharedStore {
  get(namespace: string, key: string): SharedValue | undefined;
  /**
   * @param value the store keeps it
   * @param cas 0 writes in any case, another value only where it is the key's own; a key that is not
   *   there takes any
   */
  set(
    namespace: string,
    key: string,
    value: Uint8Array,
    cas: number,
  ): typeof Status.Ok | typeof Status.CasMismatch | typeof Status.InternalFailure;
}

/** The namespace of what is shared: VM ids of two tenants never meet. */
export function spaceOf(tenant: string, vmId: string): string {
  return `${tenant}\0${vmId}`;
}

interface Namespace {
  readonly values: Map<string, SharedValue>;
  /** Of keys and values. */
  bytes: number;
}

/** The data of one worker process, `SHARED_KEYS` keys and `SHARED_BYTES` bytes a namespace. */
export class LocalSharedStore implements SharedStore {
  readonly #namespaces = new Map<string, Namespace>();
  #lastCas = 0;

  get(namespace: string, key: string): SharedValue | undefined {
    return this.#namespaces.get(namespace)?.values.get(key);
  }

  set(namespace: string, key: string, value: Uint8Array, cas: number): ReturnType<SharedStore['set']> {
    let space = this.#namespaces.get(namespace);
    if (space === undefined) this.#namespaces.set(namespace, (space = { values: new Map(), bytes: 0 }));
    const before = space.values.get(key);
    if (before !== undefined && cas !== 0 && cas !== before.cas) return Status.CasMismatch;
    const bytes = space.bytes + value.length - (before === undefined ? -key.length : before.value.length);
    if (bytes > SHARED_BYTES || (before === undefined && space.values.size >= SHARED_KEYS))
      return Status.InternalFailure;
    space.bytes = bytes;
    this.#lastCas = this.#lastCas === 0xffff_ffff ? 1 : this.#lastCas + 1;
    space.values.set(key, { value, cas: this.#lastCas });
    return Status.Ok;
  }
}
