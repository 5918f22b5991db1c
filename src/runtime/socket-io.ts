import { type Socket } from 'node:net';
import type { HeaderBlock } from './http/headers.ts';
import { lastChunkSize, writeLastChunk } from './http/write.ts';

/**
 * Bytes in and out of sockets, without an allocation per read or per message.
 *
 * One read window serves every socket of a worker: a read callback runs to its end before the next
 * read, so nothing else writes there meanwhile. What must outlive the callback is copied.
 *
 * Output is gathered in one buffer and leaves in one `write`, head and body together. A write that
 * the kernel did not take whole keeps its buffer until it is through; another takes its place.
 * (Writing from the read window itself would save a copy of up to 64 KiB, but another socket
 * would read over bytes that still wait to be sent: ADR 0002.)
 */
export const READ_WINDOW_BYTES = 64 * 1024;

/** Where every socket of this worker reads to. */
export const readWindow = Buffer.allocUnsafeSlow(READ_WINDOW_BYTES);

/** Larger than one read and a large head, so that one read leaves in one write. */
const OUT_BYTES = READ_WINDOW_BYTES + 32 * 1024;
/**
 * `writableHighWaterMark` of sockets: as large as one flush may be, so that one which the kernel takes
 * whole is not answered with a `drain` in the next tick.
 */
export const WRITE_HIGH_WATER = OUT_BYTES + 1;
/** Buffers of finished writes that are kept for the next one. */
const SPARE_BUFFERS = 64;

const spares: Buffer[] = [];

/** Size of the buffers that connections with a large answer read into, each its own. */
const BULK_BYTES = 128 * 1024;
const bulkSpares: Buffer[] = [];
/** Runs of this size are worth a write of their own out of a bulk buffer: copying them costs more. */
const DIRECT_BYTES = 16 * 1024;

/** A read buffer that nobody else reads into, so that it may be lent to the kernel (ADR 0002). */
export function takeBulkBuffer(): Buffer {
  return bulkSpares.pop() ?? Buffer.allocUnsafeSlow(BULK_BYTES);
}

/** Takes a buffer back that neither a connection nor the kernel uses. */
export function giveBack(buffer: Buffer): void {
  const pool = buffer.length === OUT_BYTES ? spares : buffer.length === BULK_BYTES ? bulkSpares : null;
  if (pool !== null && pool.length < SPARE_BUFFERS) pool.push(buffer);
}

/** Who reads into a bulk buffer whose bytes are being handed on. */
export interface Lender {
  readonly bulk: Buffer | null;
  /** The kernel keeps the buffer: take another. */
  lend(): void;
}

let lender: Lender | null = null;

/** For the time of one read callback: `from` has its bytes in a buffer of its own. */
export function lendFrom(from: Lender | null): void {
  lender = from;
}

/** One side of a stream's bytes: a downstream or an upstream connection. */
export abstract class Transport {
  abstract readonly socket: Socket;
  /** The kernel's buffer is full: whoever produces for this side has to wait. */
  blocked = false;
  /** Buffers that the kernel still reads from. */
  readonly lent: Buffer[] = [];

  /**
   * The listener for the socket's `drain`. No callback is passed to `write`: with one, Node runs its
   * next-tick machinery after each write that the kernel took at once, which are nearly all of them.
   */
  protected onSocketDrain(): void {
    while (this.lent.length > 0) giveBack(this.lent.pop()!);
    if (!this.blocked) return;
    this.blocked = false;
    if (!this.socket.destroyed) this.onDrained();
    out.flush();
  }

  /** The kernel did not take all that was written. Not called again before `onDrained`. */
  onBlocked(): void {
    // Only who sets the other side a limit wants to know.
  }

  /** The kernel took all that was written after it had refused some. */
  abstract onDrained(): void;
}

let bytes: Buffer = Buffer.allocUnsafeSlow(OUT_BYTES);
let end = 0;
let owner: Transport | null = null;

/**
 * The output under way. At most one transport owns it; another one's first byte sends what is
 * there. Every entry point of the event loop (a read, a timer, a filter's answer) ends with `flush()`.
 */
export const out = {
  /** Makes room for `size` bytes to `transport`; returns the buffer to write them to from `out.end()` on. */
  reserve(transport: Transport, size: number): Buffer {
    if (owner !== transport) {
      if (end > 0) out.flush();
      owner = transport;
    }
    if (end + size > bytes.length) {
      out.flush();
      owner = transport;
      if (size > bytes.length) bytes = Buffer.allocUnsafeSlow(size);
    }
    return bytes;
  },

  /** First free offset of the buffer that `reserve` returned. */
  end(): number {
    return end;
  },

  /** Says that the bytes up to `newEnd` are written. */
  advance(newEnd: number): void {
    end = newEnd;
  },

  append(transport: Transport, from: Uint8Array, start: number, stop: number): void {
    if (lender !== null && stop - start >= DIRECT_BYTES && from === lender.bulk) {
      out.reserve(transport, 0);
      out.flush();
      if (transport.socket.destroyed) return;
      if (!write(transport, lender.bulk, start, stop)) lender.lend();
      return;
    }
    let at = start;
    while (at < stop) {
      const size = Math.min(stop - at, OUT_BYTES);
      const to = out.reserve(transport, size);
      // A short run is copied faster by a loop than by the view and the call that `set` needs.
      if (size < 48) for (let i = 0; i < size; i++) to[end + i] = from[at + i]!;
      else to.set(at === 0 && size === from.length ? from : from.subarray(at, at + size), end);
      end += size;
      at += size;
    }
  },

  /** Sends what is gathered. */
  flush(): void {
    const transport = owner;
    if (transport === null) return;
    owner = null;
    if (end === 0) return;
    const size = end;
    end = 0;
    if (transport.socket.destroyed) return;
    if (!write(transport, bytes, 0, size)) bytes = spares.pop() ?? Buffer.allocUnsafeSlow(OUT_BYTES);
  },
};

/** @returns whether the kernel took all; else it keeps `buffer` until it has */
function write(transport: Transport, buffer: Buffer, start: number, stop: number): boolean {
  const { socket } = transport;
  const more = socket.write(buffer.subarray(start, stop));
  if (socket.writableLength === 0) return true;
  // `drain` comes only after a refusal. A buffer of which a little is left without one is let go of.
  if (!more) {
    transport.lent.push(buffer);
    if (!transport.blocked) {
      transport.blocked = true;
      transport.onBlocked();
    }
  }
  return false;
}

/** Closes so that the other side sees a failure and not an end: RST where the transport has it. */
export function reset(socket: Socket): void {
  // TLS has no reset of its own; there the missing close_notify tells.
  if ('encrypted' in socket) socket.destroy();
  else socket.resetAndDestroy();
}

const CRLF = Buffer.from('\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** One chunk of the chunked coding (RFC 9112 §7.1); an empty one would end the body, so it is not written. */
export function appendChunk(transport: Transport, from: Uint8Array, start: number, stop: number): void {
  let size = stop - start;
  if (size === 0) return;
  let digits = 1;
  for (let rest = size >>> 4; rest > 0; rest >>>= 4) digits++;
  const to = out.reserve(transport, digits + 2);
  const at = out.end();
  for (let i = at + digits - 1; i >= at; i--) {
    const digit = size & 15;
    to[i] = digit < 10 ? 48 + digit : 87 + digit;
    size >>>= 4;
  }
  to[at + digits] = 13;
  to[at + digits + 1] = 10;
  out.advance(at + digits + 2);
  out.append(transport, from, start, stop);
  out.append(transport, CRLF, 0, 2);
}

export function appendLastChunk(transport: Transport, trailers: HeaderBlock | null): void {
  if (trailers === null) {
    out.append(transport, LAST_CHUNK, 0, LAST_CHUNK.length);
    return;
  }
  const to = out.reserve(transport, lastChunkSize(trailers));
  out.advance(writeLastChunk(trailers, to, out.end()));
}
