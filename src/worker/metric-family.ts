import type { Labels, MetricFamily } from '../runtime/metrics.ts';

/** A family that is made when it is asked for, from numbers that are kept elsewhere. */
export function family(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  values: number | readonly (readonly [labels: Labels, value: number])[],
): MetricFamily {
  const all = typeof values === 'number' ? [[{}, values] as const] : values;
  return {
    name,
    help,
    type,
    bounds: [],
    series: all.map(([labels, value]) => ({ labels, values: [value] })),
  };
}
