import { Registry } from 'prom-client';
import { mergeFamilies, type Labels, type MetricFamily } from '../runtime/metrics.ts';
import { family } from '../worker/metric-family.ts';
import type { WorkerDump } from '../worker/protocol.ts';

/** Series of workers that are gone are dropped rather than let grow beyond this. */
const MAX_RETIRED_SERIES = 50_000;

/**
 * The metrics of the whole program: what all workers report, summed, beside the supervisor's own.
 * Counters of workers that exited stay in the sums, so that these never run backwards.
 */
export class MetricsBoard {
  private retired: MetricFamily[] = [];

  /** The last that was heard of a worker. */
  retire(dump: WorkerDump | null): void {
    if (!dump) return;
    const lasting = dump.families.filter((family) => family.type !== 'gauge');
    const merged = mergeFamilies([this.retired, lasting]);
    const series = merged.reduce((sum, family) => sum + family.series.length, 0);
    this.retired = series > MAX_RETIRED_SERIES ? [] : merged;
  }

  /** Everything, in Prometheus text format. */
  async text(
    dumps: readonly { slot: number; dump: WorkerDump }[],
    own: readonly MetricFamily[],
  ): Promise<string> {
    const families = mergeFamilies([
      ...dumps.map(({ dump }) => dump.families),
      this.retired,
      processFamilies(dumps),
      own,
    ]);
    return exposition(families);
  }
}

/** Prometheus text, written by prom-client. */
export async function exposition(families: readonly MetricFamily[]): Promise<string> {
  const registry = new Registry();
  for (const each of families) {
    const metric = {
      name: each.name,
      help: each.help,
      type: each.type,
      aggregator: 'sum',
      values: valuesOf(each),
    };
    // The registry asks for nothing but a name and a way to get values; its type wants a metric of its own making.
    registry.registerMetric({ ...metric, get: () => Promise.resolve(metric) } as never);
  }
  return registry.metrics();
}

export const EXPOSITION_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

interface Value {
  readonly labels: Record<string, string | number>;
  readonly value: number;
  readonly metricName?: string;
}

function valuesOf({ name, type, bounds, series }: MetricFamily): Value[] {
  if (type !== 'histogram') return series.map(({ labels, values }) => ({ labels, value: values[0] ?? 0 }));
  return series.flatMap(({ labels, values }) => {
    let count = 0;
    const buckets = [...bounds, Infinity].map((bound, i): Value => {
      count += values[i] ?? 0;
      const le = bound === Infinity ? '+Inf' : bound;
      return { labels: { ...labels, le }, value: count, metricName: `${name}_bucket` };
    });
    return [
      ...buckets,
      { labels, value: values[bounds.length + 1] ?? 0, metricName: `${name}_sum` },
      { labels, value: count, metricName: `${name}_count` },
    ];
  });
}

function processFamilies(dumps: readonly { slot: number; dump: WorkerDump }[]): MetricFamily[] {
  const each = (read: (dump: WorkerDump) => number): [Labels, number][] =>
    dumps.map(({ slot, dump }) => [{ worker: String(slot) }, read(dump)]);
  return [
    family(
      'gauge',
      'weir_worker_cpu_seconds',
      'CPU time of the worker process since its start.',
      each(({ process }) => process.cpuSeconds),
    ),
    family(
      'gauge',
      'weir_worker_resident_memory_bytes',
      'Resident memory of the worker process.',
      each(({ process }) => process.residentBytes),
    ),
    family(
      'gauge',
      'weir_worker_heap_bytes',
      'JavaScript heap in use.',
      each(({ process }) => process.heapBytes),
    ),
    family(
      'gauge',
      'weir_worker_snapshots',
      'Snapshots that streams of the worker still use.',
      each(({ status }) => status.snapshots),
    ),
  ];
}
