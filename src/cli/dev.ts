import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { Session } from './dev/session.ts';
import { Terminal } from './dev/terminal.ts';
import { ExitCode } from './exit-codes.ts';
import { Failure } from './failure.ts';
import { onReaderGone } from './output-faults.ts';
import { colorsFor } from './output.ts';

interface DevFlags {
  readonly file: readonly string[];
  readonly workers: number;
  readonly admin: string;
  readonly port: number;
  readonly open: boolean;
  readonly overlay: boolean;
  readonly requests: boolean;
  readonly inspect?: number | true;
}

const HELP = `
A project is a folder with src/index.ts, or with filters/NAME.ts for several of them; it is compiled to build/NAME.wasm,
which its policies name. Modules that weir dev builds have names and assertions: build a release with weir filter build.

Keys, on a terminal: h help, r everything again, o page, t tests, c clear, q quit.`;

/** The usual one of Node, which debuggers try first. */
const INSPECT_PORT = 9229;

/** `weir dev [PROJECT…]`. */
export function registerDev(program: Command): void {
  program
    .command('dev')
    .description('work on filters: compile what is saved, and have it serve within a second')
    .argument('[project...]', 'folders of filters (default: this one)')
    .option('-f, --file <path>', 'policies; again for more (default: PROJECT/policies)', collect, [])
    .option('--admin <address>', 'HOST:PORT of the admin server', '127.0.0.1:9901')
    .option('--port <n>', 'of the page; another one where it is taken', parsePort, 9902)
    .option('--workers <n>', 'worker processes', parseCount, 1)
    .option('--inspect [port]', 'let a debugger step through the sources (default: 9229)', parsePort)
    .option('--open', 'open the page in a browser', false)
    .option('--no-overlay', 'do not show faults in HTML pages that pass the proxy')
    .option('--no-requests', 'do not show what filters do with requests')
    .addHelpText('after', HELP)
    .action(async (given: readonly string[], flags: DevFlags) => {
      await dev(given, flags);
      process.exit(ExitCode.Ok);
    });
}

async function dev(given: readonly string[], flags: DevFlags): Promise<void> {
  const projects = (given.length === 0 ? ['.'] : given).map((folder) => resolve(folder));
  for (const folder of projects)
    if (!existsSync(folder)) throw new Failure(`there is no folder ${relative('', folder)}`);
  const policies = flags.file.length > 0 ? flags.file : policiesOf(projects);
  const inspectPort = flags.inspect === true ? INSPECT_PORT : (flags.inspect ?? null);
  const terminal = new Terminal(colorsFor(process.stdout));
  const session = await Session.open(
    {
      projects,
      policies,
      workers: inspectPort === null ? flags.workers : 1,
      admin: flags.admin,
      pagePort: flags.port,
      open: flags.open,
      overlay: flags.overlay,
      requests: flags.requests,
      inspectPort,
    },
    terminal,
  );
  const ended = new Promise<void>((done) => {
    const quit = (): void => void session.end().then(done);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, quit);
    onReaderGone(quit);
    let again = false;
    const pressed = (): void => {
      if (again) session.hurry();
      again = true;
      quit();
    };
    const help = (): void => terminal.say(HELP.trim());
    terminal.takeKeys(
      [
        { name: 'h', about: 'help', press: help },
        { name: 'r', about: 'everything again', press: () => session.restart() },
        { name: 'o', about: 'page', press: () => session.openPage() },
        { name: 't', about: 'tests', press: () => void session.test() },
        { name: 'c', about: 'clear', press: () => terminal.clear() },
        { name: 'q', about: 'quit', press: pressed },
      ],
      pressed,
    );
  });
  try {
    await session.start();
  } catch (error) {
    await session.end();
    throw error;
  }
  await ended;
}

function policiesOf(projects: readonly string[]): string[] {
  const folders = projects.map((folder) => join(folder, 'policies')).filter((folder) => existsSync(folder));
  if (folders.length > 0) return folders.map((folder) => relative('', folder));
  const [first] = projects;
  throw new Failure(
    `there is no folder policies in ${relative('', first!) || '.'}: say where they are with -f PATH`,
  );
}

function collect(path: string, before: readonly string[]): string[] {
  return [...before, path];
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  throw new InvalidArgumentError('expected 0 to 65535');
}

function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= 256) return count;
  throw new InvalidArgumentError('expected 1 to 256');
}
