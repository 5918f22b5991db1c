import type { PluginSpec } from '../../src/runtime/snapshot.ts';
import { expandCapabilities } from '../../src/runtime/wasm/capabilities.ts';
import { CALL_MS, REQUEST_MS } from '../../src/runtime/wasm/limits.ts';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import { spaceOf } from '../../src/runtime/wasm/shared.ts';
import { saveCoverage } from './coverage.ts';
import { KitExchange } from './exchange.ts';
import { KitHost } from './kit-host.ts';
import { checkModule, readModule } from './module-file.ts';
import type {
  CallScript,
  Clock,
  Exchange,
  ExchangeSpec,
  Filter,
  FilterOptions,
  GrpcCall,
  GrpcScript,
  Histogram,
  HttpCall,
  LimitScript,
  LogLine,
  SharedData,
  SteppedExchange,
  TcpExchange,
  Upstream,
} from './testing.d.ts';
import { KitTcp } from './tcp-exchange.ts';

const TENANT = 'test';
const MiB = 1024 * 1024;
/** Twenty times what a Module has: a test tells the work by its fuel, and a machine that is busy must not fail it. */
const PATIENT = { perCallMs: 20 * CALL_MS, perRequestMs: 20 * REQUEST_MS };

/** Opens a filter; the first of a worker makes it. */
export async function startFilter(
  module: string | Uint8Array,
  options: FilterOptions,
  shared: KitHost | null,
): Promise<KitFilter> {
  const host = shared ?? new KitHost(options);
  const upstreams = options.upstreams ?? [];
  const names = Array.isArray(upstreams) ? (upstreams as string[]) : Object.keys(upstreams);
  const callouts = names.map((name) => [name, host.cluster(name)] as const);
  if (!Array.isArray(upstreams))
    for (const [name, script] of Object.entries(upstreams as Record<string, CallScript>))
      host.calls.scripts.set(name, script);
  const label = typeof module === 'string' ? module : options.name;
  const limits = { ...PATIENT, ...options.limits };
  const checked = await checkModule(await readModule(module, options), limits, label);
  if (checked.started !== null) host.counters.set(checked.module, checked.started);
  const spec = specOf(options, callouts);
  const before = host.lines.length;
  const plugin = await host.wasm.startPlugin(checked.module, spec).catch((error: unknown) => {
    const said = host.lines.slice(before).map(({ level, message }) => `\n  ${level}: ${message}`);
    throw new Error(`the filter does not start: ${(error as Error).message}${said.join('')}`, {
      cause: error,
    });
  });
  const filter = new KitFilter(host, plugin, before);
  host.pump();
  return filter;
}

function specOf(options: FilterOptions, callouts: PluginSpec['callouts']): PluginSpec {
  const { name = 'filter' } = options;
  return {
    name: `test/chain#${name}`,
    filter: name,
    source: 'test',
    module: 0,
    rootId: options.rootId ?? '',
    vmId: options.vmId ?? '',
    tenant: TENANT,
    vmConfiguration: textOf(options.vmConfig),
    environment: Object.entries(options.environment ?? {}).map(([variable, value]) => ({
      name: variable,
      value,
    })),
    instances: { shared: false, min: 1, max: 1000, recycleAfter: 0 },
    configuration: textOf(options.config),
    onError: options.onError ?? 'deny',
    capabilities: expandCapabilities(options.capabilities),
    bodyBufferBytes: options.bodyBufferBytes ?? MiB,
    onBodyOverflow: options.onBodyOverflow ?? 'reject',
    bodyWhileHeld: options.bodyWhileHeld ?? false,
    properties: options.properties ?? 'envoy',
    callouts,
  };
}

function textOf(config: unknown): string {
  if (config === undefined) return '';
  return typeof config === 'string' ? config : JSON.stringify(config);
}

export class KitFilter implements Filter {
  readonly plugin: Plugin;
  readonly clock: Clock;
  readonly shared: SharedData;
  readonly #host: KitHost;
  readonly #firstLine: number;
  readonly #streams = new Set<KitExchange>();

  constructor(host: KitHost, plugin: Plugin, firstLine: number) {
    this.#host = host;
    this.plugin = plugin;
    this.#firstLine = firstLine;
    this.clock = {
      get now() {
        return host.clock.now;
      },
      advance: (ms) => host.advance(ms),
    };
    this.shared = sharedData(host, plugin.spec.vmId);
  }

  exchange(spec: ExchangeSpec = {}): Promise<Exchange> {
    return this.#exchange([this.plugin], spec);
  }

  stream(spec: Pick<ExchangeSpec, 'properties'> = {}): SteppedExchange {
    return this.#stream([this.plugin], spec);
  }

  tcp(spec: Pick<ExchangeSpec, 'properties'> = {}): TcpExchange {
    return new KitTcp(this.#host, this.plugin, spec.properties);
  }

  chain(...next: readonly Filter[]): Pick<Filter, 'exchange' | 'stream'> {
    const plugins = [this.plugin, ...(next as readonly KitFilter[]).map(({ plugin }) => plugin)];
    return {
      exchange: (spec = {}) => this.#exchange(plugins, spec),
      stream: (spec = {}) => this.#stream(plugins, spec),
    };
  }

  open(module: string | Uint8Array, options: FilterOptions = {}): Promise<Filter> {
    return startFilter(module, options, this.#host);
  }

  onCall(upstream: string, script: CallScript): void {
    this.#declared(upstream);
    this.#host.calls.scripts.set(upstream, script);
  }

  onGrpc(upstream: string, script: GrpcScript): void {
    this.#declared(upstream);
    this.#host.grpc.scripts.set(upstream, script);
  }

  onLimit(script: LimitScript): void {
    this.#host.limits.script = script;
  }

  async tick(): Promise<void> {
    const [root] = this.plugin.roots;
    const tick = root?.vm.callbacks.tick ?? null;
    if (root === undefined || tick === null) throw new Error('the filter has no proxy_on_tick');
    this.#host.run('tick', () => void root.vm.call(root, tick, 'proxy_on_tick', 0, 0));
    await this.#host.settle();
  }

  metric(name: string): number | undefined {
    return this.#host.metrics.value(this.plugin.spec.name, name);
  }

  histogram(name: string): Histogram | undefined {
    return this.#host.metrics.histogram(this.plugin.spec.name, name);
  }

  get logs(): readonly LogLine[] {
    return this.#host.lines
      .slice(this.#firstLine)
      .filter(({ plugin }) => plugin === this.plugin.spec.name)
      .map(({ level, message }) => ({ level, message }));
  }

  get calls(): readonly HttpCall[] {
    return this.#host.calls.sent;
  }

  get grpcCalls(): readonly GrpcCall[] {
    return this.#host.grpc.opened;
  }

  get traps(): number {
    return this.plugin.traps;
  }

  get warnings(): readonly string[] {
    return this.plugin.module.warnings;
  }

  async close(): Promise<void> {
    for (const stream of this.#streams) stream.disconnect();
    this.#streams.clear();
    let ended = false;
    const retired = this.plugin.retire().finally(() => (ended = true));
    await this.#host.settle();
    // One that has not said that it is done has as long as weir gives it.
    if (!(ended as boolean)) await this.#host.advance(DONE_WAIT_MS);
    await retired;
    saveCoverage();
  }

  #stream(
    plugins: readonly Plugin[],
    spec: Pick<ExchangeSpec, 'properties'>,
    upstream: Upstream | null = null,
  ): KitExchange {
    for (const stream of this.#streams) if (stream.state !== 'waiting') this.#streams.delete(stream);
    const exchange = new KitExchange(this.#host, plugins, spec.properties, upstream);
    this.#streams.add(exchange);
    return exchange;
  }

  async #exchange(plugins: readonly Plugin[], spec: ExchangeSpec): Promise<Exchange> {
    const exchange = this.#stream(plugins, spec, spec.response ?? {});
    exchange.sendRequest(spec.request ?? {});
    await exchange.settle();
    return exchange;
  }

  #declared(upstream: string): void {
    if (this.plugin.cluster(upstream) >= 0) return;
    throw new Error(
      `the filter may not call "${upstream}": name it in openFilter(…, { upstreams: ['${upstream}'] })`,
    );
  }
}

/** `DONE_MS` of the host. */
const DONE_WAIT_MS = 10_000;

function sharedData(host: KitHost, vmId: string): SharedData {
  const space = spaceOf(TENANT, vmId);
  const wire = (text: string): string => Buffer.from(text).toString('latin1');
  return {
    get: (key) => {
      const value = host.shared.get(space, wire(key));
      return value === undefined ? undefined : Buffer.from(value.value).toString();
    },
    set: (key, value) => void host.shared.set(space, wire(key), Buffer.from(value), 0),
    keys: (prefix = '') =>
      host.shared.keys(space, wire(prefix)).map((key) => Buffer.from(key, 'latin1').toString()),
    enqueue: (queue, item) => {
      const id = host.shared.resolve(space, wire(queue));
      if (id === 0) throw new Error(`the filter has registered no queue "${queue}"`);
      host.shared.enqueue(`${TENANT}\0`, id, Buffer.from(item));
    },
  };
}
