import { LocalLedger } from '../runtime/ledger.ts';
import { LocalQuotas } from '../runtime/quota/local.ts';
import type { PluginSpec } from '../runtime/snapshot.ts';
import type { StreamContext } from '../runtime/wasm/context.ts';
import type { Context } from '../runtime/wasm/context-table.ts';
import type { CompiledModule } from '../runtime/wasm/module.ts';
import { WasmHost, type Plugin } from '../runtime/wasm/plugin.ts';
import type { RootContext } from '../runtime/wasm/root.ts';
import { LocalSharedState } from '../runtime/wasm/shared.ts';
import { Recorder } from '../runtime/wasm/tap/recorder.ts';
import { Writer } from '../runtime/wasm/tap/writer.ts';
import { bytesOf, type CallbackRecord, type RecordedCall } from '../runtime/wasm/tap/record.ts';
import type { Callbacks, Vm } from '../runtime/wasm/vm.ts';
import { Answers, learn, type Found } from './answers.ts';
import { Player, type Score } from './player.ts';
import type { RecordedInstance } from './recording.ts';
import { ReplayCalls } from './replay-calls.ts';
import { ReplayStream } from './replay-stream.ts';
import type { Stopwatch } from './stopwatch.ts';

/** One callback, as it was recorded and as it was replayed. */
export interface Step {
  /** Null: the build did more than was recorded. */
  readonly recorded: CallbackRecord | null;
  /** Null: the callback did not come about. */
  readonly replayed: CallbackRecord | null;
  /** Fields of the stream's maps before the callback, by type. */
  readonly before: ReadonlyMap<number, readonly (readonly [string, string])[]>;
  /** Calls that nothing recorded answers. */
  readonly unknown: readonly string[];
  /** Why the callback was left out. */
  readonly skipped: 'not called' | 'went another way' | null;
}

const KEYS: Readonly<Record<string, keyof Callbacks>> = {
  proxy_on_context_create: 'contextCreate',
  proxy_on_vm_start: 'vmStart',
  proxy_on_configure: 'configure',
  proxy_on_done: 'done',
  proxy_on_log: 'log',
  proxy_on_delete: 'delete',
  proxy_on_request_headers: 'requestHeaders',
  proxy_on_request_body: 'requestBody',
  proxy_on_request_trailers: 'requestTrailers',
  proxy_on_response_headers: 'responseHeaders',
  proxy_on_response_body: 'responseBody',
  proxy_on_response_trailers: 'responseTrailers',
  proxy_on_new_connection: 'newConnection',
  proxy_on_downstream_data: 'downstreamData',
  proxy_on_upstream_data: 'upstreamData',
  proxy_on_downstream_connection_close: 'downstreamClose',
  proxy_on_upstream_connection_close: 'upstreamClose',
  proxy_on_tick: 'tick',
  proxy_on_http_call_response: 'httpCallResponse',
  proxy_on_grpc_receive_initial_metadata: 'grpcInitialMetadata',
  proxy_on_grpc_receive: 'grpcReceive',
  proxy_on_grpc_receive_trailing_metadata: 'grpcTrailingMetadata',
  proxy_on_grpc_close: 'grpcClose',
  proxy_on_queue_ready: 'queueReady',
  proxy_on_foreign_function: 'foreignFunction',
  weir_on_explain: 'explain',
};
const OF_TCP = /_(?:connection|downstream_data|upstream_data)/;
/** An end frees the context: it comes even where a stream went another way. */
const ENDS = new Set(['proxy_on_done', 'proxy_on_log', 'proxy_on_delete']);
const MAPS = [0, 1, 2, 3];

interface Played {
  readonly stream: ReplayStream;
  readonly context: StreamContext;
  /** It was answered, or waits, where the recorded one went on: what follows was not recorded. */
  strayed: boolean;
}

/** Replays one instance against a build. */
export class Replay implements Score {
  readonly #instance: RecordedInstance;
  readonly #bodyBytes: number;
  readonly #stopwatch: Stopwatch | null;
  readonly #compiled: CompiledModule;
  readonly #calls = new ReplayCalls();
  readonly #plugins: Plugin[] = [];
  /** Recorded callbacks that are still to come, by what identifies them. */
  readonly #queues = new Map<string, CallbackRecord[]>();
  readonly #starts = new Map<string, CallbackRecord>();
  readonly #done = new Set<CallbackRecord>();
  readonly #streams = new Map<number, Played>();
  readonly #ids = new Map<Context, number>();
  readonly #ofStream = new Map<number, Map<string, RecordedCall>>();
  readonly #known = new Map<string, RecordedCall>();
  readonly #steps: Step[] = [];
  #vm: Vm | null = null;
  #roots: number[] = [];
  #current: CallbackRecord | null = null;
  #answers = new Answers(null, new Map(), this.#known);
  #before: Step['before'] = new Map();
  #unknown: string[] = [];
  #now = 0;
  #random = 1;

  /**
   * @param bodyBytes of each body that were recorded, at most
   * @param stopwatch measures what is replayed, in the place of recording it
   */
  constructor(
    compiled: CompiledModule,
    instance: RecordedInstance,
    bodyBytes: number,
    stopwatch: Stopwatch | null = null,
  ) {
    this.#bodyBytes = bodyBytes;
    this.#stopwatch = stopwatch;
    this.#compiled = compiled;
    this.#instance = instance;
    for (const record of instance.callbacks) {
      const key = `${record.callback} ${record.context}`;
      const queue = this.#queues.get(key);
      if (queue === undefined) this.#queues.set(key, [record]);
      else queue.push(record);
      if (record.stream === undefined) {
        if (record.callback === 'proxy_on_context_create' || record.callback === 'start')
          this.#starts.set(key, record);
        else if (/_(vm_start|configure)$/.test(record.callback)) this.#starts.set(key, record);
        continue;
      }
      let answers = this.#ofStream.get(record.context);
      if (answers === undefined)
        this.#ofStream.set(record.context, (answers = new Map<string, RecordedCall>()));
      learn(answers, record);
    }
  }

  /**
   * Starts the build and plays everything to it.
   *
   * @throws PluginStartError where the build refuses its configuration
   */
  async run(): Promise<readonly Step[]> {
    const host = new WasmHost({
      log: () => undefined,
      callouts: this.#calls,
      grpc: this.#calls,
      shared: new LocalSharedState(),
      metrics: {
        define: () => 0,
        add: () => undefined,
        set: () => undefined,
        observe: () => undefined,
        get: () => 0,
      },
      ledger: new LocalLedger(),
      quotas: new LocalQuotas(() => this.#now),
      now: () => this.#now,
      node: { id: 'weir', cluster: 'weir' },
      workerId: this.#instance.record.worker,
      environment: {},
      tripped: () => undefined,
      logLevel: this.#instance.record.logLevel,
    });
    for (const spec of specsOf(this.#instance))
      this.#plugins.push(await host.startPlugin(this.#compiled, spec));
    this.#start();
    for (const record of this.#instance.callbacks) this.#play(record);
    for (const { context } of this.#streams.values()) if (context.stream !== null) context.finish();
    for (const root of this.#vm!.roots) root.dispose();
    return this.#steps;
  }

  /** @throws PluginStartError */
  #start(): void {
    this.#vm = null;
    this.#streams.clear();
    this.#roots = this.#instance.callbacks
      .filter(
        ({ callback, stream }) =>
          stream === undefined && /_(context_create|vm_start|configure)$/.test(callback),
      )
      .map(({ context }) => context)
      .filter((id, i, ids) => ids.indexOf(id) === i);
    this.#vm = this.#plugins[0]!.group.watch((vm) => {
      const writer = new Writer(null, this.#bodyBytes);
      const player = new Player(vm, this, writer, this.#stopwatch);
      this.#begin(this.#next('start 0'), null);
      const ended = (replayed: CallbackRecord): void => this.#ended(replayed);
      const looksOn =
        this.#stopwatch?.witness(vm, ended) ??
        new Recorder(vm, {
          instance: this.#instance.record.instance,
          writer,
          now: () => this.#now,
          write: ended,
        });
      return {
        imports: (own) => looksOn.imports(player.imports(own)),
        // The stream is brought to its place before the recorder looks at it.
        callbacks: (own) => player.callbacks(looksOn.callbacks(own)),
      };
    });
    for (const plugin of this.#plugins) plugin.tap = { choose: () => this.#chosen(plugin) };
  }

  #chosen(plugin: Plugin): RootContext | null {
    const root = this.#vm!.rootOf(plugin);
    if (root !== null) this.#vm!.streams++;
    return root;
  }

  #next(key: string): CallbackRecord | null {
    const record = this.#queues.get(key)?.shift() ?? this.#starts.get(key) ?? null;
    if (record !== null) this.#done.add(record);
    return record;
  }

  #begin(record: CallbackRecord | null, context: Context | null): void {
    this.#current = record;
    if (record !== null) this.#now = record.at;
    const stream = context === null ? undefined : this.#ofStream.get(this.#ids.get(context) ?? -1);
    this.#answers = new Answers(record, stream ?? new Map(), this.#known);
    this.#unknown = [];
    const played = context === null ? undefined : this.#streams.get(this.#ids.get(context) ?? -1);
    if (played !== undefined && record?.state !== undefined) played.stream.apply(record.state);
    this.#before = played !== undefined ? fieldsOf(played.stream) : new Map();
  }

  #ended(replayed: CallbackRecord): void {
    const recorded = this.#current;
    this.#current = null;
    if (recorded !== null) learn(this.#known, recorded);
    const id = recorded?.context ?? replayed.context;
    this.#steps.push({ recorded, replayed, before: this.#before, unknown: this.#unknown, skipped: null });
    const played = this.#streams.get(id);
    if (played !== undefined && recorded !== null && strays(recorded, replayed)) played.strayed = true;
  }

  #play(record: CallbackRecord): void {
    if (this.#done.has(record)) return;
    if (this.#vm!.dead) this.#start();
    if (record.callback === 'proxy_on_context_create' && record.stream !== undefined) return;
    const skipped = record.stream === undefined ? this.#playRoot(record) : this.#playStream(record);
    if (this.#done.has(record)) return;
    this.#done.add(record);
    learn(this.#known, record);
    this.#steps.push({ recorded: record, replayed: null, before: new Map(), unknown: [], skipped });
  }

  #playRoot(record: CallbackRecord): Step['skipped'] {
    const vm = this.#vm!;
    const root = [...vm.roots].find(({ plugin }) => plugin.spec.name === record.plugin);
    if (root === undefined) return 'not called';
    const { callback, args } = record;
    if (callback === 'proxy_on_tick') {
      const { tick } = vm.callbacks;
      if (tick !== null) vm.call(root, tick, callback, 0, 0);
    } else if (callback === 'proxy_on_queue_ready') root.onQueueReady(args[0]!);
    else if (callback === 'proxy_on_done' || callback === 'proxy_on_delete') void root.end();
    else if (callback === 'proxy_on_foreign_function')
      root.onForeignFunction(root.id, args[0]!, bytesOf(record.data ?? ''));
    else if (record.answer !== undefined) this.#calls.deliver(record);
    return 'not called';
  }

  #playStream(record: CallbackRecord): Step['skipped'] {
    const played = this.#streamOf(record);
    if (played === null) return 'not called';
    const { callback, args } = record;
    const { context } = played;
    if (ENDS.has(callback)) {
      if (context.stream !== null) context.finish();
      return 'not called';
    }
    if (played.strayed || context.failed) return 'went another way';
    const [first = 0, second = 0] = args;
    switch (KEYS[callback]) {
      case 'requestHeaders':
        context.onRequestHeaders(first, second !== 0);
        break;
      case 'requestBody':
        context.onRequestBody(first, second !== 0);
        break;
      case 'requestTrailers':
        context.onRequestTrailers(first);
        break;
      case 'responseHeaders':
        context.onResponseHeaders(first, second !== 0);
        break;
      case 'responseBody':
        context.onResponseBody(first, second !== 0);
        break;
      case 'responseTrailers':
        context.onResponseTrailers(first);
        break;
      case 'newConnection':
        context.onNewConnection();
        break;
      case 'downstreamData':
        context.onDownstreamData(first, second !== 0);
        break;
      case 'upstreamData':
        context.onUpstreamData(first, second !== 0);
        break;
      case 'downstreamClose':
        context.onDownstreamClose(first as 0);
        break;
      case 'upstreamClose':
        context.onUpstreamClose(first as 0);
        break;
      case 'explain':
        context.explain();
        break;
      case 'foreignFunction':
        context.root.onForeignFunction(context.id, first, bytesOf(record.data ?? ''));
        break;
      default:
    }
    return 'not called';
  }

  #streamOf(record: CallbackRecord): Played | null {
    const known = this.#streams.get(record.context);
    if (known !== undefined) return known;
    const plugin = this.#plugins.find(({ spec }) => spec.name === record.plugin)!;
    const stream = new ReplayStream(OF_TCP.test(record.callback) ? 'tcp' : 'http');
    const context = plugin.createContext(stream);
    if (context === null) return null;
    const played = { stream, context, strayed: false };
    stream.mayAdd = (type) => addedTrailers(this.#current, type);
    const create = this.#queues.get(`proxy_on_context_create ${record.context}`)?.[0];
    stream.keep(create?.properties ?? record.properties ?? {});
    if (record.state !== undefined) stream.apply(create?.state ?? record.state);
    this.#streams.set(record.context, played);
    this.#ids.set(context, record.context);
    return played;
  }

  begins(key: keyof Callbacks, contextId: number): void {
    const context = this.#vm?.contexts.get(contextId) ?? null;
    const recordedId = this.#recordedId(context, contextId);
    const name = Object.keys(KEYS).find((each) => KEYS[each] === key)!;
    this.#begin(this.#next(`${name} ${recordedId}`), context);
  }

  /** Root contexts come in the order in which they were recorded. */
  #recordedId(context: Context | null, contextId: number): number {
    // The first callbacks come before `watch` has returned.
    if (context === null || !this.#ids.has(context)) {
      const plugins = this.#plugins.length;
      return this.#roots[Math.min(contextId, plugins) - 1] ?? contextId;
    }
    return this.#ids.get(context)!;
  }

  find(name: string, inputs: readonly unknown[], mayDiffer: boolean): Found | null {
    return this.#answers.find(name, inputs, mayDiffer);
  }

  unknown(name: string, inputs: readonly unknown[]): void {
    this.#unknown.push(`${name}${JSON.stringify(inputs)}`);
  }

  property(path: string): Buffer | null {
    const effective = this.#vm?.effective ?? null;
    const id = effective === null ? undefined : this.#ids.get(effective);
    return id === undefined ? null : (this.#streams.get(id)?.stream.property(path) ?? null);
  }

  sends(recorded: RecordedCall | null): void {
    this.#calls.sends(recorded);
  }

  turned(recorded: RecordedCall | null): void {
    const effective = this.#vm?.effective ?? null;
    const id = effective === null ? undefined : this.#ids.get(effective);
    if (id !== undefined && recorded?.state !== undefined)
      this.#streams.get(id)?.stream.apply(recorded.state);
  }

  nextRandom(): number {
    this.#random = (Math.imul(this.#random, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return this.#random >>> 8;
  }
}

/** Plugins as they were, with instances that are made by hand. */
function specsOf({ record, aliases }: RecordedInstance): PluginSpec[] {
  const { plugins, tenant, vmId, vmConfiguration, environment } = record;
  return plugins.map((plugin) => ({
    name: plugin.name,
    filter: plugin.name.slice(plugin.name.indexOf('#') + 1),
    source: '',
    module: 0,
    rootId: plugin.rootId,
    tenant,
    vmId,
    vmConfiguration,
    environment: environment.map((entry) => {
      const [, name = '', value = ''] = /^([^=]*)=([^\0]*)/.exec(entry) ?? [];
      return { name, value };
    }),
    instances: { shared: plugins.length > 1, min: 0, max: 1, recycleAfter: 0 },
    configuration: aliases.reduce(
      (text, { find, replace }) => text.replaceAll(find, replace),
      plugin.configuration,
    ),
    onError: 'deny' as const,
    capabilities: plugin.capabilities,
    bodyBufferBytes: 0,
    onBodyOverflow: 'reject' as const,
    bodyWhileHeld: false,
    properties: plugin.properties,
    callouts: plugin.upstreams.map((name, i) => [name, i] as const),
  }));
}

function fieldsOf(stream: ReplayStream): Step['before'] {
  return new Map(
    MAPS.flatMap((type) => {
      const fields = stream.fields(type);
      return fields === null ? [] : [[type, fields] as const];
    }),
  );
}

function repliesIn({ calls }: CallbackRecord): boolean {
  return calls.some(({ call, status }) => call === 'proxy_send_local_response' && status === 0);
}

/** Whether what was recorded after the callback says nothing any more about the build. */
function strays(recorded: CallbackRecord, replayed: CallbackRecord): boolean {
  if (repliesIn(recorded) !== repliesIn(replayed)) return true;
  // Only heads, bodies, trailers and data are held up.
  const holds = /_(headers|body|trailers|data|new_connection)$/.test(recorded.callback);
  return holds && (recorded.result === 0) !== (replayed.result === 0);
}

function addedTrailers(current: CallbackRecord | null, type: number): boolean {
  return (current?.calls ?? []).some(
    ({ call, in: inputs, status }) =>
      status === 0 && inputs[0] === type && /^proxy_(add|replace|set)_header_map/.test(call),
  );
}
