import { readFileSync } from 'node:fs';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { isLoopback, parseAdminAddress, type AdminAddress } from '../control/admin-address.ts';
import { withDevOverlay } from '../control/dev-overlay.ts';
import { loadConfiguration } from '../control/load.ts';
import { ModuleCache } from '../control/module-cache.ts';
import { quickConfiguration } from '../control/quick.ts';
import { parseDuration } from '../control/schema/scalar.ts';
import { runRequiredTests } from '../rehearsal/required-tests.ts';
import { entryOf } from '../supervisor/entry.ts';
import { Supervisor, type SupervisorOptions } from '../supervisor/supervisor.ts';
import { openLog, type Log } from '../worker/log.ts';
import { ExitCode, exitCodeOf } from './exit-codes.ts';
import { surviveOutputFaults } from './output-faults.ts';
import { colorsFor } from './output.ts';
import { defaultWorkers } from './worker-count.ts';

interface RunFlags {
  readonly file: readonly string[];
  readonly workers?: number;
  readonly admin: AdminAddress;
  readonly adminTokenFile?: string;
  readonly adminAllowRemote: boolean;
  readonly dataDir?: string;
  readonly resume: boolean;
  readonly watch: boolean;
  readonly requireTests: boolean;
  readonly drainTimeout: number;
  readonly preDrain: number;
  readonly stallLimit: number;
  readonly logLevel: string;
  readonly to?: string;
  readonly module: readonly string[];
  readonly port: number;
  readonly devOverlay?: string;
  readonly devInspect?: number;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** `timeout`, npm and terminals send one signal twice: to the process, and to its group. */
const ECHO_MS = 100;

const EXIT_HELP = `
Exit status:
  0    drained after SIGTERM or SIGINT
  1    the configuration is refused; its faults are on standard error
  2    the command line is wrong
  3    an address cannot be bound
  70   a fault of weir itself
  130, 143   a second SIGINT or SIGTERM ended the drain

Signals:
  SIGHUP   reads the configuration again
  SIGTERM, SIGINT   drain; a second one ends at once`;

export function registerRun(program: Command): void {
  program
    .command('run')
    .description('run the proxy: control plane, supervisor and workers in one command')
    .option('-f, --file <path...>', 'files and folders of YAML', [])
    .option('--workers <n>', 'worker processes (default: one per core, two at least)', parseCount)
    .addOption(
      new Option('--admin <address>', 'HOST:PORT, unix:PATH or off')
        .argParser(parseAdmin)
        .default(parseAdmin('127.0.0.1:9901'), '127.0.0.1:9901'),
    )
    .option('--admin-token-file <file>', 'bearer token that the admin server asks for')
    .option(
      '--admin-allow-remote',
      'let the admin server listen on an address that is not loopback; needs a token',
      false,
    )
    .option('--data-dir <dir>', 'keep the last good snapshots here, and modules that were pulled')
    .option(
      '--resume',
      'start from the last good snapshot where the configuration is refused or absent',
      false,
    )
    .option('--no-watch', 'do not reload when files change')
    .option(
      '--require-tests',
      'put a configuration in force only when all cases of its PolicyTests pass',
      false,
    )
    .addOption(
      new Option('--drain-timeout <duration>', 'streams may take this long to finish')
        .argParser(parseTime)
        .default(30_000, '30s'),
    )
    .addOption(
      new Option('--pre-drain <duration>', 'stay open this long after readiness is withdrawn')
        .argParser(parseTime)
        .default(0, '0s'),
    )
    .addOption(
      new Option(
        '--stall-limit <duration>',
        'a worker that is busy for this long, beyond what a filter may take to start, without a turn of its event loop is replaced',
      )
        .argParser(parseTime)
        .default(1000, '1s'),
    )
    .option('--log-level <level>', LEVELS.join(', '), parseLevel, 'info')
    .option('--to <url>', 'without a configuration: proxy everything to this upstream')
    .option('--module <file...>', 'with --to: Wasm filters in the path of every request, in this order', [])
    .option('--port <n>', 'with --to: where to listen', parsePort, 8080)
    // Of weir dev.
    .addOption(new Option('--dev-overlay <url>').hideHelp())
    .addOption(new Option('--dev-inspect <port>').argParser(parsePort).hideHelp())
    .addHelpText('after', EXIT_HELP)
    .action(async (flags: RunFlags, command: Command) => {
      checkFlags(flags, command);
      process.exitCode = await run(flags, command);
      // Nothing may keep the process: what had to be finished is finished.
      process.exit();
    });
}

async function run(flags: RunFlags, command: Command): Promise<number> {
  const log = openLog('supervisor', flags.logLevel);
  const { file, to, module: modules, port, devOverlay, devInspect } = flags;
  const cache = new ModuleCache(flags.dataDir ?? null);
  const options: SupervisorOptions = {
    load: async () => {
      const loaded = await (to === undefined
        ? loadConfiguration(file, { cache, mapSources: devInspect !== undefined })
        : quickConfiguration({ to, modules, port }));
      return devOverlay === undefined ? loaded : withDevOverlay(loaded, devOverlay);
    },
    test: flags.requireTests
      ? (version) =>
          runRequiredTests(entryOf('tests-thread'), { paths: file, dataDir: flags.dataDir ?? null }, version)
      : null,
    paths: file,
    workers: flags.workers ?? defaultWorkers(),
    admin: flags.admin,
    adminToken: flags.adminTokenFile === undefined ? null : readToken(flags.adminTokenFile, command),
    dataDir: flags.dataDir ?? null,
    resume: flags.resume,
    watch: flags.watch,
    drainMs: flags.drainTimeout,
    preDrainMs: flags.preDrain,
    stallLimitMs: flags.stallLimit,
    inspectPort: devInspect ?? null,
    color: colorsFor(process.stderr).isColorSupported,
    version: command.parent?.version() ?? '',
  };
  try {
    return await supervise(new Supervisor(options, log), log);
  } finally {
    log.flush();
  }
}

/** From the start to the exit status, with signals in between. */
async function supervise(supervisor: Supervisor, log: Log): Promise<number> {
  const ended = new Promise<number>((resolve) => {
    let drainingSince: number | null = null;
    let isAborted = false;
    const onSignal = (signal: 'SIGINT' | 'SIGTERM'): void => {
      if (drainingSince !== null) {
        if (performance.now() - drainingSince < ECHO_MS) return;
        log.logger.warn({ signal }, 'second signal, ending at once');
        isAborted = true;
        void supervisor.abort().then(() => resolve(exitCodeOf(signal)));
        return;
      }
      drainingSince = performance.now();
      log.logger.info({ signal }, 'draining');
      void supervisor.drain().then(() => {
        // Workers that are ended have drained as well.
        if (!isAborted) resolve(ExitCode.Ok);
      });
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    // Whoever started it with a channel, as weir dev does, is gone.
    process.once('disconnect', () => onSignal('SIGTERM'));
  });
  process.on('SIGHUP', () => void supervisor.reload());
  surviveOutputFaults();
  // A supervisor in an unknown state supervises nothing: its workers notice, drain and end.
  const onFault = (error: unknown): void => {
    log.logger.fatal({ err: error }, 'uncaught fault of the supervisor');
    log.flush();
    process.exit(ExitCode.Internal);
  };
  process.on('uncaughtException', onFault);
  process.on('unhandledRejection', onFault);

  const start = await Promise.race([supervisor.start(), ended]);
  if (typeof start === 'number') return start;
  if (start === 'serving') return ended;
  await supervisor.abort();
  return start === 'refused' ? ExitCode.Refused : ExitCode.CannotListen;
}

function checkFlags(flags: RunFlags, command: Command): void {
  const fail = (message: string): never => command.error(`error: ${message}`, { exitCode: ExitCode.Usage });
  if (flags.to === undefined && flags.file.length === 0)
    fail('give the configuration with -f PATH, or an upstream with --to URL');
  if (flags.to !== undefined && flags.file.length > 0) fail('-f and --to exclude each other');
  if (flags.to !== undefined && !/^https?:\/\/./i.test(flags.to))
    fail(`--to ${flags.to} is not a URL; did you mean http://${flags.to}?`);
  if (flags.requireTests && flags.to !== undefined)
    fail('--require-tests goes with -f: --to has no PolicyTests');
  if (flags.module.length > 0 && flags.to === undefined) fail('--module goes with --to');
  if (flags.devInspect !== undefined && flags.workers !== 1) fail('--dev-inspect needs --workers 1');
  if (flags.resume && flags.dataDir === undefined) fail('--resume needs --data-dir');
  const { admin } = flags;
  if (admin.kind === 'tcp' && !isLoopback(admin.host)) {
    if (!flags.adminAllowRemote)
      fail(`--admin ${admin.host} can be reached from outside: add --admin-allow-remote if that is meant`);
    if (flags.adminTokenFile === undefined)
      fail('an admin address that is not loopback needs --admin-token-file');
  }
}

function readToken(file: string, command: Command): string {
  try {
    const token = readFileSync(file, 'utf8').trim();
    if (token.length >= 16) return token;
    return command.error(`error: ${file}: a token has at least 16 characters`, { exitCode: ExitCode.Usage });
  } catch (error) {
    return command.error(`error: --admin-token-file: ${(error as Error).message}`, {
      exitCode: ExitCode.Usage,
    });
  }
}

function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= 256) return count;
  throw new InvalidArgumentError('expected 1 to 256');
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65535) return port;
  throw new InvalidArgumentError('expected 1 to 65535');
}

function parseAdmin(text: string): AdminAddress {
  const address = parseAdminAddress(text);
  if (address) return address;
  throw new InvalidArgumentError('expected HOST:PORT, unix:PATH or off');
}

function parseTime(text: string): number {
  const ms = /^\d{1,6}$/.test(text) ? Number(text) * 1000 : parseDuration(text);
  if (ms !== null) return ms;
  throw new InvalidArgumentError('expected a duration such as 30s or 500ms');
}

function parseLevel(text: string): string {
  if (LEVELS.includes(text)) return text;
  throw new InvalidArgumentError(`expected one of ${LEVELS.join(', ')}`);
}
