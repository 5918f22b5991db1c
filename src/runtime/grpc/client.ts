import type { Cluster, Endpoint } from '../cluster.ts';
import type { TimerWheel } from '../timer-wheel.ts';
import { GrpcCall, type CallDeps } from './call.ts';
import { EndpointSessions } from './sessions.ts';
import type { GrpcExchange, GrpcRequest, GrpcSink, GrpcTransport } from './transport.ts';

/**
 * gRPC calls to clusters, over HTTP/2 connections of their own (`node:http2`), which are kept for each endpoint and
 * used for many calls at a time.
 */
export class GrpcClient implements GrpcTransport, CallDeps {
  readonly wheel: TimerWheel;
  readonly #clusterOf: (id: number) => Cluster | undefined;
  readonly #sessions = new Map<Endpoint, EndpointSessions>();
  readonly #calls = new Set<GrpcCall>();

  constructor(wheel: TimerWheel, clusterOf: (id: number) => Cluster | undefined) {
    this.wheel = wheel;
    this.#clusterOf = clusterOf;
  }

  open(clusterId: number, request: GrpcRequest, sink: GrpcSink): GrpcExchange | null {
    const cluster = this.#clusterOf(clusterId);
    if (cluster === undefined) return null;
    const call = new GrpcCall(this, cluster, request, sink);
    this.#calls.add(call);
    // Not from within the callback that asked, as with HTTP: what traps in it has sent nothing.
    setImmediate(() => call.start());
    return call;
  }

  sessionsOf(endpoint: Endpoint): EndpointSessions {
    let sessions = this.#sessions.get(endpoint);
    if (sessions === undefined)
      this.#sessions.set(endpoint, (sessions = new EndpointSessions(endpoint, this.wheel)));
    return sessions;
  }

  callOver(call: GrpcCall): void {
    this.#calls.delete(call);
  }

  /** Calls under way. */
  get size(): number {
    return this.#calls.size;
  }

  /** Open connections to an endpoint. */
  connections(endpoint: Endpoint): number {
    return this.#sessions.get(endpoint)?.size ?? 0;
  }

  /** Its cluster has given the endpoint up. */
  endpointGone(endpoint: Endpoint): void {
    this.#sessions.get(endpoint)?.drain();
    this.#sessions.delete(endpoint);
  }

  /** Cancels everything and closes every connection. */
  close(): void {
    for (const call of [...this.#calls]) call.cancel();
    for (const sessions of this.#sessions.values()) sessions.destroy();
    this.#sessions.clear();
  }
}
