import { Status } from './abi.ts';
import { SharedTable, type SharedValue } from './shared-table.ts';

/**
 * The namespace of what is shared, as guests spell it: VM ids of two tenants never meet. Byte by byte, as keys
 * and names are: a guest passes UTF-8, and one character stands for each byte of it.
 */
export function spaceOf(tenant: string, vmId: string): string {
  return `${prefixOf(tenant)}${vmId}`;
}

export function prefixOf(tenant: string): string {
  return `${Buffer.from(tenant).toString('latin1')}\0`;
}

/**
 * Shared data and queues, in spaces. Calls answer at once, because a guest waits for them, and each takes
 * effect between two others, whatever worker they come from.
 */
export interface SharedState {
  get(space: string, key: string): SharedValue | undefined;
  /**
   * @param value the state keeps it
   * @param cas 0 writes in any case, another value only where it is the key's own; a key that is not
   *   there takes any
   * @param ttlMs how long it is there; 0: until somebody writes or removes it
   * @returns Ok, CasMismatch, or InternalFailure where there is no room
   */
  set(space: string, key: string, value: Uint8Array, cas: number, ttlMs?: number): Status;
  /**
   * Adds to a counter, a value of eight bytes, i64 little-endian, that begins with 0.
   *
   * @param ttlMs how long a counter is there that is made by this; 0: as above
   * @returns its bytes, or BadArgument where the value is none, or InternalFailure without room
   */
  add(space: string, key: string, delta: bigint, ttlMs: number): Uint8Array | Status;
  /** @param cas 0 removes in any case. @returns Ok, NotFound, CasMismatch or InternalFailure */
  remove(space: string, key: string, cas: number): Status;
  /** Keys that begin with `prefix`. */
  keys(space: string, prefix: string): string[];
  /** A plugin of the space starts. What a space holds goes with its last plugin. */
  hold(space: string): void;
  release(space: string): void;
  /** Creates or opens a queue whose items `onReady` tells of. Returns 0 where there is no room. */
  register(space: string, name: string): number;
  /** No root context of this worker is left to be told. */
  unregister(id: number): void;
  /** 0 where no such queue was registered. */
  resolve(space: string, name: string): number;
  /**
   * @param prefix of the spaces whose queues the guest may use
   * @returns Ok, NotFound, or InternalFailure where the queue is full
   */
  enqueue(prefix: string, id: number, item: Uint8Array): Status;
  /** @returns the oldest item, NotFound or Empty; no other caller gets it */
  dequeue(prefix: string, id: number): Uint8Array | Status;
  /** Called once for each item, soon, where this worker is the one to be told. Set by the host. */
  onReady: (queue: number) => void;
}

/** The state of one process that shares with no other. */
export class LocalSharedState implements SharedState {
  onReady: (queue: number) => void = () => undefined;
  readonly #table = new SharedTable((_worker, queue, items) => {
    for (let i = 0; i < items; i++) this.onReady(queue);
  });
  /** Plugins by space: the table knows workers, of which there is one here. */
  readonly #holds = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number = () => Date.now()) {
    this.#now = now;
  }

  get(space: string, key: string): SharedValue | undefined {
    return this.#table.get(space, key, this.#now());
  }

  set(space: string, key: string, value: Uint8Array, cas: number, ttlMs = 0): Status {
    const now = this.#now();
    return this.#table.set(space, key, value, cas, now, ttlMs === 0 ? 0 : now + ttlMs);
  }

  add(space: string, key: string, delta: bigint, ttlMs: number): Uint8Array | Status {
    const now = this.#now();
    return this.#table.add(space, key, delta, now, ttlMs === 0 ? 0 : now + ttlMs);
  }

  remove(space: string, key: string, cas: number): Status {
    return this.#table.remove(space, key, cas, this.#now());
  }

  keys(space: string, prefix: string): string[] {
    return this.#table.keys(space, prefix, this.#now());
  }

  hold(space: string): void {
    const count = this.#holds.get(space) ?? 0;
    this.#holds.set(space, count + 1);
    if (count === 0) this.#table.hold(0, space);
  }

  release(space: string): void {
    const count = this.#holds.get(space) ?? 0;
    if (count > 1) this.#holds.set(space, count - 1);
    else if (this.#holds.delete(space)) this.#table.release(0, space);
  }

  register(space: string, name: string): number {
    return this.#table.register(0, space, name);
  }

  unregister(id: number): void {
    this.#table.unregister(0, id);
  }

  resolve(space: string, name: string): number {
    return this.#table.resolve(space, name);
  }

  enqueue(prefix: string, id: number, item: Uint8Array): Status {
    if (this.#table.spaceOf(id)?.startsWith(prefix) !== true) return Status.NotFound;
    return this.#table.enqueue(id, item);
  }

  dequeue(prefix: string, id: number): Uint8Array | Status {
    if (this.#table.spaceOf(id)?.startsWith(prefix) !== true) return Status.NotFound;
    return this.#table.dequeue(id) ?? Status.Empty;
  }
}
