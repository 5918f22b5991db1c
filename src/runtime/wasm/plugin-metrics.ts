import { MetricType } from './abi.ts';
import { METRICS } from './limits.ts';
import type { PluginSpec } from '../snapshot.ts';

/** Where the metrics of guests are kept. The runtime implements it with slots of its own metrics. */
export interface PluginMetrics {
  /**
   * @returns a number that is not negative; the same for the same plugin, type and name, over instances
   *   and snapshots; -1 where the host has no room for it
   */
  define(plugin: PluginSpec, type: MetricType, name: string): number;
  /** Adds to a counter or a gauge; a gauge stays at 0 where it would go below. */
  add(slot: number, delta: number): void;
  /** Sets a gauge. */
  set(slot: number, value: number): void;
  /** Adds an observation to a histogram. */
  observe(slot: number, value: number): void;
  /** Of a counter or a gauge. */
  get(slot: number): number;
}

/**
 * Metrics under the ids that the guests of one group of instances know: 1 and up, so that no guest reaches
 * what another group counts. One that a root context defined may be used by all on the same VM, as in Envoy.
 */
export class MetricTable {
  readonly #metrics: PluginMetrics;
  readonly #ids = new Map<string, number>();
  readonly #slots: number[] = [-1];
  readonly #types: number[] = [-1];

  constructor(metrics: PluginMetrics) {
    this.#metrics = metrics;
  }

  /** @param spec whose metric it is. 0 where there are too many. */
  define(spec: PluginSpec, type: MetricType, name: string): number {
    const key = `${spec.name} ${type} ${name}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    if (this.#slots.length > METRICS) return 0;
    const slot = this.#metrics.define(spec, type, name);
    if (slot < 0) return 0;
    const id = this.#slots.length;
    this.#ids.set(key, id);
    this.#slots.push(slot);
    this.#types.push(type);
    return id;
  }

  /** -1 where there is no metric of this id. */
  type(id: number): number {
    return this.#types[id] ?? -1;
  }

  add(id: number, delta: number): void {
    this.#metrics.add(this.#slots[id]!, delta);
  }

  /** As Envoy: a counter grows by the value, a gauge takes it, a histogram observes it. */
  record(id: number, value: number): void {
    const slot = this.#slots[id]!;
    switch (this.#types[id]) {
      case MetricType.Counter:
        return this.#metrics.add(slot, value);
      case MetricType.Gauge:
        return this.#metrics.set(slot, value);
      default:
        return this.#metrics.observe(slot, value);
    }
  }

  get(id: number): number {
    return this.#metrics.get(this.#slots[id]!);
  }
}
