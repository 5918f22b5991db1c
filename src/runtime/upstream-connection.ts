import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { readByEvents, wasReset } from './accepted-socket.ts';
import type { Attempt } from './attempt.ts';
import type { Endpoint } from './cluster.ts';
import { ChunkedReader } from './http/chunked.ts';
import { MessageKind } from './http/headers.ts';
import { Framing, HeadReader, NEED_MORE, REFUSED } from './http/parse.ts';
import type { EndpointPool } from './pool.ts';
import { Failure } from './retry.ts';
import { DEFAULT_LISTENER_LIMITS } from './snapshot.ts';
import {
  giveBack,
  lendFrom,
  out,
  readWindow,
  reset,
  takeBulkBuffer,
  Transport,
  WRITE_HIGH_WATER,
  type Lender,
} from './socket-io.ts';
import { Timer } from './timer-wheel.ts';

/** At most this many interim (1xx) answers before the real one (security requirements §3). */
const MAX_INTERIM = 10;

/** What is left of an answer from which on a buffer of its own pays. */
const BULK_FROM = 16 * 1024;

const Phase = { Connecting: 0, Idle: 1, Head: 2, Body: 3, Tunnel: 4, Closed: 5 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

/**
 * One connection to an endpoint, and the HTTP/1.1 codec on it: bytes ⇄ one answer at a time.
 * It belongs to an attempt while it is busy and to its pool while it is idle.
 */
export class UpstreamConnection extends Transport implements Lender {
  readonly socket: Socket;
  /** The buffer that this connection alone reads into, while a large answer comes. */
  bulk: Buffer | null = null;
  #buffer: Buffer = readWindow;
  readonly endpoint: Endpoint;
  /** Answers that were read whole on it; a failure on a reused connection may be stale keep-alive. */
  served = 0;
  /** What connecting took. */
  connectMs = 0;
  /** Why it did not come about, or was lost: Node's error code. */
  failureReason = '';
  /** Its end here; kept, since a closed socket has forgotten it. */
  local: { readonly host: string; readonly port: number } | null = null;
  readonly #connectAt = performance.now();
  #attempt: Attempt | null = null;
  readonly #pool: EndpointPool;
  #phase: Phase = Phase.Connecting;
  readonly #reader = new HeadReader();
  #chunked: ChunkedReader | null = null;
  #left = 0;
  #framing: Framing = Framing.None;
  #keepAlive = false;
  #interim = 0;
  #clean = true;
  #requestSent = false;
  #paused = false;
  readonly #idle: Timer;

  constructor(pool: EndpointPool, endpoint: Endpoint, attempt: Attempt) {
    super();
    this.#pool = pool;
    this.endpoint = endpoint;
    this.#attempt = attempt;
    this.#idle = new Timer(() => this.#onIdle());
    this.socket = this.#connect();
  }

  /** Whether the connection is up and the attempt may write. */
  get ready(): boolean {
    return this.#phase !== Phase.Connecting && this.#phase !== Phase.Closed;
  }

  get closed(): boolean {
    return this.#phase === Phase.Closed;
  }

  /** Takes the connection out of the pool for `attempt`. */
  take(attempt: Attempt): void {
    this.#pool.wheel.cancel(this.#idle);
    this.#attempt = attempt;
    this.#begin(attempt);
  }

  /** The request went out whole: only then is the connection free after the answer. */
  requestSent(): void {
    this.#requestSent = true;
  }

  /** Stops reading until `resumeReading`. */
  pauseReading(): void {
    this.#paused = true;
    this.socket.pause();
  }

  resumeReading(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (!this.socket.destroyed) this.socket.resume();
  }

  /** Bytes of another protocol from here on, in both directions. */
  startTunnel(): void {
    this.#phase = Phase.Tunnel;
  }

  endTunnel(): void {
    this.socket.end();
  }

  /** Gives up a request that is under way: the upstream must not take what it got for whole. */
  destroy(): void {
    this.#attempt = null;
    if (this.#phase > Phase.Idle && !this.socket.destroyed) reset(this.socket);
    this.#close();
  }

  override onDrained(): void {
    this.#attempt?.onDrained();
  }

  #connect(): Socket {
    const { endpoint } = this;
    const tls = this.#pool.tls;
    let socket: Socket;
    if (tls === null) {
      socket = connect({
        host: endpoint.address,
        port: endpoint.port,
        noDelay: true,
        allowHalfOpen: true,
        // Taken by the socket's stream, though Node's types do not say so.
        ...{ writableHighWaterMark: WRITE_HIGH_WATER },
        onread: { buffer: () => this.#nextBuffer(), callback: (size) => this.#onRead(size) },
      });
      socket.once('connect', () => this.#onConnect());
    } else {
      socket = connectTls({ ...tls, host: endpoint.address, port: endpoint.port });
      socket.setNoDelay(true);
      readByEvents(socket, (size) => this.#onRead(size));
      socket.once('secureConnect', () => this.#onConnect());
    }
    socket.on('drain', () => this.onSocketDrain());
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.failureReason = error.code ?? error.message;
      this.#onClosed();
    });
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onClosed());
    return socket;
  }

  #onConnect(): void {
    this.connectMs = performance.now() - this.#connectAt;
    this.local = { host: this.socket.localAddress ?? '', port: this.socket.localPort ?? 0 };
    const attempt = this.#attempt;
    if (attempt === null) {
      // Its request went elsewhere or away meanwhile: the connection is good for the next one.
      this.#phase = Phase.Idle;
      this.#release();
      return;
    }
    this.#begin(attempt);
    attempt.onConnected();
    out.flush();
  }

  #begin(attempt: Attempt): void {
    this.#phase = Phase.Head;
    this.#interim = 0;
    this.#clean = true;
    this.#requestSent = false;
    this.#reader.begin(attempt.answerBlock, MessageKind.Response, DEFAULT_LISTENER_LIMITS, attempt.method);
  }

  /**
   * Where to read to next. A large answer is read into a buffer of the connection's own, which can be
   * written from without a copy; everything else into the window that all connections share.
   */
  #nextBuffer(): Buffer {
    const most = this.#attempt === null ? 0 : this.#attempt.readBytes;
    if (most > 0 && most < readWindow.length) return (this.#buffer = readWindow.subarray(0, most));
    // Given back between answers: few buffers that stay in the processor's cache beat one a connection.
    const large = this.#phase === Phase.Body && (this.#framing !== Framing.Length || this.#left >= BULK_FROM);
    if (large) this.bulk ??= takeBulkBuffer();
    else if (this.bulk !== null) {
      giveBack(this.bulk);
      this.bulk = null;
    }
    return (this.#buffer = this.bulk ?? readWindow);
  }

  /** The kernel keeps the bulk buffer. */
  lend(): void {
    this.bulk = null;
  }

  #onRead(size: number): boolean {
    lendFrom(this.bulk === null ? null : this);
    const more = this.#take(size);
    lendFrom(null);
    return more;
  }

  #take(size: number): boolean {
    const attempt = this.#attempt;
    if (attempt === null) {
      // Bytes that no request asked for: nothing on this connection can be trusted.
      this.#close();
      return false;
    }
    attempt.onBytes(size);
    if (this.#phase === Phase.Tunnel) attempt.onTunnelData(this.#buffer, 0, size);
    else this.#readAnswer(attempt, size);
    out.flush();
    // What the downstream did not take has to be taken before there is more.
    if (this.#attempt !== null && this.#attempt.answerBlocked) this.#attempt.onDownstreamBlocked();
    return !this.#paused;
  }

  #readAnswer(attempt: Attempt, size: number): void {
    let at = 0;
    while (this.#phase === Phase.Head) {
      at = this.#reader.read(this.#buffer, at, size);
      if (at === NEED_MORE) return;
      if (at === REFUSED) {
        this.#fail(Failure.BadResponse);
        return;
      }
      at = this.#onHead(attempt, at, size);
      if (at < 0) return;
      if (at === size && this.#phase === Phase.Head) return;
    }
    if (this.#phase === Phase.Body) this.#readBody(attempt, at, size);
    else if (this.#phase === Phase.Tunnel && at < size) attempt.onTunnelData(this.#buffer, at, size);
  }

  /** @returns where to go on reading, or -1 where this connection is done with */
  #onHead(attempt: Attempt, at: number, size: number): number {
    const reader = this.#reader;
    if (reader.status < 200 && reader.status !== 101) {
      if (++this.#interim > MAX_INTERIM) {
        this.#fail(Failure.BadResponse);
        return -1;
      }
      attempt.onInterim(reader.status);
      reader.begin(attempt.answerBlock, MessageKind.Response, DEFAULT_LISTENER_LIMITS, attempt.method);
      return at;
    }
    this.#framing = reader.framing;
    this.#left = reader.contentLength;
    this.#keepAlive = reader.keepAlive && reader.framing !== Framing.UntilClose;
    this.#phase = Phase.Body;
    if (reader.framing === Framing.Chunked)
      (this.#chunked ??= new ChunkedReader()).reset(DEFAULT_LISTENER_LIMITS, MessageKind.Response);
    const bodiless =
      reader.framing === Framing.None || (reader.framing === Framing.Length && this.#left === 0);
    if (bodiless && reader.status !== 101) {
      const { status, framing, contentLength } = reader;
      this.#clean = at === size;
      // From here on the reader may serve the answer to another attempt.
      this.#endAnswer();
      attempt.onHead(status, framing, contentLength, true);
      return -1;
    }
    attempt.onHead(reader.status, reader.framing, reader.contentLength, bodiless);
    return this.#attempt === attempt ? at : -1;
  }

  #readBody(attempt: Attempt, from: number, size: number): void {
    let at = from;
    if (at === size) return;
    if (this.#framing === Framing.Length) {
      const n = Math.min(this.#left, size - at);
      this.#left -= n;
      if (this.#left === 0) {
        this.#clean = at + n === size;
        this.#endAnswer();
        attempt.onLastData(this.#buffer, at, at + n);
      } else attempt.onData(this.#buffer, at, at + n);
      return;
    }
    if (this.#framing === Framing.UntilClose) {
      attempt.onData(this.#buffer, at, size);
      return;
    }
    const chunked = this.#chunked!;
    at = chunked.read(this.#buffer, at, size);
    if (chunked.refusal !== 0) {
      this.#fail(Failure.BadResponse);
      return;
    }
    const { dataStart, dataEnd, trailers } = chunked;
    if (!chunked.done) {
      if (dataEnd > dataStart) attempt.onData(this.#buffer, dataStart, dataEnd);
      return;
    }
    this.#clean = at === size;
    if (trailers === null || trailers.count === 0) {
      this.#endAnswer();
      attempt.onLastData(this.#buffer, dataStart, dataEnd);
      return;
    }
    if (dataEnd > dataStart) attempt.onData(this.#buffer, dataStart, dataEnd);
    if (this.#attempt !== attempt) return;
    this.#endAnswer();
    attempt.onTrailers(trailers);
  }

  /**
   * The answer is read whole. Done before its last bytes are handed on, since whoever takes them may
   * end the stream and begin the next one: after that nothing here may touch the attempt.
   */
  #endAnswer(): void {
    this.#attempt = null;
    this.served++;
    if (this.#requestSent && this.#keepAlive && this.#clean && !this.socket.destroyed) {
      this.#phase = Phase.Idle;
      this.resumeReading();
      this.#release();
    } else this.#close();
  }

  #release(): void {
    if (!this.#pool.release(this)) this.#close();
    else if (this.#phase === Phase.Idle) this.#pool.wheel.add(this.#idle, this.#pool.idleTimeoutMs);
  }

  #onIdle(): void {
    if (this.#phase === Phase.Idle) this.#close();
  }

  #onEnd(): void {
    const attempt = this.#attempt;
    if (wasReset(this.socket)) this.#onClosed();
    else if (attempt !== null && this.#phase === Phase.Body && this.#framing === Framing.UntilClose) {
      this.#keepAlive = false;
      this.#endAnswer();
      attempt.onLastData(readWindow, 0, 0);
      out.flush();
    } else if (attempt !== null && this.#phase === Phase.Tunnel) {
      attempt.onTunnelEnd();
      out.flush();
    } else this.#onClosed();
  }

  #onClosed(): void {
    if (this.#phase === Phase.Closed) return;
    const failure =
      this.#phase === Phase.Connecting
        ? Failure.ConnectRefused
        : this.#phase === Phase.Head
          ? Failure.ResetBeforeHeaders
          : Failure.ResetAfterHeaders;
    this.#fail(failure);
    out.flush();
  }

  #fail(failure: Failure): void {
    const attempt = this.#attempt;
    this.#attempt = null;
    this.#close();
    attempt?.onFailure(failure);
  }

  #close(): void {
    if (this.#phase === Phase.Closed) return;
    this.#phase = Phase.Closed;
    this.#pool.wheel.cancel(this.#idle);
    this.#pool.remove(this);
    this.socket.destroy();
  }
}
