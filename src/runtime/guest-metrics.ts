import { type Metrics, OVERFLOW_SLOT } from './metrics.ts';
import type { PluginSpec } from './snapshot.ts';
import { MetricType } from './wasm/abi.ts';
import type { PluginMetrics } from './wasm/plugin-metrics.ts';

const PREFIX = 'wasmcustom_';
/** Guests observe what they like: from microseconds to bytes. */
const BOUNDS = [1, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 50_000, 100_000, 1_000_000];

/** Metrics that guests define, among the worker's own; named `wasmcustom_…` as in Envoy, by plugin. */
export class GuestMetrics implements PluginMetrics {
  readonly #metrics: Metrics;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  define(plugin: PluginSpec, type: MetricType, name: string): number {
    const labels = { filter: plugin.name };
    // The exposition format allows few characters in a name.
    const own = PREFIX + name.replace(/[^a-zA-Z0-9_:]/g, '_');
    const help = 'Defined by a filter.';
    let slot: number;
    if (type === MetricType.Counter) slot = this.#metrics.counter(own, help, labels);
    else if (type === MetricType.Gauge) slot = this.#metrics.gauge(own, help, labels);
    else slot = this.#metrics.histogram(own, help, labels, BOUNDS);
    return slot === OVERFLOW_SLOT ? -1 : slot;
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
