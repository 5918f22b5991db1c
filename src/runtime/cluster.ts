import { isIP } from 'node:net';
import { pickLeastRequest, pickRoundRobin, Random, schedule } from './balance.ts';
import { NameWatch, type Resolver, type Scheduler, systemScheduler } from './resolver.ts';
import type { ClusterSpec } from './snapshot.ts';

/** One address of a cluster. The object lives as long as the cluster has the address. */
export class Endpoint {
  readonly cluster: Cluster;
  /** IP literal. */
  readonly address: string;
  readonly port: number;
  /** `address:port`, the address of IPv6 in brackets; for logs and attributes. */
  readonly text: string;
  weight: number;
  /** Requests in flight. Counted by the attempt. */
  active = 0;
  /** The connection pool's place. */
  pool: unknown = null;
  /** The cluster has given the address up: no idle connection to it is kept. */
  gone = false;

  constructor(cluster: Cluster, address: string, port: number, weight: number) {
    this.cluster = cluster;
    this.address = address;
    this.port = port;
    this.text = endpointText(address, port);
    this.weight = weight;
  }
}

/** `address:port`, the address of IPv6 in brackets. */
export function endpointText(address: string, port: number): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

export interface ClusterDeps {
  readonly resolver: Resolver;
  /** The endpoint left its cluster, or the cluster was disposed: close its idle connections. */
  readonly onEndpointGone: (endpoint: Endpoint) => void;
  readonly scheduler?: Scheduler;
  readonly random?: Random;
}

/** A set of endpoints with one way to balance them, and the counts that bound it. */
export class Cluster {
  readonly spec: ClusterSpec;
  /** Replaced as a whole when names resolve to something else. */
  endpoints: readonly Endpoint[] = [];
  /** Requests in flight, all attempts. */
  activeRequests = 0;
  /** Requests that wait for a connection. */
  pendingRequests = 0;
  /** Open upstream connections, the pool's count. */
  connections = 0;
  /** Settled once every name was looked up for the first time, with or without success. */
  readonly ready: Promise<void>;

  readonly #deps: ClusterDeps;
  readonly #random: Random;
  readonly #leastRequest: boolean;
  readonly #watches: { readonly watch: NameWatch; readonly port: number; readonly weight: number }[] = [];
  #ring: Uint32Array = new Uint32Array(0);
  #cursor = 0;

  constructor(spec: ClusterSpec, deps: ClusterDeps) {
    this.spec = spec;
    this.#deps = deps;
    this.#random = deps.random ?? new Random();
    this.#leastRequest = spec.balance === 'least-request';
    const names = spec.endpoints.map(({ address, port, weight }) => ({
      name: address,
      port,
      weight,
      refreshMs: NAME_REFRESH_MS,
    }));
    if (spec.dns !== null) names.push({ ...spec.dns, weight: 1 });
    for (const { name, port, weight, refreshMs } of names) {
      const scheduler = deps.scheduler ?? systemScheduler;
      const watch = new NameWatch(name, refreshMs, deps.resolver, () => this.#rebuild(), scheduler);
      this.#watches.push({ watch, port, weight });
    }
    this.#rebuild();
    // Workers that start together must not walk the ring together.
    this.#cursor = this.#random.below(Math.max(1, this.#ring.length));
    this.ready = Promise.all(this.#watches.map(({ watch }) => watch.ready)).then(() => undefined);
  }

  /**
   * Chooses an endpoint for an attempt.
   *
   * @param avoid the endpoint of the attempt before, taken again only where there is no other
   * @returns null where the cluster has no endpoint with weight
   */
  pick(avoid: Endpoint | null): Endpoint | null {
    if (this.#leastRequest) {
      const index = pickLeastRequest(this.endpoints, this.#ring, this.#random, avoid);
      return index === -1 ? null : this.endpoints[index]!;
    }
    const at = pickRoundRobin(this.endpoints, this.#ring, this.#cursor, avoid);
    if (at === -1) return null;
    this.#cursor = at;
    return this.endpoints[this.#ring[at]!]!;
  }

  /** Counts a request in; false where `maxRequests` are in flight: answer 503, flag UO. */
  admit(): boolean {
    if (this.activeRequests >= this.spec.maxRequests) return false;
    this.activeRequests++;
    return true;
  }

  finish(): void {
    this.activeRequests--;
  }

  /** Counts a request into the queue; false where `maxPending` wait already. */
  enqueue(): boolean {
    if (this.pendingRequests >= this.spec.maxPending) return false;
    this.pendingRequests++;
    return true;
  }

  dequeue(): void {
    this.pendingRequests--;
  }

  /** Why names of this cluster do not resolve; null where all do. */
  get failure(): string | null {
    return this.#watches.find(({ watch }) => watch.failure !== null)?.watch.failure ?? null;
  }

  /** Stops looking names up and gives up all endpoints. Requests in flight finish. */
  dispose(): void {
    for (const { watch } of this.#watches) watch.dispose();
    const left = this.endpoints;
    this.endpoints = [];
    this.#ring = new Uint32Array(0);
    for (const endpoint of left) this.#giveUp(endpoint);
  }

  #rebuild(): void {
    const kept = new Map(this.endpoints.map((endpoint) => [endpoint.text, endpoint]));
    const next = new Map<string, Endpoint>();
    for (const { watch, port, weight } of this.#watches) {
      for (const address of watch.addresses) {
        const key = endpointText(address, port);
        // An address that is named twice is one endpoint; the first naming decides its weight.
        if (next.has(key)) continue;
        const endpoint = kept.get(key) ?? new Endpoint(this, address, port, weight);
        endpoint.weight = weight;
        next.set(key, endpoint);
      }
    }
    this.endpoints = [...next.values()];
    this.#ring = schedule(this.endpoints.map((endpoint) => endpoint.weight));
    if (this.#cursor >= this.#ring.length) this.#cursor = 0;
    for (const [key, endpoint] of kept) if (!next.has(key)) this.#giveUp(endpoint);
  }

  #giveUp(endpoint: Endpoint): void {
    endpoint.gone = true;
    this.#deps.onEndpointGone(endpoint);
  }
}

// For host names among static endpoints, which have no refresh time of their own.
const NAME_REFRESH_MS = 30_000;

/**
 * The clusters of all snapshots that are alive. A cluster whose specification did not change is the
 * same object in the next snapshot, so that its connections and counts survive a swap.
 */
export class ClusterSet {
  readonly #deps: ClusterDeps;
  readonly #held = new Map<string, { readonly cluster: Cluster; holders: number }>();

  constructor(deps: ClusterDeps) {
    this.#deps = deps;
  }

  /** Clusters for a snapshot, index for index. Each call is undone by one `release` of its result. */
  acquire(specs: readonly ClusterSpec[]): readonly Cluster[] {
    return specs.map((spec) => {
      const key = keyOf(spec);
      let entry = this.#held.get(key);
      if (entry === undefined) {
        entry = { cluster: new Cluster(spec, this.#deps), holders: 0 };
        this.#held.set(key, entry);
      }
      entry.holders++;
      return entry.cluster;
    });
  }

  /** Called when the last stream of a snapshot is gone, or a staged one is discarded. */
  release(clusters: readonly Cluster[]): void {
    for (const cluster of clusters) {
      const key = keyOf(cluster.spec);
      const entry = this.#held.get(key)!;
      entry.holders--;
      if (entry.holders > 0) continue;
      this.#held.delete(key);
      entry.cluster.dispose();
    }
  }

  get all(): readonly Cluster[] {
    return [...this.#held.values()].map(({ cluster }) => cluster);
  }
}

// Where a cluster is written does not change what it is.
function keyOf(spec: ClusterSpec): string {
  return JSON.stringify({ ...spec, source: '' });
}
