import { ArrayStream, type StreamWatcher } from '../../../filters-sdk/testing/array-stream.ts';
import { piecesOf, withLength, type Field } from '../../../filters-sdk/testing/fields.ts';
import { startFilter, type KitFilter } from '../../../filters-sdk/testing/kit-filter.ts';
import { KitHost } from '../../../filters-sdk/testing/kit-host.ts';
import type { CallAnswer, Fields } from '../../../filters-sdk/testing/testing.d.ts';
import type { Cost, Round } from './bench-report.ts';
import { HOST_GROUPS } from '../../runtime/wasm/usage.ts';
import type { StreamContext } from '../../runtime/wasm/context.ts';

/** The exchange that a benchmark repeats. */
export interface BenchExchange {
  readonly config: unknown;
  readonly request: BenchMessage & {
    readonly method: string;
    readonly path: string;
    readonly authority: string;
  };
  readonly response: BenchMessage & { readonly status: number };
  /** What calls of the filter are answered, by the name of the upstream. */
  readonly upstreams: Readonly<Record<string, CallAnswer>>;
}

export interface BenchMessage {
  readonly headers: Fields;
  readonly body: string;
}

/** Names of the callbacks, as the filter metrics number them. */
const PHASES = [
  'request headers',
  'request body',
  'request trailers',
  'response headers',
  'response body',
  'response trailers',
] as const;

const NOBODY: StreamWatcher = {
  called: () => undefined,
  resumed: () => undefined,
  requestPassed: () => undefined,
  over: () => undefined,
};
const NO_ATTRIBUTES = new Map<string, never>();

const sums = new Float64Array(PHASES.length);
const counts = new Float64Array(PHASES.length);

/** Each callback is timed as the proxy times it for its metrics. */
class TimedStream extends ArrayStream {
  override recordFilter(context: StreamContext, phase: number, startedAt: number, action: number): number {
    const now = performance.now();
    sums[phase]! += now - startedAt;
    counts[phase]! += 1;
    super.recordFilter(context, phase, startedAt, action);
    return performance.now();
  }
}

/** One build of a filter in the real host, with the exchange that is repeated. */
export class BenchSubject {
  readonly callbacks = PHASES;
  readonly notes: readonly string[] = [];
  readonly warmUp = 3000;
  readonly roundMs = 30;
  readonly #host: KitHost;
  readonly #filter: KitFilter;
  readonly #request: readonly Field[];
  readonly #requestBody: readonly Buffer[];
  readonly #response: readonly Field[];
  readonly #responseBody: readonly Buffer[];

  private constructor(host: KitHost, filter: KitFilter, exchange: BenchExchange) {
    const { request, response } = exchange;
    this.#host = host;
    this.#filter = filter;
    this.#requestBody = piecesOf(request.body);
    this.#responseBody = piecesOf(response.body);
    this.#request = [
      [':method', request.method],
      [':path', request.path],
      [':authority', request.authority],
      [':scheme', 'http'],
      ...withLength(request.headers, request.body, false),
    ];
    this.#response = [
      [':status', String(response.status)],
      ...withLength(response.headers, response.body, false),
    ];
  }

  /** @throws Error where the filter does not start, with what it said */
  static async open(bytes: Uint8Array, exchange: BenchExchange): Promise<BenchSubject> {
    const host = new KitHost({});
    const { config } = exchange;
    const upstreams = Object.fromEntries(
      Object.entries(exchange.upstreams).map(([name, answer]) => [name, () => answer]),
    );
    // Nothing is hidden: what is missing would be cheaper than what is measured.
    const options = { config, upstreams, capabilities: ['default', 'secrets'] };
    return new BenchSubject(host, await startFilter(bytes, options, host), exchange);
  }

  cost(): Promise<Cost> {
    const { plugin } = this.#filter;
    const fuel = plugin.usage.fuel;
    const before = Float64Array.from(plugin.usage.hostCalls);
    const exchanges = 100;
    for (let i = 0; i < exchanges; i++) this.#exchange();
    const calls = HOST_GROUPS.map((group, i): [string, number] => [
      group,
      (plugin.usage.hostCalls[i]! - before[i]!) / exchanges,
    ]);
    return Promise.resolve({
      fuel: (plugin.usage.fuel - fuel) / exchanges,
      hostCalls: Object.fromEntries(calls.filter(([, count]) => count > 0)),
      heapBytes: plugin.heapBytes,
    });
  }

  run(exchanges: number): Promise<Round> {
    sums.fill(0);
    counts.fill(0);
    for (let i = 0; i < exchanges; i++) this.#exchange();
    const all = sums.reduce((sum, ms) => sum + ms, 0);
    return Promise.resolve({
      callbacks: Array.from(sums, (ms, phase) => (1e6 * ms) / counts[phase]!),
      total: (1e6 * all) / exchanges,
    });
  }

  close(): Promise<void> {
    return this.#filter.close();
  }

  #exchange(): void {
    const stream = new TimedStream(NOBODY, NO_ATTRIBUTES);
    const plugins = [this.#filter.plugin];
    stream.requestHead(plugins, this.#request, this.#requestBody.length === 0);
    for (const [i, piece] of this.#requestBody.entries())
      stream.requestData(piece, i === this.#requestBody.length - 1);
    this.#host.pump();
    if (stream.upstream?.ended === true) {
      stream.answerHead(this.#response, this.#responseBody.length === 0);
      for (const [i, piece] of this.#responseBody.entries())
        stream.answerData(piece, i === this.#responseBody.length - 1);
      this.#host.pump();
    }
    if (!stream.isOver) stream.disconnect();
    // What it logs is not what is measured.
    this.#host.lines.length = 0;
  }
}
