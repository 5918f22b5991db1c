import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SharedLedgers, Stores } from '../../runtime/ledger.ts';
import type { MetricFamily } from '../../runtime/metrics.ts';
import type { StoreSpec } from '../../runtime/snapshot.ts';
import type { Log } from '../log.ts';
import { QuotaMetrics } from '../quota-metrics.ts';
import { StoreConnection } from './connection.ts';
import { storeFamilies } from './families.ts';
import { StoreLedger } from './ledger.ts';
import { textOf } from './master.ts';
import { StoreQuotas } from './quotas.ts';

/** A store that no filter uses any more is told for so long what was charged. */
const DRAIN_MS = 60_000;
/** Who has a store opened waits so long for it. */
const FIRST_MS = 1000;
/** A server that refuses is logged this often. */
const REFUSALS_MS = 10_000;

interface Held {
  readonly spec: StoreSpec;
  /** One for limits and quotas, or where quotas wait for replicas one for each: limits would wait as well. */
  readonly connections: readonly StoreConnection[];
  readonly limits: StoreLedger;
  readonly quotas: StoreQuotas;
  holders: number;
}

/** The stores that filters of this worker count in, one connection each. */
export class StoreSet implements Stores {
  readonly #held = new Map<string, Held>();
  readonly #log: Log;
  readonly #worker = randomUUID();
  readonly #quotaMetrics: QuotaMetrics;
  /** No filter uses them any more, and they have something to tell. */
  readonly #leaving = new Set<Held>();

  constructor(log: Log) {
    this.#log = log;
    this.#quotaMetrics = new QuotaMetrics('cluster', log.logger);
  }

  acquire(spec: StoreSpec): SharedLedgers {
    const key = JSON.stringify(spec);
    let held = this.#held.get(key);
    if (held === undefined) this.#held.set(key, (held = this.#open(spec)));
    held.holders++;
    return held;
  }

  release(spec: StoreSpec): void {
    const key = JSON.stringify(spec);
    const held = this.#held.get(key);
    if (held === undefined || --held.holders > 0) return;
    this.#held.delete(key);
    held.limits.close();
    void this.#leave(held);
  }

  /** Resolves when each server is there or could not be had, or there is no more time. */
  async tried(limitMs = FIRST_MS): Promise<void> {
    const limit = new AbortController();
    const all = Promise.all(this.#all.flatMap(({ connections }) => connections.map(({ tried }) => tried)));
    await Promise.race([all, sleep(limitMs, undefined, limit).catch(() => undefined)]);
    limit.abort();
  }

  /** Resolves when all servers were told what was charged, or there is no more time. */
  async drain(limitMs: number): Promise<void> {
    await Promise.all(this.#all.map(({ quotas }) => quotas.drain(limitMs)));
  }

  get #all(): Held[] {
    return [...this.#held.values(), ...this.#leaving];
  }

  async #leave(held: Held): Promise<void> {
    this.#leaving.add(held);
    await held.quotas.drain(DRAIN_MS);
    const { waiting } = held.quotas.settlements;
    if (waiting > 0)
      this.#log.logger.error(
        { store: held.spec.name, settlements: waiting },
        'a store was not told all that was charged before it was let go of',
      );
    this.#leaving.delete(held);
    held.quotas.close();
    for (const connection of held.connections) connection.close();
  }

  families(): MetricFamily[] {
    const all = this.#all;
    return [
      ...storeFamilies(
        all.map(({ spec, connections, limits, quotas }) => ({
          name: spec.name,
          connected: connections.filter(({ isReady }) => isReady).length,
          counts: [limits.counts, quotas.counts],
          reservations: quotas.reservations,
          settlements: quotas.settlements,
        })),
      ),
      ...this.#quotaMetrics.families(),
    ];
  }

  #open(spec: StoreSpec): Held {
    const { logger } = this.#log;
    const isShared = spec.replicas === 0;
    const open = (replicas: number, use: 'limits' | 'quotas', connected: () => void): StoreConnection => {
      const where = { store: spec.name, ...(!isShared && { for: use }) };
      return new StoreConnection(
        { ...spec, replicas },
        {
          connected: (address) => {
            logger.info({ ...where, address: textOf(address) }, 'store connected');
            connected();
          },
          lost: ({ message }, address) =>
            logger.error(
              { ...where, ...(address && { address: textOf(address) }), reason: message },
              'store out of reach',
            ),
        },
      );
    };
    const connection = open(0, 'limits', () => {
      limits.connected();
      if (isShared) quotas.connected();
    });
    const books = isShared ? connection : open(spec.replicas, 'quotas', () => quotas.connected());
    const limits = new StoreLedger({
      server: connection,
      keyPrefix: spec.keyPrefix,
      deadlineMs: spec.deadlineMs,
      worker: this.#worker,
      now: () => performance.now(),
    });
    let refusedAt = -Infinity;
    const quotas = new StoreQuotas({
      server: books,
      keyPrefix: spec.keyPrefix,
      deadlineMs: spec.deadlineMs,
      metrics: this.#quotaMetrics,
      now: () => performance.now(),
      wallNow: () => Date.now(),
      refused: ({ message }) => {
        // Of a connection that broke, the connection tells.
        if (!books.isReady || performance.now() - refusedAt < REFUSALS_MS) return;
        refusedAt = performance.now();
        logger.error({ store: spec.name, reason: message }, 'store refuses what quotas ask of it');
      },
    });
    return { spec, connections: isShared ? [connection] : [connection, books], limits, quotas, holders: 0 };
  }
}
