import type { Direction } from '../../src/runtime/chain.ts';
import { BodyAction, HeadersAction, TrailersAction } from '../../src/runtime/wasm/abi.ts';
import { TRAPPED } from '../../src/runtime/wasm/context.ts';
import { OWN_PREFIX } from '../../src/runtime/wasm/filter-state.ts';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import { ArrayStream, type StreamWatcher } from './array-stream.ts';
import { CostBook } from './cost-book.ts';
import { bytesOf, changesOf, entriesOf, listOf, piecesOf, withLength, type Field } from './fields.ts';
import type { HostWatcher, KitHost, PluginLine } from './kit-host.ts';
import { attributesOf } from './property-values.ts';
import type { Received } from './received.ts';
import type {
  Answer,
  CallbackRecord,
  ExchangeSpec,
  Fields,
  GrpcCall,
  HttpCall,
  LogLine,
  Pause,
  RequestSpec,
  ResponseSpec,
  SteppedExchange,
  Upstream,
  UpstreamRequest,
} from './testing.d.ts';
import { Transcript } from './transcript.ts';

const CALLBACKS = [
  'proxy_on_request_headers',
  'proxy_on_request_body',
  'proxy_on_request_trailers',
  'proxy_on_response_headers',
  'proxy_on_response_body',
  'proxy_on_response_trailers',
];
/** Of heads, bodies and trailers. */
const ACTIONS = [HeadersAction, BodyAction, TrailersAction].map(
  (actions) => new Map(Object.entries(actions).map(([name, value]) => [value as number, name])),
);

/** A request through filters, and all that came of it. */
export class KitExchange implements SteppedExchange, StreamWatcher, HostWatcher {
  readonly logs: LogLine[] = [];
  readonly pauses: Pause[] = [];
  readonly callbacks: CallbackRecord[] = [];
  readonly #host: KitHost;
  readonly #plugins: readonly Plugin[];
  readonly #stream: ArrayStream;
  readonly #costs: CostBook;
  readonly #transcript = new Transcript();
  readonly #firstCall: number;
  readonly #firstGrpc: number;
  #lastCall = -1;
  /** The pauses that hold a direction now, by it. */
  readonly #holding = new Map<Direction, { callback: string; action: string; resumedBy: string | null }>();
  /** Of the request and of the answer, after the last callback. */
  readonly #seen: [Field[], Field[]] = [[], []];

  readonly #upstream: Upstream | null;
  #unanswered = false;

  /** @param upstream what answers once the request is there; null: the test does, piece by piece */
  constructor(
    host: KitHost,
    plugins: readonly Plugin[],
    properties: ExchangeSpec['properties'],
    upstream: Upstream | null,
  ) {
    this.#host = host;
    this.#plugins = plugins;
    this.#upstream = upstream;
    this.#costs = new CostBook(plugins);
    this.#stream = new ArrayStream(this, attributesOf(properties));
    this.#firstCall = host.calls.sent.length;
    this.#firstGrpc = host.grpc.opened.length;
    host.watchers.add(this);
  }

  // ── What came of it ───────────────────────────────────────────────────────────────────────────

  get state(): 'answered' | 'waiting' | 'reset' {
    if (this.#stream.broken) return 'reset';
    return this.#stream.client?.ended === true ? 'answered' : 'waiting';
  }

  get answer(): Answer {
    const { client, details, status, from } = this.#stream;
    if (client === null) throw new Error(`the client got no answer: ${this.#why()}`);
    return client.as({ status, from, details: details || 'via_upstream' });
  }

  get upstream(): UpstreamRequest | null {
    const { upstream, upstreamHead } = this.#stream;
    return upstream === null ? null : asRequest(upstream, upstreamHead);
  }

  get calls(): readonly HttpCall[] {
    return this.#host.calls.sent.slice(this.#firstCall, this.#lastCall < 0 ? undefined : this.#lastCall);
  }

  get grpcCalls(): readonly GrpcCall[] {
    return this.#host.grpc.opened.slice(this.#firstGrpc);
  }

  get requestChanges(): readonly string[] {
    return changesOf(this.#stream.sentRequest, entriesOf(this.#stream.request));
  }

  get responseChanges(): readonly string[] {
    return changesOf(this.#stream.sentAnswer, entriesOf(this.#stream.headerMap(2)));
  }

  property(path: string): string | undefined {
    const state = this.#stream.state(OWN_PREFIX + path);
    return state === undefined ? undefined : Buffer.from(state.bytes).toString();
  }

  explanation(): string | undefined {
    this.#stream.explain();
    return this.property('explanation');
  }

  transcript(): string {
    return this.#transcript.text(this.calls, this.state);
  }

  // ── Its pieces ────────────────────────────────────────────────────────────────────────────────

  requestHeaders(request: Omit<RequestSpec, 'body' | 'trailers'> = {}, endOfStream = true): void {
    const { method = 'GET', path = '/', authority = 'example.test', scheme = 'http', headers } = request;
    const fields: Field[] = [
      [':method', method],
      [':path', path],
      [':authority', authority],
      [':scheme', scheme],
      ...listOf(headers),
    ];
    this.#transcript.request(fields);
    this.#step(() => this.#stream.requestHead(this.#plugins, fields, endOfStream));
  }

  requestBody(bytes: string | Uint8Array, endOfStream = false): void {
    const data = bytesOf(bytes);
    this.#transcript.body('client', data, endOfStream);
    this.#step(() => this.#stream.requestData(data, endOfStream));
  }

  requestTrailers(fields: Fields): void {
    this.#transcript.trailers('client', listOf(fields));
    this.#step(() => this.#stream.requestTrailers(listOf(fields)));
  }

  responseHeaders(response: Omit<ResponseSpec, 'body' | 'trailers'> = {}, endOfStream = true): void {
    this.#unanswered = false;
    const fields: Field[] = [[':status', String(response.status ?? 200)], ...listOf(response.headers)];
    this.#transcript.upstreamAnswer(fields);
    this.#step(() => this.#stream.answerHead(fields, endOfStream));
  }

  responseBody(bytes: string | Uint8Array, endOfStream = false): void {
    const data = bytesOf(bytes);
    this.#transcript.body('upstream', data, endOfStream);
    this.#step(() => this.#stream.answerData(data, endOfStream));
  }

  responseTrailers(fields: Fields): void {
    this.#transcript.trailers('upstream', listOf(fields));
    this.#step(() => this.#stream.answerTrailers(listOf(fields)));
  }

  disconnect(): void {
    this.#step(() => this.#stream.disconnect());
  }

  settle(): Promise<void> {
    return this.#host.settle();
  }

  /** Sends the whole request, as a client does that has all of it: nothing is answered in between. */
  sendRequest(request: RequestSpec): void {
    const pieces = piecesOf(request.body);
    const { trailers } = request;
    const headers = withLength(request.headers, request.body, trailers !== undefined);
    const bodiless = pieces.length === 0 && trailers === undefined;
    this.requestHeaders({ ...request, headers }, bodiless);
    for (const [i, piece] of pieces.entries())
      this.requestBody(piece, i === pieces.length - 1 && trailers === undefined);
    if (trailers !== undefined) this.requestTrailers(trailers);
  }

  #ask(upstream: Upstream): void {
    const { deliveries } = this.#host;
    const response = typeof upstream === 'function' ? upstream(this.upstream!) : upstream;
    if (!(response instanceof Promise)) this.#respond(response);
    else deliveries.await(response.then((late) => deliveries.add('', () => this.#respond(late))));
  }

  #respond(response: ResponseSpec): void {
    const pieces = piecesOf(response.body);
    const { trailers } = response;
    const headers = withLength(response.headers, response.body, trailers !== undefined);
    this.responseHeaders({ ...response, headers }, pieces.length === 0 && trailers === undefined);
    for (const [i, piece] of pieces.entries())
      this.responseBody(piece, i === pieces.length - 1 && trailers === undefined);
    if (trailers !== undefined) this.responseTrailers(trailers);
  }

  #step(job: () => void): void {
    job();
    // What a callback that is no phase has cost.
    this.#costs.skip();
  }

  // ── From the stream and from the host ─────────────────────────────────────────────────────────

  called(stream: ArrayStream, plugin: Plugin, phase: number, result: number): void {
    const callback = CALLBACKS[phase]!;
    const part = phase % 3;
    const action =
      result === TRAPPED ? 'Trap' : stream.replies ? 'Reply' : (ACTIONS[part]!.get(result) ?? String(result));
    const direction = (phase < 3 ? 0 : 1) as Direction;
    this.#resumedBy(direction, callback);
    const record = { callback, action, ...this.#costs.take(plugin) };
    this.callbacks.push(record);
    this.#transcript.callback(
      this.#plugins.length > 1 ? plugin.spec.filter : '',
      record,
      this.#changes(stream, direction),
    );
    if (result === 0 || result === TRAPPED || stream.isHalted(direction)) return;
    const pause = { callback, action, resumedBy: null };
    this.pauses.push(pause);
    this.#holding.set(direction, pause);
  }

  resumed(_plugin: Plugin, direction: Direction): void {
    const { cause } = this.#host;
    // Before what comes of it.
    if (cause !== '') this.delivered(cause);
    this.#resumedBy(direction, cause || 'its own callback');
  }

  requestPassed(): void {
    this.#unanswered = true;
    this.#transcript.toUpstream(this.upstream!);
    const { deliveries } = this.#host;
    if (this.#upstream !== null) deliveries.add('', () => this.#ask(this.#upstream!));
  }

  over(): void {
    if (this.#stream.broken) this.#transcript.reset();
    else this.#transcript.toClient(this.answer);
    this.#costs.skip();
    this.#lastCall = this.#host.calls.sent.length;
    this.#host.watchers.delete(this);
  }

  logged({ plugin, level, message }: PluginLine): void {
    if (!this.#plugins.some(({ spec }) => spec.name === plugin)) return;
    this.logs.push({ level, message });
    this.#transcript.log(level, message);
  }

  delivered(cause: string): void {
    for (const plugin of this.#plugins) {
      const cost = this.#costs.take(plugin);
      if (cost.fuel === 0) continue;
      const record = { callback: cause, action: '', ...cost };
      this.callbacks.push(record);
      this.#transcript.callback('', record, [
        ...this.#changes(this.#stream, 0),
        ...this.#changes(this.#stream, 1),
      ]);
    }
  }

  #resumedBy(direction: Direction, by: string): void {
    const pause = this.#holding.get(direction);
    if (pause === undefined) return;
    pause.resumedBy = by;
    this.#holding.delete(direction);
  }

  #changes(stream: ArrayStream, direction: Direction): string[] {
    const sent = direction === 0 ? stream.sentRequest : stream.sentAnswer;
    const before = this.#seen[direction]!.length > 0 ? this.#seen[direction]! : sent;
    const after = entriesOf(stream.headerMap(2 * direction));
    this.#seen[direction] = after;
    return after.length === 0 ? [] : changesOf(before, after);
  }

  #why(): string {
    if (this.#stream.broken) return `the stream was reset (${this.#stream.details})`;
    const pause = [...this.#holding.values()][0];
    const waiting = this.#host.calls.waiting.map(
      ({ method, path, upstream }) => `${method} ${path} to ${upstream}`,
    );
    const calls =
      waiting.length === 0
        ? ''
        : `; a call waits for an answer: ${waiting.join(', ')} (onCall scripts it, clock.advance lets its time run out)`;
    if (pause !== undefined)
      return `${pause.callback} returned ${pause.action} and nothing resumed it${calls}`;
    if (this.#unanswered) return 'the upstream has not answered yet (responseHeaders)';
    return `the request has not come to its end${calls}`;
  }
}

function asRequest(received: Received, head: readonly Field[]): UpstreamRequest {
  const pseudo = (name: string): string => head.find(([each]) => each === name)?.[1] ?? '';
  return received.as({
    method: pseudo(':method'),
    path: pseudo(':path'),
    authority: pseudo(':authority'),
    scheme: pseudo(':scheme'),
  });
}
