import type { ConnectionOptions } from 'node:tls';
import type { Endpoint } from '../cluster.ts';
import type { TimerWheel } from '../timer-wheel.ts';
import { upstreamTlsOptions } from '../upstream-tls.ts';
import { GrpcSession, type SessionOwner } from './session.ts';

/** The HTTP/2 connections to one endpoint. They count as connections of its cluster. */
export class EndpointSessions implements SessionOwner {
  readonly #endpoint: Endpoint;
  readonly #wheel: TimerWheel;
  readonly #tls: ConnectionOptions | null;
  /** Those that take calls. */
  readonly #open: GrpcSession[] = [];
  readonly #all = new Set<GrpcSession>();

  constructor(endpoint: Endpoint, wheel: TimerWheel) {
    this.#endpoint = endpoint;
    this.#wheel = wheel;
    this.#tls = upstreamTlsOptions(endpoint.cluster.spec.tls);
  }

  /**
   * A session for a call, to be added to it.
   *
   * @returns null where the cluster has as many connections as it may
   */
  acquire(): GrpcSession | null {
    let session = this.#open.find(({ room }) => room);
    if (session === undefined) {
      const { cluster } = this.#endpoint;
      if (cluster.connections >= cluster.spec.maxConnections) return null;
      cluster.connections++;
      session = new GrpcSession(this, this.#endpoint, this.#tls, this.#wheel);
      this.#open.push(session);
      this.#all.add(session);
    }
    return session;
  }

  /** Connections that are open, or being opened. */
  get size(): number {
    return this.#all.size;
  }

  sessionFull(session: GrpcSession): void {
    const at = this.#open.indexOf(session);
    if (at >= 0) this.#open.splice(at, 1);
  }

  sessionGone(session: GrpcSession): void {
    if (this.#all.delete(session)) this.#endpoint.cluster.connections--;
  }

  /** The endpoint is given up: calls under way finish. */
  drain(): void {
    for (const session of [...this.#all]) session.drain();
  }

  destroy(): void {
    for (const session of [...this.#all]) session.destroy('weir ends');
  }
}
