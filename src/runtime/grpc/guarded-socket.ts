import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { InboundGuard, OutboundGuard } from './frame-guard.ts';

/** A connection between its socket and `node:http2`, whose frames are looked at on the way. */
export class GuardedSocket extends Duplex {
  readonly #socket: Socket;
  readonly #inbound: InboundGuard;
  readonly #outbound = new OutboundGuard();
  readonly #onFault: (reason: string) => void;

  /** @param onFault the peer broke a rule; the connection closes */
  constructor(socket: Socket, now: () => number, onFault: (reason: string) => void) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#inbound = new InboundGuard(now);
    this.#onFault = onFault;
    socket.on('data', (bytes: Buffer) => this.#onData(bytes));
    socket.on('end', () => this.push(null));
    socket.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const fault = this.#outbound.walk(bytes);
    this.#socket.write(bytes, (error) => {
      // The peer hears what it did before the connection goes.
      if (fault !== null) this.#fail(fault);
      done(error);
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #onData(bytes: Buffer): void {
    const fault = this.#inbound.walk(bytes);
    if (fault !== null) this.#fail(fault);
    else if (!this.push(bytes)) this.#socket.pause();
  }

  #fail(fault: string): void {
    if (this.destroyed) return;
    this.#onFault(`the upstream broke the rules of HTTP/2: ${fault}`);
    this.destroy();
  }
}
