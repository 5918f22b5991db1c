/** A worker's data plane in the test's own process, with a snapshot written by hand. */
import { LocalLedger } from '../../src/runtime/ledger.ts';
import { LocalQuotas } from '../../src/runtime/quota/local.ts';
import { LocalSharedState } from '../../src/runtime/wasm/shared.ts';
import { DEFAULT_CAPABILITIES } from '../../src/runtime/wasm/capabilities.ts';
import { Runtime } from '../../src/runtime/runtime.ts';
import {
  DEFAULT_LISTENER_LIMITS,
  type ClusterSpec,
  type ListenerLimits,
  type ListenerSpec,
  type MatchSpec,
  type PluginSpec,
  type PortSpec,
  type RuleSpec,
  type Snapshot,
  type TcpRuleSpec,
} from '../../src/runtime/snapshot.ts';
import { atEnd } from './cleanup.ts';
import { freePort } from './ports.ts';

export interface Part {
  readonly rules?: readonly (Partial<RuleSpec> & { readonly match?: Partial<MatchSpec> })[];
  readonly clusters?: readonly (Partial<ClusterSpec> & { readonly ports: readonly number[] })[];
  readonly limits?: Partial<ListenerLimits>;
  /** Of a listener of TCP, which is ruled by the first where it does not say otherwise. */
  readonly tcpRules?: readonly Partial<TcpRuleSpec>[];
  /** Default http. */
  readonly protocol?: PortSpec['protocol'];
  readonly clientValidation?: PortSpec['clientValidation'];
  readonly accessLog?: Snapshot['accessLog'];
  /** Default: one for any hostname. All rules hold in each, unless it says otherwise. */
  readonly listeners?: readonly Partial<ListenerSpec>[];
  readonly modules?: Snapshot['modules'];
  readonly plugins?: readonly (Partial<PluginSpec> & { readonly name: string })[];
  readonly chains?: Snapshot['chains'];
  /** Of the listener, for requests that match no rule. */
  readonly listenerChain?: number;
  readonly version?: string;
}

let versions = 0;

export function snapshotOf(port: number, part: Part): Snapshot {
  const rules = part.rules ?? [{}];
  return {
    version: part.version ?? `test-${++versions}`,
    ports: [
      {
        address: '127.0.0.1',
        port,
        protocol: part.protocol ?? 'http',
        limits: { ...DEFAULT_LISTENER_LIMITS, ...part.limits },
        ...(part.clientValidation === undefined ? {} : { clientValidation: part.clientValidation }),
        listeners: (part.listeners ?? [{}]).map((listener) => ({
          name: `test/edge/${listener.hostname || 'http'}`,
          hostname: '',
          chain: part.listenerChain ?? 0,
          certificates: [],
          minTlsVersion: 'TLSv1.2',
          metadata: [],
          tcpRule: part.tcpRules === undefined ? -1 : 0,
          virtualHosts: [
            {
              hostname: listener.hostname ?? '',
              matches: rules.map((rule, index) => ({
                path: { type: 'prefix', value: '/' },
                method: null,
                headers: [],
                query: [],
                ...rule.match,
                rule: index,
              })),
            },
          ],
          ...listener,
        })),
      },
    ],
    rules: rules.map((rule, index) => ({
      name: `test/route#${index}`,
      route: 'test/route',
      source: 'test.yaml:1:1',
      metadata: [],
      chain: 0,
      requestHeaders: null,
      responseHeaders: null,
      rewrite: null,
      redirect: null,
      backends: [{ cluster: 0, weight: 1, requestHeaders: null, responseHeaders: null }],
      timeouts: { requestMs: 0, perTryMs: 0, idleMs: 300_000 },
      retry: null,
      upgrades: ['websocket'],
      ...rule,
    })),
    tcpRules: (part.tcpRules ?? []).map((rule, index) => ({
      metadata: [],
      name: `test/tcp-route#${index}`,
      route: 'test/tcp-route',
      source: 'test.yaml:1:1',
      chain: 0,
      backends: [{ cluster: 0, weight: 1 }],
      idleMs: 300_000,
      retry: null,
      ...rule,
    })),
    clusters: (part.clusters ?? []).map((cluster, index) => ({
      name: `test/cluster-${index}`,
      source: 'test.yaml:1:1',
      metadata: [],
      balance: 'round-robin',
      endpoints: cluster.ports.map((p) => ({ address: '127.0.0.1', port: p, weight: 1 })),
      dns: null,
      tls: null,
      connectTimeoutMs: 2000,
      firstByteTimeoutMs: 60_000,
      idleTimeoutMs: 30_000,
      maxConnections: 1024,
      maxRequests: 1024,
      maxPending: 1024,
      ...cluster,
    })),
    modules: part.modules ?? [],
    plugins: (part.plugins ?? []).map((plugin) => ({
      filter: plugin.name,
      source: 'test.yaml:1:1',
      module: 0,
      rootId: '',
      vmId: '',
      vmConfiguration: '',
      tenant: 'test',
      environment: [],
      instances: { shared: false, min: 1, max: 1000, recycleAfter: 0 },
      configuration: '',
      onError: 'deny',
      capabilities: DEFAULT_CAPABILITIES,
      bodyBufferBytes: 1024 * 1024,
      onBodyOverflow: 'reject',
      bodyWhileHeld: false,
      properties: 'envoy',
      callouts: [],
      ...plugin,
    })),
    chains: part.chains ?? [[]],
    accessLog: part.accessLog ?? { mode: 'off', path: 'stdout', fields: [] },
  };
}

export type LogLine = (fields: object, message: string) => void;

const show: LogLine = (fields, message) => {
  if (process.env['WEIR_TEST_LOG'] === '1') process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
};

export class DataPlane {
  readonly port: number;
  readonly runtime: Runtime;

  private constructor(port: number, runtime: Runtime) {
    this.port = port;
    this.runtime = runtime;
  }

  static async start(
    part: Part,
    code: ReadonlyMap<string, Uint8Array> = new Map(),
    line: LogLine = show,
  ): Promise<DataPlane> {
    const log = { debug: line, info: line, warn: line, error: line };
    const runtime = new Runtime({
      workerId: 0,
      ledger: new LocalLedger(),
      quotas: new LocalQuotas(() => Date.now()),
      shared: new LocalSharedState(),
      log,
    });
    const plane = new DataPlane(await freePort(), runtime);
    atEnd(() => runtime.drain(0));
    await plane.apply(part, code);
    return plane;
  }

  async apply(part: Part, code: ReadonlyMap<string, Uint8Array> = new Map()): Promise<void> {
    this.runtime.swap(await this.runtime.stage(snapshotOf(this.port, part), code));
  }
}
