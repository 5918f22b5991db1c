import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  portsOf,
  startUpstreams,
  upstreamPorts,
  type Deployment,
  type Subject,
  type Upstreams,
} from '../languages/subject.ts';
import type { GrpcServer } from '../support/grpc-server.ts';
import type { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Program, temporaryFolder } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { bootstrap, type EnvoyPart } from './bootstrap.ts';
import { envoyProgram } from './install.ts';

/** A running Envoy with a static configuration. */
export class Envoy extends Program {
  readonly adminPort: number;

  private constructor(file: string, adminPort: number) {
    const quiet = ['--log-level', 'warning', '--component-log-level', 'wasm:trace', '--log-format', '%L|%v'];
    const alone = ['--concurrency', '1', '--disable-hot-restart'];
    super(envoyProgram(), ['-c', file, ...quiet, ...alone]);
    this.adminPort = adminPort;
  }

  static async start(part: Omit<EnvoyPart, 'adminPort'>): Promise<Envoy> {
    const adminPort = await freePort();
    const file = join(await temporaryFolder(), 'envoy.json');
    writeFileSync(file, JSON.stringify(bootstrap({ ...part, adminPort })));
    const envoy = new Envoy(file, adminPort);
    await envoy.#ready();
    return envoy;
  }

  async admin(path: string): Promise<string> {
    return (await exchange({ port: this.adminPort }, getRequest(path, 'admin', 'Connection: close'))).text;
  }

  async #ready(): Promise<void> {
    const until = Date.now() + 60_000;
    for (;;) {
      if (this.exit !== null) throw this.fault('ended before it was ready');
      const state = await this.admin('/ready').catch(() => '');
      if (state.startsWith('LIVE')) return;
      if (Date.now() > until) throw this.fault('was not ready within 60 s');
      await sleep(25);
    }
  }
}

export class EnvoySubject implements Subject {
  readonly name = 'envoy';
  readonly envoy: Envoy;
  readonly upstream: FakeUpstream;
  readonly authz: FakeUpstream;
  readonly grpc: GrpcServer;
  readonly #ports: ReadonlyMap<string, number>;

  private constructor(envoy: Envoy, upstreams: Upstreams, ports: ReadonlyMap<string, number>) {
    this.envoy = envoy;
    this.upstream = upstreams.upstream;
    this.authz = upstreams.authz;
    this.grpc = upstreams.grpc;
    this.#ports = ports;
  }

  static async start(deployment: Deployment): Promise<EnvoySubject> {
    const { places, vmConfiguration, shared } = deployment;
    const upstreams = await startUpstreams();
    const ports = await portsOf(places);
    const envoy = await Envoy.start({
      clusters: upstreamPorts(upstreams, deployment),
      listeners: places.map(({ name, filters, protocol }) => ({
        name,
        protocol: protocol ?? 'http',
        port: ports.get(name)!,
        filters: filters.map((filter, i) => ({
          ...filter,
          name: `filter-${i}`,
          vmId: shared === true ? 'all' : `${name}-${i}`,
          vmConfiguration: vmConfiguration ?? '',
        })),
      })),
    });
    return new EnvoySubject(envoy, upstreams, ports);
  }

  port(place: string): number {
    return this.#ports.get(place)!;
  }

  /** The end of its own log, for messages. */
  lastWords(): string {
    return this.envoy.stderr.split('\n').slice(-25).join('\n');
  }

  logs(): string[] {
    return guestLines(this.envoy.stderr);
  }
}

const LINE = /^[TDIWEC]\|wasm log[^:]*: (.*)$/;

/** Envoy puts the names of plugin, root and VM before what a guest logs. */
function guestLines(log: string): string[] {
  return log.split('\n').flatMap((line) => LINE.exec(line)?.[1] ?? []);
}
