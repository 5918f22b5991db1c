import { AccessRecord } from './access-record.ts';
import { AnswerPause, AnswerRelay, type AnswerTarget } from './answer-relay.ts';
import { AttemptSeries, FAILURE_FLAGS, Outcome, type AttemptSource } from './attempt-series.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { Direction } from './chain.ts';
import type { Cluster, Endpoint } from './cluster.ts';
import type { Connection } from './connection.ts';
import type { CompiledHeaderModifier } from './header-modifier.ts';
import type { BodyBuffer } from './http/body.ts';
import { ACCEPT } from './http/fields.ts';
import { forwardCertificate } from './forwarded-certificate.ts';
import { HeaderBlock, MessageKind } from './http/headers.ts';
import { isIdempotent, MethodId } from './http/method.ts';
import { Framing, type HeadReader } from './http/parse.ts';
import { normalisePath } from './http/path.ts';
import type { LiveSnapshot } from './live-snapshot.ts';
import { Pacer } from './pacer.ts';
import { failureReply, fillFilterReply, fillReply, Replies, Reply } from './reply.ts';
import { HIGH_WATER_BYTES, RequestPause, RequestRelay, type RequestSource } from './request-relay.ts';
import { ResponseFlag } from './response-flags.ts';
import { Failure } from './retry.ts';
import { RouteDecision } from './route-decision.ts';
import { RuleLimits } from './rule-limits.ts';
import type { BandwidthSpec, ListenerSpec, RuleSpec } from './snapshot.ts';
import { out } from './socket-io.ts';
import { STREAM_ATTRIBUTES } from './stream-attributes.ts';
import { StreamFilters, type FilteredStream } from './stream-filters.ts';
import type { StreamObserver } from './stream-observer.ts';
import { reportStream } from './stream-report.ts';
import { Timer } from './timer-wheel.ts';
import type { StreamContext } from './wasm/context.ts';
import type { Plugin } from './wasm/plugin.ts';
import { StateMap } from './wasm/state-map.ts';
import type { AttributeValue, LocalReply, StateValue } from './wasm/stream-host.ts';
import type { WorkerState } from './worker-state.ts';

const CONNECT_FAILURES =
  (1 << Failure.ConnectRefused) | (1 << Failure.ConnectTimeout) | (1 << Failure.ConnectFailure);
/** Where no route says another limit (security requirements §5). */
const DEFAULT_REQUEST_MS = 300_000;

/**
 * One request and its answer. The only file that knows the order of things:
 *
 *     head read → path normalised → route → request filters → route again where they changed it
 *     → redirect or upstream → attempts → answer filters → answer sent → counted and logged
 *
 * A stream keeps the snapshot that it began with. It is taken from a free list and goes back there.
 *
 * Every way in from outside (a connection, an attempt, a filter, a timer) goes through `#enter` and
 * `#leave`: what ends the stream is only noted on the way and done when the outermost one leaves, so
 * that nothing is torn down below a caller that still uses it.
 */
export class Stream implements AttemptOwner, AttemptSource, FilteredStream, RequestSource, AnswerTarget {
  readonly protocol = 'http';
  guestMs = 0;
  readonly request = new HeaderBlock();
  readonly answer = new HeaderBlock();
  readonly attempt: Attempt;
  readonly worker: WorkerState;
  readonly record = new AccessRecord();
  connection!: Connection;
  live!: LiveSnapshot;
  method: MethodId = 0;
  minorVersion: 0 | 1 = 1;
  /** Of the cluster in the snapshot; -1: none. */
  clusterIndex = -1;
  /** Milliseconds of `performance.now()`; 0: not yet. Those of the attempt only where somebody asks. */
  startedAt = 0;
  attemptAt = 0;
  answerAt = 0;
  endedAt = 0;
  /** Status sent downstream; 0: none. */
  status = 0;
  /** Bits of `ResponseFlag`. */
  flags = 0;
  details = '';
  bytesReceived = 0;
  bytesSent = 0;
  /** Null: nobody looks on. */
  observer: StreamObserver | null = null;
  #state: StateMap | null = null;

  readonly #route = new RouteDecision();
  readonly #filters: StreamFilters;
  readonly #up: RequestRelay;
  readonly #down: AnswerRelay;
  readonly #series: AttemptSeries;
  readonly #deadline: Timer;
  readonly #limits = new RuleLimits();
  /** Null until a rule first has a rate. */
  #requestPace: Pacer | null = null;
  #answerPace: Pacer | null = null;
  /** Bytes of the answer's body as the upstream sent them. */
  #answerBytes = 0;
  #requestTrailers: HeaderBlock | null = null;
  #answerTrailers: HeaderBlock | null = null;
  #backendAnswerHeaders: CompiledHeaderModifier | null = null;
  #expects = false;
  /** Milliseconds without a byte that end the stream; 0: its deadline is for the whole of it. */
  #idleMs = 0;
  #requestHalted = false;
  #answerHalted = false;

  #depth = 0;
  #reply: Reply | null = null;
  #filterReply: LocalReply | null = null;
  /** The filter that decided the reply; null: none did. */
  #decider: Plugin | null = null;
  #broken = false;
  /** Free, or as good as: late calls find nothing to do. */
  #over = true;

  constructor(worker: WorkerState) {
    this.worker = worker;
    this.attempt = new Attempt(this, worker.wheel);
    this.#filters = new StreamFilters(this);
    this.#up = new RequestRelay(this);
    this.#down = new AnswerRelay(this);
    this.#series = new AttemptSeries(this, worker.wheel);
    this.#deadline = new Timer(() => this.#onDeadline());
  }

  /** Index into `live.rules`; -1: no route. */
  get rule(): number {
    return this.#route.rule;
  }

  /** Null: no route. */
  get ruleSpec(): RuleSpec | null {
    return this.rule < 0 ? null : this.live.rules[this.rule]!.spec;
  }

  /** The listener that has the request's hostname; null: none. */
  get listenerSpec(): ListenerSpec | null {
    return this.live.listener(this.connection.port.key, this.#route.listener);
  }

  /** Undefined: none matched. */
  get virtualHostName(): string | undefined {
    const name = this.listenerSpec?.virtualHosts[this.#route.virtualHost]?.hostname;
    return name === '' ? '*' : name;
  }

  get cluster(): Cluster | null {
    return this.#series.cluster;
  }

  get endpoint(): Endpoint | null {
    return this.#series.endpoint;
  }

  get attempts(): number {
    return this.#series.count;
  }

  /** Bytes of the request's body: those announced, else those that came. */
  get requestSize(): number {
    return this.#up.framing === Framing.Length ? this.#up.length : this.bytesReceived;
  }

  get begun(): boolean {
    return !this.#over;
  }

  // ── From the downstream connection ────────────────────────────────────────────────────────────

  /** The head has been read into `request`. */
  begin(connection: Connection, live: LiveSnapshot, reader: HeadReader): void {
    this.#over = false;
    this.connection = connection;
    this.live = live;
    live.streams++;
    this.startedAt = performance.now();
    this.guestMs = 0;
    this.method = reader.method;
    this.minorVersion = reader.minorVersion;
    this.#expects = reader.expectContinue;
    const { watch } = this.worker;
    this.observer = watch === null ? null : watch.begin(this);
    this.#up.begin(this.request, reader);
    this.#limits.begin(reader);
    this.#down.reset(reader.method === MethodId.Head);
    this.#enter();
    this.#start();
    this.#leave();
  }

  requestData(bytes: Buffer, start: number, end: number, endOfStream: boolean): void {
    this.#enter();
    this.bytesReceived += end - start;
    this.#progress();
    if (endOfStream) this.#up.read = true;
    if (this.bytesReceived > this.#limits.requestBody && !this.#requestHalted)
      this.#refuse(Replies.bodyTooLarge);
    if (!this.#requestHalted) this.#filters.request.data(bytes, start, end, endOfStream);
    if (!endOfStream) this.#requestPace?.take(end - start);
    this.#leave();
  }

  requestTrailers(trailers: HeaderBlock): void {
    this.#enter();
    this.#up.read = true;
    this.#requestTrailers = trailers;
    if (!this.#requestHalted) this.#filters.request.trailers();
    this.#leave();
  }

  /** The connection takes bytes again. */
  downstreamDrained(): void {
    this.#down.unpause(AnswerPause.Downstream);
  }

  /** The connection is gone before the answer was. */
  downstreamClosed(): void {
    if (this.#over) return;
    this.#enter();
    if (!this.#down.done) this.flags |= ResponseFlag.DownstreamConnectionTermination;
    this.#broken = true;
    this.#leave();
  }

  /** The request's body broke the rules of its framing, or stalled. */
  requestFailed(reply: Reply): void {
    this.#enter();
    this.flags |= ResponseFlag.DownstreamProtocolError;
    this.#refuse(reply);
    this.#leave();
  }

  fromTunnel(bytes: Buffer, start: number, end: number): void {
    this.bytesReceived += end - start;
    this.#progress();
    this.attempt.writeTunnel(bytes, start, end);
    this.#requestPace?.take(end - start);
  }

  downstreamEnded(): void {
    if (this.#down.upgrade !== null) this.attempt.endTunnel();
  }

  /** Its head never came whole: nothing to end or to count. */
  abandon(): void {
    this.worker.release(this);
  }

  /** After a read: the upstream may have taken less than was written. */
  get requestBlocked(): boolean {
    return this.attempt.blocked;
  }

  pauseForUpstream(): void {
    this.#up.pause(RequestPause.Upstream);
  }

  // ── The order of things ───────────────────────────────────────────────────────────────────────

  #start(): void {
    const { request, connection, live } = this;
    if (normalisePath(request, connection.limits) !== 0) return this.#makeReply(Replies.badPath);
    connection.forwarding.append(request, connection.limits.trustedHops);
    if (connection.limits.forwardedClientCert !== undefined) forwardCertificate(request, connection);
    // The log shows the request as it came; filters and rewrites come later.
    if (live.logs) this.record.capture(request);
    this.#route.decide(request, connection, live);
    this.observer?.routed(this);
    if (this.#route.isMisdirected(connection, live)) return this.#makeReply(Replies.misdirected);
    if (!this.#holdToRule()) return;
    this.#startDeadline();
    const ended = this.#up.framing === Framing.None;
    if (ended) this.#up.read = true;
    const plugins = live.chains[this.#route.chain(connection, live)]!;
    if (plugins.length === 0) return this.#dispatch(ended);
    this.#filters.begin(plugins);
    this.#filters.request.head(ended);
  }

  /** The head has passed the filters. */
  #afterFilters(ended: boolean): void {
    if (this.#route.isStale(this.request) && this.#routeAgain(ended)) return;
    this.#dispatch(ended);
  }

  /** Decides routing again, on what the filters made of it. True: the head is not through yet. */
  #routeAgain(ended: boolean): boolean {
    const { request, connection, live } = this;
    const before = this.#route.chain(connection, live);
    if (normalisePath(request, connection.limits) !== 0) {
      this.#makeReply(Replies.badPath);
      return true;
    }
    this.#route.decide(request, connection, live);
    this.observer?.routed(this);
    if (!this.#holdToRule()) return true;
    const chain = this.#route.chain(connection, live);
    // Policy is decided again too: on what goes on, and by filters of the new rule that have not run yet.
    if (chain === before && !this.#filters.isMoved) return false;
    if (!this.#filters.extend(live.chains[chain]!)) return false;
    if (this.#route.loops) this.#makeReply(Replies.routeLoop);
    else this.#filters.request.head(ended);
    return true;
  }

  /** Puts the limits and rates of the rule in force. @returns false where the request is over them */
  #holdToRule(): boolean {
    const spec = this.ruleSpec;
    const refusal = this.#limits.apply(spec?.limits, this.bytesReceived);
    if (refusal !== null) this.#makeReply(refusal);
    const bandwidth = spec?.bandwidth;
    if (bandwidth !== undefined || this.#requestPace !== null) this.#pace(bandwidth);
    return refusal === null;
  }

  #pace(bandwidth: BandwidthSpec | undefined): void {
    const { wheel } = this.worker;
    this.#requestPace ??= new Pacer(wheel, (held) => {
      if (held) this.#up.pause(RequestPause.Bandwidth);
      else this.#up.unpause(RequestPause.Bandwidth);
    });
    this.#answerPace ??= new Pacer(wheel, (held) => {
      if (held) this.#down.pause(AnswerPause.Bandwidth);
      else this.#down.unpause(AnswerPause.Bandwidth);
    });
    if (bandwidth?.request === undefined) this.#requestPace.stop();
    else this.#requestPace.start(bandwidth.request);
    if (bandwidth?.response === undefined) this.#answerPace.stop();
    else this.#answerPace.start(bandwidth.response);
    this.attempt.readBytes = bandwidth?.response === undefined ? 0 : this.#answerPace.readBytes;
  }

  /** Redirects, or goes on to an upstream. */
  #dispatch(ended: boolean): void {
    if (this.rule < 0) {
      this.flags |= ResponseFlag.NoRouteFound;
      return this.#makeReply(Replies.noRoute);
    }
    const { request, live } = this;
    const rule = live.rules[this.rule]!;
    const { prefixLength } = this.#route;
    rule.requestHeaders?.apply(request);
    if (rule.redirect !== null) {
      rule.redirect.build(request, this.connection.secure, this.connection.localPort, prefixLength);
      const location = rule.redirect.bytes.toString('latin1', 0, rule.redirect.length);
      return this.#makeReply(new Reply(rule.redirect.status, 'redirect', [['location', location]]));
    }
    rule.rewrite?.apply(request, prefixLength);
    const backend = rule.pickBackend();
    if (backend === null || backend.cluster < 0) {
      this.flags |= ResponseFlag.NoClusterFound;
      return this.#makeReply(Replies.noBackend);
    }
    backend.requestHeaders?.apply(request);
    this.#backendAnswerHeaders = backend.answerHeaders;
    this.clusterIndex = backend.cluster;
    if (!this.#series.begin(live.clusters[backend.cluster]!, rule)) {
      this.flags |= ResponseFlag.UpstreamOverflow;
      this.worker.metrics.inc(live.clusterMetrics[this.clusterIndex]!.overflows);
      return this.#makeReply(Replies.overflow);
    }
    const up = this.#up;
    this.#continueBody();
    if (up.upgrade !== null && !rule.allowsUpgrade(up.upgrade)) up.upgrade = null;
    up.keepBytes = rule.retry?.spec.replayBytes ?? (isIdempotent(this.method) ? HIGH_WATER_BYTES : 0);
    up.open = true;
    if (ended) up.passed = true;
    this.#attempt(null, false);
  }

  /** Somebody takes the body now: a client that waits for leave to send it gets it, once. */
  #continueBody(): void {
    if (!this.#expects || this.#up.read || this.bytesReceived > 0) return;
    this.#expects = false;
    this.connection.sendContinue();
  }

  #attempt(avoid: Endpoint | null, fresh: boolean): void {
    if (this.live.timed) this.attemptAt = performance.now();
    this.#up.restart();
    if (this.#series.start(avoid, fresh)) {
      this.observer?.attempted(this);
      return;
    }
    this.flags |= ResponseFlag.NoHealthyUpstream;
    this.#makeReply(Replies.noEndpoint);
  }

  // ── From the chain (ChainOwner) ───────────────────────────────────────────────────────────────

  isHalted(direction: Direction): boolean {
    return direction === Direction.Request ? this.#requestHalted : this.#answerHalted;
  }

  filterContext(index: number, direction: Direction): StreamContext | null {
    return this.#filters.context(index, direction);
  }

  passHead(direction: Direction, endOfStream: boolean): void {
    if (direction === Direction.Request) this.#afterFilters(endOfStream);
    else this.#down.passHead(endOfStream);
  }

  passData(direction: Direction, bytes: Buffer, start: number, end: number, endOfStream: boolean): void {
    if (direction === Direction.Request) this.#up.pass(bytes, start, end, endOfStream);
    else this.#down.passData(bytes, start, end, endOfStream);
  }

  passTrailers(direction: Direction): void {
    if (direction === Direction.Request) this.#up.passTrailers(this.#requestTrailers);
    else this.#down.passTrailers(this.#answerTrailers);
  }

  hasTrailers(direction: Direction): boolean {
    const trailers = direction === Direction.Request ? this.#requestTrailers : this.#answerTrailers;
    return trailers !== null && trailers.count > 0;
  }

  bodyAwaited(direction: Direction): void {
    if (direction === Direction.Request) this.#continueBody();
  }

  filterFailed(direction: Direction, plugin: Plugin): void {
    this.details = `filter_failed{${plugin.spec.filter}}`;
    this.#decider ??= plugin;
    if (direction === Direction.Response && this.#down.headSent) this.#break();
    else this.#makeReply(Replies.filterFailed);
  }

  bodyTooLarge(direction: Direction, plugin: Plugin): void {
    this.details = `filter_body_too_large{${plugin.spec.filter}}`;
    this.#decider ??= plugin;
    if (direction === Direction.Request) this.#makeReply(Replies.bodyTooLarge);
    else if (this.#down.headSent) this.#break();
    else this.#makeReply(Replies.answerTooLarge);
  }

  holdBack(direction: Direction, held: boolean): void {
    if (direction === Direction.Request) {
      if (held) this.#up.pause(RequestPause.Filter);
      else this.#up.unpause(RequestPause.Filter);
    } else if (held) this.#down.pause(AnswerPause.Filter);
    else this.#down.unpause(AnswerPause.Filter);
  }

  recordFilter(context: StreamContext, phase: number, startedAt: number, action: number): number {
    const { plugin } = context;
    this.observer?.called(
      this,
      context,
      phase < 3 ? Direction.Request : Direction.Response,
      phase % 3,
      action,
    );
    const slot = this.live.metricsOf(plugin).durations[phase]!;
    const now = performance.now();
    this.worker.metrics.observe(slot, (now - startedAt) / 1000);
    return now;
  }

  // ── From the attempt (AttemptOwner), and for its series and relays ────────────────────────────

  attemptReady(): void {
    this.#enter();
    this.#up.attemptReady();
    this.#leave();
  }

  interimAnswer(status: number): void {
    // 100 was answered here, where the request asked for it; others are hints that only HTTP/1.1 clients know.
    if (status !== 100 && this.minorVersion === 1) this.connection.sendInterim(this.answer);
  }

  answerHead(status: number, framing: Framing, length: number, ended: boolean): void {
    this.#enter();
    if (this.live.timed) this.answerAt = performance.now();
    const rule = this.live.rules[this.rule]!;
    if (status === 101 && this.#up.upgrade === null) {
      this.attempt.cancel();
      this.#failed(Failure.BadResponse);
    } else if (
      rule.retry?.isRetriableStatus(status) === true &&
      this.#series.retry(Failure.RetriableStatus)
    ) {
      this.attempt.cancel();
    } else if (!ended && framing === Framing.Length && length > this.#limits.responseBody) {
      this.#makeReply(Replies.answerOverLimit);
    } else {
      this.status = status;
      this.#down.begin(framing, length);
      rule.answerHeaders?.apply(this.answer);
      this.#backendAnswerHeaders?.apply(this.answer);
      if (status === 101) {
        this.#down.upgrade = this.#up.upgrade;
        this.attempt.startTunnel();
        this.#idleMs = rule.spec.timeouts.idleMs;
        if (this.#idleMs > 0) this.worker.wheel.arm(this.#deadline, this.#idleMs);
        else this.worker.wheel.disarm(this.#deadline);
      }
      this.observer?.answered(this);
      if (!this.#filters.beginAnswer(ended)) this.#down.passHead(ended);
    }
    this.#leave();
  }

  answerData(bytes: Buffer, start: number, end: number, ended: boolean): void {
    this.#enter();
    this.#progress();
    this.#answerBytes += end - start;
    if (this.#answerBytes > this.#limits.responseBody && !this.#answerHalted)
      this.#refuse(Replies.answerOverLimit);
    if (!this.#answerHalted) this.#filters.answer.data(bytes, start, end, ended);
    if (!ended) this.#answerPace?.take(end - start);
    this.#leave();
  }

  answerTrailers(trailers: HeaderBlock): void {
    this.#enter();
    // Its connection is free for another answer by now, and a filter may keep these.
    this.#answerTrailers = new HeaderBlock(trailers.length);
    this.#answerTrailers.copyFrom(trailers);
    if (!this.#answerHalted) this.#filters.answer.trailers();
    this.#leave();
  }

  attemptFailed(failure: Failure): void {
    this.#enter();
    this.#failed(failure);
    this.#leave();
  }

  countRetry(within: boolean): void {
    const metrics = this.live.clusterMetrics[this.clusterIndex]!;
    this.worker.metrics.inc(within ? metrics.retries : metrics.retriesRefused);
  }

  nextAttempt(avoid: Endpoint | null, fresh: boolean): void {
    if (this.#over) return;
    this.#enter();
    this.#attempt(avoid, fresh);
    this.#leave();
    out.flush();
  }

  upstreamDrained(): void {
    this.#up.unpause(RequestPause.Upstream);
  }

  /** After a read of the upstream: the downstream may have taken less than was written. */
  get answerBlocked(): boolean {
    return this.connection.blocked;
  }

  downstreamBlocked(): void {
    this.#down.pause(AnswerPause.Downstream);
  }

  tunnelData(bytes: Buffer, start: number, end: number): void {
    this.bytesSent += end - start;
    this.#progress();
    this.connection.sendTunnel(bytes, start, end);
    this.#answerPace?.take(end - start);
  }

  tunnelEnded(): void {
    this.connection.endTunnel();
  }

  get requestKept(): boolean {
    return this.#up.kept;
  }

  get deadline(): number {
    return this.#deadline.deadline;
  }

  get filtersTakeRequestBody(): boolean {
    return this.#filters.takeRequestBody;
  }

  get filtersTakeAnswerBody(): boolean {
    return this.#filters.answer.active && this.#filters.takeAnswerBody;
  }

  pauseRequest(): void {
    this.connection.pauseReading();
  }

  resumeRequest(): void {
    this.connection.resumeReading();
  }

  pauseAnswer(): void {
    this.attempt.pauseReading();
  }

  resumeAnswer(): void {
    this.attempt.resumeReading();
  }

  // ── From the guests (StreamHost) ──────────────────────────────────────────────────────────────

  headerMap(type: number): HeaderBlock | null {
    if (type === 0) return this.request;
    if (type === 1) return this.#requestTrailers;
    if (type === 2) return this.#down.begun ? this.answer : null;
    return this.#answerTrailers;
  }

  mayWriteMap(type: number): boolean {
    if (this.#over) return false;
    if (type === 0) return !this.#up.open && !this.#requestHalted;
    if (type === 1) return !this.#up.passed && !this.#requestHalted;
    return type === 2 ? !this.#down.headSent : !this.#down.done;
  }

  addTrailers(type: number, context: StreamContext): HeaderBlock | null {
    const pass = type === 1 ? this.#filters.request : this.#filters.answer;
    if (!pass.mayAddTrailers(context)) return null;
    const block = new HeaderBlock();
    block.reset(MessageKind.Trailers);
    if (type === 1) this.#requestTrailers = block;
    else this.#answerTrailers = block;
    return block;
  }

  body(type: number, context: StreamContext): BodyBuffer | null {
    return (type === 0 ? this.#filters.request : this.#filters.answer).heldBody(context);
  }

  attribute(path: string): AttributeValue | undefined {
    return STREAM_ATTRIBUTES.find(this, path);
  }

  state(key: string): StateValue | undefined {
    return this.#state?.get(key) ?? this.connection.state?.get(key);
  }

  states(prefix: string): (readonly [rest: string, value: StateValue])[] {
    return this.#state?.withPrefix(prefix) ?? [];
  }

  setState(key: string, value: StateValue): boolean {
    if (value.ofConnection) return (this.connection.state ??= new StateMap()).set(key, value);
    return (this.#state ??= new StateMap()).set(key, value);
  }

  clearRouteCache(): void {
    this.#route.cleared = true;
  }

  resume(type: number, context: StreamContext): void {
    if (this.#over) return;
    this.#enter();
    const pass = type === 0 ? this.#filters.request : this.#filters.answer;
    this.observer?.resumed(this, context.plugin, pass.direction);
    if (!this.isHalted(pass.direction)) pass.resume(context);
    this.#leaveGuest();
  }

  close(_type: number): void {
    if (this.#over) return;
    this.#enter();
    this.details ||= 'filter_closed_stream';
    this.#break();
    this.#leaveGuest();
  }

  localReply(reply: LocalReply, context: StreamContext): void {
    if (this.#over) return;
    this.#enter();
    this.worker.metrics.inc(this.live.metricsOf(context.plugin).denied);
    if (this.#down.headSent) this.#break();
    else if (this.#filterReply === null && this.#reply === null) {
      this.#filterReply = reply;
      this.#decider = context.plugin;
      this.#halt();
    }
    this.#leaveGuest();
  }

  contextFailed(context: StreamContext): void {
    if (this.#over) return;
    this.#enter();
    const index = this.#filters.lose(context);
    if (index >= 0) {
      const direction = this.#down.begun ? Direction.Response : Direction.Request;
      if (context.plugin.spec.onError === 'deny') this.filterFailed(direction, context.plugin);
      else this.#filters.skip(index);
    }
    this.#leaveGuest();
  }

  // ── Failures, replies and the end ─────────────────────────────────────────────────────────────

  #failed(failure: Failure): void {
    if (this.#over || this.#broken) return;
    const { metrics } = this.worker;
    const counts = this.live.clusterMetrics[this.clusterIndex]!;
    if ((CONNECT_FAILURES & (1 << failure)) !== 0) metrics.inc(counts.connectFailures);
    if (failure === Failure.Overflow) metrics.inc(counts.overflows);
    if (this.#down.begun) {
      this.flags |= FAILURE_FLAGS[failure]!;
      // Part of an answer is with the client: it must not look whole.
      if (this.#down.headSent) this.#break();
      else this.#makeReply(failureReply(failure));
      return;
    }
    if (this.#series.failed(failure) === Outcome.Again) return;
    this.flags |= FAILURE_FLAGS[failure]!;
    this.#makeReply(failureReply(failure));
  }

  #startDeadline(): void {
    const timeouts = this.rule < 0 ? null : this.live.rules[this.rule]!.spec.timeouts;
    this.#idleMs = timeouts !== null && timeouts.requestMs === 0 ? timeouts.idleMs : 0;
    const limit = timeouts === null ? DEFAULT_REQUEST_MS : timeouts.requestMs || timeouts.idleMs;
    if (limit > 0) this.worker.wheel.arm(this.#deadline, limit);
  }

  /** Bytes came or went: a limit on idleness, where that is the stream's limit, begins anew. */
  #progress(): void {
    if (this.#idleMs > 0) this.worker.wheel.extend(this.#deadline, this.#idleMs);
  }

  #onDeadline(): void {
    if (this.#over) return;
    this.#enter();
    if (this.#down.headSent) {
      this.flags |= ResponseFlag.StreamIdleTimeout;
      this.#break();
    } else {
      this.flags |= ResponseFlag.UpstreamRequestTimeout;
      this.#makeReply(Replies.timeout);
    }
    this.#leave();
    out.flush();
  }

  /** Ends the stream with an answer, or, where another one is on its way, by cutting that. */
  #refuse(reply: Reply): void {
    if (this.#down.headSent) this.#break();
    else this.#makeReply(reply);
  }

  #makeReply(reply: Reply): void {
    if (this.#reply !== null || this.#filterReply !== null) return;
    this.#reply = reply;
    this.#halt();
  }

  /** Stops both directions where they are; `#settle` sends the reply. */
  #halt(): void {
    this.#requestHalted = true;
    this.#answerHalted = true;
  }

  /** An answer that has begun cannot be finished: the client must see that. */
  #break(): void {
    this.#halt();
    this.#broken = true;
  }

  #sendReply(): void {
    const body = this.#layReply();
    const down = this.#down;
    const replaces = down.begun;
    this.#series.stop();
    down.upgrade = null;
    down.begin(Framing.Length, body.length);
    this.#answerHalted = false;
    this.#answerTrailers = null;
    this.observer?.replied(this, this.#decider);
    const bodiless = body.length === 0 || down.headOnly;
    // One made while an answer was on its way down goes out as it is; others pass the filters that the request met.
    if (replaces) this.#filters.answer.end();
    if (replaces || !this.#filters.beginAnswer(bodiless)) down.passHead(bodiless);
    if (!bodiless && !this.#answerHalted) this.#filters.answer.data(body, 0, body.length, true);
  }

  /** Puts the reply that was asked for into the answer's block. @returns its body */
  #layReply(): Buffer {
    const own = this.#reply;
    const filters = this.#filterReply;
    this.#reply = null;
    this.#filterReply = null;
    this.details ||= own?.code ?? filters!.details;
    if (own === null) return fillFilterReply(this.answer, filters!, isGrpc(this.request));
    const accept = this.request.indexOf(ACCEPT);
    return fillReply(this.answer, own, accept < 0 ? undefined : this.request.valueText(accept));
  }

  #enter(): void {
    this.#depth++;
  }

  #leave(): void {
    if (--this.#depth > 0 || this.#over) return;
    while (!this.#broken && !this.#down.done && (this.#reply !== null || this.#filterReply !== null)) {
      this.#depth++;
      this.#sendReply();
      this.#depth--;
    }
    if (this.#broken || this.#down.done) this.#finish();
  }

  /**
   * Leaves what a guest began. Within a callback of this stream the outermost caller flushes; in one of
   * the plugin's own (a tick, an answer to a call) nobody else would send what came of it.
   */
  #leaveGuest(): void {
    this.#leave();
    if (this.#depth === 0) out.flush();
  }

  #finish(): void {
    this.#over = true;
    const { worker, live, connection } = this;
    const { done } = this.#down;
    this.endedAt = performance.now();
    if (done) connection.endAnswer(this.#down.headOnly, this.#down.trailers);
    this.#series.stop();
    worker.wheel.disarm(this.#deadline);
    this.#requestPace?.stop();
    this.#answerPace?.stop();
    reportStream(this);
    this.observer?.ended(this);
    this.#filters.end();
    const whole = done && !this.#broken;
    const { read } = this.#up;
    this.#recycle();
    worker.release(this);
    live.leave();
    connection.streamEnded(whole, read);
  }

  /** Back to the state of a new stream; what belongs to a request is let go. */
  #recycle(): void {
    this.#route.reset();
    this.#series.reset();
    this.clusterIndex = -1;
    this.attemptAt = this.answerAt = this.endedAt = 0;
    this.status = this.flags = 0;
    this.details = '';
    this.bytesReceived = this.bytesSent = this.#answerBytes = 0;
    this.attempt.readBytes = 0;
    this.#state = null;
    this.attempt.last = null;
    this.#requestTrailers = this.#answerTrailers = null;
    this.#backendAnswerHeaders = null;
    this.#requestHalted = this.#answerHalted = false;
    this.#reply = null;
    this.#filterReply = null;
    this.#decider = null;
    this.observer = null;
    this.#broken = false;
  }
}

function isGrpc(request: HeaderBlock): boolean {
  return request.get('content-type')?.startsWith('application/grpc') === true;
}
