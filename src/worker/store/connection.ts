import type { StoreSpec } from '../../runtime/snapshot.ts';
import type { StoreScript } from './store-script.ts';

export type StoreClient = ReturnType<(typeof import('@redis/client'))['createClient']>;

const LONGEST_WAIT_MS = 1000;
const CONNECT_MS = 2000;
/** A server that says nothing for so long is asked whether it is there. */
const PING_MS = 1000;
/** A visit takes no longer. */
const VISIT_MS = 10_000;

interface ConnectionEvents {
  /** It is there; what it knew before may be gone. */
  connected(): void;
  /** @param fault once for each time that it is lost or cannot be had */
  lost(fault: Error): void;
}

/** A connection to a Redis server, made anew for ever where it breaks. Nothing is asked twice. */
export class StoreConnection {
  readonly #events: ConnectionEvents;
  #client: StoreClient | null = null;
  #closed = false;
  #told = false;

  constructor(spec: StoreSpec, events: ConnectionEvents) {
    this.#events = events;
    void this.#open(spec).catch((fault: unknown) => this.#lost(fault as Error));
  }

  get isReady(): boolean {
    return this.#client?.isReady ?? false;
  }

  /** Runs a script; rejects where the server cannot be asked, or refuses. */
  run(script: StoreScript, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return runScript(this.#client!, script, keys, args);
  }

  /** Resolves when the server answered. */
  async ping(): Promise<void> {
    await this.#client?.ping();
  }

  close(): void {
    this.#closed = true;
    this.#client?.destroy();
  }

  async #open(spec: StoreSpec): Promise<void> {
    const client = await clientOf(
      spec,
      (retries) => Math.min(LONGEST_WAIT_MS, 20 * 2 ** retries) * (0.5 + Math.random() / 2),
    );
    if (this.#closed) return;
    this.#client = client;
    client.on('error', (fault: Error) => this.#lost(fault));
    client.on('ready', () => {
      this.#told = false;
      this.#events.connected();
    });
    await client.connect();
  }

  #lost(fault: Error): void {
    if (this.#told || this.#closed) return;
    this.#told = true;
    this.#events.lost(fault);
  }
}

/**
 * Asks a server something once, over a connection of its own.
 *
 * @throws Error where it cannot be reached or refuses
 */
export async function visitStore<T>(spec: StoreSpec, ask: (client: StoreClient) => Promise<T>): Promise<T> {
  const client = await clientOf(spec, () => false);
  // What failed is told by what was asked.
  client.on('error', () => undefined);
  const limit = setTimeout(() => client.destroy(), VISIT_MS);
  try {
    await client.connect();
    return await ask(client);
  } finally {
    clearTimeout(limit);
    if (client.isOpen) client.destroy();
  }
}

export async function runScript(
  client: StoreClient,
  script: StoreScript,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  const call = { keys: [...keys], arguments: [...args] };
  try {
    return await client.evalSha(script.digest, call);
  } catch (fault) {
    // A server that was started again does not know it; nothing of it was done.
    if (!(fault instanceof Error) || !fault.message.startsWith('NOSCRIPT')) throw fault;
    return client.eval(script.text, call);
  }
}

async function clientOf(
  spec: StoreSpec,
  reconnectStrategy: (retries: number) => number | false,
): Promise<StoreClient> {
  // Loaded where it is used alone: it takes 40 ms and some MiB.
  const { createClient } = await import('@redis/client');
  const { tls } = spec;
  const client = createClient({
    socket: {
      host: spec.host,
      port: spec.port,
      connectTimeout: CONNECT_MS,
      reconnectStrategy,
      ...(tls === null
        ? {}
        : { tls: true as const, servername: tls.serverName, ...(tls.ca === null ? {} : { ca: tls.ca }) }),
    },
    ...(spec.username === null ? {} : { username: spec.username }),
    ...(spec.password === null ? {} : { password: spec.password }),
    database: spec.db,
    disableOfflineQueue: true,
    pingInterval: PING_MS,
  });
  return client as unknown as StoreClient;
}
