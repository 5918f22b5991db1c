import { existsSync, readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { readRecording, RecordingError, type Recording } from '../../replay/recording.ts';
import { compare, filtersOf, type DifferenceGroup, type ReplayReport } from '../../replay/report.ts';
import { ModuleError } from '../../runtime/wasm/module.ts';
import { PluginStartError } from '../../runtime/wasm/start-error.ts';
import { ExitCode } from '../exit-codes.ts';
import { Failure } from '../failure.ts';
import { colorsFor, type Colors } from '../output.ts';
import { findProject } from '../filter/project.ts';

export interface ReplayFlags {
  /** The recording. */
  readonly replay: string;
  /** A build. Default: where `weir filter build` puts it. */
  readonly module?: string;
  /** Which filter of the recording. Default: the one there is. */
  readonly filter?: string;
  readonly output: 'text' | 'json';
}

/** Reads what a replay is of. @throws Failure */
export async function openReplay(
  flags: Omit<ReplayFlags, 'output'>,
): Promise<{ recording: Recording; filter: string; file: string; bytes: Buffer }> {
  const file = flags.module ?? builtModule();
  if (!existsSync(file))
    throw new Failure(
      `there is no ${relative('', file) || file}: build it with weir filter build, or name a module with --module FILE`,
    );
  const recording = await readRecording(flags.replay).catch((error: unknown) => {
    if (error instanceof RecordingError) throw new Failure(error.message);
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Failure(
      code === 'ENOENT'
        ? `there is no file ${flags.replay}; weir tap --out makes one`
        : `${flags.replay}: ${message}`,
    );
  });
  return { recording, filter: filterOf(recording, flags), file, bytes: readFileSync(file) };
}

/** `weir filter test --replay`: what a build does differently. @returns the exit code */
export async function replayTest(flags: ReplayFlags): Promise<number> {
  const { recording, filter, file, bytes } = await openReplay(flags);
  const report = await compare(recording, filter, bytes).catch((error: unknown) => {
    if (error instanceof ModuleError) throw new Failure(`${file}: ${error.message}`);
    if (error instanceof PluginStartError) {
      const why =
        recording.header.secrets === 'redacted'
          ? '\nIts secrets were replaced; with weir tap --keep-secrets the configuration is recorded as it is.'
          : '';
      throw new Failure(`${file} does not start with the recorded configuration: ${error.reason}${why}`);
    }
    throw error;
  });
  if (flags.output === 'json') process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else process.stdout.write(textOf(report, colorsFor(process.stdout)));
  return report.groups.length + report.undecidedGroups.length === 0 && report.different === 0
    ? ExitCode.Ok
    : ExitCode.Refused;
}

function builtModule(): string {
  const project = findProject(process.cwd());
  return resolve(project.folder, project.module);
}

function filterOf(recording: Recording, { replay, filter }: Omit<ReplayFlags, 'output'>): string {
  const there = filtersOf(recording);
  if (there.length === 0)
    throw new Failure(`${replay} holds no instance of a filter: no request was recorded`);
  const found = there.filter(
    (name) => filter === undefined || name === filter || name.endsWith(`#${filter}`),
  );
  if (found.length === 1) return found[0]!;
  const names = there.join(', ');
  if (found.length === 0) throw new Failure(`${replay} has no filter ${filter!}; there are: ${names}`);
  throw new Failure(`${replay} has several filters, name one with --filter: ${names}`);
}

function textOf(report: ReplayReport, { bold, dim, green, red, yellow }: Colors): string {
  const { requests, identical, equal, different, undecided } = report;
  const lines: string[] = [];
  const same =
    report.digest === report.recordedDigest
      ? 'the module that was recorded'
      : `recorded with ${report.recordedDigest.slice(0, 12)}`;
  lines.push(`${bold(report.filter)} ${dim(`${report.digest.slice(0, 12)}, ${same}`)}`);
  lines.push(
    dim(
      `${count(requests)} requests, ${count(report.callbacks)} callbacks, ${count(report.hostCalls)} host calls`,
    ),
  );
  for (const group of report.groups) lines.push(groupText(group, requests, red));
  if (report.undecidedGroups.length > 0) {
    lines.push(yellow(UNDECIDED));
    for (const group of report.undecidedGroups) lines.push(groupText(group, requests, yellow));
  }
  lines.push(
    [
      identical > 0 ? green(`${count(identical)} identical`) : '',
      equal > 0 ? `${count(equal)} with the same outcome by other calls` : '',
      different > 0 ? red(`${count(different)} different`) : '',
      undecided > 0 ? yellow(`${count(undecided)} undecided`) : '',
    ]
      .filter((part) => part !== '')
      .join(', ') || 'no request was recorded',
  );
  if (report.cut)
    lines.push(
      dim('The recording was cut: requests that were under way then are compared as far as they got.'),
    );
  return `${lines.join('\n')}\n`;
}

function groupText(
  { subject, was, is, requests, variants, examples }: DifferenceGroup,
  all: number,
  paint: (text: string) => string,
): string {
  const whose = requests === 0 ? 'outside requests' : `${count(requests)} of ${count(all)}`;
  const more = variants > 1 ? ` (and ${count(variants - 1)} other values)` : '';
  const where = examples.length === 0 ? '' : `\n      such as ${examples[0]!}`;
  return `  ${paint(whose)}: ${subject}: ${was} → ${is}${more}${where}`;
}

const UNDECIDED =
  'These may come of secrets that were replaced or bodies that were cut; a recording made with --keep-secrets --bodies all tells:';

/** `1 204` */
function count(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ' ');
}
