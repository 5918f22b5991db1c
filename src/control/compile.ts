import type { AccessLogSpec, Snapshot } from '../runtime/snapshot.ts';
import type { Assets } from './assets.ts';
import { attachRoutes } from './attach.ts';
import { ChainTable } from './chains.ts';
import { ClusterTable } from './clusters.ts';
import { compareText, type Config } from './config.ts';
import { hasErrors } from './diagnostic.ts';
import { reportForgeable } from './identity-fields.ts';
import { compilePorts } from './listeners.ts';
import { flatten, mergeScopes } from './merge.ts';
import { RuleTable } from './rules.ts';
import { TcpRuleTable } from './tcp-rules.ts';
import { TrafficTable } from './traffic.ts';
import { snapshotVersion } from './version.ts';

/**
 * Turns validated objects into the snapshot that the runtime reads. Pure: same input, same
 * output, no clock, no I/O; never throws.
 *
 * Faults are added to `config.diagnostics`. There is a snapshot even then: what a fault concerns
 * is left out of it or answers 500, never served with less protection than was asked for. Whether
 * it may be used is the caller's decision.
 */
export function compileSnapshot(config: Config, assets: Assets): Snapshot {
  const clusters = new ClusterTable(config, assets);
  const chains = new ChainTable(config, assets, clusters);
  const traffic = new TrafficTable(config);
  const rules = new RuleTable(config, clusters, chains, traffic);
  const tcpRules = new TcpRuleTable(config, clusters, chains, traffic);
  const listeners = attachRoutes(config);
  const ports = compilePorts(config, assets, listeners, rules, tcpRules, chains);
  for (const route of config.all('HTTPRoute')) {
    if (!listeners.some((listener) => listener.routes.has(route))) rules.check(route);
  }
  for (const route of config.all('TCPRoute')) {
    if (!listeners.some((listener) => listener.tcpRoutes.has(route))) tcpRules.check(route);
  }
  for (const route of config.all('TLSRoute')) {
    if (!listeners.some((listener) => listener.tlsRoutes.has(route))) tcpRules.check(route);
  }
  if (!hasErrors(config.diagnostics)) {
    reportUnused(config, assets, clusters, chains);
    reportForgeable(config, { rules: rules.specs, chains, clusters });
  }
  const content: Omit<Snapshot, 'version'> = {
    ports,
    rules: rules.specs,
    tcpRules: tcpRules.specs,
    clusters: clusters.specs,
    modules: chains.modules,
    plugins: chains.plugins,
    chains: chains.chains,
    accessLog: compileAccessLog(config),
    ...consumerSeries(config),
  };
  return deepFreeze({ version: snapshotVersion(content), ...content });
}

/** Only without errors, since a reference that is at fault makes its target look unused. */
function reportUnused(config: Config, assets: Assets, clusters: ClusterTable, chains: ChainTable): void {
  chains.plans.reportUnused();
  chains.reportUnknownSenders();
  const used = new Set([
    ...clusters.specs.map((cluster) => `Upstream ${cluster.name}`),
    ...chains.modules.map((module) => `Module ${module.name}`),
    ...[...chains.used].map((chain) => `FilterChain ${chain.namespace}/${chain.name}`),
  ]);
  for (const kind of ['Upstream', 'Module', 'FilterChain'] as const) {
    for (const object of config.all(kind)) {
      const name = `${kind} ${object.namespace}/${object.name}`;
      if (used.has(name)) continue;
      // One that was not pulled: what uses it could not be seen.
      if (kind === 'Module' && !assets.modules.has(`${object.namespace}/${object.name}`)) continue;
      config.report(object, 'WEIR3002', ['metadata', 'name'], `${name} is not used`, { severity: 'warning' });
    }
  }
}

/** Before the names of fields of the access log, as they are merged. */
const FIELDS = 'fields.';

function compileAccessLog(config: Config): AccessLogSpec {
  const layers = config.all('Telemetry').map((telemetry) => ({
    settings: flatten(telemetry, ['spec', 'accessLog'], telemetry.value.spec.accessLog ?? {}),
    enforced: [],
  }));
  const merged = mergeScopes(config, [{ what: 'all requests', layers }]);
  return {
    mode: merged.get('mode')?.value === 'Off' ? 'off' : 'json',
    path: merged.get('path')?.value === 'stderr' ? 'stderr' : 'stdout',
    fields: [...merged]
      .filter(([field]) => field.startsWith(FIELDS))
      .map(([field, { value }]) => [field.slice(FIELDS.length), String(value)] as const)
      .sort(([a], [b]) => compareText(a, b)),
  };
}

function consumerSeries(config: Config): Pick<Snapshot, 'consumerSeries'> {
  const layers = config.all('Telemetry').map((telemetry) => ({
    settings: flatten(telemetry, ['spec', 'metrics'], telemetry.value.spec.metrics ?? {}),
    enforced: [],
  }));
  const most = mergeScopes(config, [{ what: 'all requests', layers }]).get('consumers')?.value;
  return most === undefined ? {} : { consumerSeries: Number(most) };
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
