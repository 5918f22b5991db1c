/** Debian's redis-server, started as a test wants it. */
import { execFileSync } from 'node:child_process';
import { createClient } from '@redis/client';
import { installDebian } from '../languages/toolchains.ts';
import { atEnd } from './cleanup.ts';
import { freePort } from './ports.ts';
import { Program } from './process.ts';

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
    const redis = new Redis(await freePort(), args);
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

  async client(): Promise<ReturnType<typeof createClient>> {
    const client = createClient({ socket: { host: '127.0.0.1', port: this.port } });
    // It reconnects by itself.
    client.on('error', () => undefined);
    await client.connect();
    atEnd(() => client.destroy());
    return client as unknown as ReturnType<typeof createClient>;
  }

  #launch(): Program {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    return new Program('redis-server', [...args, ...this.#args]);
  }
}

function needRedis(): void {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
  } catch {
    installDebian(['redis-server']);
  }
}
