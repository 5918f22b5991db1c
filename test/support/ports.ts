import { createServer, type Server } from 'node:net';

// Below the range that the kernel takes outgoing ports from (32768 and up), so that no connection of a
// test can sit on a port between the moment it was found free and the moment it is bound.
const LOWEST = 12_000;
const BLOCK = 250;
const BLOCKS = 80;

// Test files run side by side, and seconds may pass before what was found free is bound. So each process takes ports
// from blocks of its own: a block belongs to whoever listens on its first port.
let next = 0;
let end = 0;
let taking: Promise<void> | undefined;

/** A port of 127.0.0.1 that nobody listens on. For programs that cannot be told to bind port 0. */
export async function freePort(): Promise<number> {
  for (;;) {
    while (next === end) await (taking ??= takeBlock().finally(() => (taking = undefined)));
    const port = next++;
    const server = await listen(port);
    if (server === null) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

async function takeBlock(): Promise<void> {
  const from = Math.floor(Math.random() * BLOCKS);
  for (let i = 0; i < BLOCKS; i++) {
    const first = LOWEST + ((from + i) % BLOCKS) * BLOCK;
    const claim = await listen(first);
    if (claim === null) continue;
    claim.unref();
    [next, end] = [first + 1, first + BLOCK];
    return;
  }
  throw new Error('no free port found');
}

/** @returns null where the port is taken */
function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  });
}
