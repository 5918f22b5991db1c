import { Option, type Command } from 'commander';
import {
  formatDiagnostics,
  hasErrors,
  sortDiagnostics,
  toSarif,
  type Diagnostic,
} from '../control/diagnostic.ts';
import { loadConfiguration, type LoadOptions } from '../control/load.ts';
import { packageVersion } from '../package-root.ts';
import type { Snapshot } from '../runtime/snapshot.ts';
import { startFaults } from './start-faults.ts';

export type CheckFormat = 'text' | 'json' | 'sarif';

export interface CheckOptions extends LoadOptions {
  readonly output: CheckFormat;
  readonly color?: boolean;
  /** Warnings are errors. */
  readonly strict?: boolean;
  /** Program of the thread that filters are started in. Default: that of the package. */
  readonly canary?: URL;
}

/** What `weir check` prints, and its exit code: 1 where there are errors, with `strict` also warnings, else 0. */
export interface CheckResult {
  readonly text: string;
  readonly exitCode: 0 | 1;
}

export function registerCheck(program: Command): void {
  program
    .command('check')
    .description('check a configuration: every error and warning with its place and the nearest fix')
    .argument('<path...>', 'files and folders of YAML')
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['text', 'json', 'sarif']).default('text'),
    )
    .option('--strict', 'warnings are errors', false)
    .option('--offline', 'use no network: modules of registries and web servers are left out')
    .addHelpText(
      'after',
      '\nFilters are started with their configurations too, apart from all traffic, and say what they refuse.\n\nExit status: 0 without errors, 1 with errors (--strict: or warnings), 2 where the command line is wrong',
    )
    .action(
      async (
        paths: readonly string[],
        flags: { readonly output: CheckFormat; readonly offline?: boolean; readonly strict: boolean },
      ) => {
        const { text, exitCode } = await check(paths, { ...flags, color: process.stdout.isTTY });
        process.stdout.write(text);
        process.exitCode = exitCode;
      },
    );
}

interface Checked {
  /** null where any diagnostic is an error. */
  readonly snapshot: Snapshot | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** Loads a configuration, and starts its filters where its text has no errors. */
async function tryOut(paths: readonly string[], options: CheckOptions): Promise<Checked> {
  const { snapshot, diagnostics, ...rest } = await loadConfiguration(paths, options);
  if (snapshot === null) return { snapshot, diagnostics };
  const found = await startFaults({ snapshot, ...rest }, paths, options.canary);
  if (found.length === 0) return { snapshot, diagnostics };
  return { snapshot: null, diagnostics: sortDiagnostics([...diagnostics, ...found]) };
}

/** Checks a configuration as `weir run` would, without serving it. */
export async function check(paths: readonly string[], options: CheckOptions): Promise<CheckResult> {
  const { snapshot, diagnostics } = await tryOut(paths, options);
  const isFaulty = options.strict === true ? diagnostics.length > 0 : hasErrors(diagnostics);
  const exitCode = isFaulty ? 1 : 0;
  if (options.output === 'sarif') return { text: json(toSarif(diagnostics, packageVersion())), exitCode };
  if (options.output === 'json') {
    const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error').length;
    const summary = { version: snapshot?.version ?? null, errors, warnings: diagnostics.length - errors };
    return { text: json({ ...summary, diagnostics }), exitCode };
  }
  const faults = formatDiagnostics(diagnostics, { color: options.color === true, consequence: null });
  if (snapshot === null) return { text: faults, exitCode };
  if (isFaulty) return { text: `${faults}Warnings are errors here (--strict).\n`, exitCode };
  const { ports, rules, plugins, clusters, version } = snapshot;
  const parts = [
    count(ports.length, 'port'),
    count(rules.length, 'rule'),
    count(plugins.length, 'filter'),
    count(clusters.length, 'upstream'),
  ];
  return { text: `${faults}ok: ${parts.join(', ')}; snapshot ${version.slice(0, 12)}\n`, exitCode };
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
