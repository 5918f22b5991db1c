import { describe, expect, test } from 'vitest';
import { mergeFamilies, type MetricFamily, Metrics, OVERFLOW_SLOT } from '../../src/runtime/metrics.ts';

const family = (metrics: Metrics, name: string): MetricFamily | undefined =>
  metrics.dump().find((each) => each.name === name);

describe('Metrics', () => {
  test('counters and gauges are numbers in slots; the same name and labels give the same slot', () => {
    const metrics = new Metrics();
    const a = metrics.counter('c', 'Help.', { x: '1', y: '2' });
    expect(metrics.counter('c', 'Help.', { y: '2', x: '1' })).toBe(a);
    const b = metrics.counter('c', 'Help.', { x: '2', y: '2' });
    const g = metrics.gauge('g', 'Gauge.', {});
    metrics.inc(a);
    metrics.inc(a, 4);
    metrics.inc(b);
    metrics.set(g, -1.5);
    expect(family(metrics, 'c')).toEqual({
      name: 'c',
      help: 'Help.',
      type: 'counter',
      bounds: [],
      series: [
        { labels: { x: '1', y: '2' }, values: [5] },
        { labels: { x: '2', y: '2' }, values: [1] },
      ],
    });
    expect(metrics.get(g)).toBe(-1.5);
  });

  test('a histogram counts by upper bound, inclusive, and sums', () => {
    const metrics = new Metrics();
    const slot = metrics.histogram('h', 'Help.', {}, [1, 5, 10]);
    for (const value of [0, 1, 1.1, 5, 9, 10, 11, 1000]) metrics.observe(slot, value);
    expect(family(metrics, 'h')!.bounds).toEqual([1, 5, 10]);
    expect(family(metrics, 'h')!.series[0]!.values).toEqual([2, 2, 2, 2, 1037.1]);
  });

  test('one name is one type', () => {
    const metrics = new Metrics();
    metrics.counter('c', '', {});
    expect(() => metrics.gauge('c', '', {})).toThrow('metric c is a counter, not a gauge');
  });

  test('slots survive growth', () => {
    const metrics = new Metrics();
    const slots = Array.from({ length: 3000 }, (_, i) => metrics.counter('c', '', { i: String(i) }));
    expect(new Set(slots).size).toBe(3000);
    for (const [i, slot] of slots.entries()) metrics.inc(slot, i);
    for (const [i, slot] of slots.entries()) expect(metrics.get(slot)).toBe(i);
  });

  test('a series lives as long as one scope that holds it, with its count', () => {
    const metrics = new Metrics();
    const old = metrics.scope();
    const slot = old.counter('c', '', { rule: 'a' });
    old.counter('c', '', { rule: 'gone' });
    metrics.inc(slot, 7);
    const next = metrics.scope();
    expect(next.counter('c', '', { rule: 'a' })).toBe(slot);
    next.counter('c', '', { rule: 'a' });
    old.dispose();
    expect(family(metrics, 'c')!.series).toEqual([{ labels: { rule: 'a' }, values: [7] }]);
    next.dispose();
    expect(family(metrics, 'c')).toBe(undefined);
  });

  test('slots of dropped series are used again, from zero', () => {
    const metrics = new Metrics();
    const first = metrics.scope();
    const counter = first.counter('c', '', {});
    const histogram = first.histogram('h', '', {}, [1, 2]);
    metrics.inc(counter, 9);
    metrics.observe(histogram, 1.5);
    first.dispose();
    const second = metrics.scope();
    expect(second.counter('other', '', {})).toBe(counter);
    expect(second.histogram('another', '', {}, [5, 6])).toBe(histogram);
    metrics.observe(histogram, 5.5);
    expect(family(metrics, 'other')!.series[0]!.values).toEqual([0]);
    expect(family(metrics, 'another')!.series[0]!.values).toEqual([0, 1, 0, 5.5]);
  });

  test('what is beyond the bound goes to a slot that nobody sees, and is counted', () => {
    const metrics = new Metrics(3);
    metrics.counter('c', '', { i: '1' });
    const scope = metrics.scope();
    scope.counter('c', '', { i: '2' });
    const refused = [scope.counter('c', '', { i: '3' }), scope.histogram('h', '', {}, [1, 2, 3])];
    expect(refused).toEqual([OVERFLOW_SLOT, OVERFLOW_SLOT]);
    metrics.inc(OVERFLOW_SLOT);
    metrics.observe(OVERFLOW_SLOT, 2.5);
    expect(family(metrics, 'c')!.series.map(({ values }) => values)).toEqual([[0], [0]]);
    expect(family(metrics, 'weir_metric_series_refused_total')!.series[0]!.values).toEqual([2]);
    scope.dispose();
    expect(metrics.counter('c', '', { i: '4' })).not.toBe(OVERFLOW_SLOT);
  });
});

test('mergeFamilies adds up what workers report', () => {
  const worker = (rule: string, count: number): MetricFamily[] => {
    const metrics = new Metrics();
    metrics.inc(metrics.counter('c', 'Help.', { rule }), count);
    metrics.observe(metrics.histogram('h', '', {}, [1]), count);
    return metrics.dump();
  };
  const merged = mergeFamilies([worker('a', 1), worker('a', 2), worker('b', 3)]);
  expect(merged.find(({ name }) => name === 'c')!.series).toEqual([
    { labels: { rule: 'a' }, values: [3] },
    { labels: { rule: 'b' }, values: [3] },
  ]);
  expect(merged.find(({ name }) => name === 'h')!.series).toEqual([{ labels: {}, values: [1, 2, 6] }]);
});
