import { InvalidArgumentError, type Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { parseAdminAddress } from '../control/admin-address.ts';
import { RateLimitServer, type ServerTls } from '../ratelimit/server.ts';
import { RateLimitService } from '../ratelimit/service.ts';
import { openLog } from '../worker/log.ts';
import { StoreSet } from '../worker/store/stores.ts';
import { ExitCode } from './exit-codes.ts';
import { Failure } from './failure.ts';
import { MetricsServer } from './metrics-server.ts';
import { ServedLimits } from './served-limits.ts';

interface Flags {
  readonly file: readonly string[];
  readonly listen: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly clientCa?: string;
  readonly metrics?: MetricsAddress;
  readonly watch: boolean;
  readonly logLevel: string;
}

interface MetricsAddress {
  readonly host: string;
  readonly port: number;
  /** As it was given. */
  readonly text: string;
}

const HELP = `
Serves envoy.service.ratelimit.v3.RateLimitService over gRPC, and grpc.health.v1.Health: in plain text, or with
--tls-cert and --tls-key over TLS. Files that change are read again, and at SIGHUP: what was counted stays, and a
configuration at fault changes nothing. Certificates are read once.

Example:
  weir ratelimit -f ratelimits.yaml --listen 127.0.0.1:8081 --metrics 127.0.0.1:9902`;

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
    .option('--metrics <address>', 'HOST:PORT to answer GET /metrics at (default: nowhere)', parseMetrics)
    .option('--no-watch', 'do not reload when files change')
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
  const stores = new StoreSet(log);
  const limits = new ServedLimits(flags.file, service, stores);
  let server: RateLimitServer | null = null;
  let board: MetricsServer | null = null;
  try {
    if (!(await limits.load())) return ExitCode.Refused;
    service.metrics.reloaded(true);
    server = await RateLimitServer.listen(service, flags.listen, tls).catch(
      cannotListen('--listen', flags.listen),
    );
    const { metrics } = flags;
    if (metrics !== undefined) {
      const families = () => [...service.metrics.families(), ...stores.families()];
      board = await MetricsServer.listen(metrics.host, metrics.port, families).catch(
        cannotListen('--metrics', metrics.text),
      );
    }
    if (flags.watch) await limits.watch(log.logger);
    process.on('SIGHUP', () => void limits.reload(log.logger));
    log.logger.info(
      { address: flags.listen, tls: tls !== null, ...(metrics && { metrics: metrics.text }) },
      'serving',
    );
    await new Promise<void>((resolve) => {
      process.once('SIGINT', () => resolve());
      process.once('SIGTERM', () => resolve());
    });
  } finally {
    // What is open keeps a process alive, also one that has failed.
    await server?.close();
    board?.close();
    await limits.close();
  }
  log.logger.info(service.metrics.calls, 'ended');
  log.flush();
  return ExitCode.Ok;
}

function cannotListen(flag: string, address: string): (fault: unknown) => never {
  return (fault) => {
    throw new Failure(`${flag} ${address}: ${(fault as Error).message}`, ExitCode.CannotListen);
  };
}

function parseMetrics(text: string): MetricsAddress {
  const address = parseAdminAddress(text);
  if (address?.kind !== 'tcp') throw new InvalidArgumentError('expected HOST:PORT');
  return { ...address, text };
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
