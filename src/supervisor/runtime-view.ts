import type { PluginStatus, RuntimeStatus } from '../runtime/runtime.ts';
import type { ModuleFailure } from '../control/module-rollback.ts';
import type { Snapshot } from '../runtime/snapshot.ts';
import { BACKOFF_MAX_MS } from '../runtime/wasm/limits.ts';

const HEALTHS = ['healthy', 'recovering', 'tripped'] as const;

/** The plugins of all workers, summed by name and digest; a plugin is as healthy as where it is worst. */
export function mergePlugins(workers: readonly RuntimeStatus[]): PluginStatus[] {
  const merged = new Map<string, PluginStatus>();
  for (const plugin of workers.flatMap(({ plugins }) => plugins)) {
    const key = `${plugin.name} ${plugin.digest}`;
    const sum = merged.get(key);
    merged.set(key, sum === undefined ? plugin : add(sum, plugin));
  }
  return [...merged.values()];
}

function add(a: PluginStatus, b: PluginStatus): PluginStatus {
  const hostCalls = { ...a.usage.hostCalls };
  for (const [group, count] of Object.entries(b.usage.hostCalls))
    hostCalls[group] = (hostCalls[group] ?? 0) + count;
  return {
    name: a.name,
    module: a.module,
    digest: a.digest,
    instances: a.instances + b.instances,
    heapBytes: a.heapBytes + b.heapBytes,
    traps: a.traps + b.traps,
    health: HEALTHS[Math.max(HEALTHS.indexOf(a.health), HEALTHS.indexOf(b.health))]!,
    usage: {
      fuel: a.usage.fuel + b.usage.fuel,
      cpuSeconds: a.usage.cpuSeconds + b.usage.cpuSeconds,
      callouts: a.usage.callouts + b.usage.callouts,
      hostCalls,
    },
  };
}

/** A Module as it serves, and why that is not what its configuration says, where it is not. */
export interface ModuleState {
  readonly name: string;
  readonly digest: string;
  /** `tripped`: it fails again and again, there is no digest before to go back to, and its breaker pauses it. */
  readonly state: 'serving' | 'rolled-back' | 'tripped';
  /** The last failure; also of one that serves again. */
  readonly failed: {
    readonly digest: string;
    readonly plugin: string;
    readonly reason: string;
    readonly at: string;
  } | null;
}

/** @param now wall clock */
export function moduleStates(
  snapshot: Snapshot | null,
  failures: readonly ModuleFailure[],
  now: number,
): ModuleState[] {
  return (snapshot?.modules ?? []).map(({ name, digest }) => {
    const failure = failures.find(({ module }) => module === name);
    if (failure === undefined) return { name, digest, state: 'serving', failed: null };
    const { servedBy, plugin, reason, at } = failure;
    // While the one before is on its way, the digest that failed is still in force.
    const paused = servedBy !== null || now - at < BACKOFF_MAX_MS;
    return {
      name,
      digest,
      state: servedBy === digest ? 'rolled-back' : paused ? 'tripped' : 'serving',
      failed: { digest: failure.digest, plugin, reason, at: new Date(at).toISOString() },
    };
  });
}

/** Clusters with their endpoints and what runs on them, in the form of Envoy's `/clusters`. */
export function clustersText(snapshot: Snapshot | null, workers: readonly RuntimeStatus[]): string {
  const lines: string[] = [];
  for (const cluster of snapshot?.clusters ?? []) {
    const { name } = cluster;
    lines.push(`${name}::lb_policy::${cluster.balance}`, `${name}::source::${cluster.source}`);
    lines.push(`${name}::default_priority::max_connections::${cluster.maxConnections}`);
    lines.push(`${name}::default_priority::max_pending_requests::${cluster.maxPending}`);
    lines.push(`${name}::default_priority::max_requests::${cluster.maxRequests}`);
    if (cluster.dns) lines.push(`${name}::dns::${cluster.dns.name}:${cluster.dns.port}`);
    const running = workers.flatMap(({ clusters }) => clusters.filter((each) => each.name === name));
    lines.push(`${name}::rq_active::${running.reduce((sum, each) => sum + each.requests, 0)}`);
    const active = new Map<string, number>();
    for (const endpoint of running.flatMap(({ endpoints }) => endpoints)) {
      active.set(endpoint.address, (active.get(endpoint.address) ?? 0) + endpoint.active);
    }
    for (const [address, requests] of active) lines.push(`${name}::${address}::rq_active::${requests}`);
    for (const { address, port, weight } of cluster.endpoints) {
      lines.push(`${name}::${address.includes(':') ? `[${address}]` : address}:${port}::weight::${weight}`);
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}
