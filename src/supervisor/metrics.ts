import { Registry } from 'prom-client';
import { mergeFamilies, type Labels, type MetricFamily } from '../runtime/metrics.ts';
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

/** A family that is made when it is asked for, from numbers that are kept elsewhere. */
export function family(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  values: readonly (readonly [labels: Labels, value: number])[],
): MetricFamily {
  const series = values.map(([labels, value]) => ({ labels, values: [value] }));
  return { name, help, type, bounds: [], series };
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
  const sum = (read: (dump: WorkerDump) => number): [Labels, number][] => [
    [{}, dumps.reduce((total, { dump }) => total + read(dump), 0)],
  ];
  return [
    family(
      'gauge',
      'weir_worker_cpu_seconds',
      'CPU time of the worker process since its start.',
      each((d) => d.process.cpuSeconds),
    ),
    family(
      'gauge',
      'weir_worker_resident_memory_bytes',
      'Resident memory of the worker process.',
      each((d) => d.process.residentBytes),
    ),
    family(
      'gauge',
      'weir_worker_heap_bytes',
      'JavaScript heap in use.',
      each((d) => d.process.heapBytes),
    ),
    family(
      'gauge',
      'weir_worker_snapshots',
      'Snapshots that streams of the worker still use.',
      each((d) => d.status.snapshots),
    ),
    family(
      'gauge',
      'weir_worker_log_lines_dropped',
      'Log lines dropped because standard error was slow.',
      each((d) => d.process.logDropped),
    ),
    family(
      'gauge',
      'weir_worker_uncaught_faults',
      'Faults that nobody caught.',
      each((d) => d.process.uncaught),
    ),
    family(
      'gauge',
      'weir_ledger_local_decisions',
      'Limit decisions that workers took from tokens or refusals they held.',
      sum((d) => d.process.ledger.local),
    ),
    family(
      'gauge',
      'weir_ledger_asked',
      'Limit decisions that workers asked the supervisor for.',
      sum((d) => d.process.ledger.asked),
    ),
    family(
      'gauge',
      'weir_ledger_ask_timeouts',
      'Requests refused because the supervisor did not answer in time.',
      sum((d) => d.process.ledger.timedOut),
    ),
  ];
}
