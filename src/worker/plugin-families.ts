import type { Labels, MetricFamily } from '../runtime/metrics.ts';
import type { PluginStatus } from '../runtime/runtime.ts';
import { family } from './metric-family.ts';

/** As many digits of a digest as tell modules apart by eye. */
const DIGEST_DIGITS = 12;

/** What each filter costs, by the digest of its module: read from the filters themselves, when somebody asks. */
export function pluginFamilies(plugins: readonly PluginStatus[]): MetricFamily[] {
  const each = (read: (plugin: PluginStatus) => number): [Labels, number][] =>
    plugins.map((plugin) => [labelsOf(plugin), read(plugin)]);
  const counter = (name: string, help: string, read: (plugin: PluginStatus) => number): MetricFamily =>
    family('counter', name, help, each(read));
  const gauge = (name: string, help: string, read: (plugin: PluginStatus) => number): MetricFamily =>
    family('gauge', name, help, each(read));
  return [
    gauge('weir_wasm_instances', 'Instances that serve the filter.', ({ instances }) => instances),
    gauge('weir_wasm_heap_bytes', 'Linear memory of those instances.', ({ heapBytes }) => heapBytes),
    counter('weir_wasm_traps_total', 'Calls of the filter that ended in a trap.', ({ traps }) => traps),
    counter('weir_wasm_fuel_total', 'Metered instructions of the filter.', ({ usage }) => usage.fuel),
    counter(
      'weir_wasm_cpu_seconds_total',
      'CPU time of the filter: its fuel at the speed that the worker was calibrated to.',
      ({ usage }) => usage.cpuSeconds,
    ),
    counter('weir_wasm_callouts_total', 'HTTP and gRPC calls that it sent.', ({ usage }) => usage.callouts),
    family(
      'counter',
      'weir_wasm_host_calls_total',
      'Calls of the filter to the host, by what they are about; denied are those without the capability.',
      plugins.flatMap((plugin) =>
        Object.entries(plugin.usage.hostCalls).map(
          ([group, count]) => [{ ...labelsOf(plugin), group }, count] as const,
        ),
      ),
    ),
  ];
}

function labelsOf({ name, module, digest }: PluginStatus): Labels {
  return { filter: name, module, digest: digest.slice(0, DIGEST_DIGITS) };
}
