import type { Direction as DirectionOf } from '../../src/runtime/chain.ts';
import { Direction } from '../../src/runtime/chain.ts';
import type { BodyBuffer } from '../../src/runtime/http/body.ts';
import { ACCEPT, CONTENT_LENGTH } from '../../src/runtime/http/fields.ts';
import { Framing } from '../../src/runtime/http/framing.ts';
import { HeaderBlock, MessageKind } from '../../src/runtime/http/headers.ts';
import { requestHeadSize, responseHeadSize, statusOf } from '../../src/runtime/http/write.ts';
import { writeRequestHead, writeResponseHead } from '../../src/runtime/http/write.ts';
import { fillFilterReply, fillReply, Replies, type Reply } from '../../src/runtime/reply.ts';
import { REQUEST_ROWS } from '../../src/runtime/request-attributes.ts';
import { RESPONSE_ROWS } from '../../src/runtime/response-attributes.ts';
import { StreamFilters, type FilteredStream } from '../../src/runtime/stream-filters.ts';
import { AttributeTable } from '../../src/runtime/wasm/attribute-table.ts';
import type { StreamContext } from '../../src/runtime/wasm/context.ts';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import { StateMap } from '../../src/runtime/wasm/state-map.ts';
import type { AttributeValue, LocalReply, StateValue } from '../../src/runtime/wasm/stream-host.ts';
import { clientRows } from './client-attributes.ts';
import { entriesOf, fieldsOfHead, layFields, type Field } from './fields.ts';
import { Received } from './received.ts';

/** Who looks on. */
export interface StreamWatcher {
  called(stream: ArrayStream, plugin: Plugin, phase: number, action: number): void;
  resumed(plugin: Plugin, direction: DirectionOf): void;
  /** All of the request is with the upstream. */
  requestPassed(): void;
  over(): void;
}

const ATTRIBUTES = new AttributeTable<ArrayStream>([
  ...REQUEST_ROWS,
  ...RESPONSE_ROWS,
  ...clientRows<ArrayStream>(),
]);

/**
 * One request and its answer through the proxy's own filter chain, made of arrays: the test plays the client
 * and the upstream. What ends the stream, and what makes a reply, follows `Stream` of the runtime.
 */
export class ArrayStream implements FilteredStream {
  readonly protocol = 'http';
  guestMs = 0;
  readonly request = new HeaderBlock();
  readonly answer = new HeaderBlock();
  readonly minorVersion = 1;
  requestSize = 0;
  bytesReceived = 0;
  bytesSent = 0;
  startedAt = performance.now();
  attemptAt = 0;
  answerAt = 0;
  endedAt = 0;
  status = 0;
  flags = 0;
  details = '';
  /** What the upstream got; null: nothing yet. */
  upstream: Received | null = null;
  upstreamHead: readonly Field[] = [];
  /** What the client got; null: nothing yet. */
  client: Received | null = null;
  from: 'upstream' | 'filter' | 'weir' = 'upstream';
  /** As the client sent it, and as the upstream did. */
  sentRequest: readonly Field[] = [];
  sentAnswer: readonly Field[] = [];
  /** It ended without a whole answer. */
  broken = false;
  isOver = false;
  /** There are no routes. */
  readonly rule = -1;

  readonly #watcher: StreamWatcher;
  readonly #attributes: ReadonlyMap<string, AttributeValue>;
  readonly #state = new StateMap();
  readonly #filters: StreamFilters;
  #requestTrailers: HeaderBlock | null = null;
  #answerTrailers: HeaderBlock | null = null;
  #requestHalted = false;
  #answerHalted = false;
  #requestPassed = false;
  #hasRequestBody = false;
  #open = false;
  #answerBegun = false;
  #headSent = false;
  #done = false;
  #framing: Framing = Framing.None;
  #length = 0;
  #dropsBody = false;
  #headOnly = false;
  #answerPassesFilters = false;
  #depth = 0;
  #reply: Reply | null = null;
  #filterReply: LocalReply | null = null;

  constructor(watcher: StreamWatcher, attributes: ReadonlyMap<string, AttributeValue>) {
    this.#watcher = watcher;
    this.#attributes = attributes;
    this.#filters = new StreamFilters(this);
  }

  /** A filter has replied in place of the upstream, in the callback that ends now. */
  get replies(): boolean {
    return this.#filterReply !== null;
  }

  // ── From the client ───────────────────────────────────────────────────────────────────────────

  requestHead(plugins: readonly Plugin[], fields: readonly Field[], ended: boolean): void {
    this.#enter();
    this.request.reset(MessageKind.Request);
    layFields(this.request, fields);
    this.sentRequest = entriesOf(this.request);
    this.#headOnly = this.request.get(':method') === 'HEAD';
    this.#hasRequestBody = !ended;
    this.requestSize = Number(this.request.get('content-length') ?? 0);
    this.#filters.begin(plugins);
    this.#filters.request.head(ended);
    this.#leave();
  }

  requestData(bytes: Buffer, ended: boolean): void {
    if (this.isOver) return;
    this.#enter();
    this.bytesReceived += bytes.length;
    this.requestSize = Math.max(this.requestSize, this.bytesReceived);
    if (!this.#requestHalted) this.#filters.request.data(bytes, 0, bytes.length, ended);
    this.#leave();
  }

  requestTrailers(fields: readonly Field[]): void {
    if (this.isOver) return;
    this.#enter();
    this.#requestTrailers = trailersOf(fields);
    if (!this.#requestHalted) this.#filters.request.trailers();
    this.#leave();
  }

  disconnect(): void {
    if (this.isOver) return;
    this.#enter();
    this.details ||= 'downstream_remote_disconnect';
    this.#break();
    this.#leave();
  }

  // ── From the upstream ─────────────────────────────────────────────────────────────────────────

  answerHead(fields: readonly Field[], ended: boolean): void {
    if (this.isOver || this.#answerBegun) return;
    this.#enter();
    this.answer.reset(MessageKind.Response);
    layFields(this.answer, fields);
    this.sentAnswer = entriesOf(this.answer);
    this.answerAt = performance.now();
    this.status = statusOf(this.answer);
    const length = this.answer.get('content-length');
    const framing = length === undefined ? Framing.Chunked : Framing.Length;
    this.#beginAnswer(ended ? Framing.None : framing, Number(length ?? 0));
    this.#answerPassesFilters = this.#filters.beginAnswer(ended);
    if (!this.#answerPassesFilters) this.#passAnswerHead(ended);
    this.#leave();
  }

  answerData(bytes: Buffer, ended: boolean): void {
    if (this.isOver) return;
    this.#enter();
    if (!this.#answerHalted) this.#filters.answer.data(bytes, 0, bytes.length, ended);
    this.#leave();
  }

  answerTrailers(fields: readonly Field[]): void {
    if (this.isOver) return;
    this.#enter();
    this.#answerTrailers = trailersOf(fields);
    if (!this.#answerHalted) this.#filters.answer.trailers();
    this.#leave();
  }

  // ── From the chain (ChainOwner) ───────────────────────────────────────────────────────────────

  isHalted(direction: DirectionOf): boolean {
    return direction === Direction.Request ? this.#requestHalted : this.#answerHalted;
  }

  filterContext(index: number, direction: DirectionOf): StreamContext | null {
    return this.#filters.context(index, direction);
  }

  passHead(direction: DirectionOf, endOfStream: boolean): void {
    if (direction === Direction.Response) return this.#passAnswerHead(endOfStream);
    this.#open = true;
    this.attemptAt = performance.now();
    this.upstreamHead = entriesOf(this.request);
    if (endOfStream) this.#sendRequestHead(Framing.None, 0, true);
    else if (!this.#filters.takeRequestBody) {
      const length = this.request.get('content-length');
      this.#sendRequestHead(length === undefined ? Framing.Chunked : Framing.Length, Number(length), false);
    }
  }

  passData(direction: DirectionOf, bytes: Buffer, start: number, end: number, ended: boolean): void {
    if (direction === Direction.Response) return this.#passAnswerData(bytes, start, end, ended);
    if (this.upstream === null) {
      const whole = ended && this.#requestTrailers === null;
      this.#sendRequestHead(whole ? Framing.Length : Framing.Chunked, end - start, false);
    }
    this.upstream!.add(bytes, start, end);
    if (ended) this.#endRequest();
  }

  passTrailers(direction: DirectionOf): void {
    if (direction === Direction.Response) return this.#passAnswerTrailers();
    if (this.upstream === null) this.#sendRequestHead(Framing.Chunked, 0, false);
    this.upstream!.trailerFields = entriesOf(this.#requestTrailers);
    this.#endRequest();
  }

  hasTrailers(direction: DirectionOf): boolean {
    const trailers = direction === Direction.Request ? this.#requestTrailers : this.#answerTrailers;
    return trailers !== null && trailers.count > 0;
  }

  bodyAwaited(): void {}

  filterFailed(direction: DirectionOf, plugin: Plugin): void {
    this.details = `filter_failed{${plugin.spec.filter}}`;
    if (direction === Direction.Response && this.#headSent) this.#break();
    else this.#makeReply(Replies.filterFailed);
  }

  bodyTooLarge(direction: DirectionOf, plugin: Plugin): void {
    this.details = `filter_body_too_large{${plugin.spec.filter}}`;
    if (direction === Direction.Request) this.#makeReply(Replies.bodyTooLarge);
    else if (this.#headSent) this.#break();
    else this.#makeReply(Replies.answerTooLarge);
  }

  /** What a test sends comes at once, so there is nothing to hold back. */
  holdBack(): void {}

  /** Asks all filters that have seen the request. */
  explain(): void {
    for (const [i] of this.#filters.plugins.entries()) this.#filters.context(i, Direction.Request)?.explain();
  }

  recordFilter({ plugin }: StreamContext, phase: number, _startedAt: number, action: number): number {
    this.#watcher.called(this, plugin, phase, action);
    return performance.now();
  }

  // ── From the guests (StreamHost) ──────────────────────────────────────────────────────────────

  headerMap(type: number): HeaderBlock | null {
    if (type === 0) return this.request;
    if (type === 1) return this.#requestTrailers;
    if (type === 2) return this.#answerBegun ? this.answer : null;
    return this.#answerTrailers;
  }

  mayWriteMap(type: number): boolean {
    if (this.isOver) return false;
    if (type === 0) return !this.#open && !this.#requestHalted;
    if (type === 1) return !this.#requestPassed && !this.#requestHalted;
    return type === 2 ? !this.#headSent : !this.#done;
  }

  addTrailers(type: number, context: StreamContext): HeaderBlock | null {
    const pass = type === 1 ? this.#filters.request : this.#filters.answer;
    if (!pass.mayAddTrailers(context)) return null;
    const block = trailersOf([]);
    if (type === 1) this.#requestTrailers = block;
    else this.#answerTrailers = block;
    return block;
  }

  body(type: number, context: StreamContext): BodyBuffer | null {
    return (type === 0 ? this.#filters.request : this.#filters.answer).heldBody(context);
  }

  attribute(path: string): AttributeValue | undefined {
    return this.#attributes.get(path) ?? ATTRIBUTES.find(this, path);
  }

  state(key: string): StateValue | undefined {
    return this.#state.get(key);
  }

  states(prefix: string): (readonly [rest: string, value: StateValue])[] {
    return this.#state.withPrefix(prefix);
  }

  setState(key: string, value: StateValue): boolean {
    return this.#state.set(key, value);
  }

  /** There is one route. */
  clearRouteCache(): void {}

  resume(type: number, context: StreamContext): void {
    if (this.isOver) return;
    this.#enter();
    const pass = type === 0 ? this.#filters.request : this.#filters.answer;
    this.#watcher.resumed(context.plugin, pass.direction);
    if (!this.isHalted(pass.direction)) pass.resume(context);
    this.#leave();
  }

  close(_type: number): void {
    if (this.isOver) return;
    this.#enter();
    this.details ||= 'filter_closed_stream';
    this.#break();
    this.#leave();
  }

  localReply(reply: LocalReply): void {
    if (this.isOver) return;
    this.#enter();
    if (this.#headSent) this.#break();
    else if (this.#filterReply === null && this.#reply === null) {
      this.#filterReply = reply;
      this.#halt();
    }
    this.#leave();
  }

  contextFailed(context: StreamContext): void {
    if (this.isOver) return;
    this.#enter();
    const index = this.#filters.lose(context);
    if (index >= 0) {
      const direction = this.#answerBegun ? Direction.Response : Direction.Request;
      if (context.plugin.spec.onError === 'deny') this.filterFailed(direction, context.plugin);
      else this.#filters.skip(index);
    }
    this.#leave();
  }

  // ── On the way to the upstream and to the client ──────────────────────────────────────────────

  #sendRequestHead(framing: Framing, length: number, ended: boolean): void {
    const out = Buffer.alloc(requestHeadSize(this.request, framing, length));
    writeRequestHead(this.request, framing, length, out, 0);
    this.upstream = new Received(fieldsOfHead(out).filter(([name]) => name !== 'host'));
    if (ended || !this.#hasRequestBody) this.#endRequest();
  }

  #endRequest(): void {
    if (this.#requestPassed) return;
    this.#requestPassed = true;
    this.upstream!.ended = true;
    this.#watcher.requestPassed();
  }

  #beginAnswer(framing: Framing, length: number): void {
    this.#answerBegun = true;
    this.#framing = framing;
    this.#length = length;
  }

  get #takesAnswerBody(): boolean {
    return this.#filters.answer.active && this.#filters.takeAnswerBody;
  }

  /** Where filters may give the body another length, the head waits for the first bytes. */
  #passAnswerHead(ended: boolean): void {
    if (ended) {
      this.#sendHead();
      this.#finishAnswer();
      return;
    }
    if (this.#takesAnswerBody) return;
    if (this.#framing === Framing.Length && this.answer.indexOf(CONTENT_LENGTH) < 0)
      this.#framing = Framing.Chunked;
    this.#sendHead();
  }

  #passAnswerData(bytes: Buffer, start: number, end: number, ended: boolean): void {
    if (!this.#headSent) {
      if (this.#framing !== Framing.None) {
        this.#framing = ended ? Framing.Length : Framing.Chunked;
        this.#length = end - start;
      }
      this.#sendHead();
    }
    if (!this.#dropsBody && !this.#headOnly) {
      this.client!.add(bytes, start, end);
      this.bytesSent += end - start;
    }
    if (ended) this.#finishAnswer();
  }

  #passAnswerTrailers(): void {
    if (!this.hasTrailers(Direction.Response)) return this.#passAnswerData(Buffer.alloc(0), 0, 0, true);
    if (!this.#headSent) {
      if (this.#framing !== Framing.None) this.#framing = Framing.Chunked;
      this.#sendHead();
    }
    this.client!.trailerFields = entriesOf(this.#answerTrailers);
    this.#finishAnswer();
  }

  #sendHead(): void {
    this.#headSent = true;
    this.status = statusOf(this.answer);
    if (this.status === 204 || this.status === 304) {
      this.#framing = Framing.None;
      this.#dropsBody = true;
    }
    const out = Buffer.alloc(responseHeadSize(this.answer, this.#framing, this.#length, true));
    writeResponseHead(this.answer, this.#framing, this.#length, true, out, 0);
    this.client = new Received(fieldsOfHead(out));
  }

  #finishAnswer(): void {
    this.#done = true;
    if (this.client !== null) this.client.ended = true;
  }

  // ── Replies and the end ───────────────────────────────────────────────────────────────────────

  #makeReply(reply: Reply): void {
    if (this.#reply !== null || this.#filterReply !== null) return;
    this.#reply = reply;
    this.#halt();
  }

  #halt(): void {
    this.#requestHalted = this.#answerHalted = true;
  }

  #break(): void {
    this.#halt();
    this.broken = true;
  }

  #sendReply(): void {
    const body = this.#layReply();
    const replaces = this.#answerBegun;
    this.#beginAnswer(Framing.Length, body.length);
    this.#answerHalted = false;
    this.#answerTrailers = null;
    this.sentAnswer = entriesOf(this.answer);
    const bodiless = body.length === 0 || this.#headOnly;
    if (replaces) this.#filters.answer.end();
    if (replaces || !this.#filters.beginAnswer(bodiless)) this.#passAnswerHead(bodiless);
    if (!bodiless && !this.#answerHalted) this.#filters.answer.data(body, 0, body.length, true);
  }

  #layReply(): Buffer {
    const own = this.#reply;
    const filters = this.#filterReply;
    this.#reply = null;
    this.#filterReply = null;
    this.details ||= own?.code ?? filters!.details;
    this.from = own === null ? 'filter' : 'weir';
    const grpc = this.request.get('content-type')?.startsWith('application/grpc') === true;
    if (own === null) return fillFilterReply(this.answer, filters!, grpc);
    const accept = this.request.indexOf(ACCEPT);
    return fillReply(this.answer, own, accept < 0 ? undefined : this.request.valueText(accept));
  }

  #enter(): void {
    this.#depth++;
  }

  #leave(): void {
    if (--this.#depth > 0 || this.isOver) return;
    while (!this.broken && !this.#done && (this.#reply !== null || this.#filterReply !== null)) {
      this.#depth++;
      this.#sendReply();
      this.#depth--;
    }
    if (!this.broken && !this.#done) return;
    this.isOver = true;
    this.endedAt = performance.now();
    this.#filters.end();
    this.#watcher.over();
  }
}

function trailersOf(fields: readonly Field[]): HeaderBlock {
  const block = new HeaderBlock();
  block.reset(MessageKind.Trailers);
  layFields(block, fields);
  return block;
}
