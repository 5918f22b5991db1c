import type { MetricFamily } from '../../runtime/metrics.ts';
import { family } from '../metric-family.ts';

const RESULTS = ['local', 'asked', 'unreachable', 'late', 'refused'] as const;

interface StoreState {
  readonly name: string;
  readonly isReady: boolean;
  readonly counts: Readonly<Record<(typeof RESULTS)[number], number>>;
}

/** What a worker tells of the stores that it counts in. */
export function storeFamilies(stores: readonly StoreState[]): MetricFamily[] {
  return [
    family(
      'gauge',
      'weir_store_connected',
      'Connections of workers to a Store that are up.',
      stores.map(({ name, isReady }) => [{ store: name }, isReady ? 1 : 0] as const),
    ),
    family(
      'counter',
      'weir_store_decisions_total',
      'How limits with scope cluster were decided: from what the worker held (local), by a question that may stand for many requests (asked), and not at all, for onStoreFailure to say: the server was out of reach (unreachable), too late (late), or broke off (refused).',
      stores.flatMap(({ name, counts }) =>
        RESULTS.map((result) => [{ store: name, result }, counts[result]] as const),
      ),
    ),
  ];
}
