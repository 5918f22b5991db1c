import { attach, unfitFor } from './live-attached.ts';
import { send, type SocketAnswer } from './live-client.ts';
import { LiveProxy, ORIGIN } from './live-proxy.ts';
import { LiveUpstream } from './live-upstream.ts';
import { readModule } from './module-file.ts';
import { findRunner, isTestRunning, skip } from './not-live.ts';
import type {
  Answer,
  CallAnswer,
  CallScript,
  Exchange,
  ExchangeSpec,
  Filter,
  FilterOptions,
  HttpCall,
  ResponseSpec,
  Upstream,
  UpstreamRequest,
} from './testing.d.ts';

/** `1`: each filter gets a weir of its own; a URL: that weir runs the filter. */
const LIVE = process.env['WEIR_LIVE'];

export const live = LIVE !== undefined && LIVE !== '';

/** Opens a filter in a weir that runs, and plays its client and its upstreams over sockets. */
export async function openLive(module: string | Uint8Array, options: FilterOptions): Promise<Filter> {
  await findRunner();
  const filter = new LiveFilter(options);
  await filter.start(module);
  return filter;
}

/** One exchange at a time: what the upstream sees is that of the one that runs. */
let last: Promise<unknown> = Promise.resolve();

class LiveFilter implements Filter {
  readonly calls: HttpCall[] = [];
  readonly #options: FilterOptions;
  readonly #scripts = new Map<string, CallScript>();
  readonly #used = new Map<CallScript, number>();
  readonly #servers: LiveUpstream[] = [];
  #origin!: LiveUpstream;
  #proxy: LiveProxy | null = null;
  #url!: URL;
  /** Why it cannot be tested in the weir that runs. */
  #unfit: string | null = null;

  constructor(options: FilterOptions) {
    this.#options = options;
  }

  async start(module: string | Uint8Array): Promise<void> {
    const { upstreams = [] } = this.#options;
    const scripted = !Array.isArray(upstreams);
    const names = scripted ? Object.keys(upstreams) : (upstreams as string[]);
    if (scripted)
      for (const [name, script] of Object.entries(upstreams as Record<string, CallScript>))
        this.#scripts.set(name, script);
    if (LIVE !== '1') return this.#attach(LIVE!);
    this.#origin = await this.#serve(() => null);
    const ports = new Map([[ORIGIN, this.#origin.port]]);
    for (const name of names) {
      const server = await this.#serve((request) => this.#called(name, request));
      ports.set(name, server.port);
    }
    try {
      this.#proxy = await LiveProxy.start(await readModule(module, this.#options), this.#options, ports);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#url = this.#proxy.url;
  }

  exchange(spec: ExchangeSpec = {}): Promise<Exchange> {
    if (this.#unfit !== null) skip(this.#unfit);
    if (spec.properties !== undefined) skip('an attribute that the test chooses');
    const exchange = last.then(() => this.#exchange(spec));
    last = exchange.catch(() => undefined);
    return exchange;
  }

  onCall(upstream: string, script: CallScript): void {
    if (this.#unfit !== null) skip(this.#unfit);
    this.#scripts.set(upstream, script);
  }

  async close(): Promise<void> {
    await this.#proxy?.close();
    await Promise.all(this.#servers.map((server) => server.close()));
  }

  onGrpc(): void {
    skip('a scripted gRPC server');
  }

  onLimit(): void {
    skip('a scripted decision of a limit');
  }

  stream(): never {
    return skip('an exchange step by step');
  }

  tcp(): never {
    return skip('a TCP connection');
  }

  open(): never {
    return skip('another plugin of the same worker');
  }

  chain(): never {
    return skip('a chain of filters');
  }

  tick(): never {
    return skip('a tick at will');
  }

  metric(): never {
    return skip('a metric');
  }

  histogram(): never {
    return skip('a metric');
  }

  get clock(): never {
    return skip('the clock');
  }

  get shared(): never {
    return skip('shared data');
  }

  get logs(): never {
    return skip('the log of the filter');
  }

  get grpcCalls(): never {
    return skip('the list of gRPC calls');
  }

  get traps(): never {
    return skip('the number of traps');
  }

  get warnings(): never {
    return skip('what the host says of the module');
  }

  async #attach(url: string): Promise<void> {
    ({ url: this.#url, origin: this.#origin } = await attach(url));
    this.#unfit = await unfitFor(this.#options);
    // What is opened before the tests skips them one by one.
    if (this.#unfit !== null && isTestRunning()) skip(this.#unfit);
  }

  async #serve(answerer: LiveUpstream['answerer']): Promise<LiveUpstream> {
    const server = await LiveUpstream.start(answerer);
    this.#servers.push(server);
    return server;
  }

  async #exchange({ request = {}, response = {} }: ExchangeSpec): Promise<Exchange> {
    let seen: UpstreamRequest | null = null;
    const firstCall = this.calls.length;
    this.#origin.answerer = (arrived) => {
      seen = arrived;
      return answerOf(response, arrived);
    };
    const takesTrailers = typeof response === 'function' || response.trailers !== undefined;
    const answer = await send(this.#url, request, takesTrailers).catch((error: Error) => error);
    return new LiveExchange(answer, seen, this.calls.slice(firstCall));
  }

  async #called(upstream: string, request: UpstreamRequest): Promise<ResponseSpec | null> {
    const call = {
      upstream,
      method: request.method,
      path: request.path,
      authority: request.authority,
      headers: request.headers,
      body: request.body,
      bytes: request.bytes,
      trailers: request.trailers,
      get timeoutMs(): never {
        return skip('the time limit of a call');
      },
      outcome: 'waiting',
    };
    this.calls.push(call);
    const answer = await this.#scripted(upstream, call);
    if (answer === null) return new Promise(() => undefined);
    if (!('fail' in answer)) {
      call.outcome = String(answer.status ?? 200);
      return answer;
    }
    call.outcome = answer.fail;
    return answer.fail === 'timeout' ? new Promise(() => undefined) : null;
  }

  #scripted(upstream: string, call: HttpCall): CallAnswer | Promise<CallAnswer> {
    const script = this.#scripts.get(upstream);
    if (script === undefined) return null;
    if (typeof script === 'function') return script(call);
    const used = this.#used.get(script) ?? 0;
    this.#used.set(script, used + 1);
    return script[used] ?? null;
  }
}

function answerOf(upstream: Upstream, request: UpstreamRequest): ResponseSpec | Promise<ResponseSpec> {
  return typeof upstream === 'function' ? upstream(request) : upstream;
}

class LiveExchange implements Exchange {
  readonly upstream: UpstreamRequest | null;
  readonly calls: readonly HttpCall[];
  readonly #answer: SocketAnswer | Error;

  constructor(answer: SocketAnswer | Error, upstream: UpstreamRequest | null, calls: readonly HttpCall[]) {
    this.#answer = answer;
    this.upstream = upstream;
    this.calls = calls;
  }

  get answer(): Answer {
    if (this.#answer instanceof Error) throw new Error(`the client got no answer: ${this.#answer.message}`);
    const { status, message } = this.#answer;
    const answer = message.as({ status });
    return Object.defineProperties(answer, {
      from: { get: () => skip('who made an answer') },
      details: { get: () => skip('the details of an answer') },
    }) as Answer;
  }

  get state(): 'answered' | 'reset' {
    // By the clock of the proxy it has waited long enough.
    if (this.calls.some(({ outcome }) => outcome === 'waiting')) skip('how long a stream waits for a call');
    return this.#answer instanceof Error ? 'reset' : 'answered';
  }

  get logs(): never {
    return skip('the log of the filter');
  }

  get grpcCalls(): never {
    return skip('the list of gRPC calls');
  }

  get pauses(): never {
    return skip('where a filter held the stream');
  }

  get callbacks(): never {
    return skip('what a callback did and cost');
  }

  get requestChanges(): never {
    return skip('what the filter alone has changed');
  }

  get responseChanges(): never {
    return skip('what the filter alone has changed');
  }

  property(): never {
    return skip('what filters have set on a stream');
  }

  transcript(): never {
    return skip('the transcript of an exchange');
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }

  disconnect(): void {}
}
