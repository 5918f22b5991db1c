import { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { readWindow, WRITE_HIGH_WATER } from './socket-io.ts';

/** Bytes lie in `readWindow[0, size)`. Returning false stops reading until `socket.resume()`. */
export type OnRead = (size: number) => boolean;

/** The part of an accepted socket that is not public API: its libuv handle. */
interface WithHandle {
  _handle: object | null;
}

/**
 * Takes an accepted, paused socket over for reading into the one read window.
 *
 * An accepted socket cannot be given a read buffer by public API, and `data` events cost about a
 * fifth more CPU per request (performance notes §1). So its handle moves to a socket made with
 * `onread`. This is the only use of a private property in weir; where Node does not have it the
 * socket stays as it is and reads by `data` events.
 *
 * @param accepted from a server with `pauseOnConnect` and `allowHalfOpen`
 */
export function adoptAccepted(accepted: Socket, onRead: OnRead): Socket {
  const holder = accepted as unknown as WithHandle;
  const handle = holder._handle;
  if (handle === null || typeof handle !== 'object' || !('readStart' in handle))
    return readByEvents(accepted, onRead);
  holder._handle = null;
  const socket = new Socket({
    handle,
    manualStart: true,
    allowHalfOpen: true,
    writableHighWaterMark: WRITE_HIGH_WATER,
    onread: { buffer: readWindow, callback: onRead },
  } as ConstructorParameters<typeof Socket>[0]);
  return socket;
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

/** The name that a TLS client asked for (SNI); empty: none. */
export function serverNameOf(socket: TLSSocket): string {
  // Documented for server sockets, but not in Node's types.
  const { servername } = socket as TLSSocket & { readonly servername?: string | false };
  return servername ? servername : '';
}
