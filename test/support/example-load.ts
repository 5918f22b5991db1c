import { setImmediate as turn } from 'node:timers/promises';
import type { GrpcExchange, GrpcRequest, GrpcSink, GrpcTransport } from '../../src/runtime/grpc/transport.ts';
import { HeaderBlock, MessageKind } from '../../src/runtime/http/headers.ts';
import { LocalLedger } from '../../src/runtime/ledger.ts';
import type { CalloutSink, CalloutTransport } from '../../src/runtime/wasm/callouts.ts';
import { compileModule } from '../../src/runtime/wasm/module.ts';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import { BareHost } from './bare-host.ts';
import { BareStream, type Fields } from './bare-stream.ts';

/** What passes through a filter, a million times. */
export interface Load {
  readonly config?: object;
  /** A request's fields; by function where values must differ: `turn` counts requests. */
  readonly request?: Fields | ((turn: number) => Fields);
  readonly body?: readonly string[];
  readonly trailers?: Fields;
  readonly answer?: Fields;
  readonly answerBody?: readonly string[];
  /** What its HTTP calls are answered. */
  readonly called?: string;
  /** Fields of those answers. */
  readonly calledFields?: Fields;
  /** What its gRPC calls are answered. */
  readonly grpc?: Uint8Array;
  /** Texts that properties have, by their paths: `request.method`. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Data of a TCP connection in place of all that. */
  readonly tcp?: readonly string[];
  /** One of so many requests is sent, where each keeps the processor busy for long. Default: 1. */
  readonly oneOf?: number;
  /** Another plugin of the same module beside it. */
  readonly beside?: object;
}

const BATCH = 1000;

/** Upstreams that answer at once, and keep nothing of what they were asked. */
class Upstreams implements CalloutTransport, GrpcTransport {
  readonly #body: Buffer;
  readonly #message: Uint8Array;
  readonly #head = new HeaderBlock();
  readonly #none = new HeaderBlock();
  readonly #due: (() => void)[] = [];
  answered = 0;

  constructor(load: Load) {
    this.#body = Buffer.from(load.called ?? '');
    this.#message = load.grpc ?? new Uint8Array(0);
    this.#head.reset(MessageKind.Response);
    this.#head.setValueText(this.#head.indexOf(Buffer.from(':status')), '200');
    for (const [name, value] of load.calledFields ?? []) this.#head.appendText(name, value);
    this.#none.reset(MessageKind.Trailers);
  }

  httpCall(
    _cluster: number,
    _head: HeaderBlock,
    _body: Uint8Array,
    _trailers: HeaderBlock | null,
    _timeoutMs: number,
    sink: CalloutSink,
  ): number {
    const token = ++this.answered;
    this.#due.push(() => sink.onResponse(token, this.#head, this.#body, null));
    return token;
  }

  open(_cluster: number, _request: GrpcRequest, sink: GrpcSink): GrpcExchange {
    this.answered++;
    this.#due.push(() => {
      sink.onInitialMetadata(this.#none);
      sink.onMessage(this.#message);
      sink.onTrailingMetadata(this.#none);
      sink.onClose(0, '');
    });
    return { send: () => true, end: () => {}, cancel: () => {} };
  }

  cancel(): void {}

  deliver(): void {
    for (let answer = this.#due.shift(); answer !== undefined; answer = this.#due.shift()) answer();
  }
}

/** A filter in the host that runs it, under one load. */
export class LoadedFilter {
  readonly #load: Load;
  readonly #plugins: readonly Plugin[];
  readonly #upstreams: Upstreams;
  readonly #stream = new BareStream();
  readonly #answer: Fields;
  #turn = 0;

  private constructor(load: Load, plugins: readonly Plugin[], upstreams: Upstreams) {
    this.#load = load;
    this.#plugins = plugins;
    this.#upstreams = upstreams;
    if (load.tcp !== undefined) this.#stream.protocol = 'tcp';
    this.#stream.takesTrailers = true;
    for (const [path, value] of Object.entries(load.properties ?? {})) {
      const [group] = path.split('.');
      this.#stream.attributes.set(group!, { type: 'group' });
      this.#stream.attributes.set(path.replaceAll('.', '\0'), { type: 'string', value });
    }
    this.#answer = [[':status', '200'], ...(load.answer ?? [])];
    // What was asked for is not looked at, and must not be kept a million times.
    for (const list of [this.#stream.replies, this.#stream.resumed, this.#stream.closed]) list.push = () => 0;
  }

  static async start(bytes: Uint8Array, load: Load): Promise<LoadedFilter> {
    const upstreams = new Upstreams(load);
    const host = new BareHost({
      ledger: new LocalLedger(() => performance.now()),
      callouts: upstreams,
      grpc: upstreams,
      log: () => {},
      now: () => Date.now(),
    });
    // In a million requests a machine that is busy has a callback of milliseconds.
    const module = await compileModule(bytes, { cpu: { perCallMs: 1000, perRequestMs: 1000 } });
    const callouts: [string, number][] = [['auth', 7]];
    const open = (config: object | undefined): Promise<Plugin> =>
      host.start(module, { configuration: config === undefined ? '' : JSON.stringify(config), callouts });
    const plugins = [await open(load.config)];
    if (load.beside !== undefined) plugins.push(await open(load.beside));
    return new LoadedFilter(load, plugins, upstreams);
  }

  /** Linear memory of all instances. */
  get heapBytes(): number {
    return this.#plugins.reduce((sum, plugin) => sum + plugin.heapBytes, 0);
  }

  /** Calls that it has made. */
  get calls(): number {
    return this.#upstreams.answered;
  }

  async run(requests: number): Promise<void> {
    for (let done = 0; done < requests; done++) {
      if (this.#load.tcp === undefined) this.#exchange();
      else this.#connection(this.#load.tcp);
      // Ticks and queues have their turn.
      if (done % BATCH === BATCH - 1) {
        await turn();
        this.#upstreams.deliver();
      }
    }
  }

  async stop(): Promise<void> {
    for (const plugin of this.#plugins) await plugin.retire();
  }

  #exchange(): void {
    const { request, body, trailers, answerBody } = this.#load;
    const stream = this.#stream;
    // Laid down anew each time: what a filter removes must be there again for the next request.
    const head = stream.request(typeof request === 'function' ? request(this.#turn++) : request);
    const answer = stream.response(this.#answer);
    // Another request has the whole budget.
    stream.guestMs = 0;
    const context = this.#plugins[0]!.createContext(stream);
    if (context === null) throw new Error('the filter has no instance');
    context.onRequestHeaders(head.count, body === undefined);
    this.#upstreams.deliver();
    this.#body(0, body, trailers === undefined, (size, end) => context.onRequestBody(size, end));
    if (trailers !== undefined) context.onRequestTrailers(stream.requestTrailers(trailers).count);
    context.onResponseHeaders(answer.count, answerBody === undefined);
    this.#body(1, answerBody, true, (size, end) => context.onResponseBody(size, end));
    this.#upstreams.deliver();
    context.finish();
  }

  /** Parts one after the other; what a filter keeps is shown again with the next one. */
  #body(
    type: number,
    parts: readonly string[] | undefined,
    ends: boolean,
    show: (size: number, end: boolean) => number,
  ): void {
    let kept = '';
    parts?.forEach((part, i) => {
      const bytes = kept + part;
      this.#stream.setBody(type, bytes);
      const action = show(bytes.length, ends && i === parts.length - 1);
      kept = action === 0 ? '' : bytes;
    });
    this.#stream.setBody(type, null);
  }

  #connection(parts: readonly string[]): void {
    const context = this.#plugins[0]!.createContext(this.#stream);
    if (context === null) throw new Error('the filter has no instance');
    context.onNewConnection();
    this.#body(2, parts, false, (size, end) => context.onDownstreamData(size, end));
    this.#body(3, parts, false, (size, end) => context.onUpstreamData(size, end));
    context.finish();
  }
}
