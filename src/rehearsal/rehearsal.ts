import { LocalLedger } from '../runtime/ledger.ts';
import { LocalQuotas } from '../runtime/quota/local.ts';
import { Runtime } from '../runtime/runtime.ts';
import { isSecure, portKey, type ClusterSpec, type PortSpec, type Snapshot } from '../runtime/snapshot.ts';
import { LocalSharedState } from '../runtime/wasm/shared.ts';
import type { Log } from '../runtime/worker-state.ts';
import { readAnswer, type HttpAnswer } from './http-answer.ts';
import { MemorySocket, MemoryTlsSocket } from './memory-socket.ts';
import type { RehearsedRequest } from './request.ts';
import { ScriptedUpstream, type UpstreamRequest, type UpstreamStep } from './scripted-upstream.ts';
import { Trace } from '../explain/trace.ts';

/** A port of the client's that no two requests of a rehearsal share. */
const FIRST_CLIENT_PORT = 40_000;
/** A request that has not ended by then is given up. */
const LIMIT_MS = 60_000;

/** How one request went. */
export interface Rehearsed {
  readonly trace: Trace;
  /** Null where the connection was closed without one. */
  readonly answer: HttpAnswer | null;
  /** What upstreams got, callouts of filters included, by `namespace/name`; those that got nothing are left out. */
  readonly upstreams: ReadonlyMap<string, readonly UpstreamRequest[]>;
}

/**
 * A snapshot that serves requests in this process, as it would in a worker: the same engine, the same modules, the same
 * limits. Clients are in memory, upstreams are servers on loopback that follow scripts, and the clocks that filters and
 * limits read stand still until they are set forward.
 */
export class Rehearsal {
  readonly snapshot: Snapshot;
  readonly #runtime: Runtime;
  readonly #clock: Clock;
  /** Index for index with the clusters of the snapshot. */
  readonly #upstreams: readonly ScriptedUpstream[];
  #clientPort = FIRST_CLIENT_PORT;

  private constructor(
    snapshot: Snapshot,
    runtime: Runtime,
    clock: Clock,
    upstreams: readonly ScriptedUpstream[],
  ) {
    this.snapshot = snapshot;
    this.#runtime = runtime;
    this.#clock = clock;
    this.#upstreams = upstreams;
  }

  /**
   * @param code bytes of the snapshot's modules, by digest
   * @param at where the clocks of filters and limits stand at first, in milliseconds since 1970; undefined: now
   * @throws StageError where a filter does not start, or anything else keeps the snapshot from being served
   */
  static async open(
    snapshot: Snapshot,
    code: ReadonlyMap<string, Uint8Array>,
    log: Log,
    at?: number,
  ): Promise<Rehearsal> {
    const clock = new Clock(at ?? Date.now());
    const upstreams = await Promise.all(
      snapshot.clusters.map(({ endpoints, dns }) =>
        ScriptedUpstream.start(endpoints.length + (dns === null ? 0 : 1)),
      ),
    );
    const runtime = new Runtime({
      workerId: 0,
      ledger: new LocalLedger(() => clock.monotonic()),
      quotas: new LocalQuotas(() => clock.now()),
      shared: new LocalSharedState(() => clock.now()),
      log,
      now: () => clock.now(),
      offline: true,
    });
    const staged: Snapshot = {
      ...snapshot,
      clusters: snapshot.clusters.map((cluster, i) => onLoopback(cluster, upstreams[i]!)),
      accessLog: { mode: 'off', path: 'stdout', fields: [] },
    };
    try {
      runtime.swap(await runtime.stage(staged, code));
    } catch (error) {
      await runtime.drain(0);
      for (const upstream of upstreams) upstream.close();
      throw error;
    }
    return new Rehearsal(snapshot, runtime, clock, upstreams);
  }

  /** Sets the clocks of filters and limits forward. */
  advance(milliseconds: number): void {
    this.#clock.ahead += milliseconds;
  }

  /** @param script answers of the upstream by `namespace/name`; others answer 200 */
  async send(
    port: PortSpec,
    request: RehearsedRequest,
    script: ReadonlyMap<string, readonly UpstreamStep[]> = new Map(),
  ): Promise<Rehearsed> {
    for (const [i, { name }] of this.snapshot.clusters.entries())
      this.#upstreams[i]!.play(script.get(name) ?? []);
    const trace = new Trace();
    this.#runtime.watch({ begin: () => trace });
    const socket = this.#connect(port, request);
    socket.receive(request.bytes);
    const until = performance.now() + LIMIT_MS;
    // A stream is over when its answer is written; a head that was refused closes the connection.
    while (!trace.done && !socket.writableEnded && !socket.destroyed && performance.now() < until)
      await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    const answer = readAnswer(socket.written);
    socket.destroy();
    const got = this.snapshot.clusters.map(({ name }, i): [string, UpstreamRequest[]] => [
      name,
      [...this.#upstreams[i]!.requests],
    ]);
    return { trace, answer, upstreams: new Map(got.filter(([, requests]) => requests.length > 0)) };
  }

  async close(): Promise<void> {
    await this.#runtime.drain(0);
    for (const upstream of this.#upstreams) upstream.close();
  }

  #connect(port: PortSpec, request: RehearsedRequest): MemorySocket {
    const ends = {
      remoteAddress: request.client,
      remotePort: this.#clientPort++,
      localAddress: port.address,
      localPort: port.port,
    };
    const key = portKey(port);
    if (isSecure(port)) {
      const socket = new MemoryTlsSocket(ends, request.serverName);
      this.#runtime.offer(key, socket.asSocket, socket.asTls);
      return socket;
    }
    const socket = new MemorySocket(ends);
    this.#runtime.offer(key, socket.asSocket, null);
    return socket;
  }
}

/** Stands still but for what it is set forward by, so that a limit does not hang on how fast a machine is. */
class Clock {
  ahead = 0;
  readonly #wall: number;

  constructor(wall: number) {
    this.#wall = wall;
  }

  /** Milliseconds since 1970. */
  now(): number {
    return this.#wall + this.ahead;
  }

  monotonic(): number {
    return this.ahead;
  }
}

/** The same upstream, with its endpoints on loopback and in the clear. */
function onLoopback(cluster: ClusterSpec, { ports }: ScriptedUpstream): ClusterSpec {
  const weights = [...cluster.endpoints.map(({ weight }) => weight), 1];
  return {
    ...cluster,
    dns: null,
    tls: null,
    endpoints: ports.map((port, i) => ({ address: '127.0.0.1', port, weight: weights[i]! })),
  };
}
