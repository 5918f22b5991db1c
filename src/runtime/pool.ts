import type { ConnectionOptions } from 'node:tls';
import type { Attempt } from './attempt.ts';
import type { Cluster, Endpoint } from './cluster.ts';
import type { TimerWheel } from './timer-wheel.ts';
import { UpstreamConnection } from './upstream-connection.ts';
import { upstreamTlsOptions } from './upstream-tls.ts';

/** Connections of a cluster over all its endpoints, and who waits for one. */
class ClusterPool {
  open = 0;
  readonly waiting: { attempt: Attempt; pool: EndpointPool }[] = [];
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
  }

  /**
   * @param fresh ask for a connection that has not served yet: the last try failed on a stale one
   * @returns null where the cluster has as many connections as it may: `attempt.onGranted` comes later
   */
  acquire(attempt: Attempt, fresh: boolean): UpstreamConnection | null {
    if (!fresh) {
      const connection = this.#idle.pop();
      if (connection !== undefined) {
        connection.take(attempt);
        return connection;
      }
    }
    if (this.#shared.open >= this.#cluster.spec.maxConnections) {
      this.#shared.waiting.push({ attempt, pool: this });
      return null;
    }
    return this.#connect(attempt);
  }

  /** Whether one more attempt may wait for a connection. */
  get mayWait(): boolean {
    return this.#shared.waiting.length < this.#cluster.spec.maxPending;
  }

  /** The attempt no longer waits. */
  forget(attempt: Attempt): void {
    const { waiting } = this.#shared;
    const at = waiting.findIndex((entry) => entry.attempt === attempt);
    if (at >= 0) waiting.splice(at, 1);
  }

  /** Takes an idle connection back. False: close it. */
  release(connection: UpstreamConnection): boolean {
    if (this.#disposed) return false;
    if (this.#shared.waiting.length > 0) {
      const at = this.#shared.waiting.findIndex((entry) => entry.pool === this);
      if (at < 0) return false; // closing it makes room for the endpoint that is waited for
      const [entry] = this.#shared.waiting.splice(at, 1);
      connection.take(entry!.attempt);
      entry!.attempt.onGranted(connection);
      return true;
    }
    this.#idle.push(connection);
    return true;
  }

  /** The connection is closed. */
  remove(connection: UpstreamConnection): void {
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#open--;
    this.#shared.open--;
    const next = this.#shared.waiting.shift();
    if (next !== undefined) next.attempt.onGranted(next.pool.#connect(next.attempt));
  }

  get connections(): number {
    return this.#open;
  }

  /** Closes idle connections; those in use close when their answer is read. */
  dispose(): void {
    this.#disposed = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  #connect(attempt: Attempt): UpstreamConnection {
    this.#open++;
    this.#shared.open++;
    return new UpstreamConnection(this, this.#endpoint, attempt);
  }
}
