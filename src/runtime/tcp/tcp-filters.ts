import type { BodyBuffer } from '../http/body.ts';
import { Phase } from '../runtime-metrics.ts';
import { TCP_PHASES, TcpAction, Wants, type CloseType } from '../wasm/abi.ts';
import { TRAPPED, type StreamContext } from '../wasm/context.ts';
import type { Plugin } from '../wasm/plugin.ts';
import type { StreamHost } from '../wasm/stream-host.ts';
import { Side, TcpPass, type TcpPassOwner } from './tcp-pass.ts';

/** A TCP stream as its filters see it. */
export interface FilteredTcpStream extends TcpPassOwner, StreamHost {
  /** All filters have let the connection in. */
  passConnection(): void;
}

/** The filters of one TCP stream: their contexts, the new connection's way through them, and both sides' bytes. */
export class TcpFilters {
  readonly down: TcpPass;
  readonly up: TcpPass;
  readonly #stream: FilteredTcpStream;
  #plugins: readonly Plugin[] = [];
  readonly #contexts: (StreamContext | null)[] = [];
  /** Filters that failed and whose `onError` is `skip`: out for the rest of the stream. */
  readonly #skipped: number[] = [];
  /** The filter that has the new connection: all before it have let it in. */
  #at = 0;
  #stopped = false;
  #calling = false;
  #resumed = false;
  #upstreamClosed = false;

  constructor(stream: FilteredTcpStream) {
    this.#stream = stream;
    this.down = new TcpPass(Side.Downstream, stream);
    this.up = new TcpPass(Side.Upstream, stream);
  }

  begin(plugins: readonly Plugin[]): void {
    this.#plugins = plugins;
    this.down.begin(plugins);
    this.up.begin(plugins);
    this.#walk();
  }

  /** Made on first use. Null: the filter is skipped, or the stream was told that it failed. */
  context(index: number): StreamContext | null {
    const known = this.#contexts[index];
    if (known) return known;
    if (this.#skipped.includes(index)) return null;
    const plugin = this.#plugins[index]!;
    const context = plugin.createContext(this.#stream);
    if (context !== null) return (this.#contexts[index] = context);
    if (plugin.spec.onError === 'deny') this.#stream.filterFailed(plugin);
    else this.#skipped.push(index);
    return null;
  }

  data(type: number, context: StreamContext): BodyBuffer | null {
    const index = this.#contexts.indexOf(context);
    return index < 0 ? null : this.#pass(type).held(index);
  }

  /** `proxy_continue_stream`: the new connection where that waits, else the data of the side. */
  resume(type: number, context: StreamContext): void {
    const index = this.#contexts.indexOf(context);
    if (index < 0) return;
    if (type === Side.Downstream && index === this.#at && (this.#calling || this.#stopped)) {
      if (this.#calling) this.#resumed = true;
      else this.#letIn();
    } else this.#pass(type).resume(index);
  }

  /** The context failed outside its callbacks. Forgets it. @returns index of its filter, or -1 */
  lose(context: StreamContext): number {
    const index = this.#contexts.indexOf(context);
    if (index >= 0) this.#contexts[index] = null;
    return index;
  }

  /** Whatever waits at the filter goes on without it. */
  skip(index: number): void {
    this.#skipped.push(index);
    if (this.#stopped && index === this.#at) this.#letIn();
    if (!this.#stream.halted) this.down.release(index);
    if (!this.#stream.halted) this.up.release(index);
  }

  /** The upstream's connection is closed, or will send no more. Told once. */
  upstreamClosed(by: CloseType): void {
    if (this.#upstreamClosed) return;
    this.#upstreamClosed = true;
    for (let i = 0; i < this.#plugins.length; i++)
      this.#contextFor(i, Wants.UpstreamClose)?.onUpstreamClose(by);
  }

  /** The stream is over: the client's side is closed, then done, log and delete for each context. */
  end(downstreamClosedBy: CloseType): void {
    const plugins = this.#plugins;
    for (let i = 0; i < plugins.length; i++)
      this.#contextFor(i, Wants.DownstreamClose)?.onDownstreamClose(downstreamClosedBy);
    for (let i = 0; i < plugins.length; i++) {
      // One that only logs has no callback before the end.
      const context =
        this.#contexts[i] ??
        ((plugins[i]!.wants & TCP_PHASES) === 0 ? plugins[i]!.createContext(this.#stream) : null);
      context?.finish();
      this.#contexts[i] = null;
    }
    this.down.end();
    this.up.end();
    this.#plugins = [];
  }

  /** For a callback that needs no other before it: made where the new connection has come as far as the filter. */
  #contextFor(index: number, wanted: number): StreamContext | null {
    const plugin = this.#plugins[index]!;
    if ((plugin.wants & wanted) === 0 || index > this.#at) return null;
    if (this.#contexts[index]) return this.#contexts[index];
    if (this.#skipped.includes(index)) return null;
    const context = plugin.createContext(this.#stream);
    this.#contexts[index] = context;
    return context;
  }

  #walk(): void {
    let clock = performance.now();
    while (this.#at < this.#plugins.length) {
      const plugin = this.#plugins[this.#at]!;
      if ((plugin.wants & Wants.NewConnection) !== 0) {
        const context = this.context(this.#at);
        if (this.#stream.halted) return;
        if (context !== null) {
          const action = this.#call(context, plugin);
          clock = this.#stream.recordFilter(plugin, Phase.NewConnection, clock);
          if (this.#stream.halted) return;
          if (action !== TcpAction.Continue) {
            this.#stopped = true;
            return;
          }
        }
      }
      this.#at++;
    }
    this.#stream.passConnection();
  }

  #call(context: StreamContext, plugin: Plugin): number {
    this.#calling = true;
    this.#resumed = false;
    const action = context.onNewConnection();
    this.#calling = false;
    if (action === TRAPPED) {
      if (!this.#stream.halted && plugin.spec.onError === 'deny') this.#stream.filterFailed(plugin);
      return TcpAction.Continue;
    }
    return this.#resumed ? TcpAction.Continue : action;
  }

  #letIn(): void {
    this.#stopped = false;
    this.#at++;
    this.#walk();
  }

  #pass(type: number): TcpPass {
    return type === Side.Downstream ? this.down : this.up;
  }
}
