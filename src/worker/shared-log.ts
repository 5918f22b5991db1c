import { deserialize, serialize } from 'node:v8';
import { Status } from '../runtime/wasm/abi.ts';
import { SharedTable, type SharedValue, type TableDump } from '../runtime/wasm/shared-table.ts';
import type { SharedState } from '../runtime/wasm/shared.ts';
import { SharedFile } from './shared-file.ts';
import { MARK_BYTES, PARTIAL, readRecord, RecordWriter, SharedRecord, Step } from './shared-record.ts';

const READ_BYTES = 64 * 1024;
/** How far a worker that asks for nothing may be behind: it keeps the old file alive until it reads on. */
const POLL_MS = 250;

export interface SharedLogDeps {
  /** Of this weir alone; all its workers have the same. */
  readonly folder: string;
  /** Of no other process, before or after. */
  readonly worker: number;
  /** Items wait for that worker: let it read on. */
  wake(worker: number): void;
  /** The log cannot be read or written. */
  failed(error: unknown): void;
}

/**
 * Shared data and queues of all workers of the machine. Each worker has the whole table in memory. A step
 * is appended to a log that all of them read, and each takes the steps in the order of the log, so that
 * all have the same table; what a step came to is known once the log has been read up to it. That takes
 * two system calls, and no other process has a part in it. A reader first reads what was appended before.
 */
export class SharedLog implements SharedState {
  readonly counts = { steps: 0, files: 0, failures: 0 };
  onReady: (queue: number) => void = () => undefined;
  readonly #deps: SharedLogDeps;
  readonly #file: SharedFile;
  #table: SharedTable;
  readonly #holds = new Map<string, number>();
  readonly #writer: RecordWriter;
  readonly #outgoing = new SharedRecord();
  readonly #incoming = new SharedRecord();
  #buffer = Buffer.alloc(READ_BYTES);
  #sequence = 0;
  /** Of the step that this worker waits for; 0: none. */
  #awaited = 0;
  #result: Status | Uint8Array | undefined | null = null;
  readonly #poll: NodeJS.Timeout;

  /** @throws where the folder cannot be used */
  constructor(deps: SharedLogDeps) {
    this.#deps = deps;
    this.#file = new SharedFile(deps.folder);
    this.#table = new SharedTable(this.#ready);
    this.#load(this.#file.open(this.#snapshot));
    this.#writer = new RecordWriter(this.#file.mark);
    this.#poll = setInterval(() => this.sync(), POLL_MS);
    this.#poll.unref();
  }

  get(space: string, key: string): SharedValue | undefined {
    this.sync();
    return this.#table.get(space, key, Date.now());
  }

  set(space: string, key: string, value: Uint8Array, cas: number, ttlMs = 0): Status {
    if (cas !== 0) {
      this.sync();
      // A version that has passed does not come back.
      const found = this.#table.get(space, key, Date.now());
      if (found !== undefined && found.cas !== cas) return Status.CasMismatch;
    }
    return (this.#take(Step.Set, space, key, cas, value, ttlMs) as Status | null) ?? Status.InternalFailure;
  }

  add(space: string, key: string, delta: bigint, ttlMs: number): Uint8Array | Status {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(delta);
    const result = this.#take(Step.Add, space, key, 0, bytes, ttlMs) as Uint8Array | Status | null;
    return result ?? Status.InternalFailure;
  }

  remove(space: string, key: string, cas: number): Status {
    return (this.#take(Step.Remove, space, key, cas) as Status | null) ?? Status.InternalFailure;
  }

  keys(space: string, prefix: string): string[] {
    this.sync();
    return this.#table.keys(space, prefix, Date.now());
  }

  hold(space: string): void {
    const count = this.#holds.get(space) ?? 0;
    this.#holds.set(space, count + 1);
    if (count === 0) this.#take(Step.Hold, space);
  }

  release(space: string): void {
    const count = this.#holds.get(space) ?? 0;
    if (count > 1) this.#holds.set(space, count - 1);
    else if (this.#holds.delete(space)) this.#take(Step.Release, space);
  }

  register(space: string, name: string): number {
    return (this.#take(Step.Register, space, name) as number | null) ?? 0;
  }

  unregister(id: number): void {
    this.#take(Step.Unregister, '', '', id);
  }

  resolve(space: string, name: string): number {
    this.sync();
    return this.#table.resolve(space, name);
  }

  enqueue(prefix: string, id: number, item: Uint8Array): Status {
    if (!this.#mayUse(prefix, id)) return Status.NotFound;
    return (this.#take(Step.Enqueue, '', '', id, item) as Status | null) ?? Status.InternalFailure;
  }

  dequeue(prefix: string, id: number): Uint8Array | Status {
    this.sync();
    if (!this.#mayUse(prefix, id)) return Status.NotFound;
    if (this.#table.isEmpty(id)) return Status.Empty;
    return (this.#take(Step.Dequeue, '', '', id) as Uint8Array | null | undefined) ?? Status.Empty;
  }

  /**
   * Lets go of what workers hold whose process has ended.
   *
   * @param alive worker processes there are
   * @param upTo the newest of them; later ones are not known yet
   */
  keepOnly(alive: ReadonlySet<number>, upTo: number): void {
    this.sync();
    for (const worker of this.#table.workers())
      if (worker <= upTo && !alive.has(worker)) this.#take(Step.Gone, '', '', worker);
  }

  close(): void {
    clearInterval(this.#poll);
    this.#file.close();
  }

  /** Takes the steps that were appended since. */
  sync(): void {
    try {
      this.#read();
    } catch (error) {
      this.#fail(error);
    }
  }

  #mayUse(prefix: string, id: number): boolean {
    if (this.#table.spaceOf(id) === undefined) this.sync();
    return this.#table.spaceOf(id)?.startsWith(prefix) === true;
  }

  /** @returns what the step came to; null where it could not be taken */
  #take(
    step: number,
    space: string,
    name = '',
    number = 0,
    value: Uint8Array | null = null,
    ttlMs = 0,
  ): Status | Uint8Array | undefined | null {
    const record = this.#outgoing;
    record.step = step;
    record.worker = this.#deps.worker;
    record.space = space;
    record.name = name;
    record.number = number;
    record.value = value;
    record.now = Date.now();
    record.ttl = ttlMs;
    record.sequence = this.#sequence = (this.#sequence % 0xffff_ffff) + 1;
    this.#writer.write(record);
    record.value = null;
    this.counts.steps++;
    try {
      this.#awaited = record.sequence;
      do {
        if (!this.#file.append(this.#writer.bytes, this.#writer.length))
          throw new Error('there is no room for the log of shared data');
        this.#read();
        // The file ended before this record: it belongs into the next one, which has been opened.
      } while (this.#awaited !== 0);
      return this.#result;
    } catch (error) {
      this.#awaited = 0;
      this.#fail(error);
      return null;
    } finally {
      this.#result = null;
    }
  }

  #read(): void {
    for (;;) {
      const size = this.#file.read(this.#buffer);
      if (size === 0) return;
      let at = 0;
      while (at < size) {
        const length = readRecord(this.#buffer, this.#file.mark, at, size, this.#incoming);
        if (length > 0) {
          at += length;
          this.#apply(this.#incoming);
          if (this.#file.position + at < this.#file.end) continue;
          this.#file.position += at;
          this.#advance();
          // A step that waits is appended to the new file first.
          if (this.#awaited !== 0) return;
          at = -1;
          break;
        }
        if (length === PARTIAL && size === this.#buffer.length) break;
        // The rest is on its way, unless its writer has ended in the middle: then a record may follow. What stands
        // before this worker's own record will not become any longer.
        if (length === PARTIAL && this.#awaited === 0 && !this.#holdsRecord(at + 1, size)) break;
        at = this.#nextMark(at + 1, size);
      }
      if (at < 0) continue;
      this.#file.position += at;
      if (at === size) {
        if (size < this.#buffer.length) return;
      } else if (at === 0) {
        if (size < this.#buffer.length) return;
        this.#buffer = Buffer.alloc(2 * this.#buffer.length);
      }
    }
  }

  /** Where a record could begin. */
  #nextMark(from: number, end: number): number {
    const at = this.#buffer.subarray(0, end).indexOf(this.#file.mark, from);
    return at >= 0 ? at : Math.max(from, end - MARK_BYTES + 1);
  }

  #holdsRecord(from: number, end: number): boolean {
    for (let at = this.#nextMark(from, end); at < end; at = this.#nextMark(at + 1, end))
      if (readRecord(this.#buffer, this.#file.mark, at, end, this.#incoming) > 0) return true;
    return false;
  }

  #apply(record: SharedRecord): void {
    const result = this.#step(record);
    if (record.worker !== this.#deps.worker || record.sequence !== this.#awaited) return;
    this.#awaited = 0;
    this.#result = result;
  }

  #step({
    step,
    worker,
    number,
    space,
    name,
    value,
    now,
    ttl,
  }: SharedRecord): Status | Uint8Array | undefined | null {
    const table = this.#table;
    switch (step) {
      case Step.Set:
        return table.set(space, name, value!, number, now, ttl === 0 ? 0 : now + ttl);
      case Step.Add:
        return table.add(space, name, deltaOf(value!), now, ttl === 0 ? 0 : now + ttl);
      case Step.Remove:
        return table.remove(space, name, number, now);
      case Step.Enqueue:
        return table.enqueue(number, value!);
      case Step.Dequeue:
        return table.dequeue(number);
      case Step.Register:
        return table.register(worker, space, name) as Status;
      case Step.Unregister:
        table.unregister(worker, number);
        return undefined;
      case Step.Hold:
        table.hold(worker, space);
        return undefined;
      case Step.Release:
        table.release(worker, space);
        return undefined;
      default:
        table.gone(number);
        return undefined;
    }
  }

  #advance(): void {
    this.counts.files++;
    const state = this.#file.advance(this.#snapshot);
    if (state === null) return;
    this.#load(state);
    this.#table.remind(this.#deps.worker);
  }

  readonly #snapshot = (): Uint8Array => serialize(this.#table.dump());

  #load(state: Uint8Array): void {
    this.#table = new SharedTable(this.#ready, deserialize(state) as TableDump);
  }

  readonly #ready = (worker: number, queue: number, items: number): void => {
    if (worker === this.#deps.worker) for (let i = 0; i < items; i++) this.onReady(queue);
    // Whoever takes the step lets the other know; all the others only follow.
    else if (this.#incoming.worker === this.#deps.worker) this.#deps.wake(worker);
  };

  #fail(error: unknown): void {
    this.counts.failures++;
    this.#deps.failed(error);
  }
}

function deltaOf(value: Uint8Array): bigint {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).readBigInt64LE();
}
