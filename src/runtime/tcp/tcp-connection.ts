import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { serverNameOf, wasReset } from '../accepted-socket.ts';
import { endpointText } from '../cluster.ts';
import { nextConnectionId } from '../connection.ts';
import type { DownstreamFacts } from '../connection-attributes.ts';
import type { AcceptedConnection, ListeningPort } from '../listener.ts';
import type { LiveSnapshot } from '../live-snapshot.ts';
import type { ListenerSpec } from '../snapshot.ts';
import { out, readWindow, reset, Transport } from '../socket-io.ts';
import { Timer } from '../timer-wheel.ts';
import type { WorkerState } from '../worker-state.ts';
import { ClientHello, HelloState } from './client-hello.ts';
import { Ending } from './ending.ts';
import { readNextTurn } from './paced-reading.ts';
import { TcpStream } from './tcp-stream.ts';

/** After the end: how much of what the client still sends is thrown away, and for how long, before it is cut. */
const LINGER_BYTES = 64 * 1024;
const LINGER_MS = 1000;
const NO_BYTES = Buffer.alloc(0);

/** A client's connection to a TCP listener: the downstream side of one stream. */
export class TcpConnection extends Transport implements AcceptedConnection, DownstreamFacts {
  readonly id = nextConnectionId();
  readonly socket: Socket;
  readonly port: ListeningPort;
  readonly tls: TLSSocket | null;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly #worker: WorkerState;
  readonly #timer: Timer;
  /** Null once it is over. */
  #stream: TcpStream | null;
  #paused = true;
  /** While the name is read by which TLS that passes through is routed. */
  #hello: ClientHello | null = null;
  #serverName = '';
  /** What was read for it. */
  #early: Buffer | null = null;
  #lingered = 0;
  #readEnded = false;
  #writeEnded = false;

  constructor(socket: Socket, port: ListeningPort, worker: WorkerState, tls: TLSSocket | null) {
    super();
    this.socket = socket;
    this.port = port;
    this.tls = tls;
    this.remoteAddress = socket.remoteAddress ?? '';
    this.remotePort = socket.remotePort ?? 0;
    this.localAddress = socket.localAddress ?? '';
    this.localPort = socket.localPort ?? 0;
    this.#worker = worker;
    this.#timer = new Timer(() => this.socket.destroy());
    this.#stream = new TcpStream(this, worker);
    socket.on('drain', () => this.onSocketDrain());
    socket.on('error', ignore);
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onClose());
  }

  /** Reads nothing until the stream wants it, but the name by which TLS that passes through is routed. */
  begin(): void {
    if (this.port.spec.protocol === 'passthrough') {
      this.#hello = new ClientHello();
      this.#worker.wheel.add(this.#timer, this.port.spec.limits.tlsHandshakeTimeoutMs);
      this.socket.resume();
      return;
    }
    this.socket.pause();
    this.#stream!.begin();
    out.flush();
  }

  /** The server name that a client of TLS asks for; empty where it names none. */
  get serverName(): string {
    return this.tls === null ? this.#serverName : serverNameOf(this.tls);
  }

  /** @returns whether to read on, which is until the name is there */
  #readHello(size: number): boolean {
    this.#early = Buffer.concat([this.#early ?? NO_BYTES, readWindow.subarray(0, size)]);
    const state = this.#hello!.read(this.#early);
    if (state === HelloState.More) return true;
    this.#serverName = this.#hello!.serverName;
    this.#hello = null;
    this.#worker.wheel.cancel(this.#timer);
    this.#stream!.begin(state === HelloState.Bad);
    out.flush();
    return !this.#paused;
  }

  /** What was read for the name, before anything else. */
  #passEarly(): void {
    const early = this.#early;
    this.#early = null;
    if (early !== null) this.#stream?.downstreamData(early, 0, early.length);
  }

  get remoteText(): string {
    return endpointText(this.remoteAddress, this.remotePort);
  }

  /** The listener that has the name which the client asked for; null where the snapshot has none. */
  listenerOf(live: LiveSnapshot): ListenerSpec | null {
    const { key } = this.port;
    if (this.port.spec.protocol === 'tcp') return live.listener(key, 0);
    return live.listener(key, live.certificates(key)?.listenerOf(this.serverName) ?? -1);
  }

  onRead(size: number): boolean {
    if (this.#hello !== null) return this.#readHello(size);
    if (this.#stream === null) {
      this.#lingered += size;
      if (this.#lingered > LINGER_BYTES) this.socket.destroy();
      return true;
    }
    this.#stream.downstreamData(readWindow, 0, size);
    out.flush();
    if (!this.#writeEnded) return !this.#paused;
    readNextTurn(this);
    return false;
  }

  send(bytes: Uint8Array, start: number, end: number): void {
    out.append(this, bytes, start, end);
  }

  /** Nothing more is sent. */
  end(): void {
    out.flush();
    this.#writeEnded = true;
    this.socket.end();
  }

  get paused(): boolean {
    return this.#paused;
  }

  setPaused(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (this.socket.destroyed) return;
    if (!paused) this.#passEarly();
    if (this.#paused) this.socket.pause();
    else this.socket.resume();
  }

  /** The stream is over. */
  release(ending: Ending): void {
    this.#stream = null;
    if (ending === Ending.Reset) reset(this.socket);
    else if (ending === Ending.Cut) this.socket.destroy();
    else this.#closeSoon();
  }

  /**
   * Lets what was sent arrive. Closing while the client sends would make its kernel throw that away
   * (RFC 9293, section 3.10.7.1), so that a little of it is read first.
   */
  #closeSoon(): void {
    const { wheel } = this.#worker;
    wheel.add(this.#timer, this.port.spec.limits.writeTimeoutMs);
    if (!this.#writeEnded) this.end();
    if (this.#readEnded) return;
    this.setPaused(false);
    const linger = (): void => wheel.add(this.#timer, LINGER_MS);
    if (this.socket.writableFinished) linger();
    else this.socket.once('finish', linger);
  }

  /** It is not known what is inside, so nobody can be told: it goes on until it ends or the time is over. */
  drain(): void {
    return;
  }

  close(): void {
    if (this.#stream === null || this.#hello !== null) this.socket.destroy();
    else this.#stream.cut();
  }

  override onBlocked(): void {
    this.#stream?.downstreamBlocked();
  }

  override onDrained(): void {
    this.#stream?.downstreamDrained();
  }

  #onEnd(): void {
    if (wasReset(this.socket)) {
      this.socket.destroy();
      return;
    }
    this.#readEnded = true;
    if (this.#hello !== null) this.socket.destroy();
    else this.#stream?.downstreamEnded();
    out.flush();
  }

  #onClose(): void {
    this.#worker.wheel.cancel(this.#timer);
    this.port.closed(this);
    // Without its name it was nothing yet.
    if (this.#hello !== null) this.#worker.metrics.inc(this.#worker.own.downstreamConnectionsRefused);
    else this.#stream?.downstreamClosed();
    out.flush();
  }
}

function ignore(): void {
  // A socket that fails closes, and is heard of then.
}
