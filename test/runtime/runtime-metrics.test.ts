import { expect, test } from 'vitest';
import type { Cluster } from '../../src/runtime/cluster.ts';
import { Metrics } from '../../src/runtime/metrics.ts';
import { ClusterMetrics, FilterMetrics, Phase, RuntimeMetrics } from '../../src/runtime/runtime-metrics.ts';

function setUp() {
  const metrics = new Metrics();
  const values = (name: string): [Record<string, string>, number][] =>
    (metrics.dump().find((family) => family.name === name)?.series ?? []).map(
      ({ labels, values: [first] }) => [labels, first!],
    );
  return { metrics, values };
}

test("a cluster's gauges are what the cluster counts at the moment of the dump", () => {
  const { metrics, values } = setUp();
  const scope = metrics.scope();
  const of = new ClusterMetrics(scope, 'shop/v1');
  const cluster = {
    connections: 3,
    activeRequests: 2,
    pendingRequests: 1,
    endpoints: [{}, {}],
  } as unknown as Cluster;
  of.collect(metrics, cluster);
  metrics.inc(of.retries);
  const labels = { cluster: 'shop/v1' };
  expect(values('weir_upstream_connections')).toEqual([[labels, 3]]);
  expect(values('weir_upstream_requests_active')).toEqual([[labels, 2]]);
  expect(values('weir_upstream_requests_pending')).toEqual([[labels, 1]]);
  expect(values('weir_upstream_endpoints')).toEqual([[labels, 2]]);
  expect(values('weir_retries_total')).toEqual([[labels, 1]]);
  scope.dispose();
  expect(values('weir_upstream_connections')).toEqual([]);
});

test('each callback of a filter has its histogram', () => {
  const { metrics } = setUp();
  const filter = new FilterMetrics(metrics, 'rate-limit');
  metrics.observe(filter.durations[Phase.RequestHeaders]!, 0.000003);
  metrics.observe(filter.durations[Phase.ResponseBody]!, 7);
  const family = metrics.dump().find(({ name }) => name === 'weir_filter_duration_seconds')!;
  const counted = family.series.filter(({ values }) => values.at(-1) !== 0);
  expect(counted.map(({ labels }) => labels)).toEqual([
    { filter: 'rate-limit', phase: 'request_headers' },
    { filter: 'rate-limit', phase: 'response_body' },
  ]);
  expect(counted[0]!.values[family.bounds.indexOf(0.000005)]).toBe(1);
  expect(counted[1]!.values.at(-2)).toBe(1);
});

test("a worker's own metrics have distinct slots and names that begin with weir_", () => {
  const { metrics } = setUp();
  const slots = Object.values(new RuntimeMetrics(metrics)) as number[];
  expect(new Set(slots).size).toBe(slots.length);
  for (const { name } of metrics.dump()) expect(name).toMatch(/^weir_/);
});
