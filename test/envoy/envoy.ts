import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { portsOf, startUpstreams, type Deployment, type Subject } from '../languages/subject.ts';
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
  readonly #ports: ReadonlyMap<string, number>;

  private constructor(
    envoy: Envoy,
    upstream: FakeUpstream,
    authz: FakeUpstream,
    ports: ReadonlyMap<string, number>,
  ) {
    this.envoy = envoy;
    this.upstream = upstream;
    this.authz = authz;
    this.#ports = ports;
  }

  static async start({ places, vmConfiguration, shared }: Deployment): Promise<EnvoySubject> {
    const { upstream, authz } = await startUpstreams();
    const ports = await portsOf(places);
    const envoy = await Envoy.start({
      clusters: { origin: upstream.port, authz: authz.port },
      listeners: places.map(({ name, filters }) => ({
        name,
        port: ports.get(name)!,
        filters: filters.map((filter, i) => ({
          ...filter,
          name: `filter-${i}`,
          vmId: shared === true ? 'all' : `${name}-${i}`,
          vmConfiguration: vmConfiguration ?? '',
        })),
      })),
    });
    return new EnvoySubject(envoy, upstream, authz, ports);
  }

  port(place: string): number {
    return this.#ports.get(place)!;
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
