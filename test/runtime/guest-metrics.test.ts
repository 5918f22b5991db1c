import { beforeEach, describe, expect, test } from 'vitest';
import { GuestMetrics } from '../../src/runtime/guest-metrics.ts';
import { Metrics } from '../../src/runtime/metrics.ts';
import { MetricType } from '../../src/runtime/wasm/abi.ts';
import { PLUGIN } from '../support/bare-host.ts';

let metrics: Metrics;
let guests: GuestMetrics;
beforeEach(() => {
  metrics = new Metrics();
  guests = new GuestMetrics(metrics);
});

const other = { ...PLUGIN, name: 'test/chain#other' };
const seriesOf = (name: string) => metrics.dump().find((family) => family.name === name)?.series ?? [];

describe('metrics of guests', () => {
  test('labels of the name become labels of one metric, beside the filter', () => {
    guests.add(guests.define(PLUGIN, MetricType.Counter, 'hits{user="a"}'), 2);
    guests.add(guests.define(PLUGIN, MetricType.Counter, 'hits{user="b"}'), 3);
    guests.add(guests.define(other, MetricType.Counter, 'hits{user="a"}'), 5);
    expect(seriesOf('wasmcustom_hits')).toEqual([
      { labels: { user: 'a', filter: PLUGIN.name }, values: [2] },
      { labels: { user: 'b', filter: PLUGIN.name }, values: [3] },
      { labels: { user: 'a', filter: other.name }, values: [5] },
    ]);
  });

  test('the same name is the same metric, in whatever order its labels are', () => {
    const first = guests.define(PLUGIN, MetricType.Gauge, 'level{a="1",b="2"}');
    expect(guests.define(PLUGIN, MetricType.Gauge, 'level{b="2",a="1"}')).toBe(first);
  });

  test('beyond 200 sets of labels the rest of a filter counts together, and other filters do not mind', () => {
    const slots = Array.from({ length: 250 }, (_, i) =>
      guests.define(PLUGIN, MetricType.Counter, `hits{user="u${i}"}`),
    );
    for (const slot of slots) guests.add(slot, 1);
    guests.add(guests.define(other, MetricType.Counter, 'hits{user="u249"}'), 1);
    const series = seriesOf('wasmcustom_hits');
    expect(series).toHaveLength(202);
    const rest = series.find(({ labels }) => labels['user'] === 'other')!;
    expect([rest.labels['filter'], rest.values]).toEqual([PLUGIN.name, [50]]);
    // One that was there before keeps its own.
    expect(guests.define(PLUGIN, MetricType.Counter, 'hits{user="u7"}')).toBe(slots[7]);
  });

  test('a name that is another type already is refused and nothing breaks', () => {
    expect(guests.define(PLUGIN, MetricType.Counter, 'hits')).toBeGreaterThan(0);
    expect(guests.define(other, MetricType.Gauge, 'hits')).toBe(-1);
    expect(guests.define(PLUGIN, MetricType.Histogram, 'hits{a="b"}')).toBe(-1);
  });

  test('braces that are no labels are refused', () => {
    expect(guests.define(PLUGIN, MetricType.Counter, 'hits{user}')).toBe(-1);
  });
});
