import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import {
  adoptAccepted,
  askForCertificates,
  onAccepted,
  readByEvents,
  serverNameOf,
  type Accepted,
} from './accepted-socket.ts';
import { Connection } from './connection.ts';
import type { LiveSnapshot } from './live-snapshot.ts';
import { isSecure, isTcp, portKey, type PortSpec } from './snapshot.ts';
import { TcpConnection } from './tcp/tcp-connection.ts';
import { Timer } from './timer-wheel.ts';
import type { WorkerState } from './worker-state.ts';

/** More than Node's 511: a burst of connections waits in the kernel, not in retransmissions. */
const BACKLOG = 4096;
/** How long accepting stops where the process has no file descriptors left (security requirements §5). */
const NO_DESCRIPTORS_PAUSE_MS = 100;

/** What a listener makes of an accepted connection. */
export interface AcceptedConnection {
  readonly remoteAddress: string;
  /** It is counted, and may read. */
  begin(): void;
  /** `readWindow[0, size)` has come. @returns whether to go on reading */
  onRead(size: number): boolean;
  /** Finishes what runs and takes nothing new. */
  drain(): void;
  close(): void;
}

/** One bound address: accepts, bounds and counts downstream connections. It outlives snapshots. */
export class ListeningPort {
  readonly key: string;
  spec: PortSpec;
  readonly connections = new Set<AcceptedConnection>();
  readonly #worker: WorkerState;
  #live: LiveSnapshot;
  readonly #server: Server;
  readonly #byAddress = new Map<string, number>();
  /** TLS connections that are not set up yet, by the client's address and port. */
  readonly #handshakes = new Map<string, Handshake>();
  /** Sockets that came before the snapshot was put in force; null from then on. */
  #early: (() => void)[] | null = [];
  #closed = false;

  /** @param live the snapshot that brings the port; TLS asks it for certificates */
  constructor(spec: PortSpec, worker: WorkerState, live: LiveSnapshot) {
    this.key = portKey(spec);
    this.spec = spec;
    this.#worker = worker;
    this.#live = live;
    this.#server = isSecure(spec) ? this.#tlsServer() : this.#plainServer();
    this.#server.on('error', (error: NodeJS.ErrnoException) => {
      // Before it listens, whoever wanted that tells what went wrong.
      if (!this.#server.listening) return;
      worker.log.error({ listener: this.key, code: error.code }, 'accepting failed');
      if (error.code === 'EMFILE' || error.code === 'ENFILE') this.#pauseAccepting();
    });
  }

  /** Binds. Rejects where the address cannot be had. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      const server = this.#server;
      const onError = (error: Error): void => reject(error);
      server.once('error', onError);
      server.listen({ host: this.spec.address, port: this.spec.port, backlog: BACKLOG }, () => {
        server.off('error', onError);
        resolve();
      });
    });
  }

  /** Serves from here on; what came meanwhile first. */
  open(): void {
    const early = this.#early;
    this.#early = null;
    for (const admit of early ?? []) admit();
  }

  /** A connection that was not accepted here is counted and served like one. @returns false: there is no room */
  offer(socket: Socket, tls: TLSSocket | null): boolean {
    const address = socket.remoteAddress;
    if (address === undefined || this.#closed || !this.#hasRoom(address)) return false;
    this.#count(address);
    const connection = this.#open(socket, tls);
    readByEvents(socket, (size) => connection.onRead(size));
    connection.begin();
    return true;
  }

  /** Another snapshot is in force. */
  update(spec: PortSpec, live: LiveSnapshot): void {
    const before = this.spec.clientValidation;
    this.spec = spec;
    this.#live = live;
    const certificates = live.certificates(this.key);
    if (certificates === null || !isSecure(spec)) return;
    const server = this.#server as TlsServer;
    server.setSecureContext(certificates.defaults);
    askForCertificates(server, certificates.clients);
    // Connections were let in by rules that hold no more.
    if (!isDeepStrictEqual(before, spec.clientValidation))
      for (const connection of [...this.connections]) connection.drain();
  }

  /** Accepts no more; connections finish what they do. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#server.close();
    // Where it never opened, what came is refused.
    this.open();
    for (const connection of [...this.connections]) connection.drain();
  }

  cut(): void {
    for (const { socket } of [...this.#handshakes.values()]) socket.destroy();
    for (const connection of [...this.connections]) connection.close();
  }

  /** Called by a connection when it is gone. */
  closed(connection: AcceptedConnection): void {
    if (!this.connections.delete(connection)) return;
    const { metrics, own } = this.#worker;
    metrics.inc(own.downstreamConnections, -1);
    this.#uncount(connection.remoteAddress);
  }

  #plainServer(): Server {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
    onAccepted(server, (accepted) => {
      if (this.#early === null) this.#admitPlain(accepted);
      else this.#early.push(() => this.#admitPlain(accepted));
    });
    return server;
  }

  #tlsServer(): Server {
    const server = createTlsServer(
      {
        ...this.#live.certificates(this.key)?.defaults,
        // What TCP carries is its ends' to settle, behind weir.
        ...(isTcp(this.spec) ? {} : { ALPNProtocols: ['http/1.1'] }),
        allowHalfOpen: true,
        // Certificates are those of the snapshot in force at the handshake: a swap renews them.
        SNICallback: (name, done) => {
          let context = null;
          try {
            context = this.#live.certificates(this.key)?.find(name) ?? null;
          } catch (error) {
            this.#worker.log.error({ listener: this.key, error }, 'choosing a certificate failed');
          }
          if (context === null) done(new Error('no certificate for this name'));
          else done(null, context);
        },
      },
      (socket) => {
        socket.on('error', ignore);
        if (this.#early === null) this.#admitTls(socket);
        else this.#early.push(() => this.#admitTls(socket));
      },
    );
    askForCertificates(server, this.#live.certificates(this.key)?.clients ?? null);
    server.on('connection', (socket: Socket) => this.#beginHandshake(socket));
    server.on('tlsClientError', (_error, socket) => {
      this.#refused();
      socket.destroy();
    });
    return server;
  }

  /** Counts a connection from its first moment, so that unfinished handshakes are bounded too. */
  #beginHandshake(socket: Socket): void {
    const address = socket.remoteAddress;
    if (address === undefined || !this.#hasRoom(address)) {
      this.#refused();
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    const { wheel } = this.#worker;
    const timer = new Timer(() => socket.destroy());
    const key = clientKey(socket);
    this.#handshakes.set(key, { socket, timer });
    this.#count(address);
    wheel.add(timer, this.spec.limits.tlsHandshakeTimeoutMs);
    socket.once('close', () => {
      wheel.cancel(timer);
      if (this.#handshakes.get(key)?.socket !== socket) return;
      this.#handshakes.delete(key);
      this.#uncount(address);
    });
  }

  #admitPlain(accepted: Accepted): void {
    // Not known before the socket is, so the closure is one a connection.
    let connection: AcceptedConnection | null = null;
    const socket = adoptAccepted(accepted, (size) => connection!.onRead(size));
    socket.on('error', ignore);
    const address = socket.remoteAddress;
    if (address === undefined || this.#closed || !this.#hasRoom(address)) {
      this.#refused();
      socket.destroy();
      return;
    }
    this.#count(address);
    connection = this.#open(socket, null);
    connection.begin();
  }

  #admitTls(socket: TLSSocket): void {
    const key = clientKey(socket);
    const handshake = this.#handshakes.get(key);
    const admitted = this.#live.certificates(this.key)?.admits(socket, serverNameOf(socket)) === true;
    if (handshake === undefined || this.#closed || !admitted) {
      this.#refused();
      socket.destroy();
      return;
    }
    // From here on the connection is what is counted.
    this.#handshakes.delete(key);
    this.#worker.wheel.cancel(handshake.timer);
    const connection = this.#open(socket, socket);
    readByEvents(socket, (size) => connection.onRead(size));
    connection.begin();
  }

  #open(socket: Socket, tls: TLSSocket | null): AcceptedConnection {
    const { metrics, own } = this.#worker;
    const connection = isTcp(this.spec)
      ? new TcpConnection(socket, this, this.#worker, tls)
      : new Connection(socket, this, this.#worker, tls);
    this.connections.add(connection);
    metrics.inc(own.downstreamConnections);
    metrics.inc(own.downstreamConnectionsTotal);
    return connection;
  }

  #hasRoom(address: string): boolean {
    const { limits } = this.spec;
    return (
      this.connections.size + this.#handshakes.size < limits.connections &&
      (limits.connectionsPerAddress === 0 ||
        (this.#byAddress.get(address) ?? 0) < limits.connectionsPerAddress)
    );
  }

  #count(address: string): void {
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1);
  }

  #uncount(address: string): void {
    const left = this.#byAddress.get(address)! - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
  }

  #refused(): void {
    this.#worker.metrics.inc(this.#worker.own.downstreamConnectionsRefused);
  }

  /** Without descriptors every accept fails at once: waiting is better than spinning. */
  #pauseAccepting(): void {
    if (this.#closed) return;
    this.#server.close();
    setTimeout(() => {
      if (!this.#closed) this.listen().catch(() => this.#pauseAccepting());
    }, NO_DESCRIPTORS_PAUSE_MS);
  }
}

interface Handshake {
  readonly socket: Socket;
  readonly timer: Timer;
}

/** The same for an accepted socket and for the TLS socket on it; one at a time has it on a port. */
function clientKey(socket: Socket): string {
  return `${socket.remoteAddress}/${socket.remotePort}`;
}

function ignore(): void {
  // A socket that fails closes; its owner hears of that.
}
