import type { ConnectionOptions } from 'node:tls';
import type { Attempt } from './attempt.ts';
import type { Cluster, Endpoint } from './cluster.ts';
import type { TimerWheel } from './timer-wheel.ts';
import { UpstreamConnection } from './upstream-connection.ts';
import { upstreamTlsOptions } from './upstream-tls.ts';

/** What the endpoints of a cluster share: its connections that are idle, and who waits for one. */
class ClusterPool {
  readonly waiting: { attempt: Attempt; pool: EndpointPool }[] = [];
  readonly pools = new Set<EndpointPool>();
}

const clusterPools = new WeakMap<Cluster, ClusterPool>();

/** The pool of an endpoint; made on first use and kept with the endpoint. */
export function poolOf(cluster: Cluster, endpoint: Endpoint, wheel: TimerWheel): EndpointPool {
  if (endpoint.pool !== null) return endpoint.pool as EndpointPool;
  let shared = clusterPools.get(cluster);
  if (shared === undefined) clusterPools.set(cluster, (shared = new ClusterPool()));
  const pool = new EndpointPool(cluster, endpoint, shared, wheel);
  endpoint.pool = pool;
  return pool;
}

/** Idle connections of one endpoint, last used first, so that surplus ones grow idle and close. */
export class EndpointPool {
  readonly wheel: TimerWheel;
  readonly tls: ConnectionOptions | null;
  readonly idleTimeoutMs: number;
  readonly #cluster: Cluster;
  readonly #endpoint: Endpoint;
  readonly #shared: ClusterPool;
  readonly #idle: UpstreamConnection[] = [];
  #open = 0;
  #disposed = false;

  constructor(cluster: Cluster, endpoint: Endpoint, shared: ClusterPool, wheel: TimerWheel) {
    this.#cluster = cluster;
    this.#endpoint = endpoint;
    this.#shared = shared;
    this.wheel = wheel;
    this.idleTimeoutMs = cluster.spec.idleTimeoutMs;
    this.tls = upstreamTlsOptions(cluster.spec.tls);
    shared.pools.add(this);
  }

  /**
   * @param fresh ask for a connection that has not served yet: the last try failed on a stale one
   * @returns null where the cluster has as many connections as it may: the attempt may `wait`
   */
  acquire(attempt: Attempt, fresh: boolean): UpstreamConnection | null {
    while (!fresh) {
      const connection = this.#idle.pop();
      if (connection === undefined) break;
      // One that has failed a moment ago is taken out by its own event, which is still to come.
      if (connection.socket.destroyed) continue;
      connection.take(attempt);
      return connection;
    }
    if (this.#cluster.connections >= this.#cluster.spec.maxConnections && !this.#makeRoom()) return null;
    return this.#connect(attempt);
  }

  /** Queues the attempt; `attempt.onGranted` comes later. False: as many wait as may. */
  wait(attempt: Attempt): boolean {
    if (!this.#cluster.enqueue()) return false;
    this.#shared.waiting.push({ attempt, pool: this });
    return true;
  }

  /** The attempt no longer waits. */
  forget(attempt: Attempt): void {
    const at = this.#shared.waiting.findIndex((entry) => entry.attempt === attempt);
    if (at >= 0) this.#dequeue(at);
  }

  #dequeue(at: number): { attempt: Attempt; pool: EndpointPool } {
    this.#cluster.dequeue();
    return this.#shared.waiting.splice(at, 1)[0]!;
  }

  /** Idle connections do not keep others from being made: gives up the one of this cluster that is idle longest in its pool. */
  #makeRoom(): boolean {
    for (const pool of this.#shared.pools) {
      const connection = pool.#idle[0];
      if (connection === undefined) continue;
      connection.destroy();
      return true;
    }
    return false;
  }

  /** Takes an idle connection back. False: close it. */
  release(connection: UpstreamConnection): boolean {
    if (this.#disposed) return false;
    if (this.#shared.waiting.length > 0) {
      const at = this.#shared.waiting.findIndex((entry) => entry.pool === this);
      if (at < 0) return false; // closing it makes room for the endpoint that is waited for
      const { attempt } = this.#dequeue(at);
      connection.take(attempt);
      attempt.onGranted(connection);
      return true;
    }
    this.#idle.push(connection);
    return true;
  }

  /** The connection is closed. */
  remove(connection: UpstreamConnection): void {
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.unreserve();
  }

  /** Counts in a connection that is never idle and so not kept here. False: the cluster has as many as it may. */
  reserve(): boolean {
    if (this.#cluster.connections >= this.#cluster.spec.maxConnections && !this.#makeRoom()) return false;
    this.#open++;
    this.#cluster.connections++;
    return true;
  }

  /** A connection is closed: who waits for one gets its place. */
  unreserve(): void {
    this.#open--;
    this.#cluster.connections--;
    if (this.#shared.waiting.length === 0) return;
    const { attempt, pool } = this.#dequeue(0);
    attempt.onGranted(pool.#connect(attempt));
  }

  get connections(): number {
    return this.#open;
  }

  /** Closes idle connections; those in use close when their answer is read. */
  dispose(): void {
    this.#disposed = true;
    this.#shared.pools.delete(this);
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  #connect(attempt: Attempt): UpstreamConnection {
    this.#open++;
    this.#cluster.connections++;
    return new UpstreamConnection(this, this.#endpoint, attempt);
  }
}
