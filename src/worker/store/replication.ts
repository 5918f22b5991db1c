import type { StoreClient } from './client.ts';

interface ReplicationDeps {
  readonly client: StoreClient;
  /** So many replicas must have what is written. */
  readonly replicas: number;
  /** Milliseconds that they are given. */
  readonly limitMs: number;
  /** Something was asked; something was answered. */
  asked(): void;
  heard(): void;
  /** Too few have it. */
  lacking(fault: Error): void;
}

interface Waiter {
  resolve(): void;
  reject(fault: Error): void;
}

/**
 * Says when replicas have what was written over a connection (Redis `WAIT`), so that the failover to one of them loses
 * none of it. One question is under way at a time, for all that was written before it; meanwhile the server runs nothing else
 * of the connection.
 */
export class Replication {
  readonly #deps: ReplicationDeps;
  #waiting: Waiter[] = [];
  #isAsking = false;

  constructor(deps: ReplicationDeps) {
    this.#deps = deps;
  }

  /** Rejects where they are not there, or too far behind. @param key written for it */
  async begin(key: string): Promise<void> {
    const { client, limitMs } = this.#deps;
    // A connection over which nothing was written has nothing to wait for.
    await client.set(key, '', { expiration: { type: 'PX', value: Math.max(1000, limitMs) } });
    await this.acknowledged();
  }

  /** Resolves when they have all that was written before; rejects where too few of them do in time. */
  acknowledged(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (!this.#isAsking) this.#ask();
    });
  }

  #ask(): void {
    const { client, replicas, limitMs, lacking } = this.#deps;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#isAsking = true;
    this.#deps.asked();
    const answered = (fault: Error | null): void => {
      this.#isAsking = false;
      this.#deps.heard();
      for (const { resolve, reject } of waiting) {
        if (fault === null) resolve();
        else reject(fault);
      }
      if (this.#waiting.length > 0) this.#ask();
    };
    client.wait(replicas, limitMs).then(
      (count) => {
        if (count >= replicas) {
          answered(null);
          return;
        }
        const fault = new Error(
          `${count} of ${replicas} replicas have what was written within ${limitMs} ms`,
        );
        lacking(fault);
        answered(fault);
      },
      (fault: unknown) => answered(fault as Error),
    );
  }
}
