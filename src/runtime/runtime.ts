import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { getHeapStatistics } from 'node:v8';
import { Callouts } from './callout.ts';
import { ClusterSet, type Cluster } from './cluster.ts';
import { GrpcClient } from './grpc/client.ts';
import { GuestMetrics } from './guest-metrics.ts';
import type { Ledger, Stores } from './ledger.ts';
import type { Quotas } from './quota/quota.ts';
import { ListeningPort } from './listener.ts';
import { LiveSnapshot } from './live-snapshot.ts';
import { type MetricFamily, Metrics } from './metrics.ts';
import { listenReason } from './listen-reason.ts';
import { PluginSet, StageError } from './plugin-set.ts';
import type { EndpointPool } from './pool.ts';
import { SystemResolver } from './resolver.ts';
import { portKey, type Snapshot } from './snapshot.ts';
import type { StreamWatch } from './stream-observer.ts';
import { stoppableClock, TimerWheel } from './timer-wheel.ts';
import { LogLevel } from './wasm/abi.ts';
import { fuelSpeed } from './wasm/meter/calibrate.ts';
import { HOST_GROUPS } from './wasm/usage.ts';
import type { PluginHealth } from './wasm/instance-group.ts';
import { WasmHost, type Plugin } from './wasm/plugin.ts';
import type { SharedState } from './wasm/shared.ts';
import { TapSet } from './wasm/tap/tap-set.ts';
import { Tap, type TapSpec } from './wasm/tap/tap.ts';
import { type Log, WorkerState } from './worker-state.ts';

/** How long the first look-up of names may hold a stage up; what is not known by then is looked up behind it. */
const NAMES_MS = 2000;
/** Whether the worker is overloaded is looked at this often. */
const LOAD_CHECK_MS = 500;
/** Shares of the heap's cap at which keep-alive stops (security requirements §5). */
const HEAP_SHEDS = 0.85;
const HEAP_RECOVERS = 0.75;

export interface RuntimeDeps {
  readonly workerId: number;
  readonly ledger: Ledger;
  readonly stores?: Stores;
  readonly quotas: Quotas;
  readonly shared: SharedState;
  readonly log: Log;
  /** Of `LogLevel`: guests' lines below it are not made. Default: Info. */
  readonly logLevel?: number;
  /** Milliseconds since 1970, as guests read it. Default: the clock. */
  readonly now?: () => number;
  /** Bind nothing: connections come by `offer` alone. */
  readonly offline?: boolean;
  /** Somebody may stop this process at a breakpoint: modules are compiled for it, and timers wait meanwhile. */
  readonly debug?: boolean;
  /** A filter trapped so often that its breaker tripped. */
  readonly onTrip?: (trip: FilterTrip) => void;
}

/** Why the breaker of a filter tripped. */
export interface FilterTrip {
  /** `namespace/chain#filter`. */
  readonly plugin: string;
  /** sha256 of its module. */
  readonly digest: string;
  readonly reason: string;
}

/** A snapshot that is ready to be put in force: compiled, its plugins started, its ports bound. */
export interface Staged {
  readonly live: LiveSnapshot;
  /** Ports that no snapshot had before. */
  readonly opened: readonly ListeningPort[];
}

export interface PluginStatus {
  readonly name: string;
  /** `namespace/name` of its Module, and sha256. */
  readonly module: string;
  readonly digest: string;
  readonly instances: number;
  readonly heapBytes: number;
  readonly traps: number;
  readonly health: PluginHealth;
  /** Since it started. */
  readonly usage: {
    readonly fuel: number;
    readonly cpuSeconds: number;
    readonly callouts: number;
    /** By the names of `HOST_GROUPS`; those without a call are left out. */
    readonly hostCalls: Readonly<Record<string, number>>;
  };
}

export interface RuntimeStatus {
  /** Of the snapshot in force; empty before the first. */
  readonly version: string;
  readonly streams: number;
  readonly connections: number;
  /** Snapshots that still have streams, the one in force included. */
  readonly snapshots: number;
  readonly plugins: readonly PluginStatus[];
  readonly clusters: readonly {
    readonly name: string;
    readonly requests: number;
    readonly endpoints: readonly { readonly address: string; readonly active: number }[];
  }[];
}

/** The data plane of one worker: holds the snapshot in force, stages and swaps the next, drains. */
export class Runtime {
  readonly #worker: WorkerState;
  readonly #metrics = new Metrics();
  readonly #clusters: ClusterSet;
  readonly #plugins: PluginSet;
  readonly #grpc: GrpcClient;
  readonly #ports = new Map<string, ListeningPort>();
  /** Ports that the snapshot in force no longer has, while connections of theirs go on. */
  readonly #leaving = new Set<ListeningPort>();
  readonly #alive = new Set<LiveSnapshot>();
  readonly #taps = new TapSet();
  readonly #workerId: number;
  readonly #offline: boolean;
  readonly #loadCheck: NodeJS.Timeout;
  #live: LiveSnapshot | null = null;
  #draining = false;

  constructor(deps: RuntimeDeps) {
    const debug = deps.debug ?? false;
    const wheel = debug ? new TimerWheel(stoppableClock()) : new TimerWheel();
    wheel.start();
    const worker = new WorkerState(wheel, this.#metrics, deps.log);
    this.#worker = worker;
    this.#workerId = deps.workerId;
    this.#offline = deps.offline ?? false;
    this.#clusters = new ClusterSet({
      resolver: new SystemResolver(),
      onEndpointGone: (endpoint) => {
        (endpoint.pool as EndpointPool | null)?.dispose();
        this.#grpc.endpointGone(endpoint);
      },
    });
    this.#grpc = new GrpcClient(wheel, (id) => this.#plugins.cluster(id));
    const host = new WasmHost({
      log: (level, plugin, message) => logLine(deps.log, level, plugin, message),
      callouts: new Callouts(wheel, (id) => this.#plugins.cluster(id)),
      grpc: this.#grpc,
      shared: deps.shared,
      metrics: new GuestMetrics(this.#metrics),
      ledger: deps.ledger,
      ...(deps.stores === undefined ? {} : { stores: deps.stores }),
      quotas: deps.quotas,
      now: deps.now ?? (() => Date.now()),
      node: { id: `weir-${process.pid}`, cluster: 'weir' },
      workerId: deps.workerId,
      environment: process.env,
      tripped: (plugin, reason) =>
        deps.onTrip?.({
          plugin: plugin.spec.name,
          digest: this.#plugins.moduleOf(plugin)?.digest ?? '',
          reason,
        }),
      spent: (plugin, callback, fuel) => this.#live?.spent(plugin, callback, fuel / fuelSpeed() / 1000),
      ...(deps.logLevel === undefined ? {} : { logLevel: deps.logLevel }),
    });
    this.#plugins = new PluginSet(host, debug);
    this.#loadCheck = setInterval(() => this.#checkLoad(), LOAD_CHECK_MS);
    this.#loadCheck.unref();
  }

  /**
   * Makes everything ready that a snapshot needs. Traffic does not notice, and nothing is left behind
   * where it fails.
   *
   * @param code bytes of modules by digest; those of snapshots staged before may be missing
   * @throws StageError
   */
  async stage(snapshot: Snapshot, code: ReadonlyMap<string, Uint8Array>): Promise<Staged> {
    const clusters = this.#clusters.acquire(snapshot.clusters);
    let plugins: readonly Plugin[] = [];
    const opened: ListeningPort[] = [];
    try {
      plugins = await this.#plugins.acquire(snapshot, clusters, code);
      await this.#namesOf(clusters);
      const live = makeLive(snapshot, clusters, plugins, this.#metrics);
      for (const spec of snapshot.ports) {
        if (this.#ports.has(portKey(spec))) continue;
        const port = new ListeningPort(spec, this.#worker, live);
        opened.push(port);
        if (this.#offline) continue;
        await port.listen().catch((error: NodeJS.ErrnoException) => {
          const reason = listenReason(error.code ?? '') ?? error.message;
          const source = spec.listeners[0]?.source ?? null;
          throw new StageError(`cannot listen on ${spec.address}:${spec.port}: ${reason}`, null, source);
        });
      }
      return { live, opened };
    } catch (error) {
      for (const port of opened) port.close();
      this.#plugins.release(plugins);
      this.#clusters.release(clusters);
      throw error;
    }
  }

  /** Puts a staged snapshot in force for streams that begin from now on. Never throws. */
  swap(staged: Staged): void {
    const before = this.#live;
    const { live } = staged;
    this.#live = live;
    this.#worker.live = live;
    this.#alive.add(live);
    for (const port of staged.opened) this.#ports.set(port.key, port);
    const kept = new Set<string>();
    for (const spec of live.snapshot.ports) {
      const key = portKey(spec);
      kept.add(key);
      this.#ports.get(key)!.update(spec, live);
    }
    for (const [key, port] of this.#ports) {
      if (kept.has(key)) continue;
      this.#ports.delete(key);
      port.close();
      this.#leaving.add(port);
    }
    for (const port of staged.opened) port.open();
    this.#taps.follow(live.plugins);
    before?.retire(() => this.#forget(before));
  }

  /** Records what filters do with chosen streams, in this snapshot and those that follow. */
  tap(spec: TapSpec, write: (lines: string) => void): Tap {
    const tap = new Tap(spec, this.#workerId, (plugin) => this.#plugins.moduleOf(plugin), write);
    this.#taps.add(tap);
    return tap;
  }

  /** Resolves when the last line is written. */
  untap(tap: Tap): Promise<void> {
    return this.#taps.remove(tap);
  }

  /** Chooses the streams that are looked on at, of those that begin from now on; null: nobody looks on. */
  watch(watch: StreamWatch | null): void {
    this.#worker.watch = watch;
  }

  /**
   * Serves a connection that came another way than over the network.
   *
   * @param key of the port, as `portKey` has it
   * @param tls what is known of the TLS under it; null: there is none
   * @returns false where there is no such port, or it has no room
   */
  offer(key: string, socket: Socket, tls: TLSSocket | null): boolean {
    return this.#ports.get(key)?.offer(socket, tls) ?? false;
  }

  /** Lets go of a staged snapshot that is not put in force. */
  discard(staged: Staged): void {
    for (const port of staged.opened) port.close();
    staged.live.dispose();
    this.#plugins.release(staged.live.plugins);
    this.#clusters.release(staged.live.clusters);
  }

  /** Accepts no more, finishes what runs, and cuts what is left at the limit. */
  async drain(limitMs: number): Promise<void> {
    this.#draining = true;
    const ports = this.#busyPorts();
    for (const port of ports) port.close();
    const until = performance.now() + limitMs;
    while (ports.some((port) => port.connections.size > 0) && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    for (const port of ports) port.cut();
    this.#grpc.close();
    this.#worker.flushLogs();
    clearInterval(this.#loadCheck);
    this.#worker.wheel.stop();
  }

  dump(): MetricFamily[] {
    const { metrics, own } = this.#worker;
    metrics.set(own.streamsActive, this.#worker.activeStreams);
    metrics.set(own.snapshots, this.#alive.size);
    metrics.set(own.accessLogDropped, this.#worker.linesDropped);
    this.#live?.clusters.forEach((cluster, i) => this.#live!.clusterMetrics[i]!.collect(metrics, cluster));
    for (const plugin of this.#plugins.all) {
      if (!this.#live?.plugins.includes(plugin)) continue;
      metrics.set(this.#live.metricsOf(plugin).traps, plugin.traps);
    }
    return metrics.dump();
  }

  status(): RuntimeStatus {
    return {
      version: this.#live?.snapshot.version ?? '',
      streams: this.#worker.activeStreams,
      connections: this.#busyPorts().reduce((sum, port) => sum + port.connections.size, 0),
      snapshots: this.#alive.size,
      plugins: this.#plugins.all.map((plugin) => this.#pluginStatus(plugin)),
      clusters: this.#clusters.all.map((cluster) => ({
        name: cluster.spec.name,
        requests: cluster.activeRequests,
        endpoints: cluster.endpoints.map((endpoint) => ({ address: endpoint.text, active: endpoint.active })),
      })),
    };
  }

  /** All that have or may get connections. */
  #busyPorts(): ListeningPort[] {
    for (const port of this.#leaving) if (port.connections.size === 0) this.#leaving.delete(port);
    return [...this.#ports.values(), ...this.#leaving];
  }

  #pluginStatus(plugin: Plugin): PluginStatus {
    const module = this.#plugins.moduleOf(plugin);
    const { fuel, callouts, hostCalls } = plugin.usage;
    const counts = HOST_GROUPS.map((group, i) => [group, hostCalls[i]!] as const);
    return {
      name: plugin.spec.name,
      module: module?.name ?? '',
      digest: module?.digest ?? '',
      instances: plugin.instances,
      heapBytes: plugin.heapBytes,
      traps: plugin.traps,
      health: plugin.health,
      usage: {
        fuel,
        cpuSeconds: fuel / fuelSpeed() / 1000,
        callouts,
        hostCalls: Object.fromEntries(counts.filter(([, count]) => count > 0)),
      },
    };
  }

  get draining(): boolean {
    return this.#draining;
  }

  async #namesOf(clusters: readonly Cluster[]): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, NAMES_MS)));
    await Promise.race([Promise.all(clusters.map((cluster) => cluster.ready)), limit]);
    clearTimeout(timer);
  }

  #forget(live: LiveSnapshot): void {
    this.#alive.delete(live);
    this.#plugins.release(live.plugins);
    this.#clusters.release(live.clusters);
    this.#plugins.forget(
      [...this.#alive].map(({ snapshot }) => snapshot),
      this.#clusters.all,
    );
  }

  /** An overloaded worker gives its connections up to others, and takes on again only when it has recovered. */
  #checkLoad(): void {
    const { used_heap_size: used, heap_size_limit: cap } = getHeapStatistics();
    const share = used / cap;
    this.#worker.shedding = share > (this.#worker.shedding ? HEAP_RECOVERS : HEAP_SHEDS);
  }
}

function makeLive(
  snapshot: Snapshot,
  clusters: readonly Cluster[],
  plugins: readonly Plugin[],
  metrics: Metrics,
): LiveSnapshot {
  try {
    return new LiveSnapshot(snapshot, clusters, plugins, metrics);
  } catch (error) {
    throw new StageError(error instanceof Error ? error.message : String(error), null, null, error);
  }
}

function logLine(log: Log, level: number, plugin: string, message: string): void {
  const fields = { plugin };
  if (level <= LogLevel.Debug) log.debug(fields, message);
  else if (level === LogLevel.Info) log.info(fields, message);
  else if (level === LogLevel.Warn) log.warn(fields, message);
  else log.error(fields, message);
}
