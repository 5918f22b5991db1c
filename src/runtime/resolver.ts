import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';

/** What a name stands for at the moment. */
export interface Resolution {
  /** IP literals, sorted, without repetition; never empty. */
  readonly addresses: readonly string[];
  /** How long they may be used; Infinity where the source does not say. */
  readonly ttlMs: number;
}

export interface Resolver {
  /** @throws where the name has no address or nobody could be asked */
  resolve(name: string): Promise<Resolution>;
}

/**
 * Asks DNS for A records, and for AAAA where there are none: an address family that this machine
 * cannot reach must not get half of the traffic. Where DNS does not know the name, the system is
 * asked, which knows the hosts file and search domains, but no time to live.
 */
export class SystemResolver implements Resolver {
  readonly #dns = new dns.Resolver({ timeout: 2000, tries: 2 });

  async resolve(name: string): Promise<Resolution> {
    // A name without a dot is never a DNS name of its own: hosts file or search domain.
    const local = !name.includes('.') || name === 'localhost' || name.endsWith('.localhost');
    if (!local) {
      // Both at once: an upstream that is asked for the first time may hold up a start.
      const [v4, v6] = await Promise.all([
        this.#records(() => this.#dns.resolve4(name, { ttl: true })),
        this.#records(() => this.#dns.resolve6(name, { ttl: true })),
      ]);
      const records = v4 ?? v6;
      if (records !== null) return records;
    }
    const found = await dns.lookup(name, { all: true });
    const v4 = found.filter((entry) => entry.family === 4);
    return resolution(
      (v4.length > 0 ? v4 : found).map((entry) => entry.address),
      Infinity,
    );
  }

  async #records(ask: () => Promise<{ address: string; ttl: number }[]>): Promise<Resolution | null> {
    try {
      const records = await ask();
      if (records.length === 0) return null;
      const ttl = Math.min(...records.map((record) => record.ttl));
      return resolution(
        records.map((record) => record.address),
        ttl * 1000,
      );
    } catch {
      // Every failure leads to the next source; the last one reports.
      return null;
    }
  }
}

function resolution(addresses: readonly string[], ttlMs: number): Resolution {
  return { addresses: [...new Set(addresses)].sort(), ttlMs };
}

const MIN_REFRESH_MS = 1000;
const FIRST_RETRY_MS = 1000;

/** The clock and timers of a watch, for tests. */
export interface Scheduler {
  /** Calls back once after the delay; the result cancels it. Must not keep the process alive. */
  after(delayMs: number, callback: () => void): () => void;
}

export const systemScheduler: Scheduler = {
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs).unref();
    return () => clearTimeout(timer);
  },
};

/**
 * Keeps one name resolved: at once, then each time that its time to live is over, at most every
 * `refreshMs`. After a failure the last addresses stay in use and the name is asked for again with a
 * growing delay. An IP literal is known at once and never asked for.
 */
export class NameWatch {
  /** Empty until the first answer. */
  addresses: readonly string[] = [];
  /** Settled, never rejected, once the first look-up has ended either way. */
  readonly ready: Promise<void>;
  /** Why the last look-up did not succeed; null where it did. */
  failure: string | null = null;

  readonly #name: string;
  readonly #refreshMs: number;
  readonly #resolver: Resolver;
  readonly #onChange: () => void;
  readonly #scheduler: Scheduler;
  #retryMs = FIRST_RETRY_MS;
  #cancel: (() => void) | null = null;
  #disposed = false;

  constructor(
    name: string,
    refreshMs: number,
    resolver: Resolver,
    onChange: () => void,
    scheduler: Scheduler = systemScheduler,
  ) {
    this.#name = name;
    this.#refreshMs = Math.max(MIN_REFRESH_MS, refreshMs);
    this.#resolver = resolver;
    this.#onChange = onChange;
    this.#scheduler = scheduler;
    if (isIP(name) !== 0) {
      this.addresses = [name];
      this.ready = Promise.resolve();
    } else {
      this.ready = this.#look();
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  async #look(): Promise<void> {
    let next: number;
    try {
      const { addresses, ttlMs } = await this.#resolver.resolve(this.#name);
      if (this.#disposed) return;
      this.failure = null;
      this.#retryMs = FIRST_RETRY_MS;
      next = Math.max(MIN_REFRESH_MS, Math.min(ttlMs, this.#refreshMs));
      if (!sameAddresses(addresses, this.addresses)) {
        this.addresses = addresses;
        this.#onChange();
      }
    } catch (error) {
      if (this.#disposed) return;
      this.failure = error instanceof Error ? error.message : String(error);
      next = this.#retryMs;
      this.#retryMs = Math.min(2 * this.#retryMs, this.#refreshMs);
    }
    this.#cancel = this.#scheduler.after(next, () => void this.#look());
  }
}

function sameAddresses(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((address, i) => address === b[i]);
}
