import { Phase } from '../../src/runtime/runtime-metrics.ts';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import { ArrayTcpStream, type TcpWatcher } from './array-tcp-stream.ts';
import { CostBook } from './cost-book.ts';
import { bytesOf } from './fields.ts';
import type { HostWatcher, KitHost, PluginLine } from './kit-host.ts';
import { attributesOf } from './property-values.ts';
import type { CallbackRecord, ExchangeSpec, LogLine, TcpExchange } from './testing.d.ts';

const CALLBACKS = new Map<number, string>([
  [Phase.NewConnection, 'proxy_on_new_connection'],
  [Phase.DownstreamData, 'proxy_on_downstream_data'],
  [Phase.UpstreamData, 'proxy_on_upstream_data'],
]);

/** A TCP connection through a filter, and what came of it. */
export class KitTcp implements TcpExchange, TcpWatcher, HostWatcher {
  readonly callbacks: CallbackRecord[] = [];
  readonly logs: LogLine[] = [];
  readonly #host: KitHost;
  readonly #plugin: Plugin;
  readonly #costs: CostBook;
  readonly #stream: ArrayTcpStream;

  constructor(host: KitHost, plugin: Plugin, properties: ExchangeSpec['properties']) {
    this.#host = host;
    this.#plugin = plugin;
    this.#costs = new CostBook([plugin]);
    this.#stream = new ArrayTcpStream(this, attributesOf(properties));
    host.watchers.add(this);
    this.#stream.begin(plugin);
    host.pump();
  }

  get state(): 'waiting' | 'open' | 'closed' {
    if (this.#stream.isOver) return 'closed';
    return this.#stream.isOpen ? 'open' : 'waiting';
  }

  get toUpstream(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#stream.up));
  }

  get toClient(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#stream.down));
  }

  fromClient(bytes: string | Uint8Array, endOfStream = false): void {
    this.#stream.fromClient(bytesOf(bytes), endOfStream);
    this.#host.pump();
  }

  fromUpstream(bytes: string | Uint8Array, endOfStream = false): void {
    if (!this.#stream.isOpen)
      throw new Error('the filter has not let the connection in: there is no upstream yet');
    this.#stream.fromUpstream(bytesOf(bytes), endOfStream);
    this.#host.pump();
  }

  close(by: 'client' | 'upstream' = 'client'): void {
    this.#stream.closedBy(by);
    this.#host.pump();
  }

  called(plugin: Plugin, phase: number): void {
    this.callbacks.push({ callback: CALLBACKS.get(phase)!, action: '', ...this.#costs.take(plugin) });
  }

  over(): void {
    this.#host.watchers.delete(this);
  }

  logged({ plugin, level, message }: PluginLine): void {
    if (plugin === this.#plugin.spec.name) this.logs.push({ level, message });
  }

  delivered(): void {
    this.#costs.skip();
  }
}
