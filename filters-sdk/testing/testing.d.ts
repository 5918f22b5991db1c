/**
 * The test kit of filters: weir's own host and filter chain, with streams made of arrays. Written by hand and
 * standing alone, so that it needs nothing installed beside TypeScript.
 */

/** Fields of a message by name; a list where the name is there more than once. */
export type Fields =
  Readonly<Record<string, string | readonly string[]>> | readonly (readonly [name: string, value: string])[];

/** Whole, as text (sent as UTF-8) or bytes; or the pieces in which it arrives. */
export type Body = string | Uint8Array | readonly (string | Uint8Array)[];

/** What an attribute of a stream is given as; `int` is for numbers that are whole in Envoy, as ports and sizes. */
export type PropertyValue = string | boolean | number | Uint8Array | { readonly int: number | bigint };

export interface RequestSpec {
  /** Default: `GET`. */
  readonly method?: string;
  /** With the query. Default: `/`. */
  readonly path?: string;
  /** Default: `example.test`. */
  readonly authority?: string;
  /** Default: `http`. */
  readonly scheme?: 'http' | 'https';
  readonly headers?: Fields;
  readonly body?: Body;
  readonly trailers?: Fields;
}

export interface ResponseSpec {
  /** Default: 200. */
  readonly status?: number;
  readonly headers?: Fields;
  readonly body?: Body;
  readonly trailers?: Fields;
}

/** Of the upstream that the request goes to. */
export type Upstream = ResponseSpec | ((request: UpstreamRequest) => ResponseSpec | Promise<ResponseSpec>);

export interface ExchangeSpec {
  readonly request?: RequestSpec;
  /** Default: 200 without a body. */
  readonly response?: Upstream;
  /**
   * Attributes by path (`source.address`, `connection.mtls`), in place of those that the stream has itself. Keys
   * with dots of their own are written with NUL between their segments.
   */
  readonly properties?: Readonly<Record<string, PropertyValue>>;
}

/** A message as the other side has it. */
export interface Message {
  /** By lower-case name; values of a name that is there twice are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** All of them, in order, names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** As UTF-8. */
  readonly body: string;
  readonly bytes: Uint8Array;
  /** The pieces in which it came. */
  readonly chunks: readonly Uint8Array[];
  readonly trailers: Readonly<Record<string, string>>;
  /** The body as JSON. @throws SyntaxError */
  json(): unknown;
}

/** What the upstream saw. */
export interface UpstreamRequest extends Message {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
}

/** What the client got. */
export interface Answer extends Message {
  readonly status: number;
  /** Who made it: the upstream, the filter (a local reply), or weir (where the filter failed). */
  readonly from: 'upstream' | 'filter' | 'weir';
  /** `response.code_details`: `via_upstream`, or the reason for the answer. */
  readonly details: string;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'critical';

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
}

/** One call of the host into the filter. */
export interface CallbackRecord {
  /** As the ABI names it: `proxy_on_request_headers`. */
  readonly callback: string;
  /** `Continue`, `StopIteration`, …; `Trap` where the filter trapped. */
  readonly action: string;
  /** Units of the meter: the same code with the same input takes the same. */
  readonly fuel: number;
  /** Host calls, by what they are about: `{ headers: 2, log: 1 }`. */
  readonly hostCalls: Readonly<Record<string, number>>;
}

export interface Pause {
  readonly callback: string;
  readonly action: string;
  /** What let the stream go on: a callback, `answer of PATH`, `tick`; null: it still waits. */
  readonly resumedBy: string | null;
}

/** An HTTP call that the filter has made. */
export interface HttpCall {
  readonly upstream: string;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly bytes: Uint8Array;
  readonly trailers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** How it ended: a status, why it failed, or `waiting`. */
  readonly outcome: string;
}

/** What a scripted upstream does with a call. `null`: it never answers, so that the call times out by the clock. */
export type CallAnswer =
  | ResponseSpec
  | {
      /** `unavailable`: no connection; `no answer`: closed before one; `reset`: in the middle of one. */
      readonly fail: 'timeout' | 'unavailable' | 'no answer' | 'reset';
    }
  | null;

export type CallScript = ((call: HttpCall) => CallAnswer | Promise<CallAnswer>) | readonly CallAnswer[];

/** A gRPC call that the filter has opened, from the server's side. */
export interface GrpcCall {
  readonly upstream: string;
  readonly service: string;
  readonly method: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** What the filter has sent so far. */
  readonly messages: readonly Uint8Array[];
  /** The filter sends no more. */
  readonly ended: boolean;
  /** The filter has given it up. */
  readonly cancelled: boolean;
  readonly timeoutMs: number;
  sendInitialMetadata(fields: Fields): void;
  send(message: string | Uint8Array): void;
  /** @param status of gRPC, 0 to 16 */
  close(status: number, message?: string, trailers?: Fields): void;
}

export interface GrpcAnswer {
  readonly initialMetadata?: Fields;
  readonly messages?: readonly (string | Uint8Array)[];
  /** Default: 0, OK. */
  readonly status?: number;
  readonly message?: string;
  readonly trailers?: Fields;
}

/** Plays the server: answers, or keeps the call and drives it by hand. */
export type GrpcScript = (call: GrpcCall) => GrpcAnswer | null | void;

/** What a filter takes from a limit that the host counts. */
export interface LimitTake {
  /** With the names of the space that the host keeps the key in. */
  readonly key: string;
  readonly cost: number;
  readonly limit: {
    readonly algorithm: 'token-bucket' | 'gcra' | 'fixed-window' | 'sliding-window' | 'concurrency';
    readonly requests: number;
    readonly periodMs: number;
    /** 0: the algorithm's own. */
    readonly burst: number;
  };
  /** Taken if it is there, asked for without taking, or charged whether it is there or not. */
  readonly how: 'take' | 'peek' | 'charge';
}

export interface LimitDecision {
  readonly allowed: boolean;
  /** Nobody could be asked. */
  readonly failed?: boolean;
  /** What would be allowed right now. */
  readonly remaining: number;
  /** The most that `remaining` can be. */
  readonly limit: number;
  /** Until `remaining` is `limit` again. */
  readonly resetMs: number;
  /** Until what was refused would be allowed; 0: it was not refused. */
  readonly retryAfterMs: number;
}

/** Decides in the host's place; a promise: later, as where other workers are asked. `null`: the host counts. */
export type LimitScript = (take: LimitTake) => LimitDecision | null | Promise<LimitDecision>;

export interface Clock {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Ticks, time limits of calls and new instances after a trap come in their order. */
  advance(ms: number): Promise<void>;
}

export interface SharedData {
  get(key: string): string | undefined;
  set(key: string, value: string | Uint8Array): void;
  keys(prefix?: string): string[];
  /** Puts an item into a queue that the filter has registered. */
  enqueue(queue: string, item: string | Uint8Array): void;
}

export interface Histogram {
  readonly values: readonly number[];
  readonly sum: number;
}

export interface FilterOptions {
  /** Of the plugin: text as it is, anything else as JSON. Default: none. */
  readonly config?: unknown;
  /** Of the VM, the same. */
  readonly vmConfig?: unknown;
  readonly rootId?: string;
  readonly vmId?: string;
  /** Shown in the names of metrics and in messages. Default: `filter`. */
  readonly name?: string;
  /** As in a Module. Default: what a Module has which says nothing, that is without `secrets`. */
  readonly capabilities?: readonly string[];
  /** Names that its calls may use, and what they answer. */
  readonly upstreams?: readonly string[] | Readonly<Record<string, CallScript>>;
  /** When the clock begins; default: 2023-11-14T22:13:20Z. */
  readonly clock?: Date | number;
  /** What happens to a request whose filter traps. Default: `deny`. */
  readonly onError?: 'deny' | 'skip';
  /** What a body callback that pauses may gather. Default: 1 MiB. */
  readonly bodyBufferBytes?: number;
  readonly onBodyOverflow?: 'reject' | 'stream';
  /** Body callbacks come while the filter holds the head. Default: false. */
  readonly bodyWhileHeld?: boolean;
  readonly properties?: 'envoy' | 'text';
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * Bounds of its work; default: those of a Module which says nothing, with 200 ms of CPU time for a callback and a second
   * for a request. What a test measures is fuel: a machine that is busy must not fail it.
   */
  readonly limits?: {
    readonly memoryBytes?: number;
    readonly perCallMs?: number;
    readonly perRequestMs?: number;
    readonly perStartMs?: number;
    readonly frames?: number;
  };
  /** JSON. Default: `MODULE.map` beside the file, or the compiler's where sources are given. */
  readonly sourceMap?: string;
  readonly node?: { readonly id: string; readonly cluster: string };
}

export interface Exchange {
  /** What the client got. @throws Error that says where the stream is, where there is no answer */
  readonly answer: Answer;
  /** What the upstream saw; null: the request never came there. */
  readonly upstream: UpstreamRequest | null;
  /** `waiting`: a filter holds it; `reset`: the client got no answer, or not all of it. */
  readonly state: 'answered' | 'waiting' | 'reset';
  readonly logs: readonly LogLine[];
  readonly calls: readonly HttpCall[];
  readonly grpcCalls: readonly GrpcCall[];
  readonly pauses: readonly Pause[];
  readonly callbacks: readonly CallbackRecord[];
  /** What became of the head on its way: `+ name: value`, `- name: value`. */
  readonly requestChanges: readonly string[];
  readonly responseChanges: readonly string[];
  /** What a filter has set on the stream for those behind it, as UTF-8: `consumer.name`. */
  property(path: string): string | undefined;
  /** All of it as text without times and costs, for snapshots. */
  transcript(): string;
  /** Delivers what has come since (answers of calls, time), then looks again. */
  settle(): Promise<void>;
  /** The client goes away. */
  disconnect(): void;
}

/** An exchange piece by piece. Each step runs the filter at once. */
export interface SteppedExchange extends Exchange {
  requestHeaders(request?: Omit<RequestSpec, 'body' | 'trailers'>, endOfStream?: boolean): void;
  /** What the filter says of what it did with the request's head (`onExplain`); undefined: nothing. */
  explanation(): string | undefined;
  requestBody(bytes: string | Uint8Array, endOfStream?: boolean): void;
  requestTrailers(fields: Fields): void;
  responseHeaders(response?: Omit<ResponseSpec, 'body' | 'trailers'>, endOfStream?: boolean): void;
  responseBody(bytes: string | Uint8Array, endOfStream?: boolean): void;
  responseTrailers(fields: Fields): void;
}

/** A TCP connection through the filter. */
export interface TcpExchange {
  /** `waiting`: the filter has not let it in yet. */
  readonly state: 'waiting' | 'open' | 'closed';
  readonly toUpstream: Uint8Array;
  readonly toClient: Uint8Array;
  readonly callbacks: readonly CallbackRecord[];
  readonly logs: readonly LogLine[];
  fromClient(bytes: string | Uint8Array, endOfStream?: boolean): void;
  fromUpstream(bytes: string | Uint8Array, endOfStream?: boolean): void;
  close(by?: 'client' | 'upstream'): void;
}

export interface Filter {
  exchange(spec?: ExchangeSpec): Promise<Exchange>;
  /** An exchange that the test drives step by step. */
  stream(spec?: Pick<ExchangeSpec, 'properties'>): SteppedExchange;
  tcp(spec?: Pick<ExchangeSpec, 'properties'>): TcpExchange;
  /** What an upstream answers from now on: by function, or one after the other. */
  onCall(upstream: string, script: CallScript): void;
  onGrpc(upstream: string, script: GrpcScript): void;
  /** What limits of the host decide from now on, for all filters of the worker. Default: they count by the clock. */
  onLimit(script: LimitScript): void;
  readonly clock: Clock;
  /** Calls the filter's tick now, whatever its period. */
  tick(): Promise<void>;
  /** Of a counter or a gauge, by the name that the filter gave it; undefined: it defined none. */
  metric(name: string): number | undefined;
  histogram(name: string): Histogram | undefined;
  readonly shared: SharedData;
  /** Everything since it was opened. */
  readonly logs: readonly LogLine[];
  readonly calls: readonly HttpCall[];
  readonly grpcCalls: readonly GrpcCall[];
  /** Times that it trapped. */
  readonly traps: number;
  /** What the module is told to be wrong about itself: functions that no host has, and the like. */
  readonly warnings: readonly string[];
  /** Another plugin in the same worker: shared data, queues, clock and metrics are the same. */
  open(module: string | Uint8Array, options?: Omit<FilterOptions, 'clock' | 'node'>): Promise<Filter>;
  /** A chain of filters: this one, then the others. */
  chain(...next: readonly Filter[]): Pick<Filter, 'exchange' | 'stream'>;
  /** Done and delete for its contexts. */
  close(): Promise<void>;
}

/**
 * Opens a filter in weir's host: start, configuration, root context.
 *
 * @param module its bytes, the file of a module (`.wasm`), or the entry file of its sources (`.ts`), which is
 *   compiled with names and assertions
 * @throws Error with the filter's own words, where the filter refuses its configuration
 */
export function openFilter(module: string | Uint8Array, options?: FilterOptions): Promise<Filter>;

/**
 * Whether filters run in a weir with sockets: the variable WEIR_LIVE is set. What such a weir cannot tell skips the
 * test, with the reason, where vitest runs it, and throws elsewhere: `test('…', { skip: live && 'no clock' }, …)`.
 */
export const live: boolean;

/** Every way to cut a body in two, the body whole, and the body byte by byte. */
export function everySplit(body: string | Uint8Array): Uint8Array[][];

/** Counts which lines of filters run: of those that are opened afterwards by the `.ts` file, or were built to count. */
export function startCoverage(): Coverage;

/**
 * What the processes of a test run have counted: with the variable WEIR_COVERAGE set to a folder, each of them
 * leaves its part there.
 */
export function readCoverage(folder: string): CoverageReport;

export interface Coverage {
  report(): CoverageReport;
  stop(): void;
}

export interface CoverageReport {
  /** By file, relative to the project; lines that are code, from 1, with how often they ran. */
  readonly files: readonly { readonly file: string; readonly lines: ReadonlyMap<number, number> }[];
  /** Modules whose lines are not known. */
  readonly skipped: readonly string[];
  /** Of all lines that are code. */
  readonly percent: number;
  /** In the format of lcov. */
  lcov(): string;
  /** A table: files, shares, lines that never ran. */
  text(): string;
  /** A file with the counts beside its lines, `!!` where a line never ran; empty where the file is not there. */
  annotate(file: string): string;
}
