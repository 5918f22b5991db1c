import {
  connect as connectHttp2,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Endpoint } from '../cluster.ts';
import { Timer, type TimerWheel } from '../timer-wheel.ts';
import { GuardedSocket } from './guarded-socket.ts';

/** Calls on one connection, where the server does not say fewer (security requirements §4.1). */
const MAX_STREAMS = 100;
const CONNECTION_WINDOW_BYTES = 1024 * 1024;
const HEADER_BYTES = 60 * 1024;
const HEADER_FIELDS = 100;
/** A connection whose call got nothing in its time must answer a ping within this, or is given up. */
const PING_MS = 5000;
/** Servers take many pings for an attack. */
const PINGS_APART_MS = 60_000;

/** Who waits for a session, or uses it. */
export interface SessionUser {
  /** The connection is up: `request` may be called. */
  onSession(session: GrpcSession): void;
  /** It never came up. */
  onNoSession(reason: string): void;
  /** HTTP/2's number of its stream; 0: none yet. */
  readonly streamId: number;
  /** The server says that it will never look at this stream. */
  onUnprocessed(): void;
}

export interface SessionOwner {
  /** The session takes no more users. */
  sessionFull(session: GrpcSession): void;
  /** The session is closed. */
  sessionGone(session: GrpcSession): void;
}

/** One HTTP/2 connection to an endpoint: prior knowledge of HTTP/2, or TLS with ALPN `h2`. */
export class GrpcSession {
  readonly endpoint: Endpoint;
  readonly users = new Set<SessionUser>();
  /** Why it is gone, or goes. */
  reason = '';
  readonly #owner: SessionOwner;
  readonly #wheel: TimerWheel;
  readonly #idleMs: number;
  readonly #tls: ConnectionOptions | null;
  readonly #socket: Socket;
  readonly #timer: Timer;
  #session: ClientHttp2Session | null = null;
  #full = false;
  #pinging = false;
  /** Monotonic ms. */
  #nextPing = 0;
  #closed = false;
  #lost = false;

  /** @param tls null: no TLS */
  constructor(owner: SessionOwner, endpoint: Endpoint, tls: ConnectionOptions | null, wheel: TimerWheel) {
    this.#owner = owner;
    this.endpoint = endpoint;
    this.#tls = tls;
    this.#wheel = wheel;
    const { idleTimeoutMs, connectTimeoutMs } = endpoint.cluster.spec;
    this.#idleMs = idleTimeoutMs;
    this.#timer = new Timer(() => this.#onTimer());
    this.#socket = this.#connect();
    wheel.add(this.#timer, connectTimeoutMs);
  }

  /** The connection is gone or broken: streams that end now end for that reason. */
  get lost(): boolean {
    return this.#lost || this.#session?.destroyed === true;
  }

  get secure(): boolean {
    return this.#tls !== null;
  }

  /** Whether it takes another call. */
  get room(): boolean {
    if (this.#full || this.#session?.closed === true || this.#session?.destroyed === true) return false;
    return this.users.size < this.#most;
  }

  get #most(): number {
    return Math.min(MAX_STREAMS, this.#session?.remoteSettings.maxConcurrentStreams ?? MAX_STREAMS);
  }

  /** `onSession` or `onNoSession` follows; before this returns, where the connection is up. */
  add(user: SessionUser): void {
    this.users.add(user);
    if (this.#session === null) return;
    if (!this.#pinging) this.#wheel.cancel(this.#timer);
    user.onSession(this);
  }

  remove(user: SessionUser): void {
    if (!this.users.delete(user) || this.users.size > 0 || this.#closed) return;
    if (this.#full) this.#session?.close();
    else if (this.#session !== null && !this.#pinging) this.#wheel.add(this.#timer, this.#idleMs);
  }

  /** @returns null where the session takes no more requests: another one has to be found */
  request(headers: OutgoingHttpHeaders): ClientHttp2Stream | null {
    const session = this.#session;
    if (session === null || session.closed || session.destroyed) return null;
    try {
      return session.request(headers, { endStream: false });
    } catch {
      return null;
    }
  }

  /** A call timed out on it without a byte: asks whether anybody is there. */
  probe(): void {
    const session = this.#session;
    const now = this.#wheel.refresh();
    if (session === null || this.#pinging || session.destroyed || now < this.#nextPing) return;
    this.#nextPing = now + PINGS_APART_MS;
    this.#pinging = true;
    this.#wheel.add(this.#timer, PING_MS);
    const sent = session.ping((error) => {
      this.#pinging = false;
      if (error !== null || this.#closed) return;
      this.#wheel.cancel(this.#timer);
      if (this.users.size === 0) this.#wheel.add(this.#timer, this.#idleMs);
    });
    // As many pings are under way as may be.
    if (!sent) this.#pinging = false;
  }

  /** Takes no more calls; those under way finish. */
  drain(): void {
    this.#stopTaking();
    if (this.#session === null) {
      if (this.users.size === 0) this.destroy('no longer needed');
    } else if (this.users.size === 0) this.#session.close();
  }

  destroy(reason: string): void {
    this.reason ||= reason;
    if (this.#session !== null) this.#session.destroy();
    this.#socket.destroy();
    this.#onGone();
  }

  #connect(): Socket {
    const { address: host, port } = this.endpoint;
    const socket =
      this.#tls === null
        ? connect({ host, port, noDelay: true })
        : connectTls({ ...this.#tls, ALPNProtocols: ['h2'], host, port });
    socket.once(this.#tls === null ? 'connect' : 'secureConnect', () => this.#onConnect());
    socket.on('error', (error: NodeJS.ErrnoException) => (this.reason ||= error.code ?? error.message));
    // Before those of the HTTP/2 session, whose streams ask for `lost` when it ends them.
    socket.on('close', () => {
      this.#lost = true;
      this.reason ||= 'the connection was closed';
      this.#onGone();
    });
    return socket;
  }

  #onConnect(): void {
    const socket = this.#socket;
    if (this.#tls !== null && (socket as TLSSocket).alpnProtocol !== 'h2') {
      this.destroy('the upstream does not offer h2 by ALPN');
      return;
    }
    if (this.#tls !== null) socket.setNoDelay(true);
    const session = connectHttp2(`${this.secure ? 'https' : 'http'}://${this.endpoint.text}`, {
      createConnection: () =>
        new GuardedSocket(
          socket,
          () => performance.now(),
          (reason) => this.#onFault(reason),
        ),
      settings: { enablePush: false, maxHeaderListSize: HEADER_BYTES },
      maxHeaderListPairs: HEADER_FIELDS + 1,
    });
    this.#session = session;
    session.once('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
    session.on('error', (error: Error) => (this.reason ||= error.message));
    session.on('goaway', (code: number, last: number) => this.#onGoaway(code, last));
    session.on('close', () => this.#onGone());
    this.#wheel.cancel(this.#timer);
    for (const user of [...this.users]) user.onSession(this);
    if (this.users.size === 0 && !this.#closed) this.#wheel.add(this.#timer, this.#idleMs);
  }

  /** Nothing on the connection can be trusted any more. */
  #onFault(reason: string): void {
    this.reason ||= reason;
    this.#lost = true;
    this.#stopTaking();
  }

  /** The server takes no more streams, and says which of those it has it will not look at. */
  #onGoaway(code: number, last: number): void {
    if (code !== constants.NGHTTP2_NO_ERROR)
      this.reason ||= `the upstream ended the connection with error ${code}`;
    this.#stopTaking();
    for (const user of this.users) if (user.streamId === 0 || user.streamId > last) user.onUnprocessed();
  }

  #stopTaking(): void {
    if (this.#full) return;
    this.#full = true;
    this.#owner.sessionFull(this);
  }

  #onTimer(): void {
    if (this.#session === null) this.destroy('connecting took too long');
    else if (this.#pinging) this.destroy('the upstream is silent');
    else if (this.users.size === 0) this.drain();
  }

  #onGone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#wheel.cancel(this.#timer);
    this.#stopTaking();
    this.#owner.sessionGone(this);
    if (this.#session !== null) return;
    for (const user of [...this.users]) user.onNoSession(this.reason);
  }
}
