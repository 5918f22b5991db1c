// Question: what do the small things cost that every request does once: count itself, pick an endpoint,
// move a timer, take from a limit, get an id, leave a line in the access log?
// Report: ns and bytes allocated a call. Aim for counting: 100 ns.
import { strictEqual } from 'node:assert';
import { bench, do_not_optimize, run } from 'mitata';
import { AccessRecord } from '../../src/runtime/access-log.ts';
import { Random, WeightedChoice } from '../../src/runtime/balance.ts';
import { Cluster } from '../../src/runtime/cluster.ts';
import { LocalLedger } from '../../src/runtime/ledger.ts';
import type { Limit } from '../../src/runtime/limit.ts';
import { Metrics } from '../../src/runtime/metrics.ts';
import { REQUEST_ID_LENGTH, writeRequestId } from '../../src/runtime/request-id.ts';
import { RequestMetrics } from '../../src/runtime/request-metrics.ts';
import { SystemResolver } from '../../src/runtime/resolver.ts';
import { RetryBudget } from '../../src/runtime/retry.ts';
import { CompiledRewrite } from '../../src/runtime/rewrite.ts';
import type { ClusterSpec, RuleSpec } from '../../src/runtime/snapshot.ts';
import { Timer, TimerWheel } from '../../src/runtime/timer-wheel.ts';
import { requestBlock } from '../../test/runtime/blocks.ts';

function clusterOf(balance: ClusterSpec['balance'], count: number): Cluster {
  const endpoints = Array.from({ length: count }, (_, i) => ({
    address: `10.0.0.${i + 1}`,
    port: 80,
    weight: 1 + (i % 3),
  }));
  const spec = { name: 'shop/v1', source: '', balance, endpoints, dns: null } as unknown as ClusterSpec;
  return new Cluster(spec, { resolver: new SystemResolver(), onEndpointGone: () => {} });
}

const metrics = new Metrics();
const rule = { route: 'shop/checkout', backends: [{ cluster: 0 }, { cluster: 1 }] } as unknown as RuleSpec;
const requests = new RequestMetrics(metrics.scope(), [rule], [
  { name: 'shop/v1' },
  { name: 'shop/v2' },
] as ClusterSpec[]);
requests.record(0, 1, 200, 0, 3, 0, 1024);
strictEqual(metrics.dump().find(({ name }) => name === 'istio_requests_total')!.series[0]!.values[0], 1);
bench('RequestMetrics.record', () => requests.record(0, 1, 200, 0, 3, 0, 1024));

let turn = 0;
bench('RequestMetrics.record, outcomes in turn', () =>
  requests.record(0, 1, 200 + (turn++ & 7), 0, 3, 0, 1024),
);

for (const balance of ['round-robin', 'least-request'] as const) {
  const cluster = clusterOf(balance, 10);
  bench(`Cluster.pick, ${balance} of 10`, () => do_not_optimize(cluster.pick(null)));
}

const choice = new WeightedChoice([90, 10]);
const random = new Random(1);
bench('WeightedChoice.pick of 2', () => do_not_optimize(choice.pick(random)));

const wheel = new TimerWheel();
const timer = new Timer();
wheel.add(timer, 60_000);
bench('TimerWheel.extend', () => wheel.extend(timer, 60_000));
bench('TimerWheel.add and cancel', () => {
  wheel.cancel(timer);
  wheel.add(timer, 60_000);
});

const ledger = new LocalLedger();
const limit: Limit = { algorithm: 'gcra', requests: 1_000_000_000, periodMs: 1000, burst: 100 };
const keys = Array.from({ length: 1024 }, (_, i) => `consumer ${i}`);
bench('LocalLedger.take, 1024 keys in turn', () =>
  do_not_optimize(ledger.take(keys[turn++ & 1023]!, 1, limit)),
);

const budget = new RetryBudget(20, 5, 10_000);
bench('RetryBudget.countRequest', () => budget.countRequest(wheel.now));

const out = Buffer.alloc(64 * 1024);
strictEqual(writeRequestId(out, 0), REQUEST_ID_LENGTH);
bench('writeRequestId', () => do_not_optimize(writeRequestId(out, 0)));

const rewrite = new CompiledRewrite({ hostname: null, path: { type: 'prefix', value: '/internal' } });
const block = requestBlock({ path: '/api/v1/items/4711?full=1' }, [
  ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)'],
  ['x-forwarded-for', '192.0.2.1'],
  ['x-request-id', '0b0f7bcb-7b1f-4d1c-a5c2-5a1e6d0f6f00'],
]);
const { length } = block;
const spans = block.spans.slice();
bench('CompiledRewrite.apply, with restoring the block', () => {
  block.length = length;
  block.spans.set(spans);
  rewrite.apply(block, 4);
});

const record = new AccessRecord();
record.startMs = Date.now();
record.version = 'a'.repeat(64);
record.routeName = 'shop/checkout#api';
record.upstreamCluster = 'shop/v1';
record.upstreamHost = '10.0.0.1:80';
record.details = 'via_upstream';
bench('AccessRecord.capture and write', () => {
  record.capture(block);
  do_not_optimize(record.write(out, 0));
});

await run();
