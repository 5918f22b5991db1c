import { existsSync, readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { parse } from 'yaml';
import { Failure } from '../failure.ts';
import { ExitCode } from '../exit-codes.ts';
import { colorsFor } from '../output.ts';
import { openReplay } from '../replay/replay.ts';
import { reportText, type Cost, type Measured, type Round } from './bench-report.ts';
import { BenchSubject, type BenchExchange } from './bench-subject.ts';
import { ReplaySubject } from './replay-subject.ts';
import { benchExchange } from './bench-exchange.ts';
import { previousOf } from './built.ts';
import { findProject } from './project.ts';

interface BenchFlags {
  readonly against?: string;
  readonly request?: string;
  readonly replay?: string;
  readonly filter?: string;
  readonly rounds: number;
  readonly output: 'text' | 'json';
}

const HELP = `
The exchange is GET / with some usual fields and an answer of 1 KiB, or that of a file (YAML or JSON):
  config: {greeting: hello}
  request: {method: POST, path: /cart, headers: {x-user: acme}, body: '{}'}
  response: {status: 200, headers: {content-type: text/plain}, body: hello}
  upstreams: {auth: {status: 200}}        what calls of the filter are answered
Without one, bench.yaml of the project is taken where there is one.

With --replay it is the requests of a recording (weir tap -o FILE --bodies all), with their configuration; answers of
the recording to what the filter asks take no time.

Both builds run in turns in one process. A difference counts where it holds nineteen times out of twenty.`;

/** `weir filter bench [MODULE]`. */
export function registerBench(filter: Command): void {
  filter
    .command('bench')
    .description('say what each callback of a filter costs, beside the build before')
    .argument('[module]', 'a .wasm file (default: build/NAME.wasm)')
    .option('--against <file>', 'another build (default: the one that the last build replaced)')
    .option('--request <file>', 'the exchange that is repeated')
    .option('--replay <recording>', 'what weir tap recorded is repeated')
    .option('--filter <name>', 'with --replay: which filter of the recording')
    .option('--rounds <n>', 'how often the builds take turns', parseRounds, 25)
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addHelpText('after', HELP)
    .action(async (module: string | undefined, flags: BenchFlags, command: Command) => {
      if (flags.replay !== undefined && flags.request !== undefined)
        command.error('error: --request and --replay both say what is repeated; give one', {
          exitCode: ExitCode.Usage,
        });
      const project = findProject(process.cwd());
      const file = resolve(module ?? resolve(project.folder, project.module));
      const before = flags.against === undefined ? previousOf(project, file) : resolve(flags.against);
      if (flags.against !== undefined && !existsSync(before))
        throw new Failure(`there is no ${flags.against}`);
      const builds = [file, ...(existsSync(before) ? [before] : [])];
      const report = await measure(builds, await opener(flags, file, project.folder), flags.rounds);
      const text =
        flags.output === 'json'
          ? JSON.stringify(report, null, 2)
          : reportText(report, colorsFor(process.stdout));
      process.stdout.write(`${text}\n`);
    });
}

/** What is repeated: the requests of a recording, or one exchange. */
async function opener({ replay, filter, request }: BenchFlags, file: string, folder: string): Promise<Open> {
  if (replay === undefined) {
    const exchange = readExchange(request ?? usualFile(folder));
    return (bytes) => BenchSubject.open(bytes, exchange);
  }
  const opened = await openReplay({ replay, module: file, ...(filter === undefined ? {} : { filter }) });
  return (bytes) => ReplaySubject.open(bytes, opened.recording, opened.filter);
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

/** One build that can be run again and again. */
interface Subject {
  readonly callbacks: readonly string[];
  readonly notes: readonly string[];
  /** Runs before anything is timed: the engine optimises what runs often. */
  readonly warmUp: number;
  /** One round takes about this long. */
  readonly roundMs: number;
  cost(): Promise<Cost>;
  run(times: number): Promise<Round>;
  close(): Promise<void>;
}

type Open = (bytes: Buffer) => Promise<Subject>;

async function measure(files: readonly string[], open: Open, rounds: number): Promise<Measured[]> {
  const builds = await Promise.all(files.map((file) => opened(file, open)));
  const subjects = builds.map(({ subject }) => subject);
  const costs: Cost[] = [];
  for (const subject of subjects) costs.push(await subject.cost());
  for (const subject of subjects) await subject.run(subject.warmUp);
  const { warmUp, roundMs } = subjects[0]!;
  const timed = performance.now();
  await subjects[0]!.run(warmUp);
  const times = Math.max(1, Math.round((roundMs * warmUp) / (performance.now() - timed)));
  const measured: Round[][] = subjects.map(() => []);
  for (let round = 0; round < rounds; round++) {
    // Who goes first has the caches of the one before.
    const order = subjects.map((_, i) => (i + round) % subjects.length);
    for (const i of order) measured[i]!.push(await subjects[i]!.run(times));
  }
  await Promise.all(subjects.map((subject) => subject.close()));
  return builds.map(({ bytes, subject: { callbacks, notes } }, i) => ({
    file: relative('', files[i]!),
    bytes,
    callbacks,
    notes,
    cost: costs[i]!,
    rounds: measured[i]!,
  }));
}

async function opened(file: string, open: Open): Promise<{ subject: Subject; bytes: number }> {
  if (!existsSync(file)) throw new Failure(`there is no ${relative('', file)}; weir filter build makes it`);
  const bytes = readFileSync(file);
  try {
    return { subject: await open(bytes), bytes: bytes.length };
  } catch (error) {
    const { message } = error as Error;
    const fix = message.includes('proxy_on_configure')
      ? '\nGive it a configuration: `config: …` in bench.yaml of the project, or in the file of --request.'
      : '';
    throw new Failure(`${relative('', file)}: ${message}${fix}`);
  }
}
