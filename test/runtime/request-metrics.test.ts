import { describe, expect, test } from 'vitest';
import { type MetricFamily, Metrics } from '../../src/runtime/metrics.ts';
import { RequestMetrics } from '../../src/runtime/request-metrics.ts';
import { ResponseFlag } from '../../src/runtime/response-flags.ts';
import type { BackendSpec, ClusterSpec, RuleSpec } from '../../src/runtime/snapshot.ts';

const backend = (cluster: number): BackendSpec => ({
  cluster,
  weight: 1,
  requestHeaders: null,
  responseHeaders: null,
});
const rule = (route: string, ...clusters: number[]): RuleSpec =>
  ({ name: `${route}#0`, route, backends: clusters.map(backend) }) as unknown as RuleSpec;
const cluster = (name: string): ClusterSpec => ({ name }) as ClusterSpec;

const RULES = [rule('shop/checkout', 0, 1), rule('shop/redirect')];
const CLUSTERS = [cluster('shop/v1'), cluster('shop/v2:8080')];

function setUp() {
  const metrics = new Metrics();
  const scope = metrics.scope();
  const requests = new RequestMetrics(scope, RULES, CLUSTERS);
  const family = (name: string): MetricFamily => metrics.dump().find((each) => each.name === name)!;
  const total = (labels: Record<string, string>): number[] =>
    family('istio_requests_total')
      .series.filter((series) => Object.entries(labels).every(([key, value]) => series.labels[key] === value))
      .map(({ values }) => values[0]!);
  return { metrics, scope, requests, family, total };
}

describe('RequestMetrics', () => {
  test("counts with the labels that Istio's dashboards group by", () => {
    const { requests, family } = setUp();
    requests.record(0, 0, 200, 0, 12, 0, 1024);
    requests.record(0, 0, 200, 0, 12, 0, 1024);
    expect(family('istio_requests_total').series).toEqual([
      {
        labels: {
          reporter: 'source',
          source_workload: 'weir',
          request_protocol: 'http',
          destination_service: 'v1.shop',
          destination_service_name: 'v1',
          destination_service_namespace: 'shop',
          route: 'shop/checkout',
          response_code: '200',
          response_flags: '-',
        },
        values: [2],
      },
    ]);
  });

  test('a core Service has the name that Kubernetes gives it', () => {
    const { requests, total } = setUp();
    requests.record(0, 1, 200, 0, 1, 0, 0);
    expect(
      total({ destination_service: 'v2.shop.svc.cluster.local', destination_service_name: 'v2' }),
    ).toEqual([1]);
  });

  test('outcomes are told apart by status and flags', () => {
    const { requests, total } = setUp();
    requests.record(0, 0, 503, ResponseFlag.UpstreamConnectionFailure, 1, 0, 0);
    requests.record(0, 0, 503, ResponseFlag.NoHealthyUpstream, 1, 0, 0);
    requests.record(0, 0, 503, ResponseFlag.UpstreamConnectionFailure, 1, 0, 0);
    expect(total({ response_code: '503', response_flags: 'UF' })).toEqual([2]);
    expect(total({ response_code: '503', response_flags: 'UH' })).toEqual([1]);
  });

  test('a request without a rule or a cluster is counted as unknown', () => {
    const { requests, total } = setUp();
    requests.record(-1, -1, 404, ResponseFlag.NoRouteFound, 1, 0, 0);
    requests.record(1, -1, 302, 0, 1, 0, 0);
    expect(total({ route: 'unknown', destination_service: 'unknown', response_code: '404' })).toEqual([1]);
    expect(total({ route: 'shop/redirect', destination_service: 'unknown', response_code: '302' })).toEqual([
      1,
    ]);
  });

  test('measures time and sizes', () => {
    const { requests, family } = setUp();
    requests.record(0, 0, 200, 0, 7, 150, 20_000);
    const at = (name: string): readonly number[] =>
      family(name).series.find(({ labels }) => labels['destination_service'] === 'v1.shop')!.values;
    const duration = at('istio_request_duration_milliseconds');
    expect(duration[family('istio_request_duration_milliseconds').bounds.indexOf(10)]).toBe(1);
    expect(duration.at(-1)).toBe(7);
    expect(at('istio_request_bytes').at(-1)).toBe(150);
    expect(at('istio_response_bytes').at(-1)).toBe(20_000);
  });

  test('an upstream that makes statuses up does not make series without end', () => {
    const { requests, total, family } = setUp();
    for (let round = 0; round < 2; round++) {
      for (let status = 100; status < 1000; status++) requests.record(0, 0, status, 0, 1, 0, 0);
    }
    expect(family('istio_requests_total').series).toHaveLength(64);
    expect(total({ response_code: '100' })).toEqual([2]);
    expect(total({ response_code: 'other' })).toEqual([2 * (900 - 63)]);
  });

  test('the next snapshot goes on counting, and what only the old one had is dropped', () => {
    const { metrics, scope, requests, total } = setUp();
    requests.record(0, 0, 200, 0, 1, 0, 0);
    requests.record(0, 1, 200, 0, 1, 0, 0);
    const nextScope = metrics.scope();
    const next = new RequestMetrics(nextScope, [rule('shop/checkout', 0)], [CLUSTERS[0]!]);
    next.record(0, 0, 200, 0, 1, 0, 0);
    scope.dispose();
    expect(total({ destination_service: 'v1.shop' })).toEqual([2]);
    expect(total({ destination_service_name: 'v2' })).toEqual([]);
    nextScope.dispose();
    expect(metrics.dump().filter(({ name }) => name.startsWith('istio_'))).toEqual([]);
  });
});
