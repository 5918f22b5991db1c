import { AccessRecord } from './access-record.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { ChainPass, Direction, type ChainOwner } from './chain.ts';
import type { Cluster, Endpoint } from './cluster.ts';
import type { Connection } from './connection.ts';
import { BodyBuffer } from './http/body.ts';
import type { CompiledHeaderModifier } from './header-modifier.ts';
import { ACCEPT, CONTENT_LENGTH } from './http/fields.ts';
import { HeaderBlock } from './http/headers.ts';
import { isIdempotent, MethodId } from './http/method.ts';
import { Framing, type HeadReader } from './http/parse.ts';
import { normalisePath } from './http/path.ts';
import type { LiveSnapshot } from './live-snapshot.ts';
import { failureReply, fillFilterReply, fillReply, Replies, Reply } from './reply.ts';
import { ResponseFlag } from './response-flags.ts';
import { Failure, mayRetry, NO_RETRY, parseRetryAfter, retryDelay } from './retry.ts';
import { out } from './socket-io.ts';
import { attributeOf } from './stream-attributes.ts';
import { Timer } from './timer-wheel.ts';
import type { StreamContext } from './wasm/context.ts';
import { Wants, type Plugin } from './wasm/plugin.ts';
import type { AttributeValue, LocalReply, StreamHost } from './wasm/stream-host.ts';
import type { WorkerState } from './worker-state.ts';

/** Bytes held for one direction before its producer is stopped (security requirements §5). */
const HIGH_WATER_BYTES = 64 * 1024;
/** How often routing may be decided again because filters changed what it reads. */
const MAX_ROUTE_DECISIONS = 4;

const NO_BYTES = Buffer.alloc(0);
/** Where no route says another limit (security requirements §5). */
const DEFAULT_REQUEST_MS = 300_000;

/** Why the downstream connection is not read. Bits. */
const ReadPause = { Upstream: 1, Backlog: 2, Filter: 4 } as const;
/** Why the upstream connection is not read. Bits. */
const AnswerPause = { Downstream: 1, Filter: 2 } as const;

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
export class Stream implements AttemptOwner, ChainOwner, StreamHost {
  readonly request = new HeaderBlock();
  readonly answer = new HeaderBlock();
  readonly attempt: Attempt;
  readonly worker: WorkerState;
  connection!: Connection;
  live!: LiveSnapshot;
  method: MethodId = 0;
  minorVersion: 0 | 1 = 1;

  /** Index into `live.rules`; -1: no route. */
  rule = -1;
  listener = -1;
  cluster: Cluster | null = null;
  endpoint: Endpoint | null = null;
  /** Milliseconds of `performance.now()`. */
  startedAt = 0;
  attemptAt = 0;
  answerAt = 0;
  endedAt = 0;
  attempts = 0;
  /** Status sent downstream; 0: none. */
  status = 0;
  /** Bits of `ResponseFlag`. */
  flags = 0;
  details = '';
  bytesReceived = 0;
  bytesSent = 0;
  /** Of `cluster` in the snapshot; -1: none. */
  clusterIndex = -1;
  readonly record = new AccessRecord();
  properties: Map<string, Uint8Array> | null = null;

  readonly #requestPass = new ChainPass(Direction.Request, this);
  readonly #answerPass = new ChainPass(Direction.Response, this);
  readonly #contexts: (StreamContext | null)[] = [];
  #plugins: readonly Plugin[] = [];
  #matchedEdits = 0;
  #decisions = 0;
  #routeCleared = false;
  #prefixLength = 0;

  #requestFraming: Framing = Framing.None;
  #requestLength = 0;
  #requestHalted = false;
  /** The connection has read the whole request. */
  #requestRead = false;
  /** The whole request has passed the filters. */
  #requestPassed = false;
  #dispatched = false;
  #headWritten = false;
  /** Bytes that passed the filters: all of them since the beginning, or those that wait for a connection. */
  readonly #body = new BodyBuffer();
  #bodyKept = true;
  #keepBytes = 0;
  #readPauses = 0;
  #expects = false;
  #upgrade: Buffer | null = null;
  #tunnel = false;
  #requestTrailers: HeaderBlock | null = null;
  /** Filters that failed and whose `onError` is `skip`. */
  readonly #skipped: number[] = [];

  #answerHalted = false;
  #answerFraming: Framing = Framing.None;
  #answerLength = 0;
  /** The answer's head came from the upstream or is made here. */
  #answering = false;
  #answerHeadSent = false;
  #answerDone = false;
  #answerPauses = 0;
  #answerTrailers: HeaderBlock | null = null;
  #backendAnswerHeaders: CompiledHeaderModifier | null = null;
  #replyBody: Buffer = NO_BYTES;
  #headOnly = false;
  #staleRetried = false;
  #counted = false;

  #depth = 0;
  #reply: Reply | null = null;
  #filterReply: LocalReply | null = null;
  #broken = false;
  /** Free, or as good as: late calls find nothing to do. */
  #over = true;
  readonly #deadline: Timer;
  #backoff: NodeJS.Timeout | null = null;

  constructor(worker: WorkerState) {
    this.worker = worker;
    this.attempt = new Attempt(this, worker.wheel);
    this.#deadline = new Timer(() => this.#onDeadline());
  }

  // ── From the downstream connection ────────────────────────────────────────────────────────────

  /** The head has been read into `request`. */
  begin(connection: Connection, live: LiveSnapshot, reader: HeadReader): void {
    this.#over = false;
    this.connection = connection;
    this.live = live;
    live.streams++;
    this.startedAt = performance.now();
    this.method = reader.method;
    this.minorVersion = reader.minorVersion;
    this.#requestFraming = reader.framing;
    this.#requestLength = reader.contentLength;
    this.#expects = reader.expectContinue;
    const { request } = this;
    if (reader.upgrade)
      this.#upgrade = Buffer.from(request.bytes.subarray(reader.upgradeStart, reader.upgradeEnd));
    this.#enter();
    this.#start();
    this.#leave();
  }

  requestData(bytes: Buffer, start: number, end: number, endOfStream: boolean): void {
    this.#enter();
    this.bytesReceived += end - start;
    if (endOfStream) this.#requestRead = true;
    if (!this.#requestHalted) this.#requestPass.data(bytes, start, end, endOfStream);
    this.#leave();
  }

  requestTrailers(trailers: HeaderBlock): void {
    this.#enter();
    this.#requestRead = true;
    this.#requestTrailers = trailers;
    if (!this.#requestHalted) {
      if (this.#requestPass.active) this.#requestPass.trailers();
      else this.passData(Direction.Request, NO_BYTES, 0, 0, true);
    }
    this.#leave();
  }

  /** The connection takes bytes again. */
  downstreamDrained(): void {
    this.#unpauseAnswer(AnswerPause.Downstream);
  }

  /** The connection is gone before the answer was. */
  downstreamClosed(): void {
    if (this.#over) return;
    this.#enter();
    if (!this.#answerDone) this.flags |= ResponseFlag.DownstreamConnectionTermination;
    this.#broken = true;
    this.#leave();
  }

  /** The request's body broke the rules of its framing, or stalled. */
  requestFailed(reply: Reply): void {
    this.#enter();
    this.flags |= ResponseFlag.DownstreamProtocolError;
    if (this.#answerHeadSent) this.#break();
    else this.#makeReply(reply);
    this.#leave();
  }

  fromTunnel(bytes: Buffer, start: number, end: number): void {
    this.bytesReceived += end - start;
    this.worker.wheel.extend(this.#deadline, this.#idleMs());
    this.attempt.writeTunnel(bytes, start, end);
  }

  downstreamEnded(): void {
    if (this.#tunnel) this.attempt.endTunnel();
  }

  /** After a read: the upstream may have taken less than was written. */
  get begun(): boolean {
    return !this.#over;
  }

  /** Its head never came whole: nothing to end or to count. */
  abandon(): void {
    this.worker.release(this);
  }

  /** Bytes of the request's body: those announced, else those that came. */
  get requestSize(): number {
    return this.#requestFraming === Framing.Length ? this.#requestLength : this.bytesReceived;
  }

  get requestBlocked(): boolean {
    return this.attempt.blocked;
  }

  pauseForUpstream(): void {
    this.#pauseRequest(ReadPause.Upstream);
  }

  // ── The order of things ───────────────────────────────────────────────────────────────────────

  #start(): void {
    const { request, connection, live } = this;
    const status = normalisePath(request, connection.limits);
    if (status !== 0) {
      this.#makeReply(Replies.badPath);
      return;
    }
    connection.appendForwarded(request);
    // The log shows the request as it came; filters and rewrites come later.
    if (live.logs) this.record.capture(request);
    this.#route();
    if (connection.tls !== null && this.#isMisdirected()) {
      this.#makeReply(Replies.misdirected);
      return;
    }
    const timeouts = this.rule < 0 ? null : live.rules[this.rule]!.spec.timeouts;
    const limit =
      timeouts === null ? DEFAULT_REQUEST_MS : timeouts.requestMs > 0 ? timeouts.requestMs : timeouts.idleMs;
    if (limit > 0) this.worker.wheel.arm(this.#deadline, limit);
    const ended = this.#requestFraming === Framing.None;
    if (ended) this.#requestRead = true;
    const plugins = live.chains[this.#chain()]!;
    this.#plugins = plugins;
    if (plugins.length === 0) {
      this.#dispatch(ended);
      return;
    }
    for (let i = 0; i < plugins.length; i++) this.#contexts[i] = null;
    this.#requestPass.begin(plugins, plugins.length);
    this.#requestPass.head(ended);
  }

  #route(): void {
    const router = this.connection.routerOf(this.live);
    this.#matchedEdits = this.request.edits;
    this.#decisions++;
    this.#routeCleared = false;
    if (router === null) return;
    this.rule = router.match(this.request, this.connection.routeCache);
    this.listener = router.listener;
    this.#prefixLength = router.matchedPrefixLength;
  }

  /** A request for another listener than the one whose certificate was shown (RFC 9110 §15.5.20). */
  #isMisdirected(): boolean {
    const shown = this.connection.listenerOf(this.live);
    return shown >= 0 && this.listener >= 0 && shown !== this.listener;
  }

  #chain(): number {
    if (this.rule >= 0) return this.live.rules[this.rule]!.spec.chain;
    return this.live.listenerChain(this.connection.port.key, this.listener);
  }

  /** Routing reads what filters may have changed: decides again. True: the head has more filters to pass. */
  #routeAgain(): boolean {
    const chain = this.#chain();
    if (normalisePath(this.request, this.connection.limits) !== 0) {
      this.#makeReply(Replies.badPath);
      return true;
    }
    this.#route();
    if (this.#chain() === chain) return false;
    // Policy is decided again too: filters of the new rule that have not run come behind those that have.
    const more = this.live.chains[this.#chain()]!.filter((plugin) => !this.#plugins.includes(plugin));
    if (more.length === 0) return false;
    if (this.#decisions > MAX_ROUTE_DECISIONS) {
      this.#makeReply(Replies.routeLoop);
      return true;
    }
    for (let i = 0; i < more.length; i++) this.#contexts[this.#plugins.length + i] = null;
    this.#plugins = [...this.#plugins, ...more];
    this.#requestPass.extend(this.#plugins);
    this.#requestPass.head(this.#requestFraming === Framing.None);
    return true;
  }

  /** The head has passed the filters: redirect, or on to an upstream. */
  #dispatch(ended: boolean): void {
    if (this.rule < 0) {
      this.flags |= ResponseFlag.NoRouteFound;
      this.#makeReply(Replies.noRoute);
      return;
    }
    const rule = this.live.rules[this.rule]!;
    const { request } = this;
    rule.requestHeaders?.apply(request);
    if (rule.redirect !== null) {
      rule.redirect.build(request, this.connection.secure, this.connection.localPort, this.#prefixLength);
      const location = rule.redirect.bytes.toString('latin1', 0, rule.redirect.length);
      this.#makeReply(new Reply(rule.redirect.status, 'redirect', [['location', location]]));
      return;
    }
    rule.rewrite?.apply(request, this.#prefixLength);
    const backend = rule.pickBackend();
    const cluster = backend === null || backend.cluster < 0 ? null : this.live.clusters[backend.cluster]!;
    if (backend === null || cluster === null) {
      this.#makeReply(Replies.noBackend);
      return;
    }
    backend.requestHeaders?.apply(request);
    this.#backendAnswerHeaders = backend.answerHeaders;
    if (!cluster.admit()) {
      this.flags |= ResponseFlag.UpstreamOverflow;
      this.#makeReply(Replies.overflow);
      return;
    }
    this.cluster = cluster;
    this.clusterIndex = backend.cluster;
    this.#counted = true;
    if (this.#expects && !this.#requestRead && this.bytesReceived === 0) this.connection.sendContinue();
    if (this.#upgrade !== null && !rule.allowsUpgrade(this.#upgrade)) this.#upgrade = null;
    rule.retry?.budget.countRequest(this.worker.wheel.now);
    this.#keepBytes =
      rule.retry !== null ? rule.retry.spec.replayBytes : isIdempotent(this.method) ? HIGH_WATER_BYTES : 0;
    this.#dispatched = true;
    if (ended) this.#requestPassed = true;
    this.#tryEndpoint(null, false);
  }

  #tryEndpoint(avoid: Endpoint | null, fresh: boolean): void {
    const cluster = this.cluster!;
    const rule = this.live.rules[this.rule]!;
    const endpoint = cluster.pick(avoid);
    if (endpoint === null) {
      this.flags |= ResponseFlag.NoHealthyUpstream;
      this.#makeReply(Replies.noEndpoint);
      return;
    }
    this.endpoint = endpoint;
    this.attempts++;
    if (this.live.timed) this.attemptAt = performance.now();
    this.#headWritten = false;
    this.attempt.start(cluster, endpoint, rule.spec.timeouts.perTryMs, fresh);
  }

  // ── From the filters (ChainOwner) ─────────────────────────────────────────────────────────────

  isHalted(direction: Direction): boolean {
    return direction === Direction.Request ? this.#requestHalted : this.#answerHalted;
  }

  filterContext(index: number, direction: Direction): StreamContext | null {
    const known = this.#contexts[index];
    if (known) return known;
    // A filter that failed and is skipped stays out for the rest of the stream.
    if (this.#skipped.includes(index)) return null;
    const plugin = this.#plugins[index]!;
    const context = plugin.createContext(this);
    if (context !== null) return (this.#contexts[index] = context);
    if (plugin.spec.onError === 'deny') this.filterFailed(direction, plugin);
    else this.#skipped.push(index);
    return null;
  }

  passHead(direction: Direction, endOfStream: boolean): void {
    if (direction === Direction.Request) {
      const changed = this.#routeCleared || this.request.edits !== this.#matchedEdits;
      if (changed && this.#plugins.length > 0 && this.#routeAgain()) return;
      this.#dispatch(endOfStream);
      return;
    }
    if (endOfStream) {
      this.#sendAnswerHead();
      this.#answerFinished();
    } else if (!this.#answerPass.active || !this.#wantsAnswerBody()) {
      // A filter took the length away: it means to change the body.
      if (this.#answerFraming === Framing.Length && this.answer.indexOf(CONTENT_LENGTH) < 0) {
        this.#answerFraming = Framing.Chunked;
      }
      this.#sendAnswerHead();
    }
    // Else the head waits for the first bytes: a filter may give the body another length.
  }

  passData(direction: Direction, bytes: Buffer, start: number, end: number, endOfStream: boolean): void {
    if (direction === Direction.Request) this.#passRequestData(bytes, start, end, endOfStream);
    else this.#passAnswerData(bytes, start, end, endOfStream);
  }

  passTrailers(direction: Direction): void {
    // HTTP/1 upstreams and clients are not promised trailers: they end here (security requirements §1.12).
    this.passData(direction, NO_BYTES, 0, 0, true);
  }

  filterFailed(direction: Direction, plugin: Plugin): void {
    this.details = `filter_failed{${plugin.spec.filter}}`;
    if (direction === Direction.Response && this.#answerHeadSent) this.#break();
    else this.#makeReply(Replies.filterFailed);
  }

  bodyTooLarge(direction: Direction, plugin: Plugin): void {
    this.details = `filter_body_too_large{${plugin.spec.filter}}`;
    if (direction === Direction.Request) this.#makeReply(Replies.bodyTooLarge);
    else if (this.#answerHeadSent) this.#break();
    else this.#makeReply(Replies.answerTooLarge);
  }

  holdBack(direction: Direction, held: boolean): void {
    if (direction === Direction.Request) {
      if (held) this.#pauseRequest(ReadPause.Filter);
      else this.#unpauseRequest(ReadPause.Filter);
    } else if (held) this.#pauseAnswer(AnswerPause.Filter);
    else this.#unpauseAnswer(AnswerPause.Filter);
  }

  recordFilter(plugin: Plugin, phase: number, startedAt: number): void {
    const slot = this.live.metricsOf(plugin).durations[phase]!;
    this.worker.metrics.observe(slot, (performance.now() - startedAt) / 1000);
  }

  // ── From the attempt (AttemptOwner) ───────────────────────────────────────────────────────────

  attemptReady(): void {
    this.#enter();
    const bodyToCome = !this.#requestPassed && this.#body.length === 0;
    if (!(bodyToCome && this.#wantsRequestBody())) this.#writeRequest();
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
    const retry = rule.retry;
    if (status === 101 && this.#upgrade === null) {
      this.attempt.cancel();
      this.#failed(Failure.BadResponse);
    } else if (retry !== null && retry.isRetriableStatus(status) && this.#retry(Failure.RetriableStatus)) {
      this.attempt.cancel();
    } else {
      this.#answering = true;
      this.#answerFraming = framing;
      this.#answerLength = length;
      this.status = status;
      rule.answerHeaders?.apply(this.answer);
      this.#backendAnswerHeaders?.apply(this.answer);
      if (status === 101) {
        this.#tunnel = true;
        this.attempt.startTunnel();
      }
      this.#beginAnswer(ended);
    }
    this.#leave();
  }

  answerData(bytes: Buffer, start: number, end: number, ended: boolean): void {
    this.#enter();
    if (!this.#answerHalted) this.#answerPass.data(bytes, start, end, ended);
    this.#leave();
  }

  answerTrailers(trailers: HeaderBlock): void {
    this.#enter();
    this.#answerTrailers = trailers;
    if (!this.#answerHalted) {
      if (this.#answerPass.active) this.#answerPass.trailers();
      else this.#passAnswerData(NO_BYTES, 0, 0, true);
    }
    this.#leave();
  }

  attemptFailed(failure: Failure): void {
    this.#enter();
    this.#failed(failure);
    this.#leave();
  }

  upstreamDrained(): void {
    this.#unpauseRequest(ReadPause.Upstream);
  }

  /** After a read of the upstream: the downstream may have taken less than was written. */
  get answerBlocked(): boolean {
    return this.connection.blocked;
  }

  downstreamBlocked(): void {
    this.#pauseAnswer(AnswerPause.Downstream);
  }

  tunnelData(bytes: Buffer, start: number, end: number): void {
    this.bytesSent += end - start;
    this.worker.wheel.extend(this.#deadline, this.#idleMs());
    this.connection.sendTunnel(bytes, start, end);
  }

  tunnelEnded(): void {
    this.connection.endTunnel();
  }

  // ── From the guests (StreamHost) ──────────────────────────────────────────────────────────────

  headerMap(type: number): HeaderBlock | null {
    if (type === 0) return this.request;
    if (type === 1) return this.#requestTrailers;
    if (type === 2) return this.#answering ? this.answer : null;
    return this.#answerTrailers;
  }

  mayWriteMap(type: number): boolean {
    if (this.#over) return false;
    if (type === 0 || type === 1) return !this.#dispatched && !this.#requestHalted;
    return !this.#answerHeadSent;
  }

  body(type: number, context: StreamContext): BodyBuffer | null {
    return (type === 0 ? this.#requestPass : this.#answerPass).heldBody(context);
  }

  attribute(path: string): AttributeValue | undefined {
    return attributeOf(this, path);
  }

  setAttribute(path: string, value: Uint8Array): void {
    (this.properties ??= new Map()).set(path, value);
  }

  clearRouteCache(): void {
    this.#routeCleared = true;
  }

  resume(type: number, context: StreamContext): void {
    if (this.#over) return;
    this.#enter();
    const pass = type === 0 ? this.#requestPass : this.#answerPass;
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

  localReply(reply: LocalReply, _context: StreamContext): void {
    if (this.#over) return;
    this.#enter();
    if (this.#answerHeadSent) this.#break();
    else if (this.#filterReply === null && this.#reply === null) {
      this.#filterReply = reply;
      this.#halt();
    }
    this.#leaveGuest();
  }

  contextFailed(context: StreamContext): void {
    if (this.#over) return;
    this.#enter();
    const index = this.#contexts.indexOf(context);
    if (index >= 0) {
      this.#contexts[index] = null;
      const direction = this.#answering ? Direction.Response : Direction.Request;
      if (context.plugin.spec.onError === 'deny') this.filterFailed(direction, context.plugin);
      else {
        this.#skipped.push(index);
        if (!this.#requestHalted) this.#requestPass.skip(index);
        if (this.#answering && !this.#answerHalted) this.#answerPass.skip(index);
      }
    }
    this.#leaveGuest();
  }

  // ── The request on its way up ─────────────────────────────────────────────────────────────────

  #passRequestData(bytes: Buffer, start: number, end: number, endOfStream: boolean): void {
    if (endOfStream) this.#requestPassed = true;
    const { attempt } = this;
    if (this.#headWritten && attempt.ready) {
      this.#keep(bytes, start, end);
      attempt.writeData(bytes, start, end);
      if (endOfStream) attempt.writeEnd();
      return;
    }
    this.#body.append(bytes, start, end);
    if (this.#dispatched && attempt.ready) this.#writeRequest();
    else if (this.#body.length > HIGH_WATER_BYTES && !endOfStream) this.#pauseRequest(ReadPause.Backlog);
  }

  /** Keeps what is sent for another attempt, as long as it is little. */
  #keep(bytes: Buffer, start: number, end: number): void {
    if (!this.#bodyKept || end === start) return;
    if (this.#body.length + end - start <= this.#keepBytes) this.#body.append(bytes, start, end);
    else {
      this.#bodyKept = false;
      this.#body.clear();
    }
  }

  #writeRequest(): void {
    const { attempt } = this;
    const body = this.#body;
    let framing = this.#requestFraming;
    let length = this.#requestLength;
    if (framing !== Framing.None && (this.#wantsRequestBody() || this.request.indexOf(CONTENT_LENGTH) < 0)) {
      // A filter may have given the body another length; if all of it is here, that is known.
      framing = this.#requestPassed ? Framing.Length : Framing.Chunked;
      length = body.length;
    }
    attempt.writeHead(framing, length, this.#upgrade);
    this.#headWritten = true;
    attempt.writeData(body.bytes, 0, body.length);
    if (!this.#bodyKept || body.length > this.#keepBytes) {
      this.#bodyKept = this.#bodyKept && body.length === 0;
      body.clear();
    }
    if (this.#requestPassed) attempt.writeEnd();
    this.#unpauseRequest(ReadPause.Backlog);
  }

  #wantsRequestBody(): boolean {
    return this.#requestPass.active && wantsBody(this.#plugins, Wants.RequestBody);
  }

  #pauseRequest(reason: number): void {
    if (this.#readPauses === 0) this.connection.pauseReading();
    this.#readPauses |= reason;
  }

  #unpauseRequest(reason: number): void {
    if ((this.#readPauses & reason) === 0) return;
    this.#readPauses &= ~reason;
    if (this.#readPauses === 0) this.connection.resumeReading();
  }

  // ── Failures and retries ──────────────────────────────────────────────────────────────────────

  #failed(failure: Failure): void {
    if (this.#over || this.#broken) return;
    if (this.#answering) {
      // Part of an answer is with the client: it must not look whole.
      this.flags |=
        failure === Failure.BadResponse
          ? ResponseFlag.UpstreamProtocolError
          : ResponseFlag.UpstreamConnectionTermination;
      if (this.#answerHeadSent) this.#break();
      else this.#makeReply(failureReply(failure));
      return;
    }
    const stale = failure === Failure.ResetBeforeHeaders && this.attempt.reused && this.attempt.bytesIn === 0;
    if (stale && !this.#staleRetried && this.#bodyKept && isIdempotent(this.method)) {
      // The upstream closed an idle connection just when it was used again: not a failure of its own.
      this.#staleRetried = true;
      this.attempts--;
      this.#tryEndpoint(null, true);
      return;
    }
    if (this.#retry(failure)) return;
    this.flags |= FAILURE_FLAGS[failure]!;
    this.#makeReply(failureReply(failure));
  }

  /** Starts the back-off to another attempt; false: the failure is final. */
  #retry(failure: Failure): boolean {
    const { retry } = this.live.rules[this.rule]!;
    const { wheel } = this.worker;
    if (retry !== null) {
      const replayable = this.#bodyKept && (!retry.spec.onlyIdempotent || isIdempotent(this.method));
      if (
        mayRetry(retry, failure, this.attempts, replayable) &&
        this.#bodyKept &&
        retry.budget.take(wheel.refresh())
      ) {
        const after =
          failure === Failure.RetriableStatus && retry.spec.honorRetryAfter
            ? parseRetryAfter(this.answer.get('retry-after') ?? '', Date.now())
            : -1;
        const left = this.#deadline.deadline > 0 ? this.#deadline.deadline - wheel.now : Infinity;
        const delay = retryDelay(retry.spec, this.attempts, after, left, Math.random());
        if (delay !== NO_RETRY) {
          this.worker.metrics.inc(this.live.clusterMetrics[this.clusterIndex]!.retries);
          this.#backoff = setTimeout(() => this.#onBackoff(), delay);
          return true;
        }
      } else if (this.attempts >= retry.maxAttempts && retry.maxAttempts > 1)
        this.flags |= ResponseFlag.UpstreamRetryLimitExceeded;
    }
    return false;
  }

  #stopBackoff(): void {
    if (this.#backoff === null) return;
    clearTimeout(this.#backoff);
    this.#backoff = null;
  }

  #onBackoff(): void {
    this.#backoff = null;
    this.#enter();
    const rule = this.live.rules[this.rule]!;
    this.#tryEndpoint(rule.retry?.spec.avoidPreviousEndpoint === true ? this.endpoint : null, false);
    this.#leave();
    out.flush();
  }

  #onDeadline(): void {
    if (this.#over) return;
    this.#enter();
    if (this.#tunnel || this.#answerHeadSent) {
      this.flags |= ResponseFlag.StreamIdleTimeout;
      this.#break();
    } else {
      this.flags |= ResponseFlag.UpstreamRequestTimeout;
      this.#makeReply(Replies.timeout);
    }
    this.#leave();
    out.flush();
  }

  #idleMs(): number {
    return this.live.rules[this.rule]!.spec.timeouts.idleMs;
  }

  // ── The answer on its way down ────────────────────────────────────────────────────────────────

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
    const own = this.#reply;
    const filters = this.#filterReply;
    this.#reply = null;
    this.#filterReply = null;
    this.attempt.cancel();
    this.#uncount();
    this.#stopBackoff();
    const wasAnswering = this.#answering;
    const accept = own === null ? -1 : this.request.indexOf(ACCEPT);
    const body =
      own !== null
        ? fillReply(this.answer, own, accept < 0 ? undefined : this.request.valueText(accept))
        : fillFilterReply(this.answer, filters!, isGrpc(this.request));
    this.details ||= own !== null ? own.code : filters!.details;
    this.#answering = true;
    this.#tunnel = false;
    this.#answerFraming = Framing.Length;
    this.#answerLength = body.length;
    if (this.method === MethodId.Head) this.#headOnly = true;
    this.#answerHalted = false;
    this.#replyBody = body;
    if (wasAnswering) {
      // Made by an answer filter, or after the answer's filters had begun: sent as it is.
      this.#answerPass.end();
      this.#sendAnswerHead();
      this.#sendReplyBody();
      return;
    }
    this.#beginAnswer(body.length === 0 || this.#headOnly);
    if (!this.#over && !this.#answerHalted) this.#sendReplyBody();
  }

  #sendReplyBody(): void {
    const body = this.#replyBody;
    if (body.length > 0 && !this.#headOnly) this.#answerPass.data(body, 0, body.length, true);
    else if (!this.#answerDone && this.#answerHeadSent) this.#answerFinished();
  }

  #beginAnswer(ended: boolean): void {
    const reached = this.#requestPass.reached;
    if (reached === 0) {
      this.passHead(Direction.Response, ended);
      return;
    }
    this.#answerPass.begin(this.#plugins, reached);
    this.#answerPass.head(ended);
  }

  #passAnswerData(bytes: Buffer, start: number, end: number, endOfStream: boolean): void {
    if (!this.#answerHeadSent) {
      if (this.#answerFraming !== Framing.None) {
        this.#answerFraming = endOfStream ? Framing.Length : Framing.Chunked;
        this.#answerLength = end - start;
      }
      this.#sendAnswerHead();
    }
    if (end > start) {
      this.connection.sendData(bytes, start, end);
      this.bytesSent += end - start;
    }
    if (endOfStream) this.#answerFinished();
  }

  #sendAnswerHead(): void {
    this.#answerHeadSent = true;
    this.#dispatched = true;
    const { answer } = this;
    this.status = statusOf(answer);
    this.connection.sendHead(
      answer,
      this.#answerFraming,
      this.#answerLength,
      this.#tunnel ? this.#upgrade : null,
    );
  }

  #wantsAnswerBody(): boolean {
    return wantsBody(this.#plugins, Wants.ResponseBody);
  }

  #answerFinished(): void {
    if (this.#answerDone) return;
    if (this.#tunnel) {
      this.connection.startTunnel();
      this.worker.wheel.arm(this.#deadline, this.#idleMs());
      return;
    }
    this.#answerDone = true;
  }

  #pauseAnswer(reason: number): void {
    if (this.#answerPauses === 0) this.attempt.pauseReading();
    this.#answerPauses |= reason;
  }

  #unpauseAnswer(reason: number): void {
    if ((this.#answerPauses & reason) === 0) return;
    this.#answerPauses &= ~reason;
    if (this.#answerPauses === 0) this.attempt.resumeReading();
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────

  #enter(): void {
    this.#depth++;
  }

  #leave(): void {
    if (
      --this.#depth === 0 &&
      (this.#answerDone || this.#broken || this.#reply !== null || this.#filterReply !== null)
    ) {
      this.#settle();
    }
  }

  /**
   * After what a filter asked for. Outside of this stream's own callbacks (a late decision of the ledger, a
   * tick, an answer to a call) nobody else would send what came of it.
   */
  #leaveGuest(): void {
    this.#leave();
    if (this.#depth === 0) out.flush();
  }

  #settle(): void {
    if (this.#over) return;
    this.#depth++;
    while (!this.#broken && !this.#answerDone && (this.#reply !== null || this.#filterReply !== null))
      this.#sendReply();
    this.#depth--;
    if (this.#broken || this.#answerDone) this.#finish();
  }

  #uncount(): void {
    if (!this.#counted) return;
    this.#counted = false;
    this.cluster!.finish();
  }

  #finish(): void {
    this.#over = true;
    const { worker, live, connection, attempt } = this;
    this.endedAt = performance.now();
    // The last bytes go out before anybody counts: the client does not wait for the log.
    if (this.#answerDone) connection.endAnswer(this.#headOnly || this.method === MethodId.Head);
    attempt.cancel();
    this.#uncount();
    worker.wheel.disarm(this.#deadline);
    this.#stopBackoff();
    this.#report();
    for (let i = 0; i < this.#plugins.length; i++) {
      const context = this.#contexts[i];
      if (context) context.finish();
    }
    this.#requestPass.end();
    this.#answerPass.end();
    const whole = this.#answerDone && !this.#broken;
    const read = this.#requestRead;
    this.#recycle();
    worker.release(this);
    live.leave();
    connection.streamEnded(whole, read);
  }

  /** Metrics and log. */
  #report(): void {
    const { live, worker, record } = this;
    const duration = this.endedAt - this.startedAt;
    live.requestMetrics.record(
      this.rule,
      this.clusterIndex,
      this.status,
      this.flags,
      duration,
      this.bytesReceived,
      this.bytesSent,
    );
    if (!live.logs) return;
    record.startMs = performance.timeOrigin + this.startedAt;
    record.durationMs = duration;
    record.protocol = this.minorVersion === 1 ? 'HTTP/1.1' : 'HTTP/1.0';
    record.status = this.status;
    record.flags = this.flags;
    record.details = this.details || (this.attempts > 0 ? 'via_upstream' : '');
    record.bytesReceived = this.bytesReceived;
    record.bytesSent = this.bytesSent;
    record.attempts = this.attempts;
    if (this.answerAt > 0) record.upstreamServiceMs = this.answerAt - this.attemptAt;
    record.upstreamHost = this.endpoint?.text ?? '';
    record.upstreamCluster = this.cluster?.spec.name ?? '';
    record.routeName = this.rule < 0 ? '' : live.rules[this.rule]!.spec.name;
    record.downstreamAddress = this.connection.remoteText;
    record.version = live.snapshot.version;
    worker.accessLog(live.snapshot.accessLog.path).write(record);
    record.reset();
  }

  /** Back to the state of a new stream; what belongs to a request is let go. */
  #recycle(): void {
    this.cluster = null;
    this.clusterIndex = -1;
    this.endpoint = null;
    this.rule = -1;
    this.listener = -1;
    this.attempts = 0;
    this.attemptAt = 0;
    this.answerAt = 0;
    this.status = 0;
    this.flags = 0;
    this.details = '';
    this.bytesReceived = 0;
    this.bytesSent = 0;
    this.properties = null;
    this.#plugins = [];
    this.#decisions = 0;
    this.#requestHalted = false;
    this.#requestRead = false;
    this.#requestPassed = false;
    this.#dispatched = false;
    this.#headWritten = false;
    this.#body.clear();
    this.#bodyKept = true;
    this.#readPauses = 0;
    this.#upgrade = null;
    this.#tunnel = false;
    this.#requestTrailers = null;
    this.#skipped.length = 0;
    this.#answerHalted = false;
    this.#answering = false;
    this.#answerHeadSent = false;
    this.#answerDone = false;
    this.#answerPauses = 0;
    this.#answerTrailers = null;
    this.#backendAnswerHeaders = null;
    this.#replyBody = NO_BYTES;
    this.#headOnly = false;
    this.#staleRetried = false;
    this.#reply = null;
    this.#filterReply = null;
    this.#broken = false;
  }
}

/** Why an attempt failed, as the access log and the metrics say it. */
const FAILURE_FLAGS: readonly number[] = [
  ResponseFlag.UpstreamConnectionFailure,
  ResponseFlag.UpstreamConnectionFailure,
  ResponseFlag.UpstreamConnectionTermination,
  ResponseFlag.UpstreamConnectionTermination,
  0,
  ResponseFlag.UpstreamRequestTimeout,
  ResponseFlag.UpstreamConnectionFailure,
  ResponseFlag.UpstreamRemoteReset,
  ResponseFlag.UpstreamProtocolError,
  ResponseFlag.UpstreamOverflow,
];

function wantsBody(plugins: readonly Plugin[], wanted: number): boolean {
  for (let i = 0; i < plugins.length; i++) if ((plugins[i]!.wants & wanted) !== 0) return true;
  return false;
}

function isGrpc(request: HeaderBlock): boolean {
  return request.get('content-type')?.startsWith('application/grpc') === true;
}

/** The three digits of `:status`. */
function statusOf(answer: HeaderBlock): number {
  const { bytes } = answer;
  const at = answer.spans[2]!;
  return (bytes[at]! - 48) * 100 + (bytes[at + 1]! - 48) * 10 + bytes[at + 2]! - 48;
}
