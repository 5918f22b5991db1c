import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Option, type Command } from 'commander';
import type * as Testing from '../../../filters-sdk/testing/testing.d.ts';
import { packageRoot } from '../../package-root.ts';
import { Failure } from '../failure.ts';
import { colorsFor } from '../output.ts';
import { replayTest } from '../replay/replay.ts';
import { buildFilter } from './built.ts';
import { findProject, type Project } from './project.ts';
import { findSdk, resolveFrom, type Sdk } from './sdk.ts';

interface TestFlags {
  readonly watch: boolean;
  readonly coverage: boolean;
  /** True: no URL was given. */
  readonly live?: string | true;
  readonly replay?: string;
  readonly module?: string;
  readonly filter?: string;
  readonly output: 'text' | 'json';
}

const HELP = `
Options of vitest come after --:
  weir filter test -- --reporter verbose

A filter that does not compile is told before any test runs.

With --live URL the route of that weir has to lead to WEIR_LIVE_UPSTREAM (HOST:PORT), where the tests play the
upstream. Its admin server (WEIR_LIVE_ADMIN, default 127.0.0.1:9901) says how it configures the filter; tests of
other configurations are skipped. WEIR_LIVE_ADMIN=off runs all of them.

With --replay no test is run: the build gets the requests of a recording (weir tap -o FILE), and what it does
differently is told. The exit status is 1 where there is a difference.
  weir filter test --replay day.jsonl`;

/** `weir filter test [FILES]`: the project's vitest, with the SDK's test kit. */
export function registerTest(filter: Command): void {
  filter
    .command('test')
    .description("run a filter's tests on the host that weir has")
    .argument('[files...]', 'tests to run, by part of their path (default: all); after --: options of vitest')
    .option('-w, --watch', 'run again what a change concerns', false)
    .option('--coverage', 'say which lines of the filter ran; coverage/lcov.info has it for programs', false)
    .option(
      '--live [url]',
      'send the requests over sockets: to a weir that is running, or without a URL to one that each test starts',
    )
    .option('--replay <recording>', 'tell what the build does differently from what weir tap recorded')
    .option('--module <file>', 'with --replay: the build (default: where weir filter build puts it)')
    .option('--filter <name>', 'with --replay: which filter of the recording')
    .addOption(
      new Option('-o, --output <format>', 'with --replay: how it is told')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addHelpText('after', HELP)
    .action(async (files: readonly string[], flags: TestFlags, command: Command) => {
      const { live, coverage, watch } = flags;
      if (typeof live === 'string' && !URL.canParse(live))
        command.error(`error: --live ${live} is not a URL`);
      if (coverage && watch) command.error('error: --coverage is told at the end, and --watch has none');
      if (flags.replay !== undefined) {
        process.exitCode = await replayTest({ ...flags, replay: flags.replay });
        return;
      }
      const project = findProject(process.cwd());
      const sdk = findSdk(project.folder);
      const runner = findVitest(project);
      await checkSources(project);
      const counted = coverage ? emptyFolder(join(project.folder, '.weir/coverage')) : null;
      // A weir takes a while to start.
      const patience = live === undefined ? [] : ['--testTimeout=60000'];
      // The upstream of a weir that runs has one port.
      const inTurn = typeof live === 'string' ? ['--no-file-parallelism'] : [];
      const args = [runner, watch ? 'watch' : 'run', ...patience, ...inTurn, ...files];
      process.exitCode = await run(args, project.folder, {
        ...(counted === null ? {} : { WEIR_COVERAGE: counted }),
        ...(live === undefined ? {} : { WEIR_LIVE: live === true ? '1' : live, WEIR_BIN: OWN_PROGRAM }),
      });
      if (counted !== null) await tellCoverage(sdk, project, counted);
    });
}

/** The weir that tests start is the one that was asked to run them. */
const OWN_PROGRAM = join(packageRoot(), 'bin/weir');

function emptyFolder(folder: string): string {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** What the processes of vitest have counted, put together by the kit that counted it. */
async function tellCoverage(sdk: Sdk, { folder }: Project, counted: string): Promise<void> {
  const kit = (await import(pathToFileURL(join(sdk.folder, 'dist/testing.js')).href)) as typeof Testing;
  const report = kit.readCoverage(counted);
  mkdirSync(join(folder, 'coverage'), { recursive: true });
  writeFileSync(join(folder, 'coverage/lcov.info'), report.lcov());
  process.stdout.write(`\n${report.text().trimEnd()}\n`);
}

/** vitest would tell it too, once for each file of tests and without the line. */
async function checkSources(project: Project): Promise<void> {
  const request = {
    entry: project.entry,
    outFile: project.debugModule,
    debug: true,
    sourceMap: true,
    options: [],
  };
  const { warnings } = await buildFilter(project, request, colorsFor(process.stderr));
  process.stderr.write(warnings);
}

/** The program of the vitest that the project has. */
function findVitest({ folder }: Project): string {
  const manifest = resolveFrom(folder, 'vitest/package.json');
  if (manifest === null) {
    throw new Failure(
      `vitest is not installed in ${relative('', folder) || folder} or above it. It runs the tests:\n` +
        '  npm install --save-dev vitest@4.1.12',
    );
  }
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: { vitest: string } };
  return join(dirname(manifest), bin.vitest);
}

/** vitest would die of a reader that goes away, with a stack. */
const HEEDLESS = `data:text/javascript,process.stdout.on('error',(e)=>{if(e.code!=='EPIPE')throw e})`;

function run(args: readonly string[], cwd: string, env: Record<string, string>): Promise<number> {
  const child = spawn(process.execPath, ['--import', HEEDLESS, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  // The terminal tells the child as well; it is the child that ends first.
  const wait = (): void => undefined;
  process.on('SIGINT', wait).on('SIGTERM', wait);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
