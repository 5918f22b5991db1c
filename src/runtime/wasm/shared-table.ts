import { Status } from './abi.ts';
import { QUEUES, QUEUE_BYTES, QUEUE_ITEMS, SHARED_BYTES, SHARED_KEYS, SHARED_TOTAL_BYTES } from './limits.ts';

export interface SharedValue {
  readonly value: Uint8Array;
  /** Changes with every write; never 0. */
  readonly cas: number;
  /** Milliseconds since 1970 from which on it is not there; 0: it stays. */
  readonly expires: number;
}

/** A counter is a value of eight bytes, i64 little-endian. */
const COUNTER_BYTES = 8;

/** What guests of one tenant and VM id share. */
interface Space {
  readonly values: Map<string, SharedValue>;
  /** Of keys and values. */
  bytes: number;
  /** Ids by name. */
  readonly queues: Map<string, number>;
  /** Workers that have plugins of the space. */
  readonly holders: Set<number>;
}

interface Queue {
  readonly space: string;
  readonly items: Uint8Array[];
  bytes: number;
  /** Workers that registered it; the last one is told of items. */
  readonly consumers: number[];
}

/** A table as it is stored: what structured cloning takes. */
export interface TableDump {
  readonly spaces: Map<string, Space>;
  readonly queues: Map<number, Queue>;
  readonly bytes: number;
  readonly lastCas: number;
  readonly lastQueue: number;
}

/**
 * Shared data and queues. Each method is a step from one state to the next that depends on nothing
 * but the state and its arguments: workers that take the same steps have the same table.
 */
export class SharedTable {
  readonly #spaces: Map<string, Space>;
  readonly #queues: Map<number, Queue>;
  /** Of all keys, values and items. */
  #bytes: number;
  #lastCas: number;
  #lastQueue: number;
  /** `items` more of the queue wait for the worker. Called in the middle of a step: it must not take another. */
  readonly #onReady: (worker: number, queue: number, items: number) => void;

  constructor(onReady: (worker: number, queue: number, items: number) => void, dump?: TableDump) {
    this.#onReady = onReady;
    this.#spaces = dump?.spaces ?? new Map<string, Space>();
    this.#queues = dump?.queues ?? new Map<number, Queue>();
    this.#bytes = dump?.bytes ?? 0;
    this.#lastCas = dump?.lastCas ?? 0;
    this.#lastQueue = dump?.lastQueue ?? 0;
  }

  /** The table's own parts: to be stored at once. */
  dump(): TableDump {
    return {
      spaces: this.#spaces,
      queues: this.#queues,
      bytes: this.#bytes,
      lastCas: this.#lastCas,
      lastQueue: this.#lastQueue,
    };
  }

  /** @param now milliseconds since 1970 */
  get(space: string, key: string, now: number): SharedValue | undefined {
    const found = this.#spaces.get(space)?.values.get(key);
    return found === undefined || isOver(found, now) ? undefined : found;
  }

  /** The keys of a space that begin with `prefix`. */
  keys(space: string, prefix: string, now: number): string[] {
    const found: string[] = [];
    for (const [key, value] of this.#spaces.get(space)?.values ?? [])
      if (key.startsWith(prefix) && !isOver(value, now)) found.push(key);
    return found;
  }

  /**
   * @param value the table keeps it
   * @param cas 0 writes in any case, another value only where it is the key's own; a key that is not
   *   there takes any
   * @param now the time of the step, the same for all that take it
   * @param expires as in `SharedValue`
   */
  set(name: string, key: string, value: Uint8Array, cas: number, now: number, expires = 0): Status {
    const space = this.#space(name);
    const before = this.#fresh(space, key, now);
    if (before !== undefined && cas !== 0 && cas !== before.cas) return Status.CasMismatch;
    return this.#put(space, key, value, expires, now);
  }

  /**
   * Adds to a counter, which begins with 0 where there is none.
   *
   * @param expires of a counter that is made by this; one that is there keeps its own
   * @returns its eight bytes, or BadArgument where the value is no counter, or InternalFailure without room
   */
  add(name: string, key: string, delta: bigint, now: number, expires: number): Uint8Array | Status {
    const space = this.#space(name);
    const before = this.#fresh(space, key, now);
    if (before !== undefined && before.value.length !== COUNTER_BYTES) return Status.BadArgument;
    const value = new Uint8Array(COUNTER_BYTES);
    const sum = delta + (before === undefined ? 0n : viewOf(before.value).getBigInt64(0, true));
    viewOf(value).setBigInt64(0, BigInt.asIntN(64, sum), true);
    const status = this.#put(space, key, value, before === undefined ? expires : before.expires, now);
    return status === Status.Ok ? value : status;
  }

  /** @param cas as in `set`. @returns Ok, NotFound or CasMismatch */
  remove(name: string, key: string, cas: number, now: number): Status {
    const space = this.#space(name);
    const before = this.#fresh(space, key, now);
    if (before === undefined) return Status.NotFound;
    if (cas !== 0 && cas !== before.cas) return Status.CasMismatch;
    this.#drop(space, key, before);
    return Status.Ok;
  }

  /** The value of a key; one whose time is over goes. */
  #fresh(space: Space, key: string, now: number): SharedValue | undefined {
    const value = space.values.get(key);
    if (value === undefined || !isOver(value, now)) return value;
    this.#drop(space, key, value);
    return undefined;
  }

  #put(space: Space, key: string, value: Uint8Array, expires: number, now: number): Status {
    if (!this.#hasRoom(space, key, value)) {
      for (const [other, old] of space.values) if (isOver(old, now)) this.#drop(space, other, old);
      if (!this.#hasRoom(space, key, value)) return Status.InternalFailure;
    }
    const more = this.#growth(space, key, value);
    space.bytes += more;
    this.#bytes += more;
    this.#lastCas = this.#lastCas === 0xffff_ffff ? 1 : this.#lastCas + 1;
    space.values.set(key, { value, cas: this.#lastCas, expires });
    return Status.Ok;
  }

  #growth(space: Space, key: string, value: Uint8Array): number {
    const before = space.values.get(key);
    return value.length - (before === undefined ? -key.length : before.value.length);
  }

  #hasRoom(space: Space, key: string, value: Uint8Array): boolean {
    const more = this.#growth(space, key, value);
    if (space.bytes + more > SHARED_BYTES || this.#bytes + more > SHARED_TOTAL_BYTES) return false;
    return space.values.size < SHARED_KEYS || space.values.has(key);
  }

  #drop(space: Space, key: string, { value }: SharedValue): void {
    space.values.delete(key);
    space.bytes -= key.length + value.length;
    this.#bytes -= key.length + value.length;
  }

  /** Creates the queue, or opens it; the worker is told of its items from here on. 0: there are too many. */
  register(worker: number, spaceName: string, name: string): number {
    const space = this.#space(spaceName);
    let id = space.queues.get(name);
    if (id === undefined) {
      if (space.queues.size >= QUEUES) return 0;
      id = ++this.#lastQueue;
      space.queues.set(name, id);
      this.#queues.set(id, { space: spaceName, items: [], bytes: 0, consumers: [] });
    }
    const { consumers, items } = this.#queues.get(id)!;
    const before = consumers.at(-1);
    const at = consumers.indexOf(worker);
    if (at >= 0) consumers.splice(at, 1);
    consumers.push(worker);
    if (before !== worker && items.length > 0) this.#onReady(worker, id, items.length);
    return id;
  }

  /** The worker has nobody left to be told of items: they are the next worker's. */
  unregister(worker: number, id: number): void {
    const queue = this.#queues.get(id);
    if (queue !== undefined) this.#removeConsumer(worker, id, queue);
  }

  /** 0 where no such queue was registered. */
  resolve(space: string, name: string): number {
    return this.#spaces.get(space)?.queues.get(name) ?? 0;
  }

  /** The space of a queue; undefined where there is none. */
  spaceOf(id: number): string | undefined {
    return this.#queues.get(id)?.space;
  }

  /** @param item the table keeps it */
  enqueue(id: number, item: Uint8Array): Status {
    const queue = this.#queues.get(id);
    if (queue === undefined) return Status.NotFound;
    const full = queue.items.length >= QUEUE_ITEMS || queue.bytes + item.length > QUEUE_BYTES;
    if (full || this.#bytes + item.length > SHARED_TOTAL_BYTES) return Status.InternalFailure;
    queue.items.push(item);
    queue.bytes += item.length;
    this.#bytes += item.length;
    const consumer = queue.consumers.at(-1);
    if (consumer !== undefined) this.#onReady(consumer, id, 1);
    return Status.Ok;
  }

  isEmpty(id: number): boolean {
    return (this.#queues.get(id)?.items.length ?? 0) === 0;
  }

  dequeue(id: number): Uint8Array | undefined {
    const queue = this.#queues.get(id);
    const item = queue?.items.shift();
    if (item === undefined) return undefined;
    queue!.bytes -= item.length;
    this.#bytes -= item.length;
    return item;
  }

  /** The worker has plugins of the space, which lives as long as somebody holds it. */
  hold(worker: number, space: string): void {
    this.#space(space).holders.add(worker);
  }

  release(worker: number, name: string): void {
    const space = this.#spaces.get(name);
    if (space === undefined || !space.holders.delete(worker) || space.holders.size > 0) return;
    this.#spaces.delete(name);
    this.#bytes -= space.bytes;
    for (const id of space.queues.values()) {
      this.#bytes -= this.#queues.get(id)!.bytes;
      this.#queues.delete(id);
    }
  }

  /** Those that hold or consume anything. */
  workers(): Set<number> {
    const all = new Set<number>();
    for (const { holders } of this.#spaces.values()) for (const worker of holders) all.add(worker);
    for (const { consumers } of this.#queues.values()) for (const worker of consumers) all.add(worker);
    return all;
  }

  /** The worker's process has ended. */
  gone(worker: number): void {
    for (const [id, queue] of this.#queues) this.#removeConsumer(worker, id, queue);
    for (const name of [...this.#spaces.keys()]) this.release(worker, name);
  }

  #removeConsumer(worker: number, id: number, { consumers, items }: Queue): void {
    const at = consumers.indexOf(worker);
    if (at < 0) return;
    const wasTold = at === consumers.length - 1;
    consumers.splice(at, 1);
    const next = consumers.at(-1);
    if (wasTold && next !== undefined && items.length > 0) this.#onReady(next, id, items.length);
  }

  /** Items that wait for a worker, in all its queues: for one that has missed the steps that brought them. */
  remind(worker: number): void {
    for (const [id, { consumers, items }] of this.#queues)
      if (consumers.at(-1) === worker && items.length > 0) this.#onReady(worker, id, items.length);
  }

  #space(name: string): Space {
    let space = this.#spaces.get(name);
    if (space === undefined) {
      space = { values: new Map(), bytes: 0, queues: new Map(), holders: new Set() };
      this.#spaces.set(name, space);
    }
    return space;
  }
}

function isOver({ expires }: SharedValue, now: number): boolean {
  return expires !== 0 && expires <= now;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
