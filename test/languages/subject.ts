/** A host of the test plugins, weir or another, with a port for each role and upstreams of its own. */
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeUpstream, reply, type Behaviour } from '../support/fake-upstream.ts';
import type { Fields } from '../support/message.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, type Answer } from '../support/raw-client.ts';
import { readFileSync } from 'node:fs';

export interface Subject {
  readonly name: string;
  /** Where requests go that no plugin answers. */
  readonly upstream: FakeUpstream;
  /** What plugins may call, as `authz`. */
  readonly authz: FakeUpstream;
  port(role: string): number;
  /** What plugins have logged so far, without what the host puts before it. */
  logs(): string[];
}

/** One plugin, in every role. */
export interface Deployment {
  readonly file: string;
  /** The first word of a configuration is the role. */
  readonly configurations: readonly string[];
}

export function roleOf(configuration: string): string {
  return configuration.split(' ')[0]!;
}

export const DEFAULT_ANSWER: Behaviour = reply(
  200,
  [
    ['content-type', 'text/plain'],
    ['x-internal', 'yes'],
  ],
  'ok\n',
);

export async function startUpstreams(): Promise<{ upstream: FakeUpstream; authz: FakeUpstream }> {
  const upstream = await FakeUpstream.start({ name: 'upstream', behaviour: DEFAULT_ANSWER });
  const authz = await FakeUpstream.start({ name: 'authz', behaviour: DEFAULT_ANSWER });
  return { upstream, authz };
}

export async function portsOf(configurations: readonly string[]): Promise<Map<string, number>> {
  const ports = new Map<string, number>();
  for (const configuration of configurations) ports.set(roleOf(configuration), await freePort());
  return ports;
}

export class WeirSubject implements Subject {
  readonly name = 'weir';
  readonly weir: Weir;
  readonly upstream: FakeUpstream;
  readonly authz: FakeUpstream;
  readonly #ports: ReadonlyMap<string, number>;

  private constructor(
    weir: Weir,
    upstream: FakeUpstream,
    authz: FakeUpstream,
    ports: ReadonlyMap<string, number>,
  ) {
    this.weir = weir;
    this.upstream = upstream;
    this.authz = authz;
    this.#ports = ports;
  }

  static async start({ file, configurations }: Deployment): Promise<WeirSubject> {
    const { upstream, authz } = await startUpstreams();
    const ports = await portsOf(configurations);
    const files = {
      'gateway.yaml': gateway(ports, upstream.port, authz.port),
      'filters.yaml': configurations.map((configuration) => filterChain(configuration)).join('---\n'),
      'plugin.wasm': readFileSync(file),
    };
    const weir = await Weir.start({ files, args: ['--log-level', 'trace'], readyTimeoutMs: 60_000 });
    return new WeirSubject(weir, upstream, authz, ports);
  }

  port(role: string): number {
    return this.#ports.get(role)!;
  }

  logs(): string[] {
    return this.weir.log.filter((line) => 'plugin' in line).map((line) => String(line['msg']));
  }
}

function gateway(ports: ReadonlyMap<string, number>, upstream: number, authz: number): string {
  const listeners = [...ports].map(
    ([role, port]) => `  - {name: ${role}, port: ${port}, protocol: HTTP, hostname: "*.test"}\n`,
  );
  return `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: test}
spec:
  gatewayClassName: weir
  listeners:
${listeners.join('')}---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: all, namespace: test}
spec:
  parentRefs: [{name: edge}]
  rules:
  - backendRefs: [{group: policy.weir, kind: Upstream, name: origin}]
---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: origin, namespace: test}
spec:
  endpoints: {static: [{address: 127.0.0.1, port: ${upstream}}]}
---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: authz, namespace: test}
spec:
  endpoints: {static: [{address: 127.0.0.1, port: ${authz}}]}
---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: plugin, namespace: test}
spec:
  source: {file: plugin.wasm}
  limits: {memory: 64Mi}
---
apiVersion: policy.weir/v1alpha1
kind: Telemetry
metadata: {name: quiet, namespace: test}
spec:
  accessLog: {mode: Off}
`;
}

function filterChain(configuration: string): string {
  const role = roleOf(configuration);
  return `apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: ${role}, namespace: test}
spec:
  targetRefs: [{kind: Gateway, name: edge, sectionName: ${role}}]
  filters:
  - name: plugin
    use: module/plugin
    rootId: plugin
    config: ${JSON.stringify(configuration)}
    callouts: [{name: authz}]
`;
}

/** What can be told of one exchange from outside. */
export interface Seen {
  readonly answer: Answer;
  /** Requests that came upstream meanwhile. */
  readonly upstream: readonly SeenRequest[];
  readonly authz: readonly SeenRequest[];
  /** Lines that plugins logged meanwhile. */
  readonly logs: readonly string[];
}

export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: Fields;
  readonly body: string;
  readonly trailers: Fields;
}

export interface Exchange {
  readonly role: string;
  readonly send: string | Uint8Array;
  readonly upstream?: Behaviour;
  readonly authz?: Behaviour;
  /** Lines that must have been logged before it counts as seen: some come after the answer. */
  readonly awaits?: readonly string[];
}

/** Sends one request and gathers what it led to. */
export async function observe(subject: Subject, wanted: Exchange): Promise<Seen> {
  const { upstream, authz } = subject;
  upstream.behaviour = wanted.upstream ?? DEFAULT_ANSWER;
  authz.behaviour = wanted.authz ?? DEFAULT_ANSWER;
  const before = { upstream: upstream.requests.length, authz: authz.requests.length };
  const logged = subject.logs().length;
  const answer = await exchange({ port: subject.port(wanted.role) }, wanted.send);
  const logs = await logsSince(subject, logged, wanted.awaits ?? []);
  return {
    answer,
    upstream: upstream.requests.slice(before.upstream).map(seenRequest),
    authz: authz.requests.slice(before.authz).map(seenRequest),
    logs,
  };
}

async function logsSince(subject: Subject, from: number, awaited: readonly string[]): Promise<string[]> {
  const until = performance.now() + 5000;
  for (;;) {
    const logs = subject.logs().slice(from);
    const missing = awaited.filter((line) => !logs.includes(line));
    if (missing.length === 0) return logs;
    if (performance.now() > until) {
      throw new Error(`${subject.name} did not log ${JSON.stringify(missing)}: ${JSON.stringify(logs)}`);
    }
    await sleep(10);
  }
}

function seenRequest(request: FakeUpstream['requests'][number]): SeenRequest {
  const { method, target, fields, text: body, trailers } = request;
  return { method, target, fields, body, trailers };
}
