import { giveBackBody, takeBody, type BodyBuffer } from '../http/body.ts';
import { Phase } from '../runtime-metrics.ts';
import { StreamType, TcpAction, Wants } from '../wasm/abi.ts';
import { TRAPPED, type StreamContext } from '../wasm/context.ts';
import type { Plugin } from '../wasm/plugin.ts';

/** Where bytes come from. Numbers as in the ABI's `StreamType` and `BufferType`. */
export const Side = { Downstream: StreamType.Downstream, Upstream: StreamType.Upstream } as const;
export type Side = (typeof Side)[keyof typeof Side];

/** What a pass hands on, and whom it tells when it cannot. */
export interface TcpPassOwner {
  /** The stream is over, or as good as. */
  readonly halted: boolean;
  /** The context of the filter at `index`, made on first use; null: the filter is skipped. */
  filterContext(index: number): StreamContext | null;
  passData(side: Side, bytes: Buffer, start: number, end: number, endOfStream: boolean): void;
  /** A filter trapped and its `onError` is `deny`. */
  filterFailed(plugin: Plugin): void;
  /** A filter keeps as much as it may: read no more until it is released. */
  holdBack(side: Side, held: boolean): void;
  /** @returns the time, which is when the next callback begins */
  recordFilter(plugin: Plugin, phase: number, startedAt: number): number;
}

const NO_BYTES = Buffer.alloc(0);

/**
 * The bytes of one side on their way through the filters: what the client sends in the order of the
 * chain, what the upstream sends backwards. A filter that stops keeps its bytes; it sees them again
 * with the next that come, until it lets go of them or `resume` sends them on without asking it.
 */
export class TcpPass {
  readonly side: Side;
  readonly #owner: TcpPassOwner;
  #plugins: readonly Plugin[] = [];
  readonly #held: (BodyBuffer | null)[] = [];
  readonly #stopped: boolean[] = [];
  readonly #ended: boolean[] = [];
  /** The position whose callback runs; -1: none. */
  #calling = -1;
  #resumed = false;
  #clock = 0;
  #holdingBack = false;

  constructor(side: Side, owner: TcpPassOwner) {
    this.side = side;
    this.#owner = owner;
  }

  begin(plugins: readonly Plugin[]): void {
    this.#plugins = plugins;
    for (let p = 0; p < plugins.length; p++) {
      this.#held[p] = null;
      this.#stopped[p] = false;
      this.#ended[p] = false;
    }
  }

  data(bytes: Buffer, start: number, end: number, endOfStream: boolean): void {
    if (this.#plugins.length === 0) this.#owner.passData(this.side, bytes, start, end, endOfStream);
    else this.#walk(0, null, bytes, start, end, endOfStream);
  }

  /** What the filter sees as its data: the bytes of its callback, or those it holds. */
  held(index: number): BodyBuffer | null {
    return this.#held[this.#turn(index)] ?? null;
  }

  /** `proxy_continue_stream` by the filter. A continue of what is not stopped does nothing. */
  resume(index: number): void {
    const position = this.#turn(index);
    if (position === this.#calling) this.#resumed = true;
    else this.release(index);
  }

  /** Sends on what waits at the filter. */
  release(index: number): void {
    const position = this.#turn(index);
    if (!this.#stopped[position]) return;
    this.#stopped[position] = false;
    const held = this.#held[position] ?? null;
    this.#held[position] = null;
    this.#relieve();
    const ended = this.#ended[position]!;
    if (held === null) this.#walk(position + 1, null, NO_BYTES, 0, 0, ended);
    else this.#walk(position + 1, held, held.bytes, 0, held.length, ended);
  }

  /** Lets go of everything; the stream is over. */
  end(): void {
    for (let p = 0; p < this.#plugins.length; p++) {
      const held = this.#held[p];
      if (held) giveBackBody(held);
      this.#held[p] = null;
    }
    this.#plugins = [];
  }

  /** @param carry the buffer that `bytes` is of, where it is ours to pass on; null: bytes are the caller's */
  #walk(
    from: number,
    carry: BodyBuffer | null,
    bytes: Buffer,
    start: number,
    end: number,
    endOfStream: boolean,
  ): void {
    this.#clock = performance.now();
    const wanted = this.side === Side.Downstream ? Wants.DownstreamData : Wants.UpstreamData;
    for (let p = from; p < this.#plugins.length; p++) {
      const plugin = this.#plugins[this.#turn(p)]!;
      if ((plugin.wants & wanted) === 0) continue;
      const context = this.#owner.filterContext(this.#turn(p));
      if (this.#owner.halted) return;
      if (context === null) continue;
      const data = this.#keep(p, carry, bytes, start, end);
      if (endOfStream) this.#ended[p] = true;
      const action = this.#call(p, plugin, context, data.length, endOfStream);
      if (this.#owner.halted) return;
      if (action !== TcpAction.Continue) {
        this.#stopped[p] = true;
        if (data.length > plugin.spec.bodyBufferBytes) this.#holdBack();
        return;
      }
      this.#stopped[p] = false;
      this.#held[p] = null;
      this.#relieve();
      carry = data;
      bytes = data.bytes;
      start = 0;
      end = data.length;
    }
    this.#owner.passData(this.side, bytes, start, end, endOfStream);
    if (carry !== null) giveBackBody(carry);
  }

  /** Calls the guest; what trapped and is to be skipped counts as Continue. */
  #call(position: number, plugin: Plugin, context: StreamContext, size: number, ended: boolean): number {
    this.#calling = position;
    this.#resumed = false;
    const action =
      this.side === Side.Downstream
        ? context.onDownstreamData(size, ended)
        : context.onUpstreamData(size, ended);
    this.#calling = -1;
    const phase = this.side === Side.Downstream ? Phase.DownstreamData : Phase.UpstreamData;
    this.#clock = this.#owner.recordFilter(plugin, phase, this.#clock);
    if (action === TRAPPED) {
      if (!this.#owner.halted && plugin.spec.onError === 'deny') this.#owner.filterFailed(plugin);
      return TcpAction.Continue;
    }
    return this.#resumed ? TcpAction.Continue : action;
  }

  /** Puts bytes behind what the filter at `position` holds; a buffer of ours is handed over whole where it can be. */
  #keep(position: number, carry: BodyBuffer | null, bytes: Buffer, start: number, end: number): BodyBuffer {
    let held = this.#held[position] ?? null;
    if (held === null && carry !== null) held = carry;
    else {
      held ??= takeBody();
      held.append(bytes, start, end);
      if (carry !== null) giveBackBody(carry);
    }
    this.#held[position] = held;
    return held;
  }

  #holdBack(): void {
    if (this.#holdingBack) return;
    this.#holdingBack = true;
    this.#owner.holdBack(this.side, true);
  }

  #relieve(): void {
    if (!this.#holdingBack) return;
    this.#holdingBack = false;
    this.#owner.holdBack(this.side, false);
  }

  /** From an index in the chain to a position in this side's order, and back. */
  #turn(i: number): number {
    return this.side === Side.Downstream ? i : this.#plugins.length - 1 - i;
  }
}
