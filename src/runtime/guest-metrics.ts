import { parseMetricName } from './metric-name.ts';
import { type Labels, type Metrics, OVERFLOW_SLOT } from './metrics.ts';
import type { PluginSpec } from './snapshot.ts';
import { MetricType } from './wasm/abi.ts';
import type { PluginMetrics } from './wasm/plugin-metrics.ts';

const PREFIX = 'wasmcustom_';
/** Guests observe what they like: from microseconds to bytes. */
const BOUNDS = [1, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 50_000, 100_000, 1_000_000];
const HELP = 'Defined by a filter.';
const TYPES = ['counter', 'gauge', 'histogram'] as const;
/** Sets of label values of one metric of one filter; further ones count together, with this in each label. */
const MOST_LABEL_SETS = 200;
const OTHER = 'other';

/**
 * Metrics that guests define, among the worker's own; named `wasmcustom_…` as in Envoy, by filter. Labels
 * are part of the name that a guest gives ({@link parseMetricName}).
 */
export class GuestMetrics implements PluginMetrics {
  readonly #metrics: Metrics;
  /** By name: its type, and the sets of label values of each filter. */
  readonly #known = new Map<string, { readonly type: MetricType; readonly sets: Map<string, Set<string>> }>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  define(plugin: PluginSpec, type: MetricType, name: string): number {
    const parsed = parseMetricName(name);
    if (parsed === null) return -1;
    // The exposition format allows few characters in a name.
    const own = PREFIX + parsed.name.replace(/[^a-zA-Z0-9_:]/g, '_');
    let known = this.#known.get(own);
    if (known === undefined) this.#known.set(own, (known = { type, sets: new Map<string, Set<string>>() }));
    // One name is one type, whoever asks first: the exposition format knows nothing else.
    if (known.type !== type) return -1;
    const labels: Labels = { ...this.#bounded(known.sets, plugin.name, parsed.labels), filter: plugin.name };
    const slot =
      TYPES[type] === 'histogram'
        ? this.#metrics.histogram(own, HELP, labels, BOUNDS)
        : this.#metrics[TYPES[type]](own, HELP, labels);
    return slot === OVERFLOW_SLOT ? -1 : slot;
  }

  /** The labels, or those of the rest where the filter has as many sets of them as it may. */
  #bounded(
    sets: Map<string, Set<string>>,
    filter: string,
    labels: ReadonlyArray<readonly [label: string, value: string]>,
  ): Record<string, string> {
    let seen = sets.get(filter);
    if (seen === undefined) sets.set(filter, (seen = new Set<string>()));
    const key = JSON.stringify(labels);
    if (!seen.has(key) && seen.size >= MOST_LABEL_SETS)
      return Object.fromEntries(labels.map(([label]) => [label, OTHER]));
    seen.add(key);
    return Object.fromEntries(labels);
  }

  add(slot: number, delta: number): void {
    this.#metrics.inc(slot, delta);
    if (delta < 0 && this.#metrics.get(slot) < 0) this.#metrics.set(slot, 0);
  }

  set(slot: number, value: number): void {
    this.#metrics.set(slot, value);
  }

  observe(slot: number, value: number): void {
    this.#metrics.observe(slot, value);
  }

  get(slot: number): number {
    return this.#metrics.get(slot);
  }
}
