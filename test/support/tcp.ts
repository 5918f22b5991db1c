/** Bare TCP ends for tests of TCP listeners: what came, and how it ended. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import {
  connect as connectTls,
  createServer as createTlsServer,
  type ConnectionOptions,
  type TlsOptions,
} from 'node:tls';
import { atEnd } from './cleanup.ts';

const TIMEOUT_MS = 10_000;

/** How the peer ended its side. */
export type Ended = 'open' | 'end' | 'reset';

/** One end of a connection. */
export class TcpEnd {
  readonly socket: Socket;
  ended: Ended = 'open';
  closed = false;
  #chunks: Buffer[] = [];
  #length = 0;
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
      this.#wake();
    });
    socket.on('end', () => {
      this.ended = 'end';
      this.#wake();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.ended === 'open' && error.code === 'ECONNRESET') this.ended = 'reset';
      this.#wake();
    });
    socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.bytes.toString('latin1');
  }

  write(bytes: string | Buffer): this {
    this.socket.write(bytes);
    return this;
  }

  end(bytes: string | Buffer = ''): this {
    this.socket.end(bytes);
    return this;
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Reads on until all that came is `text` or longer. */
  async gets(text: string): Promise<string> {
    await this.until(() => this.#length >= text.length || this.ended !== 'open' || this.closed);
    return this.text;
  }

  /** Waits until the peer has ended its side, in whichever way. */
  async over(): Promise<Ended> {
    await this.until(() => this.ended !== 'open' || this.closed);
    return this.ended;
  }

  async gone(): Promise<void> {
    await this.until(() => this.closed);
  }

  async until(holds: () => boolean): Promise<void> {
    const limit = Date.now() + TIMEOUT_MS;
    while (!holds()) {
      const left = limit - Date.now();
      if (left <= 0) throw new Error(`it did not come to that; got ${this.#length} bytes, ${this.ended}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** A server that a test plays. Connections come in the order of `accepted`. */
export class TcpServer {
  readonly port: number;
  readonly ends: TcpEnd[] = [];
  readonly #server: Server;
  #taken = 0;
  #waiting: (() => void)[] = [];

  private constructor(server: Server, port: number, serve: ((end: TcpEnd) => void) | null) {
    this.#server = server;
    this.port = port;
    server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
      const end = new TcpEnd(socket);
      atEnd(() => void socket.destroy());
      this.ends.push(end);
      serve?.(end);
      for (const wake of this.#waiting.splice(0)) wake();
    });
    atEnd(() => void server.close());
  }

  /** @param serve called with each connection */
  static async start(serve: ((end: TcpEnd) => void) | null = null, tls?: TlsOptions): Promise<TcpServer> {
    const options = { allowHalfOpen: true, noDelay: true };
    const server = tls === undefined ? createServer(options) : createTlsServer({ ...options, ...tls });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpServer(server, (server.address() as AddressInfo).port, serve);
  }

  /** The next connection. */
  async accepted(): Promise<TcpEnd> {
    const limit = Date.now() + TIMEOUT_MS;
    while (this.ends.length <= this.#taken) {
      if (Date.now() > limit) throw new Error('nobody connected');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, TIMEOUT_MS);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.ends[this.#taken++]!;
  }

  /** Sends back what comes, and ends when the client does. */
  static echo(tls?: TlsOptions): Promise<TcpServer> {
    return TcpServer.start((end) => void end.socket.pipe(end.socket), tls);
  }

  close(): void {
    this.#server.close();
  }
}

/** Connects, and waits until that has come about. */
export async function dial(port: number, tls?: ConnectionOptions): Promise<TcpEnd> {
  const socket =
    tls === undefined
      ? connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      : connectTls({ port, host: '127.0.0.1', ...{ allowHalfOpen: true }, ...tls });
  atEnd(() => void socket.destroy());
  const end = new TcpEnd(socket);
  await once(socket, tls === undefined ? 'connect' : 'secureConnect');
  return end;
}
