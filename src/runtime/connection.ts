import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { serverNameOf } from './accepted-socket.ts';
import { endpointText } from './cluster.ts';
import { Forwarding, forwardingFor } from './forwarding.ts';
import { ChunkedReader } from './http/chunked.ts';
import { MessageKind, type HeaderBlock } from './http/headers.ts';
import { Framing, HeadReader, MethodId, NEED_MORE, REFUSED } from './http/parse.ts';
import { headBound, writeResponseHead } from './http/write.ts';
import type { AcceptedConnection, ListeningPort } from './listener.ts';
import type { LiveSnapshot } from './live-snapshot.ts';
import { refusalBytes, Replies } from './reply.ts';
import { RouteCache, type Router } from './route.ts';
import type { ListenerLimits } from './snapshot.ts';
import { appendChunk, appendLastChunk, out, readWindow, reset, Transport } from './socket-io.ts';
import type { Stream } from './stream.ts';
import { Timer } from './timer-wheel.ts';
import type { StateMap } from './wasm/state-map.ts';
import type { WorkerState } from './worker-state.ts';

/** After a refusal: how much of what still comes is read and thrown away, and for how long (security requirements §1.13). */
const LINGER_BYTES = 64 * 1024;
const LINGER_MS = 1000;
/** A body has this long before its rate counts (security requirements §5). */
const RATE_GRACE_MS = 30_000;

const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');

const Phase = { Head: 0, Body: 1, Waiting: 2, Discard: 3, Tunnel: 4, Linger: 5, Closed: 6 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

let lastId = 0;

/** Unique among the connections of a worker, whatever they carry. */
export function nextConnectionId(): number {
  return ++lastId;
}

/** One downstream connection and the HTTP/1.1 codec on it: bytes ⇄ one message at a time, keep-alive, the client's timers. */
export class Connection extends Transport implements AcceptedConnection {
  readonly id = nextConnectionId();
  readonly socket: Socket;
  readonly port: ListeningPort;
  readonly worker: WorkerState;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  readonly tls: TLSSocket | null;
  readonly routeCache = new RouteCache();
  /** What filters keep for the later streams of the connection. */
  state: StateMap | null = null;
  limits: ListenerLimits;
  #routedLive: LiveSnapshot | null = null;
  #router: Router | null = null;
  /** What is said to upstreams of the client. */
  readonly forwarding: Forwarding;
  readonly #reader = new HeadReader();
  readonly #timer: Timer;
  #chunked: ChunkedReader | null = null;
  #stream: Stream | null = null;
  #phase: Phase = Phase.Head;
  #parsing = false;
  /** The stream wants no more bytes for the time being. */
  #held = false;
  #paused = false;
  #pausedAt = 0;
  /** Bytes read ahead of the answer under way. */
  #kept: Buffer | null = null;
  #requests = 0;
  #draining = false;
  /** Body bytes to come, Content-Length framing. */
  #left = 0;
  #framing: Framing = Framing.None;
  /** When the phase began; when the last byte came. Monotonic ms, as exact as the wheel's tick. */
  #since = 0;
  #lastRead = 0;
  #bodyBytes = 0;
  #blockedSince = 0;
  #lingered = 0;
  #continued = false;
  #keepAlive = false;
  /** The client said that this request is its last. */
  #last = false;
  #answerFraming: Framing = Framing.None;
  #answerLeft = 0;
  #ended = false;

  constructor(socket: Socket, port: ListeningPort, worker: WorkerState, tls: TLSSocket | null) {
    super();
    this.socket = socket;
    this.port = port;
    this.worker = worker;
    this.limits = port.spec.limits;
    this.remoteAddress = socket.remoteAddress ?? '';
    this.remotePort = socket.remotePort ?? 0;
    this.localPort = port.spec.port;
    this.tls = tls;
    this.forwarding = forwardingFor(this.remoteAddress, tls !== null);
    this.#timer = new Timer(() => this.#onTimer());
    socket.on('drain', () => this.onSocketDrain());
    socket.on('error', () => this.#onClosed());
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onClosed());
    this.#since = worker.wheel.now;
    worker.wheel.add(this.#timer, this.limits.idleTimeoutMs);
  }

  begin(): void {
    this.socket.resume();
  }

  /** `address:port` of the client. */
  get remoteText(): string {
    return endpointText(this.remoteAddress, this.remotePort);
  }

  get localAddress(): string {
    return this.socket.localAddress ?? '';
  }

  get secure(): boolean {
    return this.tls !== null;
  }

  /** Null where the snapshot no longer has this port. */
  routerOf(live: LiveSnapshot): Router | null {
    if (live !== this.#routedLive) {
      this.#routedLive = live;
      this.#router = live.routerOf(this.port.key);
    }
    return this.#router;
  }

  /** Index of the listener whose certificate the client was shown; -1: it was shown none. */
  listenerOf(live: LiveSnapshot): number {
    if (this.tls === null) return -1;
    return live.certificates(this.port.key)?.listenerOf(serverNameOf(this.tls)) ?? -1;
  }

  // ── Bytes in ──────────────────────────────────────────────────────────────────────────────────

  /** `readWindow[0, size)` has come. @returns whether to go on reading */
  onRead(size: number): boolean {
    this.#lastRead = this.worker.wheel.now;
    this.#onBytes(readWindow, 0, size);
    out.flush();
    if (this.#stream !== null && this.#stream.requestBlocked) this.#stream.pauseForUpstream();
    return !this.#paused;
  }

  #onBytes(bytes: Buffer, start: number, end: number): void {
    this.#parsing = true;
    let at = start;
    while (at < end) {
      if (this.#phase === Phase.Head) {
        // Answers that the client does not take must not pile up: its next request waits until it did.
        if (this.blocked && this.#stream === null) {
          this.#keep(bytes, at, end);
          break;
        }
        at = this.#readHead(bytes, at, end);
      } else if (this.#phase === Phase.Body) at = this.#readBody(bytes, at, end);
      else if (this.#phase === Phase.Waiting) {
        this.#keep(bytes, at, end);
        break;
      } else if (this.#phase === Phase.Discard) {
        at = this.#discard(bytes, at, end);
      } else if (this.#phase === Phase.Tunnel) {
        this.#stream!.fromTunnel(bytes, at, end);
        break;
      } else {
        this.#linger(end - at);
        break;
      }
    }
    this.#parsing = false;
    this.#updateReading();
  }

  /** @returns where to go on */
  #readHead(bytes: Buffer, start: number, end: number): number {
    const { worker } = this;
    const reader = this.#reader;
    let stream = this.#stream;
    if (stream === null) {
      stream = this.#stream = worker.acquire();
      this.limits = this.port.spec.limits;
      reader.begin(stream.request, MessageKind.Request, this.limits, MethodId.Get, this.tls !== null);
      this.#since = worker.wheel.now;
      this.#requests++;
    }
    const at = reader.read(bytes, start, end);
    if (at === NEED_MORE) {
      // Counted from the first byte: a client that sends one at a time gains nothing.
      worker.wheel.add(this.#timer, this.#since + this.limits.headTimeoutMs - worker.wheel.now);
      return end;
    }
    if (at === REFUSED) {
      this.#refuse(reader.refusal, reader.refusalReason);
      return end;
    }
    this.#framing = reader.framing;
    this.#left = reader.contentLength;
    this.#phase = Phase.Waiting;
    this.#keepAlive = reader.keepAlive;
    this.#last = !reader.keepAlive;
    this.#bodyBytes = 0;
    this.#continued = false;
    const ended = reader.framing === Framing.None || (reader.framing === Framing.Length && this.#left === 0);
    if (!ended) {
      this.#phase = Phase.Body;
      this.#since = this.#lastRead = worker.wheel.now;
      worker.wheel.add(this.#timer, this.#bodyCheckMs());
      if (reader.framing === Framing.Chunked) (this.#chunked ??= new ChunkedReader()).reset(this.limits);
    }
    stream.begin(this, worker.live, reader);
    if (
      ended &&
      reader.framing === Framing.Length &&
      this.#stream === stream &&
      this.#phase === Phase.Waiting
    ) {
      stream.requestData(bytes, at, at, true);
    }
    return at;
  }

  #readBody(bytes: Buffer, start: number, end: number): number {
    const stream = this.#stream!;
    if (this.#framing === Framing.Length) {
      const size = Math.min(this.#left, end - start);
      this.#left -= size;
      this.#bodyBytes += size;
      const ended = this.#left === 0;
      if (ended) this.#phase = Phase.Waiting;
      stream.requestData(bytes, start, start + size, ended);
      return start + size;
    }
    const chunked = this.#chunked!;
    const at = chunked.read(bytes, start, end);
    if (chunked.refusal !== 0) {
      this.#keepAlive = false;
      stream.requestFailed(Replies.badBody);
      return end;
    }
    const { dataStart, dataEnd } = chunked;
    this.#bodyBytes += dataEnd - dataStart;
    if (!chunked.done) {
      if (dataEnd > dataStart) stream.requestData(bytes, dataStart, dataEnd, false);
      return at;
    }
    this.#phase = Phase.Waiting;
    const { trailers } = chunked;
    if (trailers === null || trailers.count === 0) {
      stream.requestData(bytes, dataStart, dataEnd, true);
      return at;
    }
    if (dataEnd > dataStart) stream.requestData(bytes, dataStart, dataEnd, false);
    if (this.#stream === stream) stream.requestTrailers(trailers);
    return at;
  }

  /** The answer went out before the body came in: what little is left of it is read and thrown away. */
  #discard(bytes: Buffer, start: number, end: number): number {
    let at: number;
    let ended: boolean;
    if (this.#framing === Framing.Length) {
      at = Math.min(end, start + this.#left);
      this.#left -= at - start;
      ended = this.#left === 0;
    } else {
      const chunked = this.#chunked!;
      at = chunked.read(bytes, start, end);
      ended = chunked.done;
      if (chunked.refusal !== 0) {
        this.#lingerThenClose();
        return end;
      }
    }
    this.#lingered += at - start;
    if (this.#lingered > LINGER_BYTES) this.#lingerThenClose();
    else if (ended) this.#awaitHead();
    return at;
  }

  /** Bytes of the next request wait for the answer to this one; reading stops, so that they stay few. */
  #keep(bytes: Buffer, start: number, end: number): void {
    const more = bytes.subarray(start, end);
    this.#kept = this.#kept === null ? Buffer.from(more) : Buffer.concat([this.#kept, more]);
  }

  #linger(size: number): void {
    this.#lingered += size;
    if (this.#lingered > LINGER_BYTES) this.close();
  }

  /** The head broke a rule: says so and closes; nothing of it went anywhere. */
  #refuse(status: number, reason: string): void {
    const stream = this.#stream!;
    this.#stream = null;
    this.worker.recordRefusal(this, status, reason);
    stream.abandon();
    const bytes = refusalBytes(status, reason);
    out.append(this, bytes, 0, bytes.length);
    this.#lingerThenClose();
  }

  /** The stream under way wants no more bytes. */
  pauseReading(): void {
    this.#held = true;
    this.#updateReading();
  }

  resumeReading(): void {
    this.#held = false;
    this.#updateReading();
  }

  #updateReading(): void {
    const pause = this.#held || this.#kept !== null;
    if (pause === this.#paused || this.#phase === Phase.Closed) return;
    this.#paused = pause;
    const { wheel } = this.worker;
    if (pause) {
      this.#pausedAt = wheel.now;
      this.socket.pause();
      return;
    }
    if (this.#phase === Phase.Body) {
      // The client could not send meanwhile: that time is not its own.
      this.#lastRead = wheel.now;
      this.#since += wheel.now - this.#pausedAt;
      wheel.add(this.#timer, this.#bodyCheckMs());
    }
    this.socket.resume();
  }

  // ── The answer out ────────────────────────────────────────────────────────────────────────────

  sendContinue(): void {
    this.#continued = true;
    out.append(this, CONTINUE, 0, CONTINUE.length);
  }

  sendInterim(answer: HeaderBlock): void {
    this.#writeHead(answer, Framing.None, 0, true, null);
  }

  /** @param length of the body, with `Framing.Length` */
  sendHead(answer: HeaderBlock, framing: Framing, length: number, upgrade: Buffer | null): void {
    const old = this.#reader.minorVersion === 0;
    let coding = framing;
    if (coding === Framing.UntilClose) coding = Framing.Chunked;
    if (coding === Framing.Chunked && old) coding = Framing.UntilClose;
    if (coding === Framing.UntilClose || this.#draining || (this.#ended && this.#kept === null))
      this.#keepAlive = false;
    // Without its 100 the client need not send the body, so that what comes next may be either.
    if (this.#reader.expectContinue && !this.#continued && this.#bodyBytes === 0) this.#keepAlive = false;
    const most = this.limits.requestsPerConnection;
    if ((most > 0 && this.#requests >= most) || this.worker.shedding) this.#keepAlive = false;
    const { serverName } = this.limits;
    if (serverName !== '') answer.replaceText('server', serverName);
    this.#answerFraming = coding;
    this.#answerLeft = length;
    this.#writeHead(answer, coding, length, this.#keepAlive, upgrade);
  }

  #writeHead(
    answer: HeaderBlock,
    framing: Framing,
    length: number,
    keepAlive: boolean,
    upgrade: Buffer | null,
  ): void {
    const minor = this.#reader.minorVersion;
    const to = out.reserve(this, headBound(answer, upgrade));
    out.advance(writeResponseHead(answer, framing, length, keepAlive, to, out.end(), minor, upgrade));
  }

  sendData(bytes: Uint8Array, start: number, end: number): void {
    if (end === start) return;
    if (this.#answerFraming === Framing.Chunked) appendChunk(this, bytes, start, end);
    else {
      this.#answerLeft -= end - start;
      out.append(this, bytes, start, end);
    }
  }

  /** Whether the client of the request under way takes trailers. */
  get takesTrailers(): boolean {
    return this.#reader.teTrailers && this.#reader.minorVersion === 1;
  }

  /**
   * @param headOnly the answer has no body whatever its framing says
   * @param trailers lost where the body is not chunked
   */
  endAnswer(headOnly: boolean, trailers: HeaderBlock | null): void {
    if (this.#answerFraming === Framing.Chunked) {
      if (!headOnly) appendLastChunk(this, trailers);
    } else if (this.#answerFraming === Framing.Length && this.#answerLeft !== 0 && !headOnly) {
      // Short of its length, or beyond it: it must not pass for whole.
      this.worker.log.error({ left: this.#answerLeft }, 'an answer had another length than it said');
      out.flush();
      // The stream ends by itself: closing must not end it once more.
      this.#stream = null;
      this.close();
    }
  }

  startTunnel(): void {
    this.#phase = Phase.Tunnel;
    const kept = this.#kept;
    if (kept === null) return;
    this.#kept = null;
    this.#stream!.fromTunnel(kept, 0, kept.length);
    this.#updateReading();
  }

  sendTunnel(bytes: Uint8Array, start: number, end: number): void {
    out.append(this, bytes, start, end);
  }

  endTunnel(): void {
    out.flush();
    this.socket.end(() => {
      if (this.#ended) this.close();
    });
  }

  // ── Between messages ──────────────────────────────────────────────────────────────────────────

  /**
   * The stream is over.
   *
   * @param whole the answer went out whole
   * @param requestRead the request came in whole
   */
  streamEnded(whole: boolean, requestRead: boolean): void {
    this.#stream = null;
    this.#held = false;
    if (this.#phase === Phase.Closed) return;
    if (!whole) {
      out.flush();
      reset(this.socket);
      this.close();
      return;
    }
    const read = requestRead || this.#bodyRead();
    if (this.#last && read && this.#phase !== Phase.Tunnel && this.#closeAtOnce()) return;
    const little = this.#framing === Framing.Chunked || this.#left <= LINGER_BYTES;
    if (!this.#keepAlive || this.#phase === Phase.Tunnel || (!read && !little)) {
      this.#lingerThenClose();
      return;
    }
    if (!read) {
      this.#phase = Phase.Discard;
      this.#lingered = 0;
      this.worker.wheel.add(this.#timer, LINGER_MS);
    } else this.#awaitHead();
    // The loop that reads this connection's bytes goes on by itself.
    if (!this.#parsing) this.#goOn();
  }

  /**
   * Closes without waiting for the client to close: one that sends nothing more cannot lose the answer to a
   * reset (RFC 9112, section 9.6). TLS takes its leave with the client, and so does what is not sent yet.
   */
  #closeAtOnce(): boolean {
    if (this.tls !== null) return false;
    out.flush();
    if (this.socket.writableLength !== 0) return false;
    this.close();
    return true;
  }

  /** Whether no byte of the request's body is to come, whoever took or did not take it. */
  #bodyRead(): boolean {
    if (this.#framing === Framing.None) return true;
    return this.#framing === Framing.Length ? this.#left === 0 : this.#chunked!.done;
  }

  /** With what was read ahead, then with reading. */
  #goOn(): void {
    const kept = this.#kept;
    this.#kept = null;
    if (kept !== null) this.#onBytes(kept, 0, kept.length);
    else this.#updateReading();
    if (this.#ended) this.#onEnd();
  }

  #awaitHead(): void {
    this.#phase = Phase.Head;
    this.#since = this.worker.wheel.now;
    if (this.#timer.armed && this.#timer.deadline <= this.#since + this.limits.idleTimeoutMs) {
      this.worker.wheel.extend(this.#timer, this.limits.idleTimeoutMs);
    } else this.worker.wheel.add(this.#timer, this.limits.idleTimeoutMs);
    // What the client has not taken yet keeps its own limit.
    if (this.blocked) this.worker.wheel.add(this.#timer, this.limits.writeTimeoutMs);
  }

  /**
   * Finishes what runs and closes. A request may be under way on a connection that looks idle here,
   * so that one gets a moment: it is answered, and told that it was the last.
   */
  drain(): void {
    this.#draining = true;
    if (this.#stream === null && this.#phase === Phase.Head) {
      this.worker.wheel.add(this.#timer, DRAIN_IDLE_MS);
    }
  }

  close(): void {
    if (this.#phase === Phase.Closed) return;
    this.#phase = Phase.Closed;
    this.worker.wheel.cancel(this.#timer);
    this.port.closed(this);
    const stream = this.#stream;
    this.#stream = null;
    this.#kept = null;
    this.socket.destroy();
    if (stream === null) return;
    if (stream.begun) stream.downstreamClosed();
    else stream.abandon();
  }

  override onBlocked(): void {
    const { wheel } = this.worker;
    this.#blockedSince = wheel.now;
    const { writeTimeoutMs } = this.limits;
    if (this.#timer.deadline > wheel.now + writeTimeoutMs) wheel.add(this.#timer, writeTimeoutMs);
  }

  override onDrained(): void {
    if (this.#stream !== null) this.#stream.downstreamDrained();
    else if (this.#phase === Phase.Head && this.#kept !== null) this.#goOn();
  }

  /** Nothing more is sent; what was sent gets the time to arrive, and then the client the time to close. */
  #lingerThenClose(): void {
    out.flush();
    this.#phase = Phase.Linger;
    this.#lingered = 0;
    this.#kept = null;
    this.#held = false;
    this.#updateReading();
    this.worker.wheel.add(this.#timer, this.limits.writeTimeoutMs);
    this.socket.end(() => {
      if (this.#phase !== Phase.Linger) return;
      if (this.#ended) this.close();
      else this.worker.wheel.add(this.#timer, LINGER_MS);
    });
  }

  #onEnd(): void {
    this.#ended = true;
    switch (this.#phase) {
      case Phase.Tunnel:
        this.#stream?.downstreamEnded();
        return;
      case Phase.Waiting:
        // A client that has sent its request whole may close its side and still wait for the answer.
        return;
      case Phase.Head:
      case Phase.Discard:
        if (this.#kept !== null) return;
        this.#forgetHead();
        this.#lingerThenClose();
        return;
      case Phase.Linger:
        if (!this.socket.writableFinished) return;
        break;
      case Phase.Body:
      case Phase.Closed:
        break;
    }
    this.close();
    out.flush();
  }

  /** A head that came in part goes nowhere. */
  #forgetHead(): void {
    const stream = this.#stream;
    this.#stream = null;
    stream?.abandon();
  }

  #onClosed(): void {
    this.close();
    out.flush();
  }

  #onTimer(): void {
    const { wheel } = this.worker;
    const { now } = wheel;
    const { limits } = this;
    const unwritten = this.blocked ? this.#blockedSince + limits.writeTimeoutMs - now : Infinity;
    if (unwritten <= 0) {
      this.close();
      out.flush();
      return;
    }
    let next = CHECK_MS;
    switch (this.#phase) {
      case Phase.Head:
        if (this.#stream !== null) {
          this.#refuse(408, 'the request head did not come in time');
          out.flush();
          return;
        }
        if (this.blocked) break;
        this.#lingerThenClose();
        return;
      case Phase.Body:
        if (!this.#paused && this.#isBodyLate(now)) {
          this.#keepAlive = false;
          this.#stream!.requestFailed(Replies.bodyTimeout);
          out.flush();
          return;
        }
        next = this.#bodyCheckMs();
        break;
      case Phase.Discard:
        this.#lingerThenClose();
        return;
      case Phase.Linger:
      case Phase.Closed:
        this.close();
        return;
      case Phase.Waiting:
      case Phase.Tunnel:
        break;
    }
    wheel.add(this.#timer, Math.min(next, unwritten));
  }

  #isBodyLate(now: number): boolean {
    const { bodyTimeoutMs, bodyMinBytesPerSecond } = this.limits;
    if (now - this.#lastRead >= bodyTimeoutMs) return true;
    const elapsed = now - this.#since;
    return elapsed >= RATE_GRACE_MS && this.#bodyBytes < (bodyMinBytesPerSecond * elapsed) / 1000;
  }

  /** When to look at a body again that is not late yet. */
  #bodyCheckMs(): number {
    if (this.#paused) return CHECK_MS;
    const { now } = this.worker.wheel;
    const grace = this.#since + RATE_GRACE_MS - now;
    return Math.min(this.#lastRead + this.limits.bodyTimeoutMs - now, grace > 0 ? grace : CHECK_MS);
  }
}

/** How long a drained connection that is idle stays open. */
const DRAIN_IDLE_MS = 1000;
/** How often a connection that is busy is looked at. */
const CHECK_MS = 5000;
