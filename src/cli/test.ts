import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { formatDiagnostics } from '../control/diagnostic.ts';
import { loadConfiguration } from '../control/load.ts';
import { Source } from '../control/source.ts';
import { explanationText } from '../explain/explanation.ts';
import { runPolicyTests, type CaseResult, type PolicyRun } from '../rehearsal/policy-run.ts';
import { StageError } from '../runtime/plugin-set.ts';
import { ExitCode } from './exit-codes.ts';
import { junitText } from './junit.ts';
import { nearPlace } from './near-place.ts';
import { colorsFor } from './output.ts';
import { onReaderGone } from './output-faults.ts';
import { startFaultText } from './start-faults.ts';
import { stderrLog } from './stderr-log.ts';

interface TestFlags {
  readonly only?: string;
  readonly junit?: string;
  readonly strict: boolean;
  readonly watch: boolean;
}

const HELP = `
Each case of a PolicyTest sends its requests through the configuration in this process: the same engine, the same
filters, upstreams by script. Cases begin anew: limits, counters and shared data are empty.

Exit status: 0 where all cases passed, 1 where one failed, the configuration has errors, there is no case, or
(with --strict) something is not tested; 2 where the command line is wrong`;

/** `weir test PATH…`. */
export function registerTest(program: Command): void {
  program
    .command('test')
    .description('run the PolicyTests of a configuration, in process')
    .argument('<path...>', 'files and folders of YAML')
    .option('--only <text>', 'cases whose name has this in it')
    .option('--junit <file>', 'write the results as JUnit XML too')
    .option('--strict', 'fail where a rule, a filter or its refusing is not tested', false)
    .option('-w, --watch', 'run again when files change', false)
    .addHelpText('after', HELP)
    .action(async (paths: readonly string[], flags: TestFlags) => {
      if (flags.watch) return watchTests(paths, flags);
      process.exitCode = (await testOnce(paths, flags)).exitCode;
      // A filter may have left a timer.
      process.exit();
    });
}

async function testOnce(
  paths: readonly string[],
  flags: TestFlags,
): Promise<{ readonly exitCode: number; readonly files: readonly string[] }> {
  const { snapshot, diagnostics, files, ...rest } = await loadConfiguration(paths, { standIns: true });
  process.stderr.write(formatDiagnostics(diagnostics, { color: process.stderr.isTTY, consequence: null }));
  if (snapshot === null) return { exitCode: ExitCode.Refused, files };
  try {
    const loaded = { snapshot, diagnostics, files, ...rest };
    const run = await runPolicyTests(loaded, flags.only ?? null, stderrLog, (result) => {
      process.stdout.write(resultText(result));
    });
    process.stdout.write(summaryText(run, flags.only !== undefined));
    if (flags.junit !== undefined) writeFileSync(flags.junit, junitText(run.results));
    const failed = run.results.some(({ misses }) => misses.length > 0) || run.results.length === 0;
    const gaps = flags.strict && run.gaps.length > 0;
    return { exitCode: failed || gaps ? ExitCode.Refused : ExitCode.Ok, files };
  } catch (error) {
    if (!(error instanceof StageError)) throw error;
    process.stderr.write(await startFaultText({ snapshot, ...rest }, paths, error));
    return { exitCode: ExitCode.Refused, files };
  }
}

async function watchTests(paths: readonly string[], flags: TestFlags): Promise<void> {
  onReaderGone(() => process.exit(ExitCode.Ok));
  let running = false;
  let again = true;
  const source = new Source(paths, () => {
    again = true;
    void runAll();
  });
  const runAll = async (): Promise<void> => {
    if (running) return;
    running = true;
    while (again) {
      again = false;
      const since = Date.now();
      if (process.stdout.isTTY) process.stdout.write('\u001bc');
      const { files } = await testOnce(paths, flags);
      await source.follow(files, since);
      process.stdout.write('\nwaiting for changes; Ctrl-C ends\n');
    }
    running = false;
  };
  await runAll();
}

function resultText({ test, name, place, misses, explanation, milliseconds }: CaseResult): string {
  const passed = misses.length === 0;
  const mark = paint(passed ? 'ok    ' : 'FAILED', passed ? 32 : 31);
  const head = `${mark}  ${test}  ${name}  ${milliseconds.toFixed(0)} ms\n`;
  if (passed) return head;
  const why = explanation === null ? '' : `what happened:\n${explanationText(explanation, nearPlace)}`;
  const lines = [nearPlace(place), ...misses, ...(why === '' ? [] : [why.trimEnd()])].join('\n');
  return `${head}${lines.replaceAll(/^(?=.)/gm, ' '.repeat(8))}\n`;
}

function summaryText({ results, rules, gaps }: PolicyRun, partial: boolean): string {
  const failures = results.filter(({ misses }) => misses.length > 0);
  const failed = failures.length;
  const lines = [''];
  // Those that failed may have scrolled away.
  if (results.length > failed)
    for (const { name, place } of failures) lines.push(`failed: ${name}   ${nearPlace(place)}`);
  if (results.length === 0)
    lines.push(partial ? 'no case has that in its name' : 'there is no PolicyTest in these files');
  // What a part of the cases leaves out says nothing.
  else if (!partial) {
    lines.push(`rules reached: ${rules.reached} of ${rules.total}`);
    for (const { what, place } of gaps) lines.push(`not tested: ${what}   ${nearPlace(place)}`);
  }
  lines.push(`${results.length - failed} passed, ${failed} failed`);
  return `${lines.join('\n')}\n`;
}

function paint(text: string, color: number): string {
  return colorsFor(process.stdout).isColorSupported ? `\u001b[${color}m${text}\u001b[0m` : text;
}
