import type { PluginSpec } from '../../src/runtime/snapshot.ts';
import { MetricType } from '../../src/runtime/wasm/abi.ts';
import type { PluginMetrics } from '../../src/runtime/wasm/plugin-metrics.ts';
import type { Histogram } from './testing.d.ts';

/** Metrics of guests under the names that they gave them. */
export class MetricBook implements PluginMetrics {
  readonly #slots: { readonly key: string; value: number; readonly values: number[] }[] = [];

  define(plugin: PluginSpec, type: MetricType, name: string): number {
    const kind = type === MetricType.Histogram ? 'histogram' : 'number';
    const key = `${plugin.name} ${kind} ${name}`;
    const known = this.#slots.findIndex((slot) => slot.key === key);
    if (known >= 0) return known;
    return this.#slots.push({ key, value: 0, values: [] }) - 1;
  }

  add(slot: number, delta: number): void {
    this.#slots[slot]!.value = Math.max(0, this.#slots[slot]!.value + delta);
  }

  set(slot: number, value: number): void {
    this.#slots[slot]!.value = value;
  }

  observe(slot: number, value: number): void {
    this.#slots[slot]!.values.push(value);
  }

  get(slot: number): number {
    return this.#slots[slot]!.value;
  }

  value(plugin: string, name: string): number | undefined {
    return this.#slots.find(({ key }) => key === `${plugin} number ${name}`)?.value;
  }

  histogram(plugin: string, name: string): Histogram | undefined {
    const slot = this.#slots.find(({ key }) => key === `${plugin} histogram ${name}`);
    if (slot === undefined) return undefined;
    return { values: slot.values, sum: slot.values.reduce((sum, value) => sum + value, 0) };
  }
}
