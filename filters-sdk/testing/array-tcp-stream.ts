import type { BodyBuffer } from '../../src/runtime/http/body.ts';
import { TcpFilters, type FilteredTcpStream } from '../../src/runtime/tcp/tcp-filters.ts';
import { Side } from '../../src/runtime/tcp/tcp-pass.ts';
import { CloseType } from '../../src/runtime/wasm/abi.ts';
import { AttributeTable } from '../../src/runtime/wasm/attribute-table.ts';
import type { StreamContext } from '../../src/runtime/wasm/context.ts';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import { StateMap } from '../../src/runtime/wasm/state-map.ts';
import type { AttributeValue, StateValue } from '../../src/runtime/wasm/stream-host.ts';
import { clientRows } from './client-attributes.ts';

const ATTRIBUTES = new AttributeTable<null>(clientRows<null>());

/** Who looks on. */
export interface TcpWatcher {
  called(plugin: Plugin, phase: number): void;
  over(): void;
}

/** One TCP connection through a filter, by the proxy's own passes; the test plays both ends. */
export class ArrayTcpStream implements FilteredTcpStream {
  readonly protocol = 'tcp';
  guestMs = 0;
  isOpen = false;
  isOver = false;
  readonly up: Buffer[] = [];
  readonly down: Buffer[] = [];
  readonly #watcher: TcpWatcher;
  readonly #attributes: ReadonlyMap<string, AttributeValue>;
  readonly #filters: TcpFilters;
  readonly #kept = new StateMap();
  /** Bytes that came before the filter let the connection in. */
  readonly #early: { readonly bytes: Buffer; readonly ended: boolean }[] = [];
  #closing: CloseType | null = null;
  #clientEnded = false;
  /** Ends that came through to the other side, by where they came from. */
  readonly #passed = new Set<Side>();
  #depth = 0;

  constructor(watcher: TcpWatcher, attributes: ReadonlyMap<string, AttributeValue>) {
    this.#watcher = watcher;
    this.#attributes = attributes;
    this.#filters = new TcpFilters(this);
  }

  begin(plugin: Plugin): void {
    this.#step(() => this.#filters.begin([plugin]));
  }

  fromClient(bytes: Buffer, ended: boolean): void {
    this.#clientEnded ||= ended;
    if (!this.isOpen) this.#early.push({ bytes, ended });
    else this.#step(() => this.#filters.down.data(bytes, 0, bytes.length, ended));
  }

  fromUpstream(bytes: Buffer, ended: boolean): void {
    this.#step(() => {
      this.#filters.up.data(bytes, 0, bytes.length, ended);
      if (ended) this.#filters.upstreamClosed(CloseType.Remote);
    });
  }

  closedBy(side: 'client' | 'upstream'): void {
    this.#step(() => {
      if (side === 'upstream') this.#filters.upstreamClosed(CloseType.Remote);
      this.#closing ??= side === 'client' ? CloseType.Remote : CloseType.Local;
    });
  }

  // ── From the filters ──────────────────────────────────────────────────────────────────────────

  get halted(): boolean {
    return this.#closing !== null;
  }

  passConnection(): void {
    this.isOpen = true;
    for (const { bytes, ended } of this.#early.splice(0))
      this.#filters.down.data(bytes, 0, bytes.length, ended);
  }

  filterContext(index: number): StreamContext | null {
    return this.#filters.context(index);
  }

  passData(side: Side, bytes: Buffer, start: number, end: number, endOfStream: boolean): void {
    (side === Side.Downstream ? this.up : this.down).push(Buffer.from(bytes.subarray(start, end)));
    if (!endOfStream) return;
    this.#passed.add(side);
    if (this.#passed.size === 2) this.#closing ??= CloseType.Local;
  }

  filterFailed(): void {
    this.#closing ??= CloseType.Local;
  }

  holdBack(): void {}

  recordFilter(plugin: Plugin, phase: number): number {
    this.#watcher.called(plugin, phase);
    return performance.now();
  }

  // ── From the guest (StreamHost) ───────────────────────────────────────────────────────────────

  headerMap(): null {
    return null;
  }

  addTrailers(): null {
    return null;
  }

  mayWriteMap(): boolean {
    return false;
  }

  body(type: number, context: StreamContext): BodyBuffer | null {
    return this.#filters.data(type, context);
  }

  attribute(path: string): AttributeValue | undefined {
    return this.#attributes.get(path) ?? ATTRIBUTES.find(null, path);
  }

  state(key: string): StateValue | undefined {
    return this.#kept.get(key);
  }

  states(prefix: string): (readonly [rest: string, value: StateValue])[] {
    return this.#kept.withPrefix(prefix);
  }

  setState(key: string, value: StateValue): boolean {
    return this.#kept.set(key, value);
  }

  clearRouteCache(): void {}

  resume(type: number, context: StreamContext): void {
    if (!this.halted) this.#step(() => this.#filters.resume(type, context));
  }

  close(): void {
    this.#step(() => (this.#closing ??= CloseType.Local));
  }

  localReply(): void {}

  contextFailed(context: StreamContext): void {
    if (this.halted) return;
    this.#step(() => {
      const index = this.#filters.lose(context);
      if (index < 0) return;
      if (context.plugin.spec.onError === 'deny') this.filterFailed();
      else this.#filters.skip(index);
    });
  }

  /** What ends the connection is done when the outermost step is over. */
  #step(job: () => void): void {
    if (this.isOver) return;
    this.#depth++;
    job();
    this.#depth--;
    if (this.#depth > 0 || this.#closing === null) return;
    this.isOver = true;
    if (this.isOpen) this.#filters.upstreamClosed(CloseType.Local);
    this.#filters.end(this.#clientEnded ? CloseType.Remote : this.#closing);
    this.#watcher.over();
  }
}
