import type { HeaderBlock } from '../../http/headers.ts';
import { Status } from '../abi.ts';
import { StreamContext } from '../context.ts';
import type { Callbacks, GuestFunction, Vm } from '../vm.ts';
import { encodeAttribute } from '../properties.ts';
import { inputsOf, outputsOf } from './call-codec.ts';
import { type CallbackRecord, type RecordedAnswer, type RecordedBytes, type RecordedCall } from './record.ts';
import { StreamView } from './stream-view.ts';
import type { Witness } from './witness.ts';
import type { Writer } from './writer.ts';

type HostCall = (...args: (number | bigint)[]) => number | bigint | undefined;
type Open = { -readonly [K in keyof CallbackRecord]: CallbackRecord[K] } & { calls: RecordedCall[] };

export interface RecorderOptions {
  readonly instance: string;
  readonly writer: Writer;
  readonly now: () => number;
  readonly write: (record: CallbackRecord) => void;
}

/** Properties that filters ask for most: written with a stream's first callback, whatever the filter asks for. */
const PROPERTIES = [
  'request.id',
  'request.protocol',
  'source.address',
  'source.port',
  'destination.address',
  'destination.port',
  'connection.mtls',
  'connection.requested_server_name',
  'xds.route_name',
  'xds.cluster_name',
].map((path) => path.replaceAll('.', '\0'));
/** Streams that are looked through for those that are over. */
const MANY = 1000;

/** Writes down each callback of an instance with all that the guest asked the host meanwhile. */
export class Recorder implements Witness {
  readonly #vm: Vm;
  readonly #options: RecorderOptions;
  readonly #views = new Map<number, StreamView>();
  #open: Open | null = null;
  #seq = 0;
  #started = 0;
  /** Spent before the callback: the start's budget is one for several. */
  #fuel = 0;

  constructor(vm: Vm, options: RecorderOptions) {
    this.#vm = vm;
    this.#options = options;
  }

  imports(own: WebAssembly.Imports): WebAssembly.Imports {
    // The start function's calls.
    this.#open = this.#entry('start', 0, []);
    const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
    for (const [module, functions] of Object.entries(own)) {
      imports[module] = {};
      for (const [name, call] of Object.entries(functions))
        imports[module][name] = this.#wrap(name, call as HostCall) as WebAssembly.ImportValue;
    }
    return imports;
  }

  callbacks(own: Callbacks): Callbacks {
    this.#close(0);
    return Object.fromEntries(
      Object.entries(own).map(([key, callback]: [string, GuestFunction | null]) => [
        key,
        callback === null ? null : this.#watch(nameOf(key), callback),
      ]),
    ) as unknown as Callbacks;
  }

  #watch(name: string, callback: GuestFunction): GuestFunction {
    const count = callback.length - 1;
    const watched: GuestFunction = (id, b, c, d, e) => {
      const entry = this.#begin(name, id, [b ?? 0, c ?? 0, d ?? 0, e ?? 0].slice(0, count));
      try {
        const result = callback(id, b, c, d, e);
        this.#close(result >>> 0);
        return result;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        entry.trap = this.#options.writer.text(message);
        this.#close(null);
        throw error;
      }
    };
    // Of which another recorder around this one tells how many arguments there are.
    return Object.defineProperty(watched, 'length', { value: callback.length });
  }

  #entry(callback: string, context: number, args: readonly number[]): Open {
    this.#started = performance.now();
    this.#fuel = this.#vm.meter.spent;
    return {
      type: 'callback',
      instance: this.#options.instance,
      seq: this.#seq++,
      plugin: this.#vm.plugin.spec.name,
      callback,
      context,
      args,
      at: this.#options.now(),
      micros: 0,
      fuel: 0,
      calls: [],
      result: null,
    };
  }

  #begin(name: string, id: number, args: readonly number[]): Open {
    const entry = this.#entry(name, id, args);
    this.#options.writer.touched = false;
    this.#open = entry;
    const context = this.#vm.contexts.get(id);
    if (context instanceof StreamContext) this.#beginStream(entry, context);
    const { callouts, grpc, callData } = this.#vm.root;
    if (name === 'proxy_on_http_call_response')
      entry.answer = this.#answer(callouts.headers, callouts.body, callouts.trailers);
    else if (name.startsWith('proxy_on_grpc_'))
      entry.answer = this.#answer(grpc.initialMetadata, grpc.message, grpc.trailingMetadata);
    else if (name === 'proxy_on_foreign_function' && callData !== null)
      entry.data = this.#options.writer.bytes(callData);
    this.#started = performance.now();
    return entry;
  }

  #beginStream(entry: Open, context: StreamContext): void {
    const { stream } = context;
    let view = this.#views.get(context.id);
    if (view === undefined) {
      if (this.#views.size >= MANY) this.#forget();
      this.#views.set(context.id, (view = new StreamView(context, this.#options.writer)));
      if (stream !== null) entry.properties = this.#properties(stream);
    }
    const id = stream?.attribute('request\0id');
    entry.stream = id?.type === 'string' ? Buffer.from(id.value).toString() : '';
    entry.state = view.state(this.#vm.readOnly);
  }

  /** Modules without `proxy_on_delete` do not say when a stream is over. */
  #forget(): void {
    for (const [id, { context }] of this.#views)
      if (this.#vm.contexts.get(id) !== context) this.#views.delete(id);
  }

  #properties(stream: NonNullable<StreamContext['stream']>): Record<string, RecordedBytes> {
    const found: Record<string, RecordedBytes> = {};
    for (const path of PROPERTIES) {
      const value = stream.attribute(path);
      const bytes = value === undefined ? null : encodeAttribute(value, this.#vm.plugin.spec.properties);
      if (bytes !== null) found[path.replaceAll('\0', '.')] = this.#options.writer.bytes(bytes);
    }
    return found;
  }

  #answer(
    headers: HeaderBlock | null,
    body: Uint8Array | null,
    trailers: HeaderBlock | null,
  ): RecordedAnswer {
    const { statusCode, statusMessage } = this.#vm.root.callouts;
    const { writer } = this.#options;
    return {
      headers: headers === null ? [] : writer.fields(headers),
      body: body === null ? '' : writer.body(body),
      trailers: trailers === null ? [] : writer.fields(trailers),
      status: statusCode,
      message: writer.text(statusMessage),
    };
  }

  /** Ends what is open and writes it. */
  #close(result: number | null): void {
    const entry = this.#open;
    this.#open = null;
    if (entry === null) return;
    entry.micros = Math.round(1000 * (performance.now() - this.#started));
    entry.fuel = this.#vm.meter.spent - this.#fuel;
    entry.result = result;
    const after: Record<string, ReturnType<StreamView['changes']>> = {};
    for (const id of this.#seen(entry)) {
      const changes = this.#views.get(id)?.changes();
      if (changes !== undefined && Object.keys(changes).length > 0) after[id] = changes;
    }
    if (Object.keys(after).length > 0) entry.after = after;
    if (this.#options.writer.touched) entry.redacted = true;
    if (entry.callback === 'proxy_on_delete') this.#views.delete(entry.context);
    this.#options.write(entry);
  }

  /** Contexts whose streams the callback could change. */
  #seen(entry: Open): Set<number> {
    const seen = new Set([entry.context]);
    for (const { call, in: inputs } of entry.calls)
      if (call === 'proxy_set_effective_context') seen.add(inputs[0] as number);
    return seen;
  }

  #wrap(name: string, call: HostCall): HostCall {
    const { writer } = this.#options;
    return (...args) => {
      const entry = this.#open;
      // The allocator, called from outside a callback.
      if (entry === null) return call(...args);
      const record: RecordedCall & { status: number | null } = {
        call: name,
        in: inputsOf(this.#vm, name, args, writer),
        status: null,
      };
      entry.calls.push(record);
      const result = call(...args);
      record.status = result === undefined ? 0 : Number(result);
      writer.giving = true;
      const out = record.status === Status.Ok ? outputsOf(this.#vm, name, args, writer) : [];
      writer.giving = false;
      if (out.length > 0) Object.assign(record, { out });
      if (name === 'proxy_set_effective_context') this.#turned(record);
      return result;
    };
  }

  #turned(record: RecordedCall): void {
    const { effective } = this.#vm;
    if (!(effective instanceof StreamContext)) return;
    const view = this.#views.get(effective.id) ?? new StreamView(effective, this.#options.writer);
    this.#views.set(effective.id, view);
    Object.assign(record, { state: view.state(this.#vm.readOnly) });
  }
}

/** `proxy_on_request_headers` of `requestHeaders`. */
function nameOf(key: string): string {
  const special: Record<string, string> = {
    grpcInitialMetadata: 'proxy_on_grpc_receive_initial_metadata',
    grpcTrailingMetadata: 'proxy_on_grpc_receive_trailing_metadata',
    downstreamClose: 'proxy_on_downstream_connection_close',
    upstreamClose: 'proxy_on_upstream_connection_close',
    explain: 'weir_on_explain',
  };
  return special[key] ?? `proxy_on_${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
}
