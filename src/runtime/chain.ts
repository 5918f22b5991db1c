import { giveBackBody, takeBody, type BodyBuffer } from './http/body.ts';
import type { HeaderBlock } from './http/headers.ts';
import { BodyAction, HeadersAction } from './wasm/abi.ts';
import { TRAPPED, type StreamContext } from './wasm/context.ts';
import { Wants, type Plugin } from './wasm/plugin.ts';

/** Which way a message goes through the chain. Numbers as in the ABI's `StreamType`. */
export const Direction = { Request: 0, Response: 1 } as const;
export type Direction = (typeof Direction)[keyof typeof Direction];

/** What the chain hands on, and whom it tells when it cannot. The stream implements it. */
export interface ChainOwner {
  /** True once a local reply was made or the stream was reset: this direction stops where it is. */
  isHalted(direction: Direction): boolean;
  /** The context of the filter at `index`, made on first use; null: the filter is skipped. */
  filterContext(index: number, direction: Direction): StreamContext | null;
  headerMap(type: number): HeaderBlock | null;
  passHead(direction: Direction, endOfStream: boolean): void;
  passData(direction: Direction, bytes: Buffer, start: number, end: number, endOfStream: boolean): void;
  passTrailers(direction: Direction): void;
  /** Whether the message has trailers: where its bytes came without, a filter has added them. */
  hasTrailers(direction: Direction): boolean;
  /** A filter holds the head and waits for the body, so the body has to come. */
  bodyAwaited(direction: Direction): void;
  /** A filter trapped and its `onError` is `deny`. */
  filterFailed(direction: Direction, plugin: Plugin): void;
  /** A filter keeps more than it may: 413 or 500. */
  bodyTooLarge(direction: Direction, plugin: Plugin): void;
  /** A filter keeps as much as it may: read no more until it is released. */
  holdBack(direction: Direction, held: boolean): void;
  /** @returns the time, which is when the next callback begins */
  recordFilter(context: StreamContext, phase: number, startedAt: number, action: number): number;
}

/** The same number for heads, bodies and trailers. */
const CONTINUE = HeadersAction.Continue;

const NO_BYTES = Buffer.alloc(0);

/**
 * One direction of one stream through the filters of its chain.
 *
 * Filters stand at positions 0 … n-1 in the order that this direction meets them: as written for a
 * request, backwards for an answer. The head walks from position to position until a filter stops
 * it; data walks behind it and never overtakes it. A filter that stops keeps its bytes in `held`;
 * `resume` sends on all that waits there, head, bytes and trailers, to the next position without calling
 * that filter again, except that bytes which arrived while its head was stopped are shown to it first
 * (reference §3). Where the filter takes the body while it holds the head (ADR 0050), it sees them as they
 * come, and Continue from such a callback lets go of the head as well.
 */
export class ChainPass {
  readonly direction: Direction;
  readonly #owner: ChainOwner;
  #plugins: readonly Plugin[] = [];
  #count = 0;
  /** The position that has the head: all before it have passed it on. */
  #headAt = 0;
  #headStopped = false;
  #headEnded = false;
  /** The filter that stopped the head sees the body meanwhile. */
  #bodyShown = false;
  /** Whether the stopped head's data may grow beyond the limit (watermark) or not (413). */
  #strict = false;
  #trailersAt = -1;
  #trailersWaiting = false;
  /** The filter at `#trailersAt` has seen the trailers, or made them, and keeps them. */
  #trailersStopped = false;
  /** Positions whose body became too large to be kept and goes on as it comes (`onOverflow: Stream`). */
  #streaming: Set<number> | null = null;
  readonly #held: (BodyBuffer | null)[] = [];
  /** Per position: its body callback said pause. */
  readonly #stopped: boolean[] = [];
  readonly #ended: boolean[] = [];
  /** The position whose callback runs; -1: none. */
  #calling = -1;
  /** The running callback is shown the last bytes of the body. */
  #lastShown = false;
  #resumed = false;
  /** When the running callback began: one reading of the clock serves its start and the end of the one before. */
  #clock = 0;
  #holdingBack = false;

  constructor(direction: Direction, owner: ChainOwner) {
    this.direction = direction;
    this.#owner = owner;
  }

  /** How many positions have seen the head, or are seeing it. */
  get reached(): number {
    return this.#count === 0 ? 0 : Math.min(this.#headAt + 1, this.#count);
  }

  /** Whether bytes have to come through here at all. */
  get active(): boolean {
    return this.#count > 0;
  }

  /** @param count positions to walk; an answer walks only the filters that the request reached */
  begin(plugins: readonly Plugin[], count: number): void {
    this.#plugins = plugins;
    this.#count = count;
    this.#headAt = 0;
    this.#headStopped = false;
    this.#headEnded = false;
    this.#trailersAt = -1;
    this.#trailersWaiting = false;
    this.#trailersStopped = false;
    this.#bodyShown = false;
    this.#streaming = null;
    this.#calling = -1;
    this.#holdingBack = false;
    for (let p = 0; p < count; p++) {
      this.#held[p] = null;
      this.#stopped[p] = false;
      this.#ended[p] = false;
    }
  }

  /** More filters after the last one: routing was decided again and the new rule has others. */
  extend(plugins: readonly Plugin[]): void {
    for (let p = this.#count; p < plugins.length; p++) {
      this.#held[p] = null;
      this.#stopped[p] = false;
      this.#ended[p] = false;
    }
    this.#plugins = plugins;
    this.#count = plugins.length;
  }

  /** Lets go of everything; the stream is over. */
  end(): void {
    for (let p = 0; p < this.#count; p++) {
      const held = this.#held[p];
      if (held) giveBackBody(held);
      this.#held[p] = null;
    }
    this.#count = 0;
    this.#plugins = [];
  }

  head(endOfStream: boolean): void {
    this.#headEnded = endOfStream;
    this.#walkHead();
  }

  data(bytes: Buffer, start: number, end: number, endOfStream: boolean): void {
    if (this.#count === 0) this.#owner.passData(this.direction, bytes, start, end, endOfStream);
    else {
      this.#walkData(0, null, bytes, start, end, endOfStream);
      // A filter may have added some with the last bytes.
      if (this.#trailersWaiting && !this.#owner.isHalted(this.direction)) this.#walkTrailers();
    }
  }

  trailers(): void {
    if (this.#count === 0) {
      this.#owner.passTrailers(this.direction);
      return;
    }
    this.#trailersAt = 0;
    this.#walkTrailers();
  }

  /** `proxy_continue_stream` by `context`. A continue of what is not stopped does nothing. */
  resume(context: StreamContext): void {
    const position = this.#positionOf(context);
    if (position < 0) return;
    if (position === this.#calling) {
      this.#resumed = true;
      return;
    }
    this.#release(position, context);
  }

  /** What the filter sees as its body: the bytes of its callback, or those it holds. */
  heldBody(context: StreamContext): BodyBuffer | null {
    const position = this.#positionOf(context);
    return position < 0 ? null : (this.#held[position] ?? null);
  }

  /** The context is gone (trap in an asynchronous callback, skip): whatever waits there goes on. */
  skip(index: number): void {
    const position = this.direction === Direction.Request ? index : this.#count - 1 - index;
    if (position >= 0 && position < this.#count) this.#release(position, null);
  }

  /** Whether `context` may give trailers to a message that has none: it sees, or keeps, the last bytes. */
  mayAddTrailers(context: StreamContext): boolean {
    const position = this.#positionOf(context);
    if (position < 0) return false;
    if (position === this.#calling) return this.#lastShown;
    return this.#stopped[position]! && this.#ended[position]!;
  }

  #release(position: number, context: StreamContext | null): void {
    const hadHead = this.#headStopped && position === this.#headAt;
    const hadBody = this.#stopped[position]!;
    const hadTrailers = this.#trailersStopped && position === this.#trailersAt;
    if (!hadHead && !hadBody && !hadTrailers) return;
    if (hadHead) {
      this.#releaseHead();
      if (this.#owner.isHalted(this.direction)) return;
    }
    const held = this.#held[position] ?? null;
    if (hadBody || held !== null) {
      // Bytes that came while the head was stopped were not shown to it yet.
      const from = hadBody || context === null ? position + 1 : position;
      if (this.#ended[position]! && from > position) this.#takeAdded(position, false);
      this.#stopped[position] = false;
      this.#held[position] = null;
      this.#relieve();
      const ended = this.#ended[position]!;
      if (held === null) this.#walkData(from, null, NO_BYTES, 0, 0, ended);
      else this.#walkData(from, held, held.bytes, 0, held.length, ended);
    }
    if (hadTrailers) {
      this.#trailersStopped = false;
      this.#trailersAt++;
    }
    if (this.#trailersWaiting && !this.#owner.isHalted(this.direction)) this.#walkTrailers();
  }

  #releaseHead(): void {
    this.#headStopped = false;
    this.#headAt++;
    this.#walkHead();
  }

  /** Trailers that the filter at `position` gave to a message without follow its last bytes, to the filters behind it. */
  #takeAdded(position: number, stopped: boolean): void {
    if (!this.#owner.hasTrailers(this.direction)) return;
    this.#ended[position] = false;
    this.#trailersWaiting = true;
    this.#trailersStopped = stopped;
    this.#trailersAt = stopped ? position : position + 1;
  }

  #walkHead(): void {
    this.#clock = performance.now();
    while (this.#headAt < this.#count) {
      const plugin = this.#plugins[this.#index(this.#headAt)]!;
      const wanted = this.direction === Direction.Request ? Wants.RequestHeaders : Wants.ResponseHeaders;
      if ((plugin.wants & wanted) !== 0) {
        const context = this.#owner.filterContext(this.#index(this.#headAt), this.direction);
        if (this.#owner.isHalted(this.direction)) return;
        if (context !== null) {
          const action = this.#call(this.#headAt, plugin, context, 0, 0, this.#headEnded);
          if (this.#owner.isHalted(this.direction)) return;
          if (action !== CONTINUE && action !== HeadersAction.ContinueAndEndStream) {
            this.#stopHead(plugin, action);
            return;
          }
        }
      }
      this.#headAt++;
    }
    this.#owner.passHead(this.direction, this.#headEnded);
  }

  #stopHead(plugin: Plugin, action: number): void {
    this.#headStopped = true;
    this.#strict =
      action === HeadersAction.StopAllIterationAndBuffer && plugin.spec.onBodyOverflow === 'reject';
    const body = this.direction === Direction.Request ? Wants.RequestBody : Wants.ResponseBody;
    this.#bodyShown =
      action === HeadersAction.StopIteration && plugin.spec.bodyWhileHeld && (plugin.wants & body) !== 0;
    if (this.#bodyShown && !this.#headEnded) this.#owner.bodyAwaited(this.direction);
  }

  /** @param carry the buffer that `bytes` is of, where it is ours to pass on; null: bytes are the caller's */
  #walkData(
    from: number,
    carry: BodyBuffer | null,
    bytes: Buffer,
    start: number,
    end: number,
    endOfStream: boolean,
  ): void {
    this.#clock = performance.now();
    const wanted = this.direction === Direction.Request ? Wants.RequestBody : Wants.ResponseBody;
    for (let p = from; p < this.#count; p++) {
      const plugin = this.#plugins[this.#index(p)]!;
      const headHeld = this.#headStopped && p === this.#headAt;
      if (headHeld && !this.#bodyShown) {
        this.#keep(p, carry, bytes, start, end, endOfStream);
        if (this.#held[p]!.length > plugin.spec.bodyBufferBytes) this.#overflow(plugin, this.#strict);
        return;
      }
      if ((plugin.wants & wanted) === 0) continue;
      const context = this.#owner.filterContext(this.#index(p), this.direction);
      if (this.#owner.isHalted(this.direction)) return;
      if (context === null) continue;
      const body = this.#keep(p, carry, bytes, start, end, endOfStream);
      const action = this.#call(p, plugin, context, 1, body.length, endOfStream);
      if (this.#owner.isHalted(this.direction)) return;
      if (action !== CONTINUE && !this.#goesOn(p, plugin, action, body)) {
        this.#stopped[p] = true;
        if (endOfStream) this.#takeAdded(p, true);
        if (action === BodyAction.StopIterationNoBuffer) body.clear();
        else if (body.length > plugin.spec.bodyBufferBytes)
          this.#overflow(plugin, action === BodyAction.StopIterationAndBuffer);
        return;
      }
      this.#stopped[p] = false;
      this.#held[p] = null;
      this.#relieve();
      if (headHeld) {
        this.#releaseHead();
        if (this.#owner.isHalted(this.direction)) return;
      }
      if (endOfStream) {
        this.#takeAdded(p, false);
        endOfStream = this.#ended[p]!;
      }
      carry = body;
      bytes = body.bytes;
      start = 0;
      end = body.length;
    }
    this.#owner.passData(this.direction, bytes, start, end, endOfStream);
    if (carry !== null) giveBackBody(carry);
  }

  #walkTrailers(): void {
    this.#clock = performance.now();
    const wanted = this.direction === Direction.Request ? Wants.RequestTrailers : Wants.ResponseTrailers;
    this.#trailersWaiting = true;
    while (this.#trailersAt < this.#count) {
      const p = this.#trailersAt;
      const headHeld = this.#headStopped && p === this.#headAt;
      if (this.#trailersStopped || (headHeld && !this.#bodyShown)) return;
      const plugin = this.#plugins[this.#index(p)]!;
      if ((plugin.wants & wanted) !== 0) {
        const context = this.#owner.filterContext(this.#index(p), this.direction);
        if (this.#owner.isHalted(this.direction)) return;
        if (context !== null) {
          const action = this.#call(p, plugin, context, 2, 0, true);
          if (this.#owner.isHalted(this.direction)) return;
          if (action !== CONTINUE) {
            this.#trailersStopped = true;
            return;
          }
        }
      } else if (headHeld) return;
      if (headHeld) {
        this.#releaseHead();
        if (this.#owner.isHalted(this.direction)) return;
      }
      // Trailers never overtake bytes: what this filter still keeps goes first.
      if (this.#stopped[p]) {
        const held = this.#held[p] ?? null;
        this.#stopped[p] = false;
        this.#held[p] = null;
        this.#relieve();
        if (held !== null) this.#walkData(p + 1, held, held.bytes, 0, held.length, false);
        if (this.#owner.isHalted(this.direction)) return;
      }
      this.#trailersAt++;
    }
    this.#trailersWaiting = false;
    this.#owner.passTrailers(this.direction);
  }

  /** Calls the guest; what trapped and is to be skipped counts as Continue. */
  #call(
    position: number,
    plugin: Plugin,
    context: StreamContext,
    part: number,
    size: number,
    ended: boolean,
  ): number {
    // As `Phase` of the filter metrics numbers them.
    const phase = this.direction * 3 + part;
    this.#calling = position;
    this.#lastShown = part === 1 && ended;
    this.#resumed = false;
    let action: number;
    if (phase === 0) action = context.onRequestHeaders(this.#fields(0), ended);
    else if (phase === 1) action = context.onRequestBody(size, ended);
    else if (phase === 2) action = context.onRequestTrailers(this.#fields(1));
    else if (phase === 3) action = context.onResponseHeaders(this.#fields(2), ended);
    else if (phase === 4) action = context.onResponseBody(size, ended);
    else action = context.onResponseTrailers(this.#fields(3));
    this.#calling = -1;
    this.#clock = this.#owner.recordFilter(context, phase, this.#clock, action);
    if (action === TRAPPED) {
      if (!this.#owner.isHalted(this.direction) && plugin.spec.onError === 'deny')
        this.#owner.filterFailed(this.direction, plugin);
      return CONTINUE;
    }
    return this.#resumed ? CONTINUE : action;
  }

  /** Fields of a map, pseudo-headers included. @param map `MapType` */
  #fields(map: number): number {
    return this.#owner.headerMap(map)?.count ?? 0;
  }

  /** Puts bytes behind what the filter at `position` holds; its own buffer is handed over whole where it can be. */
  #keep(
    position: number,
    carry: BodyBuffer | null,
    bytes: Buffer,
    start: number,
    end: number,
    endOfStream: boolean,
  ): BodyBuffer {
    let held = this.#held[position] ?? null;
    if (held === null && carry !== null && start === 0 && end === carry.length) held = carry;
    else {
      held ??= takeBody();
      held.append(bytes, start, end);
      if (carry !== null) giveBackBody(carry);
    }
    this.#held[position] = held;
    if (endOfStream) this.#ended[position] = true;
    return held;
  }

  /** Whether bytes that the filter means to gather go on all the same: they became too many, and it may see but not hold them. */
  #goesOn(position: number, plugin: Plugin, action: number, body: BodyBuffer): boolean {
    if (action !== BodyAction.StopIterationAndBuffer || plugin.spec.onBodyOverflow === 'reject') return false;
    if (this.#streaming?.has(position) === true) return true;
    if (body.length <= plugin.spec.bodyBufferBytes) return false;
    (this.#streaming ??= new Set()).add(position);
    return true;
  }

  #overflow(plugin: Plugin, strict: boolean): void {
    if (strict) this.#owner.bodyTooLarge(this.direction, plugin);
    else if (!this.#holdingBack) {
      this.#holdingBack = true;
      this.#owner.holdBack(this.direction, true);
    }
  }

  #relieve(): void {
    if (!this.#holdingBack) return;
    this.#holdingBack = false;
    this.#owner.holdBack(this.direction, false);
  }

  #index(position: number): number {
    return this.direction === Direction.Request ? position : this.#count - 1 - position;
  }

  #positionOf(context: StreamContext): number {
    for (let p = 0; p < this.#count; p++) if (this.#plugins[this.#index(p)] === context.plugin) return p;
    return -1;
  }
}
