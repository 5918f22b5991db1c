import { randomUUID } from 'node:crypto';
import type { Ledger, Stores } from '../../runtime/ledger.ts';
import type { MetricFamily } from '../../runtime/metrics.ts';
import type { StoreSpec } from '../../runtime/snapshot.ts';
import type { Log } from '../log.ts';
import { StoreConnection } from './connection.ts';
import { storeFamilies } from './families.ts';
import { StoreLedger } from './ledger.ts';

interface Held {
  readonly spec: StoreSpec;
  readonly connection: StoreConnection;
  readonly ledger: StoreLedger;
  holders: number;
}

/** The stores that filters of this worker count in, one connection each. */
export class StoreSet implements Stores {
  readonly #held = new Map<string, Held>();
  readonly #log: Log;
  readonly #worker = randomUUID();

  constructor(log: Log) {
    this.#log = log;
  }

  acquire(spec: StoreSpec): Ledger {
    const key = JSON.stringify(spec);
    let held = this.#held.get(key);
    if (held === undefined) this.#held.set(key, (held = this.#open(spec)));
    held.holders++;
    return held.ledger;
  }

  release(spec: StoreSpec): void {
    const key = JSON.stringify(spec);
    const held = this.#held.get(key);
    if (held === undefined || --held.holders > 0) return;
    this.#held.delete(key);
    held.ledger.close();
    held.connection.close();
  }

  families(): MetricFamily[] {
    return storeFamilies(
      [...this.#held.values()].map(({ spec, connection, ledger }) => ({
        name: spec.name,
        isReady: connection.isReady,
        counts: ledger.counts,
      })),
    );
  }

  #open(spec: StoreSpec): Held {
    const { logger } = this.#log;
    const where = { store: spec.name, address: `${spec.host}:${spec.port}` };
    const connection = new StoreConnection(spec, {
      connected: () => {
        logger.info(where, 'store connected');
        ledger.connected();
      },
      lost: ({ message }) => logger.error({ ...where, reason: message }, 'store out of reach'),
    });
    const ledger = new StoreLedger({
      server: connection,
      keyPrefix: spec.keyPrefix,
      deadlineMs: spec.deadlineMs,
      worker: this.#worker,
      now: () => performance.now(),
    });
    return { spec, connection, ledger, holders: 0 };
  }
}
