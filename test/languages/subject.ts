/** A host of the test plugins, weir or another, with a port for each place and upstreams of its own. */
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeUpstream, reply, type Behaviour } from '../support/fake-upstream.ts';
import { GrpcServer } from '../support/grpc-server.ts';
import type { Fields } from '../support/message.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, type Answer } from '../support/raw-client.ts';
import { weirFiles } from './weir-files.ts';

export interface Subject {
  readonly name: string;
  /** Where requests go that no plugin answers. */
  readonly upstream: FakeUpstream;
  /** What plugins may call, as `authz`. */
  readonly authz: FakeUpstream;
  /** What plugins may call with gRPC, as `grpc`. */
  readonly grpc: GrpcServer;
  port(place: string): number;
  /** What plugins have logged so far, without what the host puts before it. */
  logs(): string[];
}

/** A filter as any host can be given it. */
export interface PlacedFilter {
  readonly file: string;
  readonly configuration: string;
  readonly rootId: string;
  /** In weir: the name of the filter that ships with it, instead of the file. */
  readonly builtIn?: string;
  /** In Envoy it sees the body while it holds the head, as such a filter does in weir by its configuration. */
  readonly bodyWhileHeld?: boolean;
  /** What such a filter may call. */
  readonly callouts?: readonly string[];
}

/** A port with a chain of filters behind it. */
export interface Place {
  readonly name: string;
  readonly filters: readonly PlacedFilter[];
  /** Default: http. With tcp, what comes goes to `tcpPort` of the deployment. */
  readonly protocol?: 'http' | 'tcp';
}

export interface Deployment {
  readonly places: readonly Place[];
  /** What `proxy_on_vm_start` can read. */
  readonly vmConfiguration?: string;
  /** Whether filters of one file share a VM. Default: each has its own. */
  readonly shared?: boolean;
  readonly tcpPort?: number;
  /** Of weir. Default: 1. */
  readonly workers?: number;
}

/** One plugin in every role. The first word of a configuration is the role. */
export function inRoles(file: string, configurations: readonly string[]): Place[] {
  return configurations.map((configuration) => {
    const name = configuration.split(' ')[0]!;
    const protocol = name.startsWith('tcp') ? 'tcp' : 'http';
    return { name, protocol, filters: [{ file, configuration, rootId: 'plugin' }] };
  });
}

export const DEFAULT_ANSWER: Behaviour = reply(
  200,
  [
    ['content-type', 'text/plain'],
    ['x-internal', 'yes'],
  ],
  'ok\n',
);

export interface Upstreams {
  readonly upstream: FakeUpstream;
  readonly authz: FakeUpstream;
  readonly grpc: GrpcServer;
}

export async function startUpstreams(): Promise<Upstreams> {
  const upstream = await FakeUpstream.start({ name: 'upstream', behaviour: DEFAULT_ANSWER });
  const authz = await FakeUpstream.start({ name: 'authz', behaviour: DEFAULT_ANSWER });
  return { upstream, authz, grpc: await GrpcServer.start() };
}

/** Upstreams by the names that hosts know them by. */
export function upstreamPorts(
  { upstream, authz, grpc }: Upstreams,
  { tcpPort }: Deployment,
): Record<string, number> {
  const ports = { origin: upstream.port, authz: authz.port, grpc: grpc.port };
  return tcpPort === undefined ? ports : { ...ports, tcp: tcpPort };
}

export async function portsOf(places: readonly Place[]): Promise<Map<string, number>> {
  const ports = new Map<string, number>();
  for (const { name } of places) ports.set(name, await freePort());
  return ports;
}

export class WeirSubject implements Subject {
  readonly name = 'weir';
  readonly weir: Weir;
  readonly upstream: FakeUpstream;
  readonly authz: FakeUpstream;
  readonly grpc: GrpcServer;
  readonly #ports: ReadonlyMap<string, number>;

  private constructor(weir: Weir, upstreams: Upstreams, ports: ReadonlyMap<string, number>) {
    this.weir = weir;
    this.upstream = upstreams.upstream;
    this.authz = upstreams.authz;
    this.grpc = upstreams.grpc;
    this.#ports = ports;
  }

  static async start(deployment: Deployment): Promise<WeirSubject> {
    const upstreams = await startUpstreams();
    const ports = await portsOf(deployment.places);
    const weir = await Weir.start({
      files: weirFiles(deployment, ports, upstreamPorts(upstreams, deployment)),
      args: ['--log-level', 'trace'],
      workers: deployment.workers ?? 1,
      readyTimeoutMs: 60_000,
    });
    return new WeirSubject(weir, upstreams, ports);
  }

  port(place: string): number {
    return this.#ports.get(place)!;
  }

  logs(): string[] {
    return this.weir.log.filter((line) => 'plugin' in line).map((line) => String(line['msg']));
  }
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
  /** The place that it is sent to. */
  readonly role: string;
  readonly send: string | Uint8Array;
  readonly upstream?: Behaviour;
  readonly authz?: Behaviour;
  /** Lines that must have been logged, as often as they stand here, whole or a pattern of them: some come after the answer. */
  readonly awaits?: readonly (string | RegExp)[];
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

export async function logsSince(
  subject: Subject,
  from: number,
  awaited: readonly (string | RegExp)[],
): Promise<string[]> {
  const until = performance.now() + 15_000;
  for (;;) {
    const logs = subject.logs().slice(from);
    const left = [...logs];
    const missing = awaited.filter((line) => {
      const at = left.findIndex((logged) => (typeof line === 'string' ? logged === line : line.test(logged)));
      return left.splice(at >>> 0, 1).length === 0;
    });
    if (missing.length === 0) return logs;
    if (performance.now() > until) {
      throw new Error(`${subject.name} did not log ${missing.join(', ')}: ${JSON.stringify(logs)}`);
    }
    await sleep(10);
  }
}

function seenRequest(request: FakeUpstream['requests'][number]): SeenRequest {
  const { method, target, fields, text: body, trailers } = request;
  return { method, target, fields, body, trailers };
}
