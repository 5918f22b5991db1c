/**
 * The immutable shape that the runtime reads. `src/control/compile.ts` makes it from a
 * configuration; it is plain frozen data, so it can be posted to a worker, compared and printed.
 * Names in it are qualified (`namespace/name`), references are indexes into its own arrays, and
 * everything that depends only on the configuration is worked out already.
 */
export interface Snapshot {
  /** Content hash (64 hex digits) over everything below and the module digests. */
  readonly version: string;
  readonly ports: readonly PortSpec[];
  readonly rules: readonly RuleSpec[];
  readonly tcpRules: readonly TcpRuleSpec[];
  readonly clusters: readonly ClusterSpec[];
  readonly modules: readonly ModuleSpec[];
  readonly plugins: readonly PluginSpec[];
  /** Each chain is a list of indexes into `plugins`, in request order. Chain 0 is empty. */
  readonly chains: readonly (readonly number[])[];
  readonly accessLog: AccessLogSpec;
  /** Consumers that have metrics of their own, at most. Left out: none has. */
  readonly consumerSeries?: number;
}

/**
 * Annotations of an object, which filters read as metadata: text by name, by the prefix before the slash
 * of the annotation (`weir` where it has none).
 */
export type Metadata = readonly (readonly [
  namespace: string,
  values: readonly (readonly [key: string, value: string])[],
])[];

/** Where an object was written, for messages: `policies/route.yaml:14:7`. */
export type Position = string;

/** One address and port that is bound. Several Gateway listeners may share it, told apart by hostname. */
export interface PortSpec {
  readonly address: string;
  readonly port: number;
  /** `tls` is TCP behind TLS that ends here, `passthrough` TLS that ends at the upstream. */
  readonly protocol: 'http' | 'https' | 'tcp' | 'tls' | 'passthrough';
  readonly listeners: readonly ListenerSpec[];
  readonly limits: ListenerLimits;
  /** Absent: clients are not asked for a certificate. */
  readonly clientValidation?: ClientValidationSpec;
}

/** How certificates of clients are looked at. */
export interface ClientValidationSpec {
  /** A PEM bundle; empty: no certificate is valid. */
  readonly authoritiesPem: string;
  /** A connection without a valid certificate is refused; else it counts as one without a certificate. */
  readonly required: boolean;
}

/** Whether TLS of clients ends at the port. */
export function isSecure({ protocol }: Pick<PortSpec, 'protocol'>): boolean {
  return protocol === 'https' || protocol === 'tls';
}

/** Whether its connections carry TCP streams and not requests. */
export function isTcp({ protocol }: Pick<PortSpec, 'protocol'>): boolean {
  return protocol === 'tcp' || protocol === 'tls' || protocol === 'passthrough';
}

/** What tells one bound address from another, over snapshots. */
export function portKey(spec: Pick<PortSpec, 'address' | 'port' | 'protocol'>): string {
  return `${spec.address}:${spec.port}/${spec.protocol}`;
}

export interface ListenerSpec {
  /** `namespace/gateway/section`. */
  readonly name: string;
  /** Where the Gateway says it; absent in snapshots that are made without files. */
  readonly source?: Position;
  /** Lower-case; `*.example.com` for a wildcard, empty for any. */
  readonly hostname: string;
  /** The chain for requests that match no route: Gateway and listener filters. */
  readonly chain: number;
  readonly certificates: readonly CertificateSpec[];
  readonly minTlsVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Of the Gateway. */
  readonly metadata: Metadata;
  /** Most specific hostname first: exact, then longer wildcards, then any. */
  readonly virtualHosts: readonly VirtualHostSpec[];
  /** Index into `Snapshot.tcpRules` of what takes the connections of a TCP listener; -1: they are closed, or it is one of HTTP. */
  readonly tcpRule: number;
}

export interface CertificateSpec {
  /** PEM, leaf first. */
  readonly chainPem: string;
  /** PEM. Never printed: dumps replace it. */
  readonly keyPem: string;
  /** DNS names of the leaf, lower-case, wildcards as written. */
  readonly names: readonly string[];
}

export interface VirtualHostSpec {
  readonly hostname: string;
  /** In order of precedence: the first entry that matches wins. */
  readonly matches: readonly MatchSpec[];
}

/** All parts present must hold. */
export interface MatchSpec {
  readonly path: PathMatch | null;
  readonly method: string | null;
  readonly headers: readonly ValueMatch[];
  readonly query: readonly ValueMatch[];
  /** Index into `Snapshot.rules`. */
  readonly rule: number;
}

export interface PathMatch {
  readonly type: 'exact' | 'prefix' | 'regex';
  readonly value: string;
}

/** Header names are lower-case; query names are case-sensitive. */
export interface ValueMatch {
  readonly name: string;
  readonly type: 'exact' | 'regex';
  readonly value: string;
}

/** What to do with a request that matched. */
export interface RuleSpec {
  /** `namespace/route#section`; the section is the rule's name or its index. */
  readonly name: string;
  /** `namespace/route`, the metrics label. */
  readonly route: string;
  readonly source: Position;
  /** Of the HTTPRoute. */
  readonly metadata: Metadata;
  readonly chain: number;
  readonly requestHeaders: HeaderModifier | null;
  readonly responseHeaders: HeaderModifier | null;
  readonly rewrite: RewriteSpec | null;
  readonly redirect: RedirectSpec | null;
  /** Not empty unless `redirect` is set or the rule has no usable backend (then 500). */
  readonly backends: readonly BackendSpec[];
  readonly timeouts: TimeoutSpec;
  readonly retry: RetrySpec | null;
  /** Protocols that Upgrade may name, lower-case. Default: websocket. */
  readonly upgrades: readonly string[];
  /** Absent: those of the listener alone. */
  readonly limits?: RuleLimitSpec;
  /** Absent: as fast as both sides take it. */
  readonly bandwidth?: BandwidthSpec;
}

/** How large messages may be, in bytes where it is not said otherwise; what is absent has no limit of the rule's. */
export interface RuleLimitSpec {
  readonly requestBody?: number;
  readonly responseBody?: number;
  /** Request target; path and query. */
  readonly target?: number;
  /** Request line and all fields. */
  readonly head?: number;
  /** How many fields. */
  readonly fields?: number;
}

/** How fast the bodies of one stream go on. */
export interface BandwidthSpec {
  readonly request?: RateSpec;
  readonly response?: RateSpec;
}

export interface RateSpec {
  readonly bytesPerSecond: number;
  /** Bytes that may come at once. */
  readonly burst: number;
}

/** What to do with the connections of a TCP listener. */
export interface TcpRuleSpec {
  /** `namespace/route#section`; the section is the rule's name or its index. */
  readonly name: string;
  /** `namespace/route`, the metrics label. */
  readonly route: string;
  readonly source: Position;
  /** Of the route. */
  readonly metadata: Metadata;
  readonly chain: number;
  /** Empty where the rule has no usable backend: connections are closed. */
  readonly backends: readonly TcpBackendSpec[];
  /** Milliseconds without a byte in either direction; 0: no limit. */
  readonly idleMs: number;
  /** Of connecting; nothing was sent by then, so that everything may be tried again. */
  readonly retry: RetrySpec | null;
}

export interface TcpBackendSpec {
  /** Index into `Snapshot.clusters`; -1 where the reference did not resolve: its share is closed. */
  readonly cluster: number;
  readonly weight: number;
}

export interface BackendSpec {
  /** Index into `Snapshot.clusters`; -1 where the reference did not resolve: its share answers 500. */
  readonly cluster: number;
  readonly weight: number;
  readonly requestHeaders: HeaderModifier | null;
  readonly responseHeaders: HeaderModifier | null;
}

/** Applied in this order: remove, set, add. Names keep the case they were written in. */
export interface HeaderModifier {
  readonly remove: readonly string[];
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly add: readonly (readonly [name: string, value: string])[];
}

export interface RewriteSpec {
  readonly hostname: string | null;
  readonly path: PathRewrite | null;
}

export interface PathRewrite {
  readonly type: 'full' | 'prefix';
  readonly value: string;
}

export interface RedirectSpec {
  readonly scheme: 'http' | 'https' | null;
  readonly hostname: string | null;
  readonly path: PathRewrite | null;
  readonly port: number | null;
  readonly status: number;
}

/** Milliseconds; 0 switches a limit off. */
export interface TimeoutSpec {
  /** From the request head to the end of the answer, all attempts included. */
  readonly requestMs: number;
  /** One attempt, from its start to the head of its answer. 0: the request's limit alone. */
  readonly perTryMs: number;
  /** No byte in either direction. */
  readonly idleMs: number;
}

export interface RetrySpec {
  /** Bit `1 << Failure` for each failure that may be retried (`src/runtime/retry.ts`). */
  readonly on: number;
  /** Statuses that count as `Failure.RetriableStatus`. */
  readonly statuses: readonly number[];
  /** In total, the first one included. */
  readonly maxAttempts: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  readonly honorRetryAfter: boolean;
  readonly budgetPercent: number;
  readonly budgetMinPerSecond: number;
  readonly budgetWindowMs: number;
  readonly replayBytes: number;
  readonly onlyIdempotent: boolean;
  readonly avoidPreviousEndpoint: boolean;
}

export interface ClusterSpec {
  /** `namespace/name`; for a core Service `namespace/name:port`. */
  readonly name: string;
  readonly source: Position;
  /** Of the Upstream or Service. */
  readonly metadata: Metadata;
  readonly balance: 'round-robin' | 'least-request';
  readonly endpoints: readonly EndpointSpec[];
  /** Resolved by the runtime, again when its time to live is over; its addresses are added to `endpoints`. */
  readonly dns: DnsSpec | null;
  readonly tls: UpstreamTlsSpec | null;
  readonly connectTimeoutMs: number;
  readonly firstByteTimeoutMs: number;
  /** An idle pooled connection is closed after this. */
  readonly idleTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxRequests: number;
  readonly maxPending: number;
}

export interface EndpointSpec {
  /** IP literal or host name. */
  readonly address: string;
  readonly port: number;
  readonly weight: number;
}

export interface DnsSpec {
  readonly name: string;
  readonly port: number;
  /** Milliseconds between look-ups. */
  readonly refreshMs: number;
}

export interface UpstreamTlsSpec {
  /** Name to ask for and to verify. */
  readonly serverName: string;
  /** PEM bundle; null: the system's. */
  readonly caPem: string | null;
  /** false only where the configuration says so in as many words. */
  readonly verify: boolean;
}

export interface ModuleSpec {
  /** `namespace/name`, or `builtin/headers`. */
  readonly name: string;
  /** sha256 of the bytes, 64 hex digits. */
  readonly digest: string;
  readonly source: Position;
  /** Memory cap of one instance. */
  readonly memoryBytes: number;
  /** Left out: the defaults. */
  readonly cpu?: CpuLimits;
  /** Where its filters fail again and again, no other digest takes its place. */
  readonly keepsDigest?: boolean;
}

/** What identifies the compiled form of a module: its limits are written into the code. */
export function compiledAs({ digest, memoryBytes, cpu }: ModuleSpec): string {
  return JSON.stringify([digest, memoryBytes, cpu]);
}

/** Bounds of a guest's work. */
export interface CpuLimits {
  /** Milliseconds that one callback may take. */
  readonly perCallMs: number;
  /** Milliseconds for all callbacks of all filters of one HTTP stream. */
  readonly perRequestMs: number;
  /** Milliseconds for start functions, `proxy_on_vm_start` and `proxy_on_configure` together. */
  readonly perStartMs: number;
  /** Frames of the guest's own stack. */
  readonly frames: number;
}

/** Policies name their rules by index or name; this one is what no rule decides. */
export const DEFAULT_RULE = 'default';

/** A rule of a policy, as a filter names it, and where it is written. */
export interface RuleSource {
  /** `AccessPolicy/namespace/name#rule`. */
  readonly name: string;
  readonly source: Position;
}

/** One filter of one chain: a module with one configuration. */
export interface PluginSpec {
  /** `namespace/chain#filter`. Unique in a snapshot. */
  readonly name: string;
  /** The metrics label. */
  readonly filter: string;
  readonly source: Position;
  /** Index into `Snapshot.modules`. */
  readonly module: number;
  readonly rootId: string;
  /** Namespace: what guests share they share within it. */
  readonly tenant: string;
  readonly vmId: string;
  /** Text that the guest's `proxy_on_vm_start` reads. */
  readonly vmConfiguration: string;
  readonly environment: readonly VariableSpec[];
  readonly instances: InstancesSpec;
  /** JSON text as the guest receives it; empty where none was written. */
  readonly configuration: string;
  /** Names of members of the configuration that are not shown (`writeOnly` in the filter's schema). Left out: none. */
  readonly secretFields?: readonly string[];
  /** What happens to a request whose filter trapped, or has no healthy instance. */
  readonly onError: 'deny' | 'skip';
  /** Of its module, as `expandCapabilities` leaves them (`src/runtime/wasm/capabilities.ts`). */
  readonly capabilities: readonly string[];
  /** Largest body that a paused body callback may gather, per direction. */
  readonly bodyBufferBytes: number;
  /** Where that is too small: refuse the message, or let it go on while the filter only looks on. */
  readonly onBodyOverflow: 'reject' | 'stream';
  /** StopIteration of a head callback holds the head alone: body callbacks come meanwhile. */
  readonly bodyWhileHeld: boolean;
  /** Bodies and trailers pass by the filter whatever its module exports. */
  readonly withoutBodies?: true;
  /** How `proxy_get_property` encodes numbers, times and booleans: as Envoy does, or as text. */
  readonly properties: 'envoy' | 'text';
  /** Upstreams that callouts may name, as the author writes them, to indexes into `clusters`. */
  readonly callouts: readonly (readonly [name: string, cluster: number])[];
  /**
   * It decides who may do what and changes nothing: a request that filters behind it send elsewhere (another route,
   * method, host or path) meets it again.
   */
  readonly decidesAgain?: true;
  /** Of a filter that was made of policies: what it may name in the details of its answers. */
  readonly rules?: readonly RuleSource[];
  /** What counts its limits of the scope `cluster`. Left out: nothing does. */
  readonly store?: StoreSpec;
}

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** Sentinels that know which of several servers is the master. */
export interface SentinelSpec {
  /** Its name among them. */
  readonly master: string;
  readonly username: string | null;
  readonly password: string | null;
}

/** A Redis server, and how it is used. */
export interface StoreSpec {
  /** `namespace/name`. */
  readonly name: string;
  /** Of the Sentinels; without them, of the one server. */
  readonly addresses: readonly ServerAddress[];
  readonly sentinel: SentinelSpec | null;
  /** Null: plain TCP. */
  readonly tls: {
    /** Null: the host of the address. */
    readonly serverName: string | null;
    /** PEM; null: the authorities of the system. */
    readonly ca: string | null;
  } | null;
  readonly username: string | null;
  readonly password: string | null;
  readonly db: number;
  readonly keyPrefix: string;
  readonly deadlineMs: number;
  /** A server that says nothing for so long, though it was asked, is taken for gone. */
  readonly silenceMs: number;
  /** So many replicas must have what quotas write before it counts as done. */
  readonly replicas: number;
}

/** A variable that a guest may read. */
export interface VariableSpec {
  readonly name: string;
  /** Null: that of weir's own environment, where it has one. */
  readonly value: string | null;
}

/** The instances of a module in each worker. */
export interface InstancesSpec {
  /** Plugins with the same tenant, VM id, module, VM configuration, variables and capabilities use the same instances. */
  readonly shared: boolean;
  /** Ready for streams. */
  readonly min: number;
  /** In all, those included that finish their last streams. */
  readonly max: number;
  /** Streams after which an instance is replaced; 0: never; 1: each stream has its own. */
  readonly recycleAfter: number;
}

export interface AccessLogSpec {
  readonly mode: 'off' | 'json';
  readonly path: 'stdout' | 'stderr';
  /** CEL expressions whose values the line has under `fields`, by name. */
  readonly fields: readonly (readonly [name: string, expression: string])[];
}

/** Limits of the reader and its timers; defaults in security-requirements §5. */
export interface ListenerLimits {
  readonly headBytes: number;
  readonly targetBytes: number;
  readonly fieldBytes: number;
  readonly fields: number;
  readonly requestsPerConnection: number;
  readonly connections: number;
  readonly connectionsPerAddress: number;
  readonly headTimeoutMs: number;
  readonly tlsHandshakeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly bodyMinBytesPerSecond: number;
  readonly writeTimeoutMs: number;
  /** What becomes of X-Forwarded-Client-Cert, with Envoy's words; absent: `sanitize`. */
  readonly forwardedClientCert?:
    'sanitize' | 'forwardonly' | 'appendforward' | 'sanitizeset' | 'alwaysforwardonly';
  /** What it tells beside `By` and `Hash`, joined by commas: `subject`, `uri`, `dns`, `cert`. */
  readonly forwardedClientCertDetails?: string;
  /** Proxies in front whose X-Forwarded-* are believed, counted from the right. */
  readonly trustedHops: number;
  readonly underscores: 'reject' | 'drop' | 'allow';
  readonly escapedSlashes: 'reject' | 'keep' | 'decode';
  readonly backslash: 'reject' | 'decode';
  readonly mergeSlashes: boolean;
  /** Of segments (`;a=b`); absent: they are kept. */
  readonly pathParameters?: 'keep' | 'reject' | 'remove';
  /** Put in the place of an answer's own `server` field; empty: that passes through. */
  readonly serverName: string;
}

export const DEFAULT_LISTENER_LIMITS: ListenerLimits = Object.freeze({
  headBytes: 60 * 1024,
  targetBytes: 16 * 1024,
  fieldBytes: 16 * 1024,
  fields: 100,
  requestsPerConnection: 1000,
  connections: 10_000,
  connectionsPerAddress: 256,
  headTimeoutMs: 10_000,
  tlsHandshakeTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  bodyTimeoutMs: 60_000,
  bodyMinBytesPerSecond: 1024,
  writeTimeoutMs: 60_000,
  trustedHops: 0,
  underscores: 'reject',
  escapedSlashes: 'reject',
  backslash: 'reject',
  mergeSlashes: true,
  serverName: '',
});
