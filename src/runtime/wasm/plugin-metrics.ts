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

/** The metrics of one plugin under the ids that its guests know: 1 and up, so that no plugin reaches another's. */
export class MetricTable {
  readonly #metrics: PluginMetrics;
  readonly #spec: PluginSpec;
  readonly #ids = new Map<string, number>();
  readonly #slots: number[] = [-1];
  readonly #types: number[] = [-1];

  constructor(metrics: PluginMetrics, spec: PluginSpec) {
    this.#metrics = metrics;
    this.#spec = spec;
  }

  /** 0 where there are too many. */
  define(type: MetricType, name: string): number {
    const key = `${type} ${name}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    if (this.#slots.length > METRICS) return 0;
    const slot = this.#metrics.define(this.#spec, type, name);
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
