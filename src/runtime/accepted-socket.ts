import { Socket, type Server } from 'node:net';
import type { Server as TlsServer, TLSSocket } from 'node:tls';
import type { ClientValidationSpec } from './snapshot.ts';
import { readWindow, WRITE_HIGH_WATER } from './socket-io.ts';

/** Bytes lie in `readWindow[0, size)`. Returning false stops reading until `socket.resume()`. */
export type OnRead = (size: number) => boolean;

/** What of a libuv TCP handle is used here. */
interface Handle {
  /** @returns an error of libuv, or 0 */
  getpeername(out: object): number;
  setNoDelay(on: boolean): void;
}

interface ListeningHandle {
  onconnection: ((error: number, handle: Handle | undefined) => void) | null;
}

/** An accepted connection before anything reads from it. */
export type Accepted = Socket | Handle;

/**
 * Hands over each connection that a server accepts, as the bare libuv handle where Node lets us.
 *
 * An accepted socket cannot be given a read buffer by public API, and `data` events cost about a fifth more
 * CPU per request (performance notes §1). So a socket with `onread` is made around the handle, and to make no
 * other one before it the handle is taken where Node makes its own. This file holds all use of private
 * properties in weir; where Node does not have them, or has others, connections come as sockets and read by
 * `data` events.
 *
 * @param server with `pauseOnConnect`, `allowHalfOpen` and `noDelay`; it counts no connections then
 */
export function onAccepted(server: Server, admit: (accepted: Accepted) => void): void {
  server.on('connection', admit);
  server.on('listening', () => {
    const { _handle: listening } = server as unknown as { readonly _handle?: ListeningHandle | null };
    const original = listening?.onconnection;
    if (listening == null || typeof original !== 'function') return;
    listening.onconnection = function (this: ListeningHandle, error, handle): void {
      if (error !== 0 || !isHandle(handle)) return original.call(this, error, handle);
      handle.setNoDelay(true);
      admit(handle);
    };
  });
}

function isHandle(accepted: unknown): accepted is Handle {
  return (
    typeof accepted === 'object' &&
    accepted !== null &&
    'readStart' in accepted &&
    'useUserBuffer' in accepted &&
    'setNoDelay' in accepted
  );
}

/** Takes an accepted connection over for reading into the one read window; `resume` starts it. */
export function adoptAccepted(accepted: Accepted, onRead: OnRead): Socket {
  if (accepted instanceof Socket) return readByEvents(accepted, onRead);
  return new Socket({
    handle: accepted,
    manualStart: true,
    allowHalfOpen: true,
    writableHighWaterMark: WRITE_HIGH_WATER,
    onread: { buffer: readWindow, callback: onRead },
  } as ConstructorParameters<typeof Socket>[0]);
}

/** The public way: each chunk is copied to the read window. Also serves TLS sockets. */
export function readByEvents(socket: Socket, onRead: OnRead): Socket {
  socket.on('data', (chunk: Buffer) => {
    let more = true;
    for (let at = 0; at < chunk.length; at += readWindow.length) {
      const size = chunk.copy(readWindow, 0, at, Math.min(chunk.length, at + readWindow.length));
      more = onRead(size);
    }
    if (!more) socket.pause();
  });
  return socket;
}

/**
 * Whether what Node calls an end is a reset. libuv takes a reset that comes right behind bytes for an end
 * (`uv__stream_io`, POLLHUP after a partial read); the kernel has no peer any more then. It tells nothing
 * once our own side has ended, since a connection that ended well has no peer either.
 */
export function wasReset(socket: Socket): boolean {
  const { _handle: handle } = socket as unknown as { readonly _handle?: Partial<Handle> | null };
  if (socket.writableEnded || handle?.getpeername === undefined) return false;
  return handle.getpeername({}) !== 0;
}

/**
 * Whether connections from now on are asked for a certificate, and refused without a valid one. Node has it as an option
 * of a new server alone; the port keeps its server while configurations change. It reads these for each connection, and
 * where it did not, a client without a certificate would be turned away afterwards (`Certificates.admits`).
 */
export function askForCertificates(server: TlsServer, clients: ClientValidationSpec | null): void {
  const options = server as unknown as { requestCert: boolean; rejectUnauthorized: boolean };
  options.requestCert = clients !== null;
  options.rejectUnauthorized = clients?.required === true;
}

/** The name that a TLS client asked for (SNI); empty: none. */
export function serverNameOf(socket: TLSSocket): string {
  // Documented for server sockets, but not in Node's types.
  const { servername } = socket as TLSSocket & { readonly servername?: string | false };
  return servername ? servername : '';
}
