import type { MetricFamily } from '../../runtime/metrics.ts';
import { family } from '../metric-family.ts';
import { reservationFamily } from '../quota-metrics.ts';

const RESULTS = ['local', 'asked', 'unreachable', 'late', 'refused'] as const;

interface StoreState {
  readonly name: string;
  readonly connected: number;
  /** Of limits, of quotas. */
  readonly counts: readonly Readonly<Record<(typeof RESULTS)[number], number>>[];
  /** Of quotas: what is kept back now, and what the Store has to be told. */
  readonly reservations: number;
  readonly settlements: { readonly waiting: number; readonly lost: number };
}

/** What a worker tells of the stores that it counts in. */
export function storeFamilies(stores: readonly StoreState[]): MetricFamily[] {
  return [
    family(
      'gauge',
      'weir_store_connected',
      'Connections of workers to a Store that are up.',
      stores.map(({ name, connected }) => [{ store: name }, connected] as const),
    ),
    family(
      'counter',
      'weir_store_decisions_total',
      'How limits and quotas with scope cluster were decided: from what the worker held (local), by a question that may stand for many requests (asked), and not at all, for onStoreFailure to say: the server was out of reach (unreachable), too late (late), or broke off (refused).',
      stores.flatMap(({ name, counts }) =>
        RESULTS.map(
          (result) => [{ store: name, result }, counts.reduce((sum, each) => sum + each[result], 0)] as const,
        ),
      ),
    ),
    reservationFamily(
      'cluster',
      stores.reduce((sum, { reservations }) => sum + reservations, 0),
    ),
    family(
      'gauge',
      'weir_quota_settlements_waiting',
      'Charges of answers that are over, releases and refunds that a Store was not told yet.',
      stores.map(({ name, settlements }) => [{ store: name }, settlements.waiting] as const),
    ),
    family(
      'counter',
      'weir_quota_settlements_lost_total',
      'Those that a Store was never told, since it was away for too long.',
      stores.map(({ name, settlements }) => [{ store: name }, settlements.lost] as const),
    ),
  ];
}
