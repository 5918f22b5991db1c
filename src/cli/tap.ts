import { openSync, closeSync, writeSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { Command } from 'commander';
import type { TapRecord } from '../runtime/wasm/tap/record.ts';
import {
  adminOption,
  adminTokenOption,
  askAdmin,
  checkAdmin,
  linesOf,
  type AdminFlags,
} from './admin-client.ts';
import { ExitCode } from './exit-codes.ts';
import { onReaderGone } from './output-faults.ts';
import { bytesText, colorsFor } from './output.ts';
import { LiveTap } from './tap-text.ts';

interface TapFlags extends AdminFlags {
  readonly filter: readonly string[];
  readonly out?: string;
  readonly path?: string;
  readonly header: readonly string[];
  readonly count?: string;
  readonly for: string;
  readonly redact: readonly string[];
  readonly keepSecrets: boolean;
  readonly bodies: string;
}

const HELP = `
Requests that are chosen go to an instance of the filter of their own, which is recorded from its start; all
others stay where they are. Secrets are replaced by others of the same form (Authorization, cookies, API
keys, what configurations keep in fields that a schema marks as secret or under such names, and the fields of
--redact). Of bodies the size alone is written: what a filter does with them replays with --bodies all.

Examples:
  weir tap --filter greeting                                 watch what it does
  weir tap --filter greeting --count 1000 --out day.jsonl    record it
  weir filter test --replay day.jsonl                        what a build does differently`;

/** `weir tap`: what a filter does with its requests, to be read or to be replayed. */
export function registerTap(program: Command): void {
  program
    .command('tap')
    .description('record what a filter of a running weir does with its requests')
    .requiredOption(
      '--filter <name>',
      'namespace/chain#filter, the part after #, or * for every filter; may be repeated',
      collect,
    )
    .option(
      '-o, --out <file>',
      'write a recording, readable by its owner alone; without it, a summary of each request is printed',
    )
    .option('--path <prefix>', 'requests whose path begins so')
    .option('--header <name:value>', 'requests that have this field; may be repeated', collect, [])
    .option('--count <n>', 'end after so many requests')
    .option('--for <duration>', 'end after this time', '30s')
    .option('--redact <field>', 'a further field whose values are secret; may be repeated', collect, [])
    .option('--keep-secrets', 'write secrets as they are', false)
    .option('--bodies <none|all|size>', 'how much of each body is written, such as 4Ki', 'none')
    .addOption(adminOption())
    .addOption(adminTokenOption())
    .addHelpText('after', HELP)
    .action(async (flags: TapFlags, command: Command) => {
      checkAdmin(flags, command);
      process.exitCode = await tap(flags);
    });
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

async function tap(flags: TapFlags): Promise<number> {
  const colors = colorsFor(process.stderr);
  const tell = (text: string): void => void process.stderr.write(`${text}\n`);
  const response = await open(flags);
  if (flags.keepSecrets)
    tell(colors.yellow('warning: secrets are written as they are; keep the recording like a password'));
  const file = flags.out === undefined ? null : openSync(flags.out, 'w', 0o600);
  const live = new LiveTap(colorsFor(process.stdout));
  if (file === null) tell(colors.dim(`watching ${flags.filter.join(', ')} for ${flags.for}; Ctrl-C ends it`));
  else tell(colors.dim(`recording ${flags.filter.join(', ')} for ${flags.for}; Ctrl-C ends it`));
  const interrupt = (): void => void response.destroy();
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  if (file === null) onReaderGone(interrupt);
  let bytes = 0;
  let summary: Extract<TapRecord, { type: 'summary' }> | null = null;
  try {
    for await (const line of linesOf(response)) {
      const record = JSON.parse(line) as TapRecord;
      if (record.type === 'summary') summary = record;
      if (file !== null) bytes += writeSync(file, `${line}\n`);
      else process.stdout.write(live.textOf(record));
    }
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    if (file !== null) closeSync(file);
  }
  const { streams, dropped } = summary ?? { streams: live.streams, dropped: 0 };
  if (file !== null)
    tell(`${flags.out!}: ${summary === null ? '' : `${streams} requests, `}${bytesText(bytes)}`);
  else tell(colors.dim(`${streams} requests`));
  if (dropped > 0) tell(colors.yellow(`${dropped} requests were not recorded: this end read too slowly`));
  return ExitCode.Ok;
}

/** @throws Failure where there is no such tap */
async function open(flags: TapFlags): Promise<IncomingMessage> {
  const query = new URLSearchParams();
  for (const filter of flags.filter) query.append('filter', filter);
  for (const header of flags.header) query.append('header', header);
  for (const field of flags.redact) query.append('redact', field);
  if (flags.path !== undefined) query.set('path', flags.path);
  if (flags.count !== undefined) query.set('count', flags.count);
  query.set('bodies', flags.bodies);
  if (flags.keepSecrets) query.set('secrets', 'keep');
  query.set('for', flags.for);
  return askAdmin(flags, 'GET', `/tap?${query.toString()}`);
}
