/** Debian's redis-server, started as a test wants it. */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@redis/client';
import { installDebian } from '../languages/toolchains.ts';
import { atEnd } from './cleanup.ts';
import { freePort } from './ports.ts';
import { Program, temporaryFolder } from './process.ts';

export class Redis {
  readonly port: number;
  readonly #args: readonly string[];
  #program: Program;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
    this.#program = this.#launch();
  }

  /** @param args of redis-server, beside the port and that nothing is kept on disk */
  static async start(...args: string[]): Promise<Redis> {
    needRedis();
    // A replica writes what it was given into a file, whatever it keeps.
    const redis = new Redis(await freePort(), ['--dir', await temporaryFolder(), ...args]);
    await redis.#program.waitFor('Ready to accept connections');
    return redis;
  }

  /** Over TLS alone, with these files. */
  static async startTls(
    files: { readonly certificate: string; readonly key: string; readonly ca: string },
    ...args: string[]
  ): Promise<Redis> {
    needRedis();
    const port = await freePort();
    const { certificate, key, ca } = files;
    const tls = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', ca];
    const only = ['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no'];
    const redis = new Redis(port, [...only, ...tls, ...args]);
    await redis.#program.waitFor('Ready to accept connections');
    return redis;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Ends it on the spot; nothing of what it knew is left. */
  kill(): Promise<void> {
    return this.#program.kill();
  }

  async restart(): Promise<void> {
    this.#program = this.#launch();
    await this.#program.waitFor('Ready to accept connections');
  }

  /** It holds its connections, and says nothing. */
  freeze(): void {
    process.kill(this.#program.pid, 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.#program.pid, 'SIGCONT');
  }

  client(): Promise<Client> {
    return clientOf(this.port);
  }

  #launch(): Program {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    return new Program('redis-server', [...args, ...this.#args]);
  }
}

/** A Sentinel of its own process: Debian's `redis-sentinel` is a link to the server. */
export class Sentinel {
  readonly port: number;
  readonly #program: Program;

  private constructor(port: number, program: Program) {
    this.port = port;
    this.#program = program;
  }

  /** @param rest lines of its configuration behind what it watches: a master called `books` */
  static async start(master: Redis, quorum: number, ...rest: string[]): Promise<Sentinel> {
    needRedis();
    const port = await freePort();
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `sentinel monitor books 127.0.0.1 ${master.port} ${quorum}`,
      'sentinel down-after-milliseconds books 1500',
      'sentinel failover-timeout books 2000',
      ...rest,
    ];
    // It writes what it learns into it.
    const file = join(await temporaryFolder(), 'sentinel.conf');
    await writeFile(file, `${lines.join('\n')}\n`);
    const program = new Program('redis-server', [file, '--sentinel']);
    await program.waitFor('+monitor master books');
    return new Sentinel(port, program);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  client(): Promise<Client> {
    return clientOf(this.port);
  }

  kill(): Promise<void> {
    return this.#program.kill();
  }
}

type Client = ReturnType<typeof createClient>;

async function clientOf(port: number): Promise<Client> {
  const client = createClient({ socket: { host: '127.0.0.1', port } });
  // It reconnects by itself.
  client.on('error', () => undefined);
  await client.connect();
  atEnd(() => client.destroy());
  return client as unknown as Client;
}

function needRedis(): void {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
  } catch {
    installDebian(['redis-server']);
  }
}
