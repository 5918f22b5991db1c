import { connect, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type ConnectionOptions } from 'node:tls';
import { readByEvents, wasReset } from '../accepted-socket.ts';
import type { Cluster, Endpoint } from '../cluster.ts';
import { poolOf, type EndpointPool } from '../pool.ts';
import { Failure } from '../retry.ts';
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
} from '../socket-io.ts';
import { Timer, type TimerWheel } from '../timer-wheel.ts';
import type { UpstreamFacts } from '../upstream-attributes.ts';
import { upstreamTlsOptions } from '../upstream-tls.ts';
import { Ending } from './ending.ts';
import { readNextTurn } from './paced-reading.ts';

/** Whose connection it is. */
export interface TcpUpstreamOwner {
  upstreamConnected(): void;
  /** The connection did not come about; it is gone. */
  upstreamFailed(failure: Failure): void;
  upstreamData(bytes: Buffer, start: number, end: number): void;
  /** No more comes; more may be sent. */
  upstreamEnded(): void;
  /** Gone, before it was let go of. */
  upstreamClosed(): void;
  upstreamBlocked(): void;
  upstreamDrained(): void;
}

/** A read of this size is likely followed by more: then a buffer of its own pays. */
const BULK_FROM = 16 * 1024;

const Phase = { Connecting: 0, Open: 1, Closed: 2 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

/** A TCP stream's connection to an endpoint. It serves one stream and is not kept. */
export class TcpUpstream extends Transport implements Lender, UpstreamFacts {
  readonly socket: Socket;
  local: UpstreamFacts['local'] = null;
  failureReason = '';
  connectMs = 0;
  readonly endpoint: Endpoint;
  bulk: Buffer | null = null;
  readonly #wheel: TimerWheel;
  readonly #pool: EndpointPool;
  readonly #timer: Timer;
  #owner: TcpUpstreamOwner | null;
  #phase: Phase = Phase.Connecting;
  /** What it is that failed, where connecting does. */
  #failure: Failure = Failure.ConnectRefused;
  readonly #connectAt = performance.now();
  #paused = false;
  #buffer: Buffer = readWindow;
  #lastSize = 0;

  private constructor(
    owner: TcpUpstreamOwner,
    cluster: Cluster,
    endpoint: Endpoint,
    pool: EndpointPool,
    wheel: TimerWheel,
  ) {
    super();
    this.endpoint = endpoint;
    this.#owner = owner;
    this.#pool = pool;
    this.#wheel = wheel;
    this.#timer = new Timer(() => this.#onTimer());
    endpoint.active++;
    this.socket = this.#connect(tlsOptionsOf(cluster));
    wheel.add(this.#timer, cluster.spec.connectTimeoutMs);
  }

  /** Begins to connect; null where the cluster has as many connections as it may. */
  static open(
    owner: TcpUpstreamOwner,
    cluster: Cluster,
    endpoint: Endpoint,
    wheel: TimerWheel,
  ): TcpUpstream | null {
    const pool = poolOf(cluster, endpoint, wheel);
    return pool.reserve() ? new TcpUpstream(owner, cluster, endpoint, pool, wheel) : null;
  }

  send(bytes: Uint8Array, start: number, end: number): void {
    out.append(this, bytes, start, end);
  }

  /** Nothing more is sent. */
  end(): void {
    out.flush();
    this.socket.end();
  }

  get paused(): boolean {
    return this.#paused;
  }

  setPaused(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (this.socket.destroyed) return;
    if (paused) this.socket.pause();
    else this.socket.resume();
  }

  /** The stream is over and hears no more of this connection. */
  release(ending: Ending, flushMs: number): void {
    this.#owner = null;
    if (this.#phase === Phase.Closed) return;
    if (this.#phase === Phase.Connecting) this.socket.destroy();
    else if (ending === Ending.Reset) reset(this.socket);
    else if (ending === Ending.Cut) this.socket.destroy();
    else {
      out.flush();
      this.socket.destroySoon();
      this.#wheel.add(this.#timer, flushMs);
    }
  }

  override onBlocked(): void {
    this.#owner?.upstreamBlocked();
  }

  override onDrained(): void {
    this.#owner?.upstreamDrained();
  }

  /** The kernel keeps the bulk buffer. */
  lend(): void {
    this.bulk = null;
  }

  #connect(tls: ConnectionOptions | null): Socket {
    const { address: host, port } = this.endpoint;
    let socket: Socket;
    if (tls === null) {
      socket = connect({
        host,
        port,
        noDelay: true,
        allowHalfOpen: true,
        // Taken by the socket's stream, though Node's types do not say so.
        ...{ writableHighWaterMark: WRITE_HIGH_WATER },
        onread: { buffer: () => this.#nextBuffer(), callback: (size) => this.#onRead(size) },
      });
      socket.once('connect', () => this.#onConnect());
    } else {
      // Half-open is known to Node, though not to its types.
      socket = connectTls({ ...tls, host, port, ...{ allowHalfOpen: true } });
      socket.setNoDelay(true);
      readByEvents(socket, (size) => this.#onRead(size));
      socket.once('secureConnect', () => this.#onConnect());
    }
    socket.on('drain', () => this.onSocketDrain());
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // Closing follows, and is what the stream hears of.
      if (this.#phase === Phase.Connecting) this.failureReason = error.code ?? error.message;
    });
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onClose());
    return socket;
  }

  #onConnect(): void {
    if (this.#owner === null) return;
    this.#wheel.cancel(this.#timer);
    this.#phase = Phase.Open;
    this.connectMs = performance.now() - this.#connectAt;
    this.local = { host: this.socket.localAddress ?? '', port: this.socket.localPort ?? 0 };
    this.#owner.upstreamConnected();
    out.flush();
  }

  /** As `UpstreamConnection` does: much that comes at once goes out without a copy. */
  #nextBuffer(): Buffer {
    if (this.#lastSize >= BULK_FROM) this.bulk ??= takeBulkBuffer();
    else this.#dropBulk();
    return (this.#buffer = this.bulk ?? readWindow);
  }

  #dropBulk(): void {
    if (this.bulk !== null) giveBack(this.bulk);
    this.bulk = null;
  }

  #onRead(size: number): boolean {
    this.#lastSize = size;
    if (this.#owner === null) return true;
    lendFrom(this.bulk === null ? null : this);
    this.#owner.upstreamData(this.#buffer, 0, size);
    out.flush();
    lendFrom(null);
    if (!this.socket.writableEnded) return !this.#paused;
    readNextTurn(this);
    return false;
  }

  #onEnd(): void {
    if (wasReset(this.socket)) {
      this.socket.destroy();
      return;
    }
    this.#owner?.upstreamEnded();
    out.flush();
  }

  #onTimer(): void {
    this.#failure = Failure.ConnectTimeout;
    this.failureReason = 'timeout';
    this.socket.destroy();
  }

  #onClose(): void {
    const phase = this.#phase;
    this.#phase = Phase.Closed;
    this.#wheel.cancel(this.#timer);
    this.#dropBulk();
    this.endpoint.active--;
    // First, so that another attempt finds the room that this one leaves.
    this.#pool.unreserve();
    if (phase === Phase.Connecting) this.#owner?.upstreamFailed(this.#failure);
    else this.#owner?.upstreamClosed();
    out.flush();
  }
}

const optionsByCluster = new WeakMap<Cluster, ConnectionOptions>();

/** Every stream connects anew, so that bundles of authorities are read once for all of them. */
function tlsOptionsOf(cluster: Cluster): ConnectionOptions | null {
  const { tls } = cluster.spec;
  if (tls === null) return null;
  let options = optionsByCluster.get(cluster);
  if (options === undefined) {
    // What is inside is not weir's to name.
    const { ALPNProtocols: _, ca, minVersion, ...rest } = upstreamTlsOptions(tls)!;
    options = { ...rest, secureContext: createSecureContext({ ca, minVersion }) };
    optionsByCluster.set(cluster, options);
  }
  return options;
}
