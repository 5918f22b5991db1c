import { tmpdir } from 'node:os';
import pino from 'pino';
import { Rollout, type RolloutDeps } from '../../src/control/rollout.ts';
import type { QuotaAsk } from '../../src/runtime/quota/quota.ts';
import type { PluginStatus } from '../../src/runtime/runtime.ts';
import { RateLimitMetrics } from '../../src/ratelimit/metrics.ts';
import { ConsumerMetrics } from '../../src/runtime/consumer-metrics.ts';
import { Metrics } from '../../src/runtime/metrics.ts';
import { RequestMetrics } from '../../src/runtime/request-metrics.ts';
import { ClusterMetrics, FilterMetrics, RuntimeMetrics } from '../../src/runtime/runtime-metrics.ts';
import type { RuleSpec, Snapshot, TcpRuleSpec } from '../../src/runtime/snapshot.ts';
import { TcpMetrics } from '../../src/runtime/tcp/tcp-metrics.ts';
import { Fleet } from '../../src/supervisor/fleet.ts';
import { SharedLedger } from '../../src/supervisor/ledger.ts';
import { exposition as writeExposition, MetricsBoard } from '../../src/supervisor/metrics.ts';
import { QuotaService } from '../../src/supervisor/quota/service.ts';
import { Watches } from '../../src/supervisor/watches.ts';
import { StatusView } from '../../src/supervisor/status-view.ts';
import { WorkerProgram, type SteeredRuntime } from '../../src/worker/program.ts';
import { pluginFamilies } from '../../src/worker/plugin-families.ts';
import { storeFamilies } from '../../src/worker/store/families.ts';
import type { WorkerDump } from '../../src/worker/protocol.ts';

interface MetricRow {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: Set<string>;
}

/** docs/metrics.md: everything that `/metrics` shows, read from what it would show of a weir at rest. */
export async function metricsMarkdown(generated: string): Promise<string> {
  const rows = [...readExposition(await exposition()).values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const own = rows.filter(({ name }) => name.startsWith('weir_'));
  const standard = rows.filter(({ name }) => !name.startsWith('weir_'));
  return `${[
    '# Metrics',
    '',
    generated,
    '',
    'What `GET /metrics` on the admin address shows, in Prometheus text format. Values of all workers are',
    'summed, those of workers that have exited included, so counters never run backwards while weir runs.',
    'What needs explaining beyond its line is in [operations.md](operations.md#metrics).',
    '',
    '## Requests and connections',
    '',
    "Istio's standard metrics, under its names and with its labels, so that its dashboards and alerts work.",
    '',
    ...table(standard),
    '',
    '## Weir',
    '',
    ...table(own),
    '',
    '## weir ratelimit',
    '',
    'What `weir ratelimit --metrics HOST:PORT` shows, beside `weir_store_connected` and `weir_store_decisions_total`.',
    '',
    ...table(await limitRows()),
    '',
    '## Metrics of filters',
    '',
    'What a filter defines is shown as `wasmcustom_<its name>`, where a character that Prometheus does not',
    'allow became `_`, with the label `filter` (`namespace/chain#filter`). At most 1000 for a plugin.',
    '',
    'Labels are part of the name that the filter gives to `proxy_define_metric`: `hits{user="a",code="200"}` as',
    'Prometheus writes them, or tags as Istio’s plugins write them, `user=.=a;.;code=.=200;.;hits`. At most 16',
    'labels. A filter may use 200 sets of label values with one name; further ones count together, with `other` in',
    'each label. `filter` and `le` become `exported_filter` and `exported_le`. A name has one type, that of',
    'whoever defined it first; another type, and braces that are no labels, are refused (InternalFailure).',
  ].join('\n')}\n`;
}

async function limitRows(): Promise<MetricRow[]> {
  const metrics = new RateLimitMetrics();
  metrics.ofRule('shop', 'user');
  const rows = readExposition(await writeExposition(metrics.families()));
  return [...rows.values()].filter(({ name }) => name.startsWith('weir_ratelimit_'));
}

function table(rows: readonly MetricRow[]): string[] {
  return [
    '| Name | Type | Labels | Meaning |',
    '| --- | --- | --- | --- |',
    ...rows.map(
      ({ name, type, labels, help }) =>
        `| \`${name}\` | ${type} | ${[...labels].map((label) => `\`${label}\``).join(' ')} | ${help} |`,
    ),
  ];
}

/** The text of a weir with one worker, one rule, one cluster and one filter, none of which runs. */
async function exposition(): Promise<string> {
  const log = pino({ level: 'silent' });
  const ledger = new SharedLedger({ workers: () => 1, send: () => undefined, now: () => 0 });
  const quotas = new QuotaService({ dataDir: null, log, send: () => undefined, now: () => 0 });
  quotas.receive(1, [{ kind: 'reserve', ticket: 1, ask: RESTING_ASK }]);
  const fleet = new RestingFleet({
    size: 1,
    entry: tmpdir(),
    environment: () => ({}),
    log,
    onLedger: () => undefined,
    onQuota: () => undefined,
    onUp: () => undefined,
    onWatched: () => undefined,
    onExit: () => undefined,
    onTrip: () => undefined,
    onCrashLoop: () => undefined,
  });
  // Nothing is ever rolled out here.
  const rollout = new Rollout({} as RolloutDeps);
  rollout.current = {
    number: 1,
    snapshot: { version: '', modules: [{ name: 'shop/risk', digest: '' }] } as unknown as Snapshot,
    code: new Map(),
    since: 0,
  };
  const view = new StatusView({
    fleet,
    ledger,
    quotas,
    board: new MetricsBoard(),
    rollout,
    weirVersion: '',
    watches: new Watches({
      log,
      workers: () => [],
      send: () => undefined,
    }),
    isDraining: () => false,
    wantsState: true,
    log,
  });
  const { text } = await view.metrics();
  ledger.close();
  await quotas.close();
  return text;
}

class RestingFleet extends Fleet {
  override dumps(): Promise<{ slot: number; dump: WorkerDump }[]> {
    return Promise.resolve([{ slot: 1, dump: restingWorker() }]);
  }
}

const RESTING_ASK: QuotaAsk = {
  owner: 'shop',
  key: 'acme',
  quotas: [{ name: 'calls', limit: 1, soft: 0, grace: 0, window: 'month', timeZone: 'UTC' }],
  amount: 1,
  hold: false,
  id: '',
};

const RESTING_STORE = {
  name: 'shop/limits',
  connected: 0,
  counts: [],
  reservations: 0,
  settlements: { waiting: 0, lost: 0 },
};
const RESTING_PLUGIN: PluginStatus = {
  name: 'shop/checkout#key',
  module: 'shop/risk',
  digest: '',
  instances: 1,
  heapBytes: 0,
  traps: 0,
  health: 'healthy',
  usage: { fuel: 0, cpuSeconds: 0, callouts: 0, hostCalls: { headers: 1 } },
};

function restingWorker(): WorkerDump {
  const metrics = new Metrics();
  const scope = metrics.scope();
  const rule = { route: 'shop/checkout', backends: [{ cluster: 0 }] } as unknown as RuleSpec;
  new RuntimeMetrics(metrics);
  new ClusterMetrics(scope, 'shop/checkout-v1');
  new FilterMetrics(scope, 'shop/checkout#key');
  // A series of `istio_requests_total` is made with the first request.
  new RequestMetrics(scope, [rule], [{ name: 'shop/checkout-v1' } as never]).record(0, 0, 200, 0, 1, 0, 0);
  new ConsumerMetrics(scope, 1).record('ann', 200);
  const tcpRule = rule as unknown as TcpRuleSpec;
  new TcpMetrics(scope, [tcpRule], [{ name: 'shop/checkout-v1' } as never]).series(0, 0).closed(0);
  const program = new WorkerProgram({
    id: 1,
    workers: 1,
    drainMs: 0,
    log: { logger: pino({ level: 'silent' }), dropped: () => 0, flush: () => undefined },
    sharedFolder: null,
    makeRuntime: () => ({}) as SteeredRuntime<never>,
  });
  return {
    families: [
      ...metrics.dump(),
      ...pluginFamilies([RESTING_PLUGIN]),
      ...storeFamilies([RESTING_STORE]),
      ...program['families'](),
    ],
    status: { version: '', streams: 0, connections: 0, snapshots: 1, plugins: [], clusters: [] },
    process: { cpuSeconds: 0, residentBytes: 0, heapBytes: 0 },
  };
}

function readExposition(text: string): Map<string, MetricRow> {
  const rows = new Map<string, MetricRow>();
  let help = '';
  let current: MetricRow | null = null;
  for (const line of text.split('\n')) {
    const [, about, name, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (about === 'HELP') help = rest!;
    else if (about === 'TYPE')
      rows.set(name!, (current = { name: name!, type: rest!, help, labels: new Set() }));
    else {
      for (const [, label] of (/\{(.*)\}/.exec(line)?.[1] ?? '').matchAll(/(\w+)="[^"]*"/g))
        if (label !== 'le') current?.labels.add(label!);
    }
  }
  return rows;
}
