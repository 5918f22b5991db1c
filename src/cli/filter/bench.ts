import { existsSync, readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { parse } from 'yaml';
import { Failure } from '../failure.ts';
import { bytesText, colorsFor, type Colors } from '../output.ts';
import { BenchSubject, PHASES, type BenchExchange, type Round } from './bench-subject.ts';
import { median, medianInterval, spread } from './bench-statistics.ts';
import { benchExchange } from './bench-exchange.ts';
import { previousOf } from './built.ts';
import { findProject } from './project.ts';

interface BenchFlags {
  readonly against?: string;
  readonly request?: string;
  readonly rounds: number;
  readonly output: 'text' | 'json';
}

/** Before anything is timed: the engine optimises what runs often. */
const WARM_UP = 3000;
/** One round of one build takes about this long. */
const ROUND_MS = 30;

const HELP = `
The exchange is GET / with some usual fields and an answer of 1 KiB, or that of a file (YAML or JSON):
  config: {greeting: hello}
  request: {method: POST, path: /cart, headers: {x-user: acme}, body: '{}'}
  response: {status: 200, headers: {content-type: text/plain}, body: hello}
  upstreams: {auth: {status: 200}}        what calls of the filter are answered
Without one, bench.yaml of the project is taken where there is one.

Both builds run in turns in one process. A difference counts where it holds nineteen times out of twenty.`;

/** `weir filter bench [MODULE]`. */
export function registerBench(filter: Command): void {
  filter
    .command('bench')
    .description('say what each callback of a filter costs, beside the build before')
    .argument('[module]', 'a .wasm file (default: build/NAME.wasm)')
    .option('--against <file>', 'another build (default: the one that the last build replaced)')
    .option('--request <file>', 'the exchange that is repeated')
    .option('--rounds <n>', 'how often the builds take turns', parseRounds, 25)
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addHelpText('after', HELP)
    .action(async (module: string | undefined, flags: BenchFlags) => {
      const project = findProject(process.cwd());
      const file = resolve(module ?? resolve(project.folder, project.module));
      const before = flags.against === undefined ? previousOf(project, file) : resolve(flags.against);
      if (flags.against !== undefined && !existsSync(before))
        throw new Failure(`there is no ${flags.against}`);
      const exchange = readExchange(flags.request ?? usualFile(project.folder));
      const builds = [file, ...(existsSync(before) ? [before] : [])];
      const report = await measure(builds, exchange, flags.rounds);
      const text =
        flags.output === 'json'
          ? JSON.stringify(report, null, 2)
          : reportText(report, colorsFor(process.stdout));
      process.stdout.write(`${text}\n`);
    });
}

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 9 && rounds <= 1000) return rounds;
  throw new Failure('--rounds is a whole number from 9 to 1000');
}

function usualFile(folder: string): string | undefined {
  const file = resolve(folder, 'bench.yaml');
  return existsSync(file) ? file : undefined;
}

function readExchange(file: string | undefined): BenchExchange {
  if (file === undefined) return benchExchange({}, 'the usual exchange');
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Failure(`${relative('', file)}: ${(error as Error).message}`);
  }
  return benchExchange(value ?? {}, relative('', file));
}

interface Measured {
  readonly file: string;
  readonly bytes: number;
  readonly cost: ReturnType<BenchSubject['cost']>;
  readonly rounds: readonly Round[];
}

async function measure(
  files: readonly string[],
  exchange: BenchExchange,
  rounds: number,
): Promise<Measured[]> {
  const subjects = await Promise.all(files.map((file) => open(file, exchange)));
  const costs = subjects.map(({ subject }) => subject.cost());
  for (const { subject } of subjects) subject.run(WARM_UP);
  const timed = performance.now();
  subjects[0]!.subject.run(WARM_UP);
  const exchanges = Math.max(20, Math.round((ROUND_MS * WARM_UP) / (performance.now() - timed)));
  const measured: Round[][] = subjects.map(() => []);
  for (let round = 0; round < rounds; round++) {
    // Who goes first has the caches of the one before.
    const order = subjects.map((_, i) => (i + round) % subjects.length);
    for (const i of order) measured[i]!.push(subjects[i]!.subject.run(exchanges));
  }
  await Promise.all(subjects.map(({ subject }) => subject.close()));
  return subjects.map(({ bytes }, i) => ({
    file: relative('', files[i]!),
    bytes,
    cost: costs[i]!,
    rounds: measured[i]!,
  }));
}

async function open(
  file: string,
  exchange: BenchExchange,
): Promise<{ subject: BenchSubject; bytes: number }> {
  if (!existsSync(file)) throw new Failure(`there is no ${relative('', file)}; weir filter build makes it`);
  const bytes = readFileSync(file);
  try {
    return { subject: await BenchSubject.open(bytes, exchange), bytes: bytes.length };
  } catch (error) {
    throw new Failure(`${relative('', file)}: ${(error as Error).message}`);
  }
}

function reportText([now, before]: readonly Measured[], colors: Colors): string {
  const lines = [`${colors.bold(now!.file)} ${bytesText(now!.bytes)}`];
  if (before !== undefined) lines.push(colors.dim(`beside ${before.file} ${bytesText(before.bytes)}`));
  lines.push('');
  const rows = PHASES.map((name, phase): Row => ({ name, of: (round) => round.callbacks[phase]! }));
  for (const row of [...rows, { name: 'all of one exchange', of: (round: Round) => round.total }]) {
    const line = timeLine(row, now!, before);
    if (line !== null) lines.push(line);
  }
  lines.push('', countLine('fuel', Math.round(now!.cost.fuel), before && Math.round(before.cost.fuel)));
  const heap = before === undefined ? '' : `  before ${bytesText(before.cost.heapBytes)}`;
  lines.push(`${'heap'.padEnd(WIDTH)}${bytesText(now!.cost.heapBytes).padStart(12)}${heap}`);
  const groups = new Set([...Object.keys(now!.cost.hostCalls), ...Object.keys(before?.cost.hostCalls ?? {})]);
  for (const group of groups)
    lines.push(
      countLine(
        `calls of ${group}`,
        now!.cost.hostCalls[group] ?? 0,
        before && (before.cost.hostCalls[group] ?? 0),
      ),
    );
  lines.push('', verdict(now!, before));
  return lines.join('\n');
}

interface Row {
  readonly name: string;
  readonly of: (round: Round) => number;
}

const WIDTH = 22;

/** Null where neither build has the callback. */
function timeLine({ name, of }: Row, now: Measured, before: Measured | undefined): string | null {
  const times = now.rounds.map(of).filter((ns) => ns > 0);
  const earlier = before?.rounds.map(of).filter((ns) => ns > 0) ?? [];
  if (times.length === 0 && earlier.length === 0) return null;
  const text = `${name.padEnd(WIDTH)}${nanoseconds(times)}`;
  if (before === undefined) return text;
  return `${text}  before ${nanoseconds(earlier)}  ${changeText(now, before, of)}`;
}

function nanoseconds(times: readonly number[]): string {
  if (times.length === 0) return '          -       ';
  const ns = median(times);
  const value = ns < 10_000 ? `${ns.toFixed(0)} ns` : `${(ns / 1000).toFixed(1)} µs`;
  return `${value.padStart(12)} ${`±${(100 * spread(times)).toFixed(0)} %`.padEnd(6)}`;
}

/** Of the rounds in pairs: what both had around them is the same. */
function ratios(now: Measured, before: Measured, of: Row['of']): number[] {
  return now.rounds.map((round, i) => of(round) / of(before.rounds[i]!)).filter((ratio) => ratio > 0);
}

function changeText(now: Measured, before: Measured, of: Row['of']): string {
  const pairs = ratios(now, before, of);
  if (pairs.length === 0) return '';
  const { low, high } = medianInterval(pairs);
  const percent = (ratio: number) => `${ratio >= 1 ? '+' : '−'}${Math.abs(100 * (ratio - 1)).toFixed(1)}`;
  return `${percent(median(pairs))} % (${percent(low)} to ${percent(high)})`;
}

function countLine(name: string, now: number, before: number | undefined): string {
  const text = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(1));
  const line = `${name.padEnd(WIDTH)}${text(now).padStart(12)}`;
  return before === undefined ? line : `${line}  before ${text(before)}`;
}

function verdict(now: Measured, before: Measured | undefined): string {
  if (before === undefined)
    return 'There is no other build to compare with: change the filter, build it, and run this again, or name one with --against.';
  const pairs = ratios(now, before, ({ total }) => total);
  const { low, high } = medianInterval(pairs);
  const middle = Math.abs(100 * (median(pairs) - 1)).toFixed(1);
  if (low > 1) return `Slower than before: by ${middle} %.`;
  if (high < 1) return `Faster than before: by ${middle} %.`;
  return 'No difference in time that this run could tell from noise.';
}
