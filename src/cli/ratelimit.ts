import type { Command } from 'commander';
import { formatDiagnostics } from '../control/diagnostic.ts';
import { loadConfiguration } from '../control/load.ts';
import { LocalLedger } from '../runtime/ledger.ts';
import { RateLimitServer } from '../ratelimit/server.ts';
import { RateLimitService } from '../ratelimit/service.ts';
import { openLog } from '../worker/log.ts';
import { StoreSet } from '../worker/store/stores.ts';
import { ExitCode } from './exit-codes.ts';
import { Failure } from './failure.ts';

interface Flags {
  readonly file: readonly string[];
  readonly listen: string;
  readonly logLevel: string;
}

const HELP = `
Serves envoy.service.ratelimit.v3.RateLimitService over gRPC in plain text, and grpc.health.v1.Health.

Example:
  weir ratelimit -f ratelimits.yaml --listen 127.0.0.1:8081`;

/** `weir ratelimit -f PATH…`: limits for proxies that ask by Envoy's protocol. */
export function registerRatelimit(program: Command): void {
  program
    .command('ratelimit')
    .description("serve the RateLimitServices of a configuration to Envoy, by Envoy's rate limit protocol")
    .requiredOption('-f, --file <path...>', 'files and folders of YAML')
    .option('--listen <address>', 'HOST:PORT to serve at', '127.0.0.1:8081')
    .option('--log-level <level>', 'of what is logged on standard error', 'info')
    .addHelpText('after', HELP)
    .action(async (flags: Flags) => {
      process.exitCode = await serve(flags);
      process.exit();
    });
}

async function serve(flags: Flags): Promise<number> {
  const log = openLog('ratelimit', flags.logLevel);
  const service = new RateLimitService();
  const stores = new StoreSet(log);
  if (!(await configure(service, stores, new LocalLedger(), flags.file))) return ExitCode.Refused;
  const server = await RateLimitServer.listen(service, flags.listen).catch((fault: unknown) => {
    const { message } = fault as Error;
    throw new Failure(`--listen ${flags.listen}: ${message}`, ExitCode.CannotListen);
  });
  log.logger.info({ address: flags.listen }, 'serving');
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  await server.close();
  log.logger.info({ ...service.counts }, 'ended');
  log.flush();
  return ExitCode.Ok;
}

/** False where the configuration is refused. */
async function configure(
  service: RateLimitService,
  stores: StoreSet,
  memory: LocalLedger,
  files: readonly string[],
): Promise<boolean> {
  const { snapshot, rateLimits, diagnostics } = await loadConfiguration(files);
  process.stderr.write(formatDiagnostics(diagnostics, { color: process.stderr.isTTY, consequence: null }));
  if (snapshot === null) return false;
  if (rateLimits.length === 0)
    throw new Failure(
      `${files.join(', ')}: no object of kind RateLimitService, so there is nothing to serve`,
    );
  service.configure(rateLimits, ({ store }) => (store === null ? memory : stores.acquire(store)));
  return true;
}
