import type { GrpcExchange, GrpcRequest, GrpcSink, GrpcTransport } from '../../src/runtime/grpc/transport.ts';
import type { HeaderBlock } from '../../src/runtime/http/headers.ts';
import type { Decision, Ledger, LedgerWaiter, Limit } from '../../src/runtime/ledger.ts';
import { LocalQuotas } from '../../src/runtime/quota/local.ts';
import type { PluginSpec } from '../../src/runtime/snapshot.ts';
import { MetricType } from '../../src/runtime/wasm/abi.ts';
import type { CalloutSink, CalloutTransport } from '../../src/runtime/wasm/callouts.ts';
import { CAPABILITIES } from '../../src/runtime/wasm/capabilities.ts';
import { compileModule, type CompiledModule, type ModuleLimits } from '../../src/runtime/wasm/module.ts';
import type { PluginMetrics } from '../../src/runtime/wasm/plugin-metrics.ts';
import { WasmHost, type Plugin, type WasmHostDeps } from '../../src/runtime/wasm/plugin.ts';
import { LocalSharedState } from '../../src/runtime/wasm/shared.ts';

export interface LogLine {
  readonly level: number;
  readonly plugin: string;
  readonly message: string;
}

export const PLUGIN: PluginSpec = {
  name: 'test/chain#filter',
  filter: 'filter',
  source: 'test.yaml:1:1',
  module: 0,
  rootId: 'root',
  vmId: 'vm',
  tenant: 'test',
  vmConfiguration: '',
  environment: [],
  instances: { shared: false, min: 1, max: 1000, recycleAfter: 0 },
  configuration: '',
  onError: 'deny',
  capabilities: CAPABILITIES.map(({ name }) => name),
  bodyBufferBytes: 1024 * 1024,
  onBodyOverflow: 'reject',
  bodyWhileHeld: false,
  properties: 'envoy',
  callouts: [['auth', 7]],
};

/** A callout that waits for the test to answer it. */
export interface SentCallout {
  readonly token: number;
  readonly cluster: number;
  readonly head: [string, string][];
  readonly body: string;
  readonly trailers: [string, string][] | null;
  readonly timeoutMs: number;
  readonly sink: CalloutSink;
}

export class ManualCallouts implements CalloutTransport {
  readonly sent: SentCallout[] = [];
  readonly cancelled: number[] = [];
  /** The next calls are not sent. */
  refuses = false;

  httpCall(
    cluster: number,
    head: HeaderBlock,
    body: Uint8Array,
    trailers: HeaderBlock | null,
    timeoutMs: number,
    sink: CalloutSink,
  ): number {
    if (this.refuses) return 0;
    const token = 1000 + this.sent.length;
    const text = Buffer.from(body).toString();
    this.sent.push({
      token,
      cluster,
      head: head.entries(),
      body: text,
      trailers: trailers?.entries() ?? null,
      timeoutMs,
      sink,
    });
    return token;
  }

  cancel(token: number): void {
    this.cancelled.push(token);
  }
}

/** A gRPC call that waits for the test to play the server. */
export interface OpenedGrpc {
  readonly cluster: number;
  readonly request: GrpcRequest;
  readonly sink: GrpcSink;
  readonly sent: string[];
  ended: boolean;
  cancelled: boolean;
}

export class ManualGrpc implements GrpcTransport {
  readonly opened: OpenedGrpc[] = [];
  /** The next calls are not sent. */
  refuses = false;
  /** Messages are not taken any more. */
  full = false;

  open(cluster: number, request: GrpcRequest, sink: GrpcSink): GrpcExchange | null {
    if (this.refuses) return null;
    const call: OpenedGrpc = { cluster, request, sink, sent: [], ended: false, cancelled: false };
    this.opened.push(call);
    return {
      send: (message) => {
        if (this.full || call.ended) return false;
        call.sent.push(Buffer.from(message).toString());
        return true;
      },
      end: () => {
        call.ended = true;
      },
      cancel: () => {
        call.cancelled = true;
      },
    };
  }
}

export class RecordedMetrics implements PluginMetrics {
  readonly names: string[] = [];
  readonly values: number[] = [];
  readonly observations: number[][] = [];

  define(plugin: PluginSpec, type: MetricType, name: string): number {
    const key = `${plugin.name}/${['counter', 'gauge', 'histogram'][type]!}/${name}`;
    const known = this.names.indexOf(key);
    if (known >= 0) return known;
    this.values.push(0);
    this.observations.push([]);
    return this.names.push(key) - 1;
  }

  add(slot: number, delta: number): void {
    this.values[slot] = Math.max(0, this.values[slot]! + delta);
  }

  set(slot: number, value: number): void {
    this.values[slot] = value;
  }

  observe(slot: number, value: number): void {
    this.observations[slot]!.push(value);
  }

  get(slot: number): number {
    return this.values[slot]!;
  }
}

/** What a test says of a decision. */
type Said = Omit<Decision, 'failed' | 'at'> & Partial<Decision>;

/** Answers what the test says, at once or when the test lets it. */
export class ManualLedger implements Ledger {
  readonly taken: { key: string; cost: number; limit: Limit; done: (decision: Said) => void }[] = [];
  readonly peeked: string[] = [];
  readonly charged: { key: string; cost: number }[] = [];
  readonly givenBack: { key: string; cost: number; takenAt: number }[] = [];
  decision: Said | null = { allowed: true, remaining: 9, limit: 10, resetMs: 500, retryAfterMs: 0 };

  take(key: string, cost: number, limit: Limit, waiter: LedgerWaiter, ticket: number): Decision | null {
    this.taken.push({ key, cost, limit, done: (decision) => waiter.decided(ticket, whole(decision)) });
    return this.decision === null ? null : whole(this.decision);
  }

  peek(key: string, cost: number, limit: Limit, waiter: LedgerWaiter, ticket: number): Decision | null {
    this.peeked.push(key);
    return this.take(key, cost, limit, waiter, ticket);
  }

  charge(key: string, cost: number): void {
    this.charged.push({ key, cost });
  }

  giveBack(key: string, cost: number, _limit: Limit, takenAt: number): void {
    this.givenBack.push({ key, cost, takenAt });
  }
}

function whole(said: Said): Decision {
  return { failed: false, at: 0, ...said };
}

/**
 * The Wasm host without a chain, for tests of the host itself and loops that measure: its surroundings are the test's
 * (log lines, clock, callouts, metrics, ledger). What a filter does with a request is tested with the kit of the SDK.
 */
export class BareHost {
  readonly lines: LogLine[] = [];
  readonly callouts = new ManualCallouts();
  readonly grpc = new ManualGrpc();
  readonly metrics = new RecordedMetrics();
  readonly shared = new LocalSharedState();
  readonly ledger = new ManualLedger();
  readonly trips: { plugin: string; reason: string }[] = [];
  readonly host: WasmHost;
  now = 1_700_000_000_000;

  constructor(deps: Partial<WasmHostDeps> = {}) {
    this.host = new WasmHost({
      log: (level, plugin, message) => void this.lines.push({ level, plugin, message }),
      callouts: this.callouts,
      grpc: this.grpc,
      shared: this.shared,
      metrics: this.metrics,
      ledger: this.ledger,
      quotas: new LocalQuotas(() => this.now),
      now: () => this.now,
      node: { id: 'node-1', cluster: 'edge' },
      workerId: 3,
      tripped: (plugin, reason) => void this.trips.push({ plugin: plugin.spec.name, reason }),
      logLevel: 0,
      ...deps,
    });
  }

  /** Compiles where bytes are given. */
  async start(
    code: Uint8Array | CompiledModule,
    spec: Partial<PluginSpec> = {},
    limits: ModuleLimits = {},
  ): Promise<Plugin> {
    const module = code instanceof Uint8Array ? await compileModule(code, limits) : code;
    return this.host.startPlugin(module, { ...PLUGIN, ...spec });
  }

  get messages(): string[] {
    return this.lines.map(({ message }) => message);
  }
}
