import type { Socket } from 'node:net';

/** One side of a stream that reads. */
interface Reading {
  readonly socket: Socket;
  readonly paused: boolean;
}

/**
 * Goes on reading in the next turn of the event loop, after a read callback has answered false.
 *
 * Once our own side has ended nothing but a read tells a reset from an end, and libuv does not make that
 * read where more than one is asked for at a time (see `wasReset`).
 */
export function readNextTurn(side: Reading): void {
  setImmediate(goOn, side);
}

function goOn(side: Reading): void {
  if (!side.paused && !side.socket.destroyed) side.socket.resume();
}
