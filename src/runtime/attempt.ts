import type { Cluster, Endpoint } from './cluster.ts';
import type { HeaderBlock } from './http/headers.ts';
import type { MethodId } from './http/method.ts';
import { Framing } from './http/parse.ts';
import { headBound, writeRequestHead } from './http/write.ts';
import { poolOf, type EndpointPool } from './pool.ts';
import { Failure } from './retry.ts';
import { appendChunk, appendLastChunk, out } from './socket-io.ts';
import { Timer, type TimerWheel } from './timer-wheel.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** How long an attempt waits for a connection where its cluster has all it may (security requirements §5). */
const MAX_WAIT_MS = 1000;

/** Who makes attempts: a stream, or a callout of a filter. */
export interface AttemptOwner {
  readonly request: HeaderBlock;
  readonly answer: HeaderBlock;
  readonly method: MethodId;
  /** The connection is up: write the head, and what there is of the body. */
  attemptReady(): void;
  interimAnswer(status: number): void;
  answerHead(status: number, framing: Framing, length: number, ended: boolean): void;
  answerData(bytes: Buffer, start: number, end: number, ended: boolean): void;
  /** The end of an answer that has trailers. */
  answerTrailers(trailers: HeaderBlock): void;
  /** Who takes the answer has not taken all of it; `downstreamBlocked` is called after the read that found so. */
  readonly answerBlocked: boolean;
  downstreamBlocked(): void;
  /** No answer, or no whole one. The connection is gone. */
  attemptFailed(failure: Failure): void;
  /** The upstream takes bytes again. */
  upstreamDrained(): void;
  tunnelData(bytes: Buffer, start: number, end: number): void;
  tunnelEnded(): void;
}

/** One try at one endpoint: connect, send, await the answer, classify the failure. Reused for the next try. */
export class Attempt {
  readonly #owner: AttemptOwner;
  readonly #wheel: TimerWheel;
  readonly #timer: Timer;
  endpoint: Endpoint | null = null;
  #cluster: Cluster | null = null;
  #connection: UpstreamConnection | null = null;
  /** The connection that this try has or had, for attributes. */
  last: UpstreamConnection | null = null;
  #running = false;
  #waitsIn: EndpointPool | null = null;
  #framing: Framing = Framing.None;
  /** When this try has had its time; monotonic ms. */
  #until = Infinity;
  #headSeen = false;
  /** The request went out whole. */
  #sent = false;
  /** `bytesOut` when the answer was last found to be missing. */
  #lastBytesOut = 0;
  /** Bytes read of the answer, head included; 0 means that a retry on another connection is safe. */
  bytesIn = 0;
  bytesOut = 0;
  /** Bytes that one read of the answer should take at most; 0: as many as there are. */
  readBytes = 0;
  /** Whether this try got a connection that had served before. */
  reused = false;

  constructor(owner: AttemptOwner, wheel: TimerWheel) {
    this.#owner = owner;
    this.#wheel = wheel;
    this.#timer = new Timer(() => this.#onTimer());
  }

  get active(): boolean {
    return this.#running;
  }

  get ready(): boolean {
    return this.#connection !== null && this.#connection.ready;
  }

  get blocked(): boolean {
    return this.#connection !== null && this.#connection.blocked;
  }

  get answerBlock(): HeaderBlock {
    return this.#owner.answer;
  }

  get method(): MethodId {
    return this.#owner.method;
  }

  /** @param fresh not on a connection that has served before: the last try failed on a stale one */
  start(cluster: Cluster, endpoint: Endpoint, perTryMs: number, fresh: boolean): void {
    this.#cluster = cluster;
    this.endpoint = endpoint;
    this.#until = perTryMs > 0 ? this.#wheel.refresh() + perTryMs : Infinity;
    this.#headSeen = false;
    this.#sent = false;
    this.#lastBytesOut = 0;
    this.bytesIn = 0;
    this.bytesOut = 0;
    this.last = null;
    endpoint.active++;
    this.#running = true;
    const pool = poolOf(cluster, endpoint, this.#wheel);
    const connection = pool.acquire(this, fresh);
    if (connection !== null) {
      this.onGranted(connection);
      return;
    }
    if (pool.wait(this)) {
      this.#waitsIn = pool;
      this.#wheel.add(this.#timer, this.#withinTry(MAX_WAIT_MS));
    } else this.#onTimer();
  }

  /** The pool has a connection for this attempt. */
  onGranted(connection: UpstreamConnection): void {
    this.#waitsIn = null;
    this.#connection = connection;
    this.last = connection;
    this.reused = connection.served > 0;
    if (connection.ready) this.onConnected();
    else this.#wheel.add(this.#timer, this.#withinTry(this.#cluster!.spec.connectTimeoutMs));
  }

  /** @param acceptTrailers of the answer: say so to the upstream */
  writeHead(framing: Framing, length: number, upgrade: Buffer | null, acceptTrailers = false): void {
    const connection = this.#connection!;
    const { request } = this.#owner;
    this.#framing = framing;
    const to = out.reserve(connection, headBound(request, upgrade));
    const from = out.end();
    const end = writeRequestHead(request, framing, length, to, from, upgrade, acceptTrailers);
    out.advance(end);
    this.bytesOut += end - from;
  }

  writeData(bytes: Uint8Array, start: number, end: number): void {
    if (end === start) return;
    const connection = this.#connection!;
    if (this.#framing === Framing.Chunked) appendChunk(connection, bytes, start, end);
    else out.append(connection, bytes, start, end);
    this.bytesOut += end - start;
  }

  /** @param trailers lost where the body is not chunked */
  writeEnd(trailers: HeaderBlock | null = null): void {
    const connection = this.#connection!;
    if (this.#framing === Framing.Chunked) appendLastChunk(connection, trailers);
    connection.requestSent();
    this.#sent = true;
    if (!this.#headSeen) this.#awaitHead();
  }

  startTunnel(): void {
    this.#wheel.disarm(this.#timer);
    this.#connection!.startTunnel();
  }

  endTunnel(): void {
    out.flush();
    this.#connection?.endTunnel();
  }

  writeTunnel(bytes: Uint8Array, start: number, end: number): void {
    if (this.#connection !== null) out.append(this.#connection, bytes, start, end);
  }

  pauseReading(): void {
    this.#connection?.pauseReading();
  }

  resumeReading(): void {
    this.#connection?.resumeReading();
  }

  /** Gives this try up; its connection cannot be used again. */
  cancel(): void {
    const connection = this.#detach();
    connection?.destroy();
  }

  // What the connection says.

  onConnected(): void {
    this.#awaitHead();
    this.#owner.attemptReady();
    // The try before may have been stopped by an upstream that took no more.
    if (this.#connection !== null && !this.#connection.blocked) this.#owner.upstreamDrained();
  }

  #awaitHead(): void {
    const { firstByteTimeoutMs } = this.#cluster!.spec;
    const limit = this.#withinTry(firstByteTimeoutMs > 0 ? firstByteTimeoutMs : Infinity);
    if (limit === Infinity) this.#wheel.disarm(this.#timer);
    else this.#wheel.arm(this.#timer, limit);
  }

  #withinTry(limitMs: number): number {
    return Math.max(0, Math.min(limitMs, this.#until - this.#wheel.now));
  }

  onBytes(size: number): void {
    this.bytesIn += size;
  }

  onInterim(status: number): void {
    this.#owner.interimAnswer(status);
  }

  /** Where `ended`, the connection has let go of this attempt already. */
  onHead(status: number, framing: Framing, length: number, ended: boolean): void {
    this.#headSeen = true;
    if (ended && status !== 101) this.#detach();
    else this.#wheel.disarm(this.#timer);
    this.#owner.answerHead(status, framing, length, ended);
  }

  onData(bytes: Buffer, start: number, end: number): void {
    this.#owner.answerData(bytes, start, end, false);
  }

  onLastData(bytes: Buffer, start: number, end: number): void {
    this.#detach();
    this.#owner.answerData(bytes, start, end, true);
  }

  onTrailers(trailers: HeaderBlock): void {
    this.#detach();
    this.#owner.answerTrailers(trailers);
  }

  get answerBlocked(): boolean {
    return this.#owner.answerBlocked;
  }

  onDownstreamBlocked(): void {
    this.#owner.downstreamBlocked();
  }

  onFailure(failure: Failure): void {
    this.#detach();
    this.#owner.attemptFailed(failure);
  }

  onDrained(): void {
    this.#owner.upstreamDrained();
  }

  onTunnelData(bytes: Buffer, start: number, end: number): void {
    this.#owner.tunnelData(bytes, start, end);
  }

  onTunnelEnd(): void {
    this.#owner.tunnelEnded();
  }

  #onTimer(): void {
    if (!this.#running || this.#headSeen) return;
    if (this.ready && !this.#sent && this.#wheel.now < this.#until) {
      // The upstream is late only once it has the request whole, or takes no more of it.
      const stalled = this.blocked && this.bytesOut === this.#lastBytesOut;
      this.#lastBytesOut = this.bytesOut;
      if (!stalled) {
        this.#awaitHead();
        return;
      }
    }
    const failure =
      this.#connection === null
        ? Failure.Overflow
        : this.#connection.ready
          ? Failure.PerTryTimeout
          : Failure.ConnectTimeout;
    this.cancel();
    this.#owner.attemptFailed(failure);
    out.flush();
  }

  #detach(): UpstreamConnection | null {
    if (!this.#running) return null;
    this.#running = false;
    this.#wheel.disarm(this.#timer);
    this.endpoint!.active--;
    this.#waitsIn?.forget(this);
    this.#waitsIn = null;
    const connection = this.#connection;
    this.#connection = null;
    return connection;
  }
}
