/** Bare TCP ends for tests of TCP listeners: what came, and how it ended. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import {
  connect as connectTls,
  createServer as createTlsServer,
  type ConnectionOptions,
  type TlsOptions,
} from 'node:tls';
import { adoptAccepted, onAccepted } from '../../src/runtime/accepted-socket.ts';
import { readWindow } from '../../src/runtime/socket-io.ts';
import { atEnd } from './cleanup.ts';

const TIMEOUT_MS = 10_000;

/** How the peer ended its side. */
export type Ended = 'open' | 'end' | 'reset';

/**
 * One end of a connection. A plain one reads once in a turn of the event loop, since libuv would take a
 * reset that comes right behind bytes for an end.
 */
export class TcpEnd {
  readonly socket: Socket;
  ended: Ended = 'open';
  closed = false;
  /** Sees what comes, beside that it is kept. */
  onData: (chunk: Buffer) => void = () => {};
  #chunks: Buffer[] = [];
  #length = 0;
  #paused = false;
  #waiting: (() => void)[] = [];

  /** @param make is given what is to be called with each read of the socket; it answers whether to go on at once */
  constructor(make: (onRead: (chunk: Buffer) => boolean) => Socket) {
    const socket = make((chunk) => this.#onRead(chunk));
    this.socket = socket;
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

  #onRead(chunk: Buffer): boolean {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    this.onData(chunk);
    this.#wake();
    setImmediate(() => {
      if (!this.#paused && !this.socket.destroyed) this.socket.resume();
    });
    return false;
  }

  pause(): void {
    this.#paused = true;
    this.socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.socket.resume();
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
  readonly #admit: (end: TcpEnd) => void;

  private constructor(server: Server, port: number, serve: ((end: TcpEnd) => void) | null) {
    this.#server = server;
    this.port = port;
    const admit = (end: TcpEnd): void => {
      atEnd(() => void end.socket.destroy());
      this.ends.push(end);
      serve?.(end);
      for (const wake of this.#waiting.splice(0)) wake();
    };
    if ('setSecureContext' in server)
      server.on('secureConnection', (socket: Socket) => admit(byEvents(socket)));
    atEnd(() => void server.close());
    this.#admit = admit;
  }

  /** @param serve called with each connection */
  static async start(serve: ((end: TcpEnd) => void) | null = null, tls?: TlsOptions): Promise<TcpServer> {
    const options = { allowHalfOpen: true, noDelay: true, pauseOnConnect: tls === undefined };
    const server = tls === undefined ? createServer(options) : createTlsServer({ ...options, ...tls });
    let made: TcpServer | null = null;
    if (tls === undefined) {
      onAccepted(server, (accepted) => {
        const end = new TcpEnd((onRead) =>
          adoptAccepted(accepted, (size) => onRead(Buffer.from(readWindow.subarray(0, size)))),
        );
        made!.#admit(end);
        end.resume();
      });
    }
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    made = new TcpServer(server, (server.address() as AddressInfo).port, serve);
    return made;
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
    return TcpServer.start((end) => {
      end.onData = (chunk) => void end.write(chunk);
      end.socket.on('end', () => end.end());
    }, tls);
  }

  close(): void {
    this.#server.close();
  }
}

/** A TLS socket, which reads by events. */
function byEvents(socket: Socket): TcpEnd {
  return new TcpEnd((onRead) => socket.on('data', onRead));
}

/** Connects, and waits until that has come about. */
export async function dial(port: number, tls?: ConnectionOptions): Promise<TcpEnd> {
  const to = { port, host: '127.0.0.1', allowHalfOpen: true };
  const end =
    tls === undefined
      ? new TcpEnd((onRead) =>
          connect({
            ...to,
            noDelay: true,
            onread: {
              buffer: Buffer.alloc(64 * 1024),
              callback: (size, buffer) => onRead(Buffer.from(buffer.subarray(0, size))),
            },
          }),
        )
      : byEvents(connectTls({ ...to, ...tls }));
  atEnd(() => void end.socket.destroy());
  await once(end.socket, tls === undefined ? 'connect' : 'secureConnect');
  return end;
}
