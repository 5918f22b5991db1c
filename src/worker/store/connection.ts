import { createHash } from 'node:crypto';
import type { StoreSpec } from '../../runtime/snapshot.ts';
import { LIMIT_SCRIPT } from './script.ts';

type Client = ReturnType<(typeof import('@redis/client'))['createClient']>;

const SCRIPT_DIGEST = createHash('sha1').update(LIMIT_SCRIPT).digest('hex');
const LONGEST_WAIT_MS = 1000;
const CONNECT_MS = 2000;
/** A server that says nothing for so long is asked whether it is there. */
const PING_MS = 1000;

interface ConnectionEvents {
  /** It is there; what it knew before may be gone. */
  connected(): void;
  /** @param fault once for each time that it is lost or cannot be had */
  lost(fault: Error): void;
}

/** A connection to a Redis server, made anew for ever where it breaks. Nothing is asked twice. */
export class StoreConnection {
  readonly #events: ConnectionEvents;
  #client: Client | null = null;
  #closed = false;
  #told = false;

  constructor(spec: StoreSpec, events: ConnectionEvents) {
    this.#events = events;
    void this.#open(spec).catch((fault: unknown) => this.#lost(fault as Error));
  }

  get isReady(): boolean {
    return this.#client?.isReady ?? false;
  }

  /** Runs the script; rejects where the server cannot be asked, or refuses. */
  async run(key: string, args: readonly string[]): Promise<unknown> {
    const client = this.#client!;
    const call = { keys: [key], arguments: [...args] };
    try {
      return await client.evalSha(SCRIPT_DIGEST, call);
    } catch (fault) {
      // A server that was started again does not know it; nothing of it was done.
      if (!(fault instanceof Error) || !fault.message.startsWith('NOSCRIPT')) throw fault;
      return client.eval(LIMIT_SCRIPT, call);
    }
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
    // Loaded where it is used alone: it takes 40 ms and some MiB.
    const { createClient } = await import('@redis/client');
    if (this.#closed) return;
    const { tls } = spec;
    const client = createClient({
      socket: {
        host: spec.host,
        port: spec.port,
        connectTimeout: CONNECT_MS,
        reconnectStrategy: (retries) =>
          Math.min(LONGEST_WAIT_MS, 20 * 2 ** retries) * (0.5 + Math.random() / 2),
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
    this.#client = client as unknown as Client;
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
