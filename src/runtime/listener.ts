import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { adoptAccepted, readByEvents } from './accepted-socket.ts';
import { Connection } from './connection.ts';
import type { LiveSnapshot } from './live-snapshot.ts';
import { portKey, type PortSpec } from './snapshot.ts';
import type { WorkerState } from './worker-state.ts';

/** More than Node's 511: a burst of connections waits in the kernel, not in retransmissions. */
const BACKLOG = 4096;
/** How long accepting stops where the process has no file descriptors left (security requirements §5). */
const NO_DESCRIPTORS_PAUSE_MS = 100;

/** One bound address: accepts, bounds and counts downstream connections. It outlives snapshots. */
export class ListeningPort {
  readonly key: string;
  spec: PortSpec;
  readonly connections = new Set<Connection>();
  readonly #worker: WorkerState;
  #live: LiveSnapshot;
  readonly #server: Server;
  readonly #byAddress = new Map<string, number>();
  /** Sockets that came before the snapshot was put in force; null from then on. */
  #early: (() => void)[] | null = [];
  #closed = false;

  /** @param live the snapshot that brings the port; TLS asks it for certificates */
  constructor(spec: PortSpec, worker: WorkerState, live: LiveSnapshot) {
    this.key = portKey(spec);
    this.spec = spec;
    this.#worker = worker;
    this.#live = live;
    this.#server = spec.protocol === 'https' ? this.#tlsServer() : this.#plainServer();
    this.#server.on('error', (error: NodeJS.ErrnoException) => {
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

  /** Another snapshot is in force. */
  update(spec: PortSpec, live: LiveSnapshot): void {
    this.spec = spec;
    this.#live = live;
    const fallback = live.certificates(this.key)?.fallback;
    if (fallback) (this.#server as TlsServer).setSecureContext(fallback);
  }

  /** Accepts no more; connections finish what they do. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#server.close();
    for (const connection of [...this.connections]) connection.drain();
  }

  cut(): void {
    for (const connection of [...this.connections]) connection.close();
  }

  /** Called by a connection when it is gone. */
  closed(connection: Connection): void {
    if (!this.connections.delete(connection)) return;
    const { metrics, own } = this.#worker;
    metrics.inc(own.downstreamConnections, -1);
    const left = this.#byAddress.get(connection.remoteAddress)! - 1;
    if (left > 0) this.#byAddress.set(connection.remoteAddress, left);
    else this.#byAddress.delete(connection.remoteAddress);
  }

  #plainServer(): Server {
    return createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (accepted) =>
      this.#whenOpen(accepted, () => this.#admitPlain(accepted)),
    );
  }

  #tlsServer(): Server {
    const worker = this.#worker;
    const server = createTlsServer(
      {
        ALPNProtocols: ['http/1.1'],
        allowHalfOpen: true,
        handshakeTimeout: this.spec.limits.tlsHandshakeTimeoutMs,
        // Certificates are those of the snapshot in force at the handshake: a swap renews them.
        SNICallback: (name, done) => {
          const context = this.#live.certificates(this.key)?.find(name) ?? null;
          if (context === null) done(new Error('no certificate for this name'));
          else done(null, context);
        },
      },
      (socket) => this.#whenOpen(socket, () => this.#admitTls(socket)),
    );
    server.on('connection', (socket: Socket) => socket.setNoDelay(true));
    server.on('tlsClientError', () => worker.metrics.inc(worker.own.downstreamConnectionsRefused));
    return server;
  }

  #whenOpen(socket: Socket, admit: () => void): void {
    socket.on('error', ignore);
    if (this.#early === null) admit();
    else this.#early.push(admit);
  }

  #admitPlain(accepted: Socket): void {
    // Not known before the socket is, so the closure is one a connection.
    let connection: Connection | null = null;
    const socket = adoptAccepted(accepted, (size) => connection!.onRead(size));
    socket.on('error', ignore);
    connection = this.#admit(socket, null);
    if (connection === null) return;
    socket.resume();
  }

  #admitTls(socket: TLSSocket): void {
    const connection = this.#admit(socket, socket);
    if (connection !== null) readByEvents(socket, (size) => connection.onRead(size));
  }

  #admit(socket: Socket, tls: TLSSocket | null): Connection | null {
    const { limits } = this.spec;
    const address = socket.remoteAddress;
    const { metrics, own } = this.#worker;
    const open = address === undefined ? 0 : (this.#byAddress.get(address) ?? 0);
    const refused =
      address === undefined ||
      this.connections.size >= limits.connections ||
      open >= limits.connectionsPerAddress;
    if (refused || this.#closed) {
      metrics.inc(own.downstreamConnectionsRefused);
      socket.destroy();
      return null;
    }
    this.#byAddress.set(address, open + 1);
    const connection = new Connection(socket, this, this.#worker, tls);
    this.connections.add(connection);
    metrics.inc(own.downstreamConnections);
    metrics.inc(own.downstreamConnectionsTotal);
    return connection;
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

function ignore(): void {
  // A socket that fails closes; its owner hears of that.
}
