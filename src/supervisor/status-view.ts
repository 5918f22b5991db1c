import type { Logger } from 'pino';
import type { AdminSource } from '../control/admin.ts';
import { formatDiagnostics } from '../control/diagnostic.ts';
import type { FilterSchema } from '../control/filter-schema.ts';
import { moduleSchema } from '../control/module-schema.ts';
import { redactSnapshot } from '../control/redact.ts';
import type { Rollout } from '../control/rollout.ts';
import type { ExplainRequest } from '../control/explain-request.ts';
import { missingFilter, type TapRequest } from '../control/tap-request.ts';
import type { WatchSink } from '../control/watch-sink.ts';
import type { MetricFamily } from '../runtime/metrics.ts';
import type { Snapshot } from '../runtime/snapshot.ts';
import type { Code } from '../runtime/stage-fault.ts';
import { family } from '../worker/metric-family.ts';
import { reservationFamily } from '../worker/quota-metrics.ts';
import type { Fleet } from './fleet.ts';
import type { SharedLedger } from './ledger.ts';
import type { QuotaService } from './quota/service.ts';
import { QuotaView } from './quota/view.ts';
import { EXPOSITION_TYPE, type MetricsBoard } from './metrics.ts';
import { explainWatch, tapWatch } from './watch.ts';
import type { Watches } from './watches.ts';
import { clustersText, mergePlugins, moduleStates } from './runtime-view.ts';

/** A worker that is slower than this is shown as it was last. */
const DUMP_LIMIT_MS = 1000;
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

export interface StatusViewDeps {
  readonly fleet: Fleet;
  readonly ledger: SharedLedger;
  readonly quotas: QuotaService;
  readonly board: MetricsBoard;
  readonly rollout: Rollout;
  readonly watches: Watches;
  /** Of weir. */
  readonly weirVersion: string;
  isDraining(): boolean;
  readonly wantsState: boolean;
  readonly log: Logger;
}

/** What the admin server shows of a running weir. */
export class StatusView implements AdminSource {
  private readonly deps: StatusViewDeps;
  readonly quotas: QuotaView;
  private readonly startedAt = Date.now();

  constructor(deps: StatusViewDeps) {
    this.deps = deps;
    this.quotas = new QuotaView({
      quotas: deps.quotas,
      snapshot: () => deps.rollout.current?.snapshot ?? null,
      now: () => Date.now(),
    });
  }

  state(): 'LIVE' | 'INITIALIZING' | 'DRAINING' {
    if (this.deps.isDraining()) return 'DRAINING';
    return this.deps.fleet.isReady ? 'LIVE' : 'INITIALIZING';
  }

  async detail(): Promise<unknown> {
    const { fleet, rollout, wantsState } = this.deps;
    const dumps = await fleet.dumps(DUMP_LIMIT_MS);
    const statusOf = (slot: number) => dumps.find((each) => each.slot === slot)?.dump.status;
    const { current, refusal, counts, underWay } = rollout;
    return {
      state: this.state(),
      snapshot: current && {
        number: current.number,
        version: current.snapshot.version,
        since: new Date(current.since).toISOString(),
      },
      configuration: {
        lastReload: refusal ? 'refused' : rollout.isRolledBack ? 'rolled-back' : 'success',
        underWay: underWay && { step: underWay.step, since: new Date(underWay.since).toISOString() },
        applied: counts.applied,
        rejected: counts.rejected,
        rollbacks: counts.rollbacks,
        refused: refusal && {
          at: new Date(refusal.at).toISOString(),
          version: refusal.version,
          diagnostics: refusal.diagnostics,
          text: formatDiagnostics(refusal.diagnostics),
        },
      },
      workers: fleet.describe().map((worker) => ({
        ...worker,
        streams: statusOf(worker.slot)?.streams ?? null,
        connections: statusOf(worker.slot)?.connections ?? null,
        snapshots: statusOf(worker.slot)?.snapshots ?? null,
      })),
      modules: moduleStates(current?.snapshot ?? null, rollout.failures, Date.now()),
      plugins: mergePlugins(dumps.map(({ dump }) => dump.status)),
      savedState: wantsState ? (rollout.stateFailing ? 'failing' : 'ok') : 'off',
      uptimeSeconds: Math.round((Date.now() - this.startedAt) / 1000),
    };
  }

  async metrics(): Promise<{ type: string; text: string }> {
    const dumps = await this.deps.fleet.dumps(DUMP_LIMIT_MS);
    return { type: EXPOSITION_TYPE, text: await this.deps.board.text(dumps, this.families()) };
  }

  configDump(): unknown {
    const { current } = this.deps.rollout;
    if (!current) return { snapshot: null };
    const { number, since, snapshot, code } = current;
    const schemas = schemasOf(snapshot, code);
    const states = moduleStates(snapshot, this.deps.rollout.failures, Date.now());
    return {
      number,
      version: snapshot.version,
      since: new Date(since).toISOString(),
      modules: states.map((state) => ({ ...state, schema: schemas.get(state.digest)?.schema ?? null })),
      snapshot: redactSnapshot(snapshot),
    };
  }

  async clusters(): Promise<string> {
    const { fleet, rollout } = this.deps;
    const dumps = await fleet.dumps(DUMP_LIMIT_MS);
    return clustersText(
      rollout.current?.snapshot ?? null,
      dumps.map(({ dump }) => dump.status),
    );
  }

  level(): string {
    return this.deps.log.level;
  }

  setLevel(level: string): boolean {
    if (!LEVELS.includes(level)) return false;
    this.deps.log.level = level;
    this.deps.fleet.setLevel(level);
    return true;
  }

  tapRefusal(request: TapRequest): string | null {
    const names = (this.deps.rollout.current?.snapshot.plugins ?? []).map(({ name }) => name);
    return this.watchRefusal() ?? missingFilter(request, names);
  }

  tap(request: TapRequest, sink: WatchSink): Promise<void> {
    return this.deps.watches.run(tapWatch(request, this.deps.weirVersion), sink);
  }

  watchRefusal(): string | null {
    return this.deps.watches.refusal();
  }

  explain(request: ExplainRequest, sink: WatchSink): Promise<void> {
    return this.deps.watches.run(explainWatch(request), sink);
  }

  private families(): MetricFamily[] {
    const { fleet, ledger, quotas, rollout, wantsState } = this.deps;
    const { counts, current, refusal } = rollout;
    const workers = fleet.describe();
    const one = (value: number | boolean): [Record<string, string>, number][] => [[{}, Number(value)]];
    return [
      family(
        'gauge',
        'weir_ready',
        'Whether all workers serve the snapshot in force.',
        one(this.state() === 'LIVE'),
      ),
      family('gauge', 'weir_workers', 'Worker processes that should run.', one(fleet.size)),
      family(
        'gauge',
        'weir_workers_serving',
        'Worker processes that serve the snapshot in force.',
        one(workers.filter((each) => each.serving).length),
      ),
      family(
        'counter',
        'weir_worker_restarts_total',
        'Worker processes that were started again.',
        one(fleet.restarts),
      ),
      family(
        'counter',
        'weir_worker_uncaught_faults_total',
        'Faults of workers that nobody caught; each ends its worker.',
        one(fleet.uncaughtFaults),
      ),
      family(
        'gauge',
        'weir_config_last_reload_success',
        'Whether the configuration as it is now is in force.',
        one(refusal === null && current !== null && !rollout.isRolledBack),
      ),
      family('counter', 'weir_config_applied_total', 'Snapshots that came in force.', one(counts.applied)),
      family(
        'counter',
        'weir_config_rejected_total',
        'Configurations that were refused.',
        one(counts.rejected),
      ),
      family(
        'counter',
        'weir_config_rollbacks_total',
        'Snapshots that were taken back because workers crashed under them.',
        one(counts.rollbacks),
      ),
      family(
        'counter',
        'weir_wasm_module_rollbacks_total',
        'Times that a module went back to its digest before because it failed again and again.',
        one(counts.moduleRollbacks),
      ),
      family(
        'gauge',
        'weir_wasm_module_failed',
        'Whether the digest that the configuration names failed again and again: rolled back, or held by its breaker.',
        moduleStates(current?.snapshot ?? null, rollout.failures, Date.now()).map(({ name, state }) => [
          { module: name },
          Number(state !== 'serving'),
        ]),
      ),
      family(
        'gauge',
        'weir_config_snapshot_number',
        'Number of the snapshot in force.',
        one(current?.number ?? 0),
      ),
      family(
        'gauge',
        'weir_config_snapshot_since_seconds',
        'When the snapshot came in force, in seconds since 1970.',
        one((current?.since ?? 0) / 1000),
      ),
      family(
        'gauge',
        'weir_state_write_failing',
        'Whether the last write of the snapshot to disk failed.',
        one(wantsState && rollout.stateFailing),
      ),
      family(
        'counter',
        'weir_state_write_failures_total',
        'Writes of the snapshot to disk that failed.',
        one(counts.stateFailures),
      ),
      family('gauge', 'weir_ledger_keys', 'Keys of limits that span the workers.', one(ledger.keys)),
      family(
        'counter',
        'weir_ledger_decisions_total',
        'Decisions of the supervisor on limits that span the workers.',
        [
          [{ result: 'allowed' }, ledger.counts.decided - ledger.counts.denied],
          [{ result: 'denied' }, ledger.counts.denied],
        ],
      ),
      family(
        'counter',
        'weir_ledger_recalls_total',
        'Times that leased tokens were called back.',
        one(ledger.counts.recalls),
      ),
      family(
        'counter',
        'weir_ledger_recall_timeouts_total',
        'Recalls that a worker did not answer in time.',
        one(ledger.counts.recallsTimedOut),
      ),
      family(
        'counter',
        'weir_ledger_keys_evicted_total',
        'Keys that were forgotten while they were in use.',
        one(ledger.counts.evicted),
      ),
      family(
        'counter',
        'weir_ledger_tokens_written_off_total',
        'Tokens that workers held when they died.',
        one(ledger.counts.writtenOff),
      ),
      ...quotas.metrics.families(),
      family('gauge', 'weir_quota_accounts', 'Keys that were charged.', one(quotas.state.accounts)),
      reservationFamily('node', quotas.state.reservations),
      family('gauge', 'weir_quota_ledger_bytes', "Size of the ledger's file.", one(quotas.state.bytes)),
      family(
        'gauge',
        'weir_quota_ledger_failing',
        'Whether the ledger cannot be read or written, so that quotas are unavailable.',
        one(quotas.state.failing),
      ),
      family(
        'counter',
        'weir_quota_ledger_writes_total',
        'Writes to the ledger, each of all charges that waited for it.',
        one(quotas.state.writes),
      ),
      family(
        'gauge',
        'weir_supervisor_resident_memory_bytes',
        'Resident memory of the supervisor.',
        one(process.memoryUsage.rss()),
      ),
    ];
  }
}

/** What the modules of a snapshot say of their configurations, by digest. */
function schemasOf(snapshot: Snapshot, code: Code): Map<string, FilterSchema> {
  const schemas = new Map<string, FilterSchema>();
  for (const { digest } of snapshot.modules) {
    const bytes = code.get(digest);
    const schema = bytes === undefined ? null : moduleSchema(digest, bytes);
    if (schema !== null && typeof schema !== 'string') schemas.set(digest, schema);
  }
  return schemas;
}
