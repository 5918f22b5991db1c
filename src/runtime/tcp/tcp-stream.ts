import { FAILURE_FLAGS } from '../attempt-series.ts';
import type { Cluster, Endpoint } from '../cluster.ts';
import type { BodyBuffer } from '../http/body.ts';
import type { LiveSnapshot } from '../live-snapshot.ts';
import { ResponseFlag } from '../response-flags.ts';
import { Failure, mayRetry, NO_RETRY, retryDelay } from '../retry.ts';
import type { ListenerSpec, TcpRuleSpec } from '../snapshot.ts';
import { out } from '../socket-io.ts';
import { Timer } from '../timer-wheel.ts';
import { CloseType } from '../wasm/abi.ts';
import type { StreamContext } from '../wasm/context.ts';
import type { Plugin } from '../wasm/plugin.ts';
import { StateMap } from '../wasm/state-map.ts';
import type { AttributeValue, StateValue } from '../wasm/stream-host.ts';
import type { WorkerState } from '../worker-state.ts';
import { Ending } from './ending.ts';
import { TCP_ATTRIBUTES } from './tcp-attributes.ts';
import type { TcpConnection } from './tcp-connection.ts';
import { TcpFilters, type FilteredTcpStream } from './tcp-filters.ts';
import type { TcpSeries } from './tcp-metrics.ts';
import { Side } from './tcp-pass.ts';
import { reportTcpStream } from './tcp-report.ts';
import type { LiveTcpRule } from './tcp-rule.ts';
import { TcpUpstream, type TcpUpstreamOwner } from './tcp-upstream.ts';

/** Why reading of one side rests, one bit each. */
const Rest = { NotConnected: 1, OtherSide: 2, Filter: 4 } as const;

/** Filter state by which a filter chooses the cluster, as in Envoy. */
const CLUSTER_STATE = 'envoy.tcp_proxy.cluster';

const NO_BYTES = Buffer.alloc(0);

/**
 * One client's connection and the upstream's that it is joined to:
 *
 *     accepted → rule → filters let it in → cluster by weight → endpoint, connected
 *     → bytes both ways through the filters → both ended, or one failed → counted and logged
 *
 * It keeps the snapshot that it began with. Nothing is read of the client before the upstream is
 * connected: what it sends early waits in the kernel.
 *
 * Every way in from outside goes through `#enter` and `#leave`, as in `Stream`: what ends the stream is
 * only noted on the way and done when the outermost one leaves.
 */
export class TcpStream implements FilteredTcpStream, TcpUpstreamOwner {
  readonly protocol = 'tcp';
  guestMs = 0;
  readonly worker: WorkerState;
  readonly connection: TcpConnection;
  live!: LiveSnapshot;
  listenerSpec: ListenerSpec | null = null;
  /** Index into `live.tcpRules`; -1: none. */
  rule = -1;
  /** Of the cluster in the snapshot; -1: none. */
  clusterIndex = -1;
  cluster: Cluster | null = null;
  /** Of the last attempt. */
  endpoint: Endpoint | null = null;
  upstream: TcpUpstream | null = null;
  /** For attributes: the upstream's connection of the last attempt, also where it is gone. */
  readonly attempt: { last: TcpUpstream | null; readonly reused: false } = { last: null, reused: false };
  /** Hostnames lead to listeners here, not further. */
  readonly virtualHostName = undefined;
  attempts = 0;
  /** Milliseconds of `performance.now()`; 0: not yet. */
  startedAt = 0;
  attemptAt = 0;
  connectedAt = 0;
  endedAt = 0;
  /** Bits of `ResponseFlag`. */
  flags = 0;
  details = '';
  /** From the client, and to it. */
  bytesReceived = 0;
  bytesSent = 0;

  readonly #filters: TcpFilters;
  readonly #idle: Timer;
  #idleMs = 0;
  #series: TcpSeries | null = null;
  #state: StateMap | null = null;
  #admitted = false;
  #wait: NodeJS.Timeout | null = null;
  #downstreamRest: number = Rest.NotConnected;
  #upstreamRest = 0;
  /** The ends of both directions, as they were read. */
  #downstreamEnded = false;
  #upstreamEnded = false;
  /** The same, as they were sent on. */
  #upstreamFinished = false;
  #downstreamFinished = false;
  #downstreamGone = false;
  #depth = 0;
  #ending: Ending | null = null;
  #over = false;

  constructor(connection: TcpConnection, worker: WorkerState) {
    this.connection = connection;
    this.worker = worker;
    this.#filters = new TcpFilters(this);
    this.#idle = new Timer(() => this.#onIdle());
  }

  /** False while it waits for filters or for its upstream. */
  get connected(): boolean {
    return this.connectedAt > 0;
  }

  // ── The order of things ───────────────────────────────────────────────────────────────────────

  /** @param refused what the client said first is not what the listener takes */
  begin(refused = false): void {
    const { worker, connection } = this;
    const { live } = worker;
    this.live = live;
    live.streams++;
    this.startedAt = performance.now();
    this.#enter();
    this.listenerSpec = connection.listenerOf(live);
    this.rule = this.listenerSpec?.tcpRule ?? -1;
    if (refused) {
      this.#fail(ResponseFlag.DownstreamProtocolError, 'bad_client_hello');
    } else if (this.rule < 0) {
      this.#fail(ResponseFlag.NoRouteFound, 'no_route');
    } else {
      const { spec } = this.#liveRule;
      this.#idleMs = spec.idleMs;
      if (spec.idleMs > 0) worker.wheel.add(this.#idle, spec.idleMs);
      this.#filters.begin(live.chains[spec.chain]!);
    }
    this.#leave();
  }

  passConnection(): void {
    const { live } = this;
    const rule = this.#liveRule;
    // A filter may choose among the backends of the route; a name beyond them leads nowhere.
    const chosen = this.state(CLUSTER_STATE);
    this.clusterIndex =
      chosen === undefined ? rule.pickCluster() : rule.clusterNamed(Buffer.from(chosen.bytes).toString());
    if (this.clusterIndex < 0) return this.#fail(ResponseFlag.NoClusterFound, 'no_backend');
    const cluster = (this.cluster = live.clusters[this.clusterIndex]!);
    this.#series = live.tcpMetrics.series(this.rule, this.clusterIndex);
    this.#series.opened();
    if (!cluster.admit()) return this.#overflow();
    this.#admitted = true;
    rule.retry?.budget.countRequest(this.worker.wheel.now);
    this.#attempt(null);
  }

  #attempt(avoid: Endpoint | null): void {
    const cluster = this.cluster!;
    const endpoint = cluster.pick(avoid);
    if (endpoint === null) return this.#fail(ResponseFlag.NoHealthyUpstream, 'no_healthy_upstream');
    this.endpoint = endpoint;
    this.attempts++;
    this.attemptAt = performance.now();
    this.upstream = TcpUpstream.open(this, cluster, endpoint, this.worker.wheel);
    this.attempt.last = this.upstream;
    if (this.upstream === null) this.#overflow();
  }

  #overflow(): void {
    this.worker.metrics.inc(this.live.clusterMetrics[this.clusterIndex]!.overflows);
    this.#fail(ResponseFlag.UpstreamOverflow, 'overloaded');
  }

  get ruleSpec(): TcpRuleSpec | null {
    return this.rule < 0 ? null : this.#liveRule.spec;
  }

  /** Why it ended, in a word. */
  get reason(): string {
    return this.details || (this.connected ? 'via_upstream' : '');
  }

  get #liveRule(): LiveTcpRule {
    return this.live.tcpRules[this.rule]!;
  }

  // ── From the client ───────────────────────────────────────────────────────────────────────────

  downstreamData(bytes: Buffer, start: number, end: number): void {
    this.#enter();
    this.bytesReceived += end - start;
    this.#series!.received(end - start);
    this.#progress();
    this.#filters.down.data(bytes, start, end, false);
    this.#leave();
  }

  downstreamEnded(): void {
    this.#enter();
    this.#downstreamEnded = true;
    this.#progress();
    this.#filters.down.data(NO_BYTES, 0, 0, true);
    this.#leave();
  }

  /** Gone, before the stream let go of it. */
  downstreamClosed(): void {
    this.#enter();
    this.#downstreamGone = true;
    // Where it had nothing more to say or to hear, a filter still keeps what it said last.
    if (!this.#downstreamFinished || !this.#downstreamEnded) {
      this.flags |= ResponseFlag.DownstreamConnectionTermination;
      this.details ||= 'downstream_reset';
      this.#end(Ending.Reset);
    }
    this.#leave();
  }

  /** Its time is over: the worker ends. */
  cut(): void {
    this.#enter();
    this.#fail(ResponseFlag.LocalReset, 'drain_timeout');
    this.#leave();
  }

  downstreamBlocked(): void {
    this.#restUpstream(Rest.OtherSide, true);
  }

  downstreamDrained(): void {
    this.#progress();
    this.#restUpstream(Rest.OtherSide, false);
  }

  // ── From the upstream (TcpUpstreamOwner) ──────────────────────────────────────────────────────

  upstreamConnected(): void {
    this.connectedAt = performance.now();
    this.#progress();
    this.#restDownstream(Rest.NotConnected, false);
  }

  upstreamFailed(failure: Failure): void {
    this.#enter();
    this.upstream = null;
    const { metrics } = this.worker;
    metrics.inc(this.live.clusterMetrics[this.clusterIndex]!.connectFailures);
    if (!this.#retry(failure)) {
      const timeout = failure === Failure.ConnectTimeout;
      this.#fail(FAILURE_FLAGS[failure]!, timeout ? 'upstream_connect_timeout' : 'upstream_connect_failure');
    }
    this.#leave();
  }

  upstreamData(bytes: Buffer, start: number, end: number): void {
    this.#enter();
    this.#progress();
    this.#filters.up.data(bytes, start, end, false);
    this.#leave();
  }

  upstreamEnded(): void {
    this.#enter();
    this.#upstreamEnded = true;
    this.#progress();
    this.#filters.up.data(NO_BYTES, 0, 0, true);
    this.#filters.upstreamClosed(CloseType.Remote);
    this.#leave();
  }

  upstreamClosed(): void {
    this.#enter();
    this.upstream = null;
    this.#filters.upstreamClosed(CloseType.Remote);
    // Where its end came first, the client has all that there was, or will have it when filters let go of it.
    if (!this.#upstreamEnded) {
      this.flags |= ResponseFlag.UpstreamConnectionTermination;
      this.details ||= 'upstream_reset';
      this.#end(Ending.Reset);
    } else if (this.#downstreamFinished) this.#end(Ending.Flush);
    this.#leave();
  }

  upstreamBlocked(): void {
    this.#restDownstream(Rest.OtherSide, true);
  }

  upstreamDrained(): void {
    this.#progress();
    this.#restDownstream(Rest.OtherSide, false);
  }

  // ── From the filters (TcpPassOwner) ───────────────────────────────────────────────────────────

  get halted(): boolean {
    return this.#over || this.#ending !== null;
  }

  filterContext(index: number): StreamContext | null {
    return this.#filters.context(index);
  }

  passData(side: Side, bytes: Buffer, start: number, end: number, endOfStream: boolean): void {
    if (side === Side.Downstream) {
      const { upstream } = this;
      // One that has closed after its own end takes no more.
      if (upstream === null) return;
      if (end > start) upstream.send(bytes, start, end);
      if (!endOfStream) return;
      this.#upstreamFinished = true;
      upstream.end();
    } else {
      if (end > start) {
        this.bytesSent += end - start;
        this.#series!.sent(end - start);
        this.connection.send(bytes, start, end);
      }
      if (!endOfStream) return;
      this.#downstreamFinished = true;
      this.connection.end();
      if (this.upstream === null) this.#end(Ending.Flush);
    }
    if (this.#upstreamFinished && this.#downstreamFinished) this.#end(Ending.Flush);
  }

  filterFailed(plugin: Plugin): void {
    this.details ||= `filter_failed{${plugin.spec.filter}}`;
    this.#end(Ending.Reset);
  }

  holdBack(side: Side, held: boolean): void {
    if (side === Side.Downstream) this.#restDownstream(Rest.Filter, held);
    else this.#restUpstream(Rest.Filter, held);
  }

  recordFilter(plugin: Plugin, phase: number, startedAt: number): number {
    const slot = this.live.metricsOf(plugin).durations[phase]!;
    const now = performance.now();
    this.worker.metrics.observe(slot, (now - startedAt) / 1000);
    return now;
  }

  // ── From the guests (StreamHost) ──────────────────────────────────────────────────────────────

  addTrailers(): null {
    return null;
  }

  headerMap(): null {
    return null;
  }

  mayWriteMap(): boolean {
    return false;
  }

  body(type: number, context: StreamContext): BodyBuffer | null {
    return this.#filters.data(type, context);
  }

  attribute(path: string): AttributeValue | undefined {
    return TCP_ATTRIBUTES.find(this, path);
  }

  state(key: string): StateValue | undefined {
    return this.#state?.get(key);
  }

  states(prefix: string): (readonly [rest: string, value: StateValue])[] {
    return this.#state?.withPrefix(prefix) ?? [];
  }

  setState(key: string, value: StateValue): boolean {
    return (this.#state ??= new StateMap()).set(key, value);
  }

  clearRouteCache(): void {
    // The listener has decided; nothing that a filter changes could lead elsewhere.
  }

  resume(type: number, context: StreamContext): void {
    if (this.halted) return;
    this.#enter();
    this.#filters.resume(type, context);
    this.#leaveGuest();
  }

  /** Either side: one without the other is of no use. What was sent to the client arrives. */
  close(): void {
    if (this.halted) return;
    this.#enter();
    this.details ||= 'filter_closed_stream';
    this.#end(Ending.Flush);
    this.#leaveGuest();
  }

  localReply(): void {
    // The host refuses it: there is no reply in TCP.
  }

  contextFailed(context: StreamContext): void {
    if (this.halted) return;
    this.#enter();
    const index = this.#filters.lose(context);
    if (index >= 0) {
      if (context.plugin.spec.onError === 'deny') this.filterFailed(context.plugin);
      else this.#filters.skip(index);
    }
    this.#leaveGuest();
  }

  // ── Failures and the end ──────────────────────────────────────────────────────────────────────

  /** Another endpoint, where the rule allows it: nothing was sent yet. */
  #retry(failure: Failure): boolean {
    const { retry } = this.#liveRule;
    if (retry === null) return false;
    if (!mayRetry(retry, failure, this.attempts, true)) {
      if (this.attempts >= retry.maxAttempts) this.flags |= ResponseFlag.UpstreamRetryLimitExceeded;
      return false;
    }
    const delay = retryDelay(retry.spec, this.attempts, -1, Infinity, Math.random());
    if (delay === NO_RETRY) return false;
    const within = retry.budget.take(this.worker.wheel.refresh());
    const metrics = this.live.clusterMetrics[this.clusterIndex]!;
    this.worker.metrics.inc(within ? metrics.retries : metrics.retriesRefused);
    if (!within) return false;
    const avoid = retry.spec.avoidPreviousEndpoint ? this.endpoint : null;
    this.#wait = setTimeout(() => {
      this.#wait = null;
      this.#enter();
      this.#attempt(avoid);
      this.#leave();
    }, delay);
    return true;
  }

  #fail(flag: number, details: string): void {
    this.flags |= flag;
    this.details ||= details;
    this.#end(Ending.Cut);
  }

  #end(ending: Ending): void {
    if (this.#ending === null || ending > this.#ending) this.#ending = ending;
  }

  #enter(): void {
    this.#depth++;
  }

  #leave(): void {
    if (--this.#depth > 0 || this.#over || this.#ending === null) return;
    this.#finish(this.#ending);
  }

  /** Leaves what a guest began; in a callback that is not of this stream nobody else would send what came of it. */
  #leaveGuest(): void {
    this.#leave();
    if (this.#depth === 0) out.flush();
  }

  #finish(ending: Ending): void {
    this.#over = true;
    const { worker, live, upstream } = this;
    this.endedAt = performance.now();
    worker.wheel.cancel(this.#idle);
    if (this.#wait !== null) clearTimeout(this.#wait);
    const { writeTimeoutMs } = this.connection.port.spec.limits;
    if (upstream !== null) {
      upstream.release(ending, writeTimeoutMs);
      if (this.connected) this.#filters.upstreamClosed(CloseType.Local);
    }
    if (!this.#downstreamGone) this.connection.release(ending);
    if (this.#admitted) this.cluster!.finish();
    const series = this.#series ?? live.tcpMetrics.series(this.rule, -1);
    if (this.#series === null) series.opened();
    series.closed(this.flags);
    const remote = this.#downstreamGone || this.#downstreamEnded;
    this.#filters.end(remote ? CloseType.Remote : CloseType.Local);
    reportTcpStream(this);
    live.leave();
  }

  /** Bytes came or went: the limit on idleness begins anew. */
  #progress(): void {
    if (this.#idleMs > 0) this.worker.wheel.extend(this.#idle, this.#idleMs);
  }

  #onIdle(): void {
    this.#enter();
    this.#fail(ResponseFlag.StreamIdleTimeout, 'idle_timeout');
    this.#leave();
    out.flush();
  }

  #restDownstream(why: number, rests: boolean): void {
    if (rests) this.#downstreamRest |= why;
    else this.#downstreamRest &= ~why;
    if (!this.#over) this.connection.setPaused(this.#downstreamRest !== 0);
  }

  #restUpstream(why: number, rests: boolean): void {
    if (rests) this.#upstreamRest |= why;
    else this.#upstreamRest &= ~why;
    this.upstream?.setPaused(this.#upstreamRest !== 0);
  }
}
