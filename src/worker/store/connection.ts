import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreSpec } from '../../runtime/snapshot.ts';
import { clientOf, runScript, type StoreClient } from './client.ts';
import { Silence } from './silence.ts';
import type { StoreScript } from './store-script.ts';

const SHORTEST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 1000;

interface ConnectionEvents {
  /** It is there; what it knew before may be gone. */
  connected(): void;
  /** @param fault once for each time that it is lost or cannot be had */
  lost(fault: Error): void;
}

/** A connection to a Redis server, made anew for ever where it breaks. Nothing is asked twice. */
export class StoreConnection {
  readonly #spec: StoreSpec;
  readonly #events: ConnectionEvents;
  #client: StoreClient | null = null;
  #silence: Silence | null = null;
  #closed = false;
  #told = false;
  /** In a row that failed. */
  #tries = 0;

  constructor(spec: StoreSpec, events: ConnectionEvents) {
    this.#spec = spec;
    this.#events = events;
    void this.#keep();
  }

  get isReady(): boolean {
    return this.#client?.isReady ?? false;
  }

  /** Runs a script; rejects where the server cannot be asked, or refuses. */
  run(script: StoreScript, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#ask((client) => runScript(client, script, keys, args));
  }

  /** Resolves when the server answered. */
  async ping(): Promise<void> {
    await this.#ask((client) => client.ping());
  }

  close(): void {
    this.#closed = true;
    this.#client?.destroy();
  }

  async #ask<T>(question: (client: StoreClient) => Promise<T>): Promise<T> {
    const client = this.#client;
    const silence = this.#silence;
    if (client === null || silence === null) throw new Error('there is no connection');
    silence.asked();
    try {
      return await question(client);
    } finally {
      silence.heard();
    }
  }

  async #keep(): Promise<void> {
    while (!this.#closed) {
      const fault = await this.#serve().catch((error: unknown) => error as Error);
      if (this.#closed) return;
      if (!this.#told) {
        this.#told = true;
        this.#events.lost(fault);
      }
      const wait = Math.min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS * 2 ** this.#tries++);
      await sleep(wait * (0.5 + Math.random() / 2), undefined, { ref: false });
    }
  }

  /** Connects once; resolves with what has ended the connection. */
  async #serve(): Promise<Error> {
    const client = await clientOf(this.#spec);
    if (this.#closed) return new Error('closed');
    const { silenceMs } = this.#spec;
    let end!: (fault: Error) => void;
    const ended = new Promise<Error>((resolve) => (end = resolve));
    client.on('error', end);
    client.on('end', () => end(new Error('the connection was closed')));
    const silence = new Silence({
      limitMs: silenceMs,
      idle: () => {
        if (client.isReady) void this.ping().catch(() => undefined);
      },
      broken: () => end(new Error(`the server has said nothing for ${silenceMs} ms`)),
    });
    this.#client = client;
    this.#silence = silence;
    try {
      // The library bounds how long it takes to connect, but not what is said first.
      client.once('connect', () => silence.asked());
      const fault = await Promise.race([client.connect().then(() => null), ended]);
      if (fault !== null) return fault;
      silence.heard();
      this.#told = false;
      this.#tries = 0;
      this.#events.connected();
      return await ended;
    } finally {
      silence.close();
      client.destroy();
    }
  }
}
