import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

export interface SocketEnds {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/** The server's end of a connection that is in memory alone: what the proxy writes is gathered here. */
export class MemorySocket extends Duplex {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly #written: Buffer[] = [];

  constructor({ remoteAddress, remotePort, localAddress, localPort }: SocketEnds) {
    super({ allowHalfOpen: true });
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.localAddress = localAddress;
    this.localPort = localPort;
  }

  /** As the runtime takes it: it uses nothing of a socket beyond what this class has. */
  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  /** All that was written so far. */
  get written(): Buffer {
    return Buffer.concat(this.#written);
  }

  /** Bytes from the client. */
  receive(bytes: Uint8Array): void {
    this.push(bytes);
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  override _read(): void {
    // Bytes come by `receive`, whether somebody reads or not.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // The writer uses its buffer again.
    this.#written.push(Buffer.from(chunk));
    done();
  }
}

/** The same under TLS, whose handshake is over. The client shows no certificate. */
export class MemoryTlsSocket extends MemorySocket {
  readonly encrypted = true;
  readonly authorized = false;
  readonly servername: string;

  /** @param serverName the name that the client asked for (SNI) */
  constructor(ends: SocketEnds, serverName: string) {
    super(ends);
    this.servername = serverName;
  }

  get asTls(): TLSSocket {
    return this as unknown as TLSSocket;
  }

  getProtocol(): string {
    return 'TLSv1.3';
  }

  getX509Certificate(): undefined {
    return undefined;
  }

  getPeerCertificate(): object {
    return {};
  }
}
