// A connection to a real Redis through a wire that can fall silent, as where packets are dropped.
import { createServer, connect, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { once } from 'node:events';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { StoreSpec } from '../../../src/runtime/snapshot.ts';
import { StoreConnection } from '../../../src/worker/store/connection.ts';
import { storeScript } from '../../../src/worker/store/store-script.ts';
import { Redis } from '../../support/redis.ts';
import { storeSpec } from '../../support/store-spec.ts';

const SILENCE_MS = 200;
const ECHO = storeScript('return ARGV[1]');

let redis: Redis;
beforeAll(async () => {
  redis = await Redis.start();
});

/** Carries bytes to Redis and back, for those connections that it was not told to leave out. */
class Wire {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  accepted = 0;
  /** What comes on connections that are made from now on is swallowed. */
  swallowsNew = false;
  #cut: (() => void)[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Wire> {
    const server = createServer((socket) => wire.#accept(socket));
    const wire = new Wire(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return wire;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Nothing passes any more on connections that there are, and none of them ends. */
  swallow(): void {
    for (const cut of this.#cut) cut();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.accepted++;
    const server = connect(redis.port, '127.0.0.1');
    for (const each of [socket, server]) {
      this.#sockets.add(each);
      each.on('error', () => undefined);
    }
    let isCut = this.swallowsNew;
    this.#cut.push(() => (isCut = true));
    socket.on('data', (bytes) => {
      if (!isCut) server.write(bytes);
    });
    server.on('data', (bytes) => {
      if (!isCut) socket.write(bytes);
    });
  }
}

let wire: Wire;
let connection: StoreConnection;
const faults: string[] = [];
let connected = 0;

async function open(rest: Partial<StoreSpec> = {}): Promise<void> {
  wire = await Wire.start();
  const spec = storeSpec(wire.port, { silenceMs: SILENCE_MS, ...rest });
  connection = new StoreConnection(spec, {
    connected: () => connected++,
    lost: ({ message }) => faults.push(message),
  });
}

afterEach(() => {
  connection.close();
  wire.close();
  faults.length = 0;
  connected = 0;
});

const isConnected = (times: number): Promise<void> =>
  vi.waitFor(() => expect(connected).toBe(times), { timeout: 10_000, interval: 5 });
const echo = (text: string): Promise<unknown> => connection.run(ECHO, [], [text]);

describe('a server that says nothing', () => {
  test('is noticed while it is asked: what was asked fails, and another connection takes its place', async () => {
    await open();
    await isConnected(1);
    expect(await echo('a')).toBe('a');
    wire.swallow();
    await expect(echo('b')).rejects.toThrow();
    expect(connection.isReady).toBe(false);
    await isConnected(2);
    expect(await echo('c')).toBe('c');
    expect(faults).toEqual(['the server has said nothing for 200 ms']);
  });

  test('is noticed while nobody asks', async () => {
    await open();
    await isConnected(1);
    wire.swallow();
    await isConnected(2);
    expect(faults).toEqual(['the server has said nothing for 200 ms']);
  });

  test('is noticed before it has said its first word, and told once', async () => {
    wire = await Wire.start();
    wire.close();
    await open();
    wire.swallowsNew = true;
    await vi.waitFor(() => expect(wire.accepted).toBeGreaterThan(2), { timeout: 10_000, interval: 5 });
    expect(connection.isReady).toBe(false);
    wire.swallowsNew = false;
    await isConnected(1);
    expect(faults).toEqual(['the server has said nothing for 200 ms']);
    await expect(echo('a')).resolves.toBe('a');
  });
});

describe('a server that is there is kept', () => {
  test('while nobody asks anything', async () => {
    await open();
    await isConnected(1);
    await sleep(4 * SILENCE_MS);
    expect([wire.accepted, faults]).toEqual([1, []]);
  });

  test('where the event loop was held up for longer than it may say nothing', async () => {
    await open();
    await isConnected(1);
    const answer = echo('a');
    for (const until = performance.now() + 3 * SILENCE_MS; performance.now() < until;);
    expect(await answer).toBe('a');
    await sleep(SILENCE_MS);
    expect([wire.accepted, faults]).toEqual([1, []]);
  });
});

test('nothing can be asked where there is no connection', async () => {
  await open({ addresses: [{ host: '127.0.0.1', port: 1 }] });
  await expect(echo('a')).rejects.toThrow();
});
