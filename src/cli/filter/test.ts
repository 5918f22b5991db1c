import { spawn } from 'node:child_process';
import { dirname, join, relative } from 'node:path';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { Failure } from '../failure.ts';
import { colorsFor } from '../output.ts';
import { buildFilter } from './built.ts';
import { findProject, type Project } from './project.ts';
import { findSdk, resolveFrom } from './sdk.ts';

interface TestFlags {
  readonly watch: boolean;
  readonly coverage: boolean;
  readonly live?: string;
}

const HELP = `
Options of vitest come after --:
  weir filter test -- --reporter verbose

A filter that does not compile is told before any test runs.`;

/** `weir filter test [FILES]`: the project's vitest, with the SDK's test kit. */
export function registerTest(filter: Command): void {
  filter
    .command('test')
    .description("run a filter's tests on the host that weir has")
    .argument('[files...]', 'tests to run, by part of their path (default: all); after --: options of vitest')
    .option('-w, --watch', 'run again what a change concerns', false)
    .option('--coverage', 'say which lines of the filter ran', false)
    .option('--live <url>', 'send the requests of the tests to a weir that is running')
    .addHelpText('after', HELP)
    .action(async (files: readonly string[], flags: TestFlags, command: Command) => {
      if (flags.live !== undefined && !URL.canParse(flags.live))
        command.error(`error: --live ${flags.live} is not a URL`);
      const project = findProject(process.cwd());
      findSdk(project.folder);
      const runner = findVitest(project);
      await checkSources(project);
      const args = [runner, flags.watch ? 'watch' : 'run', ...files];
      process.exitCode = await run(args, project.folder, {
        ...(flags.coverage ? { WEIR_COVERAGE: '1' } : {}),
        ...(flags.live === undefined ? {} : { WEIR_LIVE: flags.live }),
      });
    });
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

function run(args: readonly string[], cwd: string, env: Record<string, string>): Promise<number> {
  const child = spawn(process.execPath, args, { cwd, env: { ...process.env, ...env }, stdio: 'inherit' });
  // The terminal tells the child as well; it is the child that ends first.
  const wait = (): void => undefined;
  process.on('SIGINT', wait).on('SIGTERM', wait);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
