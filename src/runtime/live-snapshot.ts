import { Random, WeightedChoice } from './balance.ts';
import { Certificates } from './certificates.ts';
import type { Cluster } from './cluster.ts';
import { ConsumerMetrics } from './consumer-metrics.ts';
import { compileHeaderModifier, type CompiledHeaderModifier } from './header-modifier.ts';
import { LogFields } from './log-fields.ts';
import type { Metrics, MetricScope } from './metrics.ts';
import { RequestMetrics } from './request-metrics.ts';
import { CompiledRetry } from './retry.ts';
import { CompiledRedirect, CompiledRewrite } from './rewrite.ts';
import { Router } from './route.ts';
import { ClusterMetrics, FilterMetrics } from './runtime-metrics.ts';
import {
  isSecure,
  portKey,
  type BackendSpec,
  type ListenerSpec,
  type PortSpec,
  type RuleSpec,
  type Snapshot,
} from './snapshot.ts';
import { TcpMetrics } from './tcp/tcp-metrics.ts';
import { LiveTcpRule } from './tcp/tcp-rule.ts';
import type { Plugin } from './wasm/plugin.ts';

/** A backend of a rule with its header modifiers encoded. */
export interface LiveBackend {
  readonly cluster: number;
  readonly requestHeaders: CompiledHeaderModifier | null;
  readonly answerHeaders: CompiledHeaderModifier | null;
}

const random = new Random();

/** A rule in the form that the hot path reads. */
export class LiveRule {
  readonly spec: RuleSpec;
  readonly requestHeaders: CompiledHeaderModifier | null;
  readonly answerHeaders: CompiledHeaderModifier | null;
  readonly redirect: CompiledRedirect | null;
  readonly rewrite: CompiledRewrite | null;
  readonly retry: CompiledRetry | null;
  readonly #backends: readonly LiveBackend[];
  readonly #choice: WeightedChoice;
  readonly #upgrades: readonly string[];

  constructor(spec: RuleSpec) {
    this.spec = spec;
    this.requestHeaders = compileHeaderModifier(spec.requestHeaders);
    this.answerHeaders = compileHeaderModifier(spec.responseHeaders);
    this.redirect = spec.redirect === null ? null : new CompiledRedirect(spec.redirect);
    this.rewrite = spec.rewrite === null ? null : new CompiledRewrite(spec.rewrite);
    this.retry = spec.retry === null ? null : new CompiledRetry(spec.retry);
    this.#backends = spec.backends.map(liveBackend);
    this.#choice = new WeightedChoice(spec.backends.map((backend) => backend.weight));
    this.#upgrades = spec.upgrades;
  }

  /** Null where the rule has none with weight. */
  pickBackend(): LiveBackend | null {
    const index = this.#choice.pick(random);
    return index < 0 ? null : this.#backends[index]!;
  }

  allowsUpgrade(protocol: Buffer): boolean {
    return this.#upgrades.includes(protocol.toString('latin1').toLowerCase());
  }
}

function liveBackend(spec: BackendSpec): LiveBackend {
  return {
    cluster: spec.cluster,
    requestHeaders: compileHeaderModifier(spec.requestHeaders),
    answerHeaders: compileHeaderModifier(spec.responseHeaders),
  };
}

/** A snapshot with all that a worker has made of it; lives until its last stream ends. */
export class LiveSnapshot {
  readonly snapshot: Snapshot;
  readonly clusters: readonly Cluster[];
  readonly plugins: readonly Plugin[];
  /** By chain: plugins in request order. */
  readonly chains: readonly (readonly Plugin[])[];
  readonly rules: readonly LiveRule[];
  readonly tcpRules: readonly LiveTcpRule[];
  readonly requestMetrics: RequestMetrics;
  /** Null: requests are not counted by who sent them. */
  readonly consumerMetrics: ConsumerMetrics | null;
  readonly tcpMetrics: TcpMetrics;
  /** Index for index with `clusters`. */
  readonly clusterMetrics: readonly ClusterMetrics[];
  readonly #filterMetrics = new Map<Plugin, FilterMetrics>();
  readonly #scope: MetricScope;
  /** Whether requests are logged. */
  readonly logs: boolean;
  readonly logFields: LogFields;
  /** Whether anybody asks when the attempt and its answer began: a log or a filter. */
  readonly timed: boolean;
  /** Streams that run on it. */
  streams = 0;
  readonly #ports = new Map<string, { readonly router: Router; readonly spec: PortSpec }>();
  readonly #certificates = new Map<string, Certificates>();
  #onUnused: (() => void) | null = null;

  /** @throws where a certificate, a key or a regular expression cannot be used */
  constructor(
    snapshot: Snapshot,
    clusters: readonly Cluster[],
    plugins: readonly Plugin[],
    metrics: Metrics,
  ) {
    this.snapshot = snapshot;
    this.clusters = clusters;
    this.plugins = plugins;
    this.chains = snapshot.chains.map((chain) => chain.map((index) => plugins[index]!));
    this.rules = snapshot.rules.map((rule) => new LiveRule(rule));
    this.tcpRules = snapshot.tcpRules.map((rule) => new LiveTcpRule(rule, snapshot.clusters));
    for (const spec of snapshot.ports) {
      const key = portKey(spec);
      this.#ports.set(key, { router: new Router(spec, snapshot.rules), spec });
      if (isSecure(spec) || spec.protocol === 'passthrough')
        this.#certificates.set(key, new Certificates(spec));
    }
    this.logs = snapshot.accessLog.mode !== 'off';
    this.logFields = new LogFields(snapshot.accessLog.fields);
    this.timed = this.logs || plugins.length > 0;
    this.#scope = metrics.scope();
    this.requestMetrics = new RequestMetrics(this.#scope, snapshot.rules, snapshot.clusters);
    const { consumerSeries } = snapshot;
    this.consumerMetrics =
      consumerSeries === undefined ? null : new ConsumerMetrics(this.#scope, consumerSeries);
    this.tcpMetrics = new TcpMetrics(this.#scope, snapshot.tcpRules, snapshot.clusters);
    this.clusterMetrics = snapshot.clusters.map((cluster) => new ClusterMetrics(this.#scope, cluster.name));
    for (const plugin of plugins)
      this.#filterMetrics.set(plugin, new FilterMetrics(this.#scope, plugin.spec.name));
  }

  metricsOf(plugin: Plugin): FilterMetrics {
    return this.#filterMetrics.get(plugin)!;
  }

  /** A callback of a root context took so many seconds. */
  spent(plugin: Plugin, callback: string, seconds: number): void {
    const metrics = this.#filterMetrics.get(plugin);
    if (metrics !== undefined) this.#scope.metrics.observe(metrics.rootCallback(callback), seconds);
  }

  /** Null where this snapshot no longer has the port. */
  routerOf(key: string): Router | null {
    return this.#ports.get(key)?.router ?? null;
  }

  /** The chain of requests that match no route of `listener`. */
  listenerChain(key: string, listener: number): number {
    return this.#ports.get(key)?.spec.listeners[listener]?.chain ?? 0;
  }

  /** Null: there is none. */
  listener(key: string, index: number): ListenerSpec | null {
    return this.#ports.get(key)?.spec.listeners[index] ?? null;
  }

  certificates(key: string): Certificates | null {
    return this.#certificates.get(key) ?? null;
  }

  /** A stream is over. */
  leave(): void {
    this.streams--;
    if (this.streams === 0 && this.#onUnused !== null) this.#end();
  }

  /** Another snapshot is in force; `onUnused` is called once no stream runs on this one. */
  retire(onUnused: () => void): void {
    this.#onUnused = onUnused;
    if (this.streams === 0) this.#end();
  }

  /** For a snapshot that was never put in force. */
  dispose(): void {
    this.#scope.dispose();
  }

  #end(): void {
    const onUnused = this.#onUnused!;
    this.#onUnused = null;
    this.dispose();
    onUnused();
  }
}
