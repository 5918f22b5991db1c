import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerAddress, StoreSpec } from '../../runtime/snapshot.ts';
import { clientOf, runScript, type StoreClient } from './client.ts';
import { checkServer, masterOf, movedBy, textOf } from './master.ts';
import { Replication } from './replication.ts';
import { Silence } from './silence.ts';
import type { StoreScript } from './store-script.ts';

const SHORTEST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 1000;
/** Sentinels are asked this often whether there is another master, also while the one that is known answers. */
const LOOK_MS = 2000;

/** Reasons that an outage is told by. */
const MOST_TOLD = 5;

interface ConnectionEvents {
  /** It is there; what it knew before may be gone. */
  connected(address: ServerAddress): void;
  /**
   * @param fault why it was lost or cannot be had: each reason once until it is there again
   * @param address null where none is known
   */
  lost(fault: Error, address: ServerAddress | null): void;
}

/**
 * A connection to a Redis server, made anew for ever where it breaks, and to another where Sentinels say so. Nothing is
 * asked twice.
 */
export class StoreConnection {
  /** Resolves when it is there, or could not be had. */
  readonly tried: Promise<void>;
  #wasTried!: () => void;
  readonly #spec: StoreSpec;
  readonly #events: ConnectionEvents;
  #client: StoreClient | null = null;
  #silence: Silence | null = null;
  /** Null where no replica is waited for. */
  #replication: Replication | null = null;
  /** It is known to be one that can be counted in. */
  #isServing = false;
  /** Ends the connection. */
  #end: (fault: Error) => void = () => undefined;
  #closed = false;
  /** Why it could not be had since it was lost. */
  readonly #told = new Set<string>();
  #address: ServerAddress | null = null;
  /** In a row that failed. */
  #tries = 0;

  constructor(spec: StoreSpec, events: ConnectionEvents) {
    this.#spec = spec;
    this.#events = events;
    this.tried = new Promise((resolve) => (this.#wasTried = resolve));
    void this.#keep();
  }

  get isReady(): boolean {
    return this.#isServing && this.#client!.isReady;
  }

  /**
   * Runs a script; rejects where the server cannot be asked, or refuses, and where what it wrote may be lost with the
   * server, since too few replicas have it.
   */
  run(script: StoreScript, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const replication = this.#replication;
    return this.#ask(async (client) => {
      const answer = await runScript(client, script, keys, args);
      await replication?.acknowledged();
      return answer;
    });
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
    } catch (fault) {
      const moved = movedBy(fault as Error);
      if (moved === null) throw fault;
      this.#end(moved);
      throw moved;
    } finally {
      silence.heard();
    }
  }

  async #keep(): Promise<void> {
    while (!this.#closed) {
      const fault = await this.#serve().catch((error: unknown) => error as Error);
      if (this.#closed) return;
      this.#wasTried();
      if (!this.#told.has(fault.message) && this.#told.size < MOST_TOLD) {
        this.#told.add(fault.message);
        this.#events.lost(fault, this.#address);
      }
      const wait = Math.min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS * 2 ** this.#tries++);
      await sleep(wait * (0.5 + Math.random() / 2), undefined, { ref: false });
    }
  }

  /** Connects once; resolves with what has ended the connection. */
  async #serve(): Promise<Error> {
    const spec = this.#spec;
    this.#address = null;
    const address = await masterOf(spec);
    this.#address = address;
    const client = await clientOf({ ...spec, address });
    if (this.#closed) return new Error('closed');
    let end!: (fault: Error) => void;
    const ended = new Promise<Error>((resolve) => (end = resolve));
    client.on('error', end);
    client.on('end', () => end(new Error('the connection was closed')));
    const silence = new Silence({
      limitMs: spec.silenceMs,
      idle: () => {
        if (client.isReady) void this.ping().catch(() => undefined);
      },
      broken: () => end(new Error(`the server has said nothing for ${spec.silenceMs} ms`)),
    });
    const { replicas, deadlineMs, keyPrefix } = spec;
    const replication =
      replicas === 0
        ? null
        : new Replication({
            client,
            replicas,
            limitMs: deadlineMs,
            asked: () => silence.asked(),
            heard: () => silence.heard(),
            lacking: end,
          });
    this.#client = client;
    this.#silence = silence;
    this.#replication = replication;
    this.#end = end;
    const look =
      spec.sentinel === null ? null : setInterval(() => void this.#look(address, end), LOOK_MS).unref();
    try {
      // The library bounds how long it takes to connect, but not what is said first.
      client.once('connect', () => silence.asked());
      const begun = client
        .connect()
        .then(() => checkServer(client, spec))
        .then(() => replication?.begin(`${keyPrefix}:replicated`));
      const fault = await Promise.race([begun, ended]);
      if (fault !== undefined) return fault;
      silence.heard();
      this.#isServing = true;
      this.#told.clear();
      this.#tries = 0;
      this.#events.connected(address);
      this.#wasTried();
      return await ended;
    } finally {
      this.#isServing = false;
      if (look !== null) clearInterval(look);
      silence.close();
      client.destroy();
    }
  }

  /** Ends a connection to a server that is the master no more. */
  async #look(address: ServerAddress, end: (fault: Error) => void): Promise<void> {
    // Sentinels that cannot be asked say nothing against it.
    const master = await masterOf(this.#spec).catch(() => address);
    if (textOf(master) !== textOf(address)) end(new Error(`${textOf(master)} is the master now`));
  }
}
