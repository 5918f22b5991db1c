import type { Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { formatDiagnostics } from '../control/diagnostic.ts';
import { loadConfiguration } from '../control/load.ts';
import { LocalLedger } from '../runtime/ledger.ts';
import type { StoreSpec } from '../runtime/snapshot.ts';
import { RateLimitServer, type ServerTls } from '../ratelimit/server.ts';
import { RateLimitService } from '../ratelimit/service.ts';
import { openLog } from '../worker/log.ts';
import { StoreSet } from '../worker/store/stores.ts';
import { ExitCode } from './exit-codes.ts';
import { Failure } from './failure.ts';

interface Flags {
  readonly file: readonly string[];
  readonly listen: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly clientCa?: string;
  readonly logLevel: string;
}

const HELP = `
Serves envoy.service.ratelimit.v3.RateLimitService over gRPC, and grpc.health.v1.Health: in plain text, or with
--tls-cert and --tls-key over TLS. SIGHUP reads the files again: what was counted stays, and a configuration at
fault changes nothing. Certificates are read once.

Example:
  weir ratelimit -f ratelimits.yaml --listen 127.0.0.1:8081`;

/** `weir ratelimit -f PATH…`: limits for proxies that ask by Envoy's protocol. */
export function registerRatelimit(program: Command): void {
  program
    .command('ratelimit')
    .description("serve the RateLimitServices of a configuration to Envoy, by Envoy's rate limit protocol")
    .requiredOption('-f, --file <path...>', 'files and folders of YAML')
    .option('--listen <address>', 'HOST:PORT to serve at', '127.0.0.1:8081')
    .option('--tls-cert <file>', 'certificate chain of the server, PEM')
    .option('--tls-key <file>', 'its private key, PEM')
    .option('--client-ca <file>', 'callers need a certificate of these authorities, PEM')
    .option('--log-level <level>', 'of what is logged on standard error', 'info')
    .addHelpText('after', HELP)
    .action(async (flags: Flags) => {
      process.exitCode = await serve(flags);
      process.exit();
    });
}

async function serve(flags: Flags): Promise<number> {
  const log = openLog('ratelimit', flags.logLevel);
  const tls = await tlsOf(flags);
  const service = new RateLimitService();
  const limits = new ServedLimits(service, new StoreSet(log));
  if (!(await limits.load(flags.file))) return ExitCode.Refused;
  const server = await RateLimitServer.listen(service, flags.listen, tls).catch((fault: unknown) => {
    const { message } = fault as Error;
    throw new Failure(`--listen ${flags.listen}: ${message}`, ExitCode.CannotListen);
  });
  process.on('SIGHUP', () => {
    limits.load(flags.file).then(
      (done) => {
        if (done) log.logger.info('configuration in force');
        else log.logger.error('configuration refused, the one before stays in force');
      },
      (fault: unknown) => {
        const reason = (fault as Error).message;
        log.logger.error({ reason }, 'configuration refused, the one before stays in force');
      },
    );
  });
  log.logger.info({ address: flags.listen, tls: tls !== null }, 'serving');
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  await server.close();
  log.logger.info({ ...service.counts }, 'ended');
  log.flush();
  return ExitCode.Ok;
}

async function tlsOf({ tlsCert, tlsKey, clientCa }: Flags): Promise<ServerTls | null> {
  if (tlsCert === undefined && tlsKey === undefined) {
    if (clientCa !== undefined) throw new Failure('--client-ca needs --tls-cert and --tls-key');
    return null;
  }
  if (tlsCert === undefined) throw new Failure('--tls-key needs --tls-cert');
  if (tlsKey === undefined) throw new Failure('--tls-cert needs --tls-key');
  return {
    certificate: await contentOf('--tls-cert', tlsCert),
    key: await contentOf('--tls-key', tlsKey),
    clientCa: clientCa === undefined ? null : await contentOf('--client-ca', clientCa),
  };
}

async function contentOf(flag: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (fault) {
    throw new Failure(`${flag}: ${(fault as Error).message}`);
  }
}

/** What a configuration says of limits, in force in the service. */
class ServedLimits {
  readonly #service: RateLimitService;
  readonly #stores: StoreSet;
  /** One for all configurations, so that what was counted stays. */
  readonly #memory = new LocalLedger();
  #held: StoreSpec[] = [];
  /** One load at a time; the last one wins. */
  #loading: Promise<unknown> = Promise.resolve();

  constructor(service: RateLimitService, stores: StoreSet) {
    this.#service = service;
    this.#stores = stores;
  }

  /** False where the configuration is refused: the one before stays. */
  load(files: readonly string[]): Promise<boolean> {
    const loaded = this.#loading.then(() => this.#load(files));
    this.#loading = loaded.catch(() => undefined);
    return loaded;
  }

  async #load(files: readonly string[]): Promise<boolean> {
    const { snapshot, rateLimits, diagnostics } = await loadConfiguration(files);
    process.stderr.write(formatDiagnostics(diagnostics, { color: process.stderr.isTTY, consequence: null }));
    if (snapshot === null) return false;
    if (rateLimits.length === 0)
      throw new Failure(
        `${files.join(', ')}: no object of kind RateLimitService, so there is nothing to serve`,
      );
    const before = this.#held;
    this.#held = [];
    this.#service.configure(rateLimits, ({ store }) => {
      if (store === null) return this.#memory;
      this.#held.push(store);
      return this.#stores.acquire(store).limits;
    });
    // Calls that run still ask them, for as long as their deadline.
    for (const store of before) setTimeout(() => this.#stores.release(store), 2 * store.deadlineMs).unref();
    return true;
  }
}
