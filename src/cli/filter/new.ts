import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import * as prompts from '@clack/prompts';
import type { Command } from 'commander';
import { packageVersion } from '../../package-root.ts';
import { ExitCode } from '../exit-codes.ts';
import { Failure } from '../failure.ts';
import { colorsFor } from '../output.ts';
import { suggest } from '../../control/nearest.ts';
import { findSdk, resolveFrom } from './sdk.ts';
import { listTemplates, projectFiles, type Template } from './template.ts';

interface NewFlags {
  readonly template?: string;
  readonly dir?: string;
}

const DEFAULT_TEMPLATE = 'headers';
const NAME = /^[a-z][a-z0-9-]{0,62}$/;
const NAME_RULE = 'a name begins with a letter and has small letters, digits and hyphens, at most 63';

/** `weir filter new NAME`. */
export function registerNew(filter: Command): void {
  filter
    .command('new')
    .description('write a small project: a filter, its tests, and the policies that run it')
    .argument('[name]', 'of the filter and of its folder; asked for on a terminal')
    .option('-t, --template <template>', 'what it begins with; --template list names them')
    .option('--dir <folder>', 'where it goes (default: NAME)')
    .action(async (name: string | undefined, flags: NewFlags, command: Command) => {
      const { folder: sdk, version } = findSdk(process.cwd());
      const templates = listTemplates(join(sdk, 'templates'));
      if (flags.template === 'list') {
        process.stdout.write(templatesText(templates));
        return;
      }
      const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
      if (name === undefined && !isTerminal) command.error("error: missing required argument 'name'");
      if (name !== undefined && !NAME.test(name)) command.error(`error: ${name}: ${NAME_RULE}`);
      if (flags.template !== undefined) checkTemplate(flags.template, templates);
      // Only what was left out is asked for, and only where somebody can answer.
      const wanted =
        name === undefined ? await ask(flags.template, templates) : { name, template: flags.template };
      const folder = resolve(flags.dir ?? wanted.name);
      const files = projectFiles(join(sdk, 'templates'), wanted.template ?? DEFAULT_TEMPLATE, wanted.name, {
        '@weir/filters-sdk': version,
        weir: packageVersion(),
      });
      refuseToOverwrite(
        folder,
        files.map(({ path }) => path),
      );
      for (const { path, text } of files) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), text, { flag: 'wx' });
      }
      process.stdout.write(nextSteps(wanted.template ?? DEFAULT_TEMPLATE, folder, files.length));
    });
}

async function ask(
  given: string | undefined,
  templates: readonly Template[],
): Promise<{ readonly name: string; readonly template: string }> {
  prompts.intro('A new filter');
  const name = await prompts.text({
    message: 'What is it called?',
    placeholder: 'my-filter',
    validate: (text) => (NAME.test(text ?? '') ? undefined : NAME_RULE),
  });
  if (prompts.isCancel(name)) throw new Failure('nothing was written', ExitCode.Usage);
  if (given !== undefined) return { name, template: given };
  const template = await prompts.select({
    message: 'What does it begin with?',
    initialValue: DEFAULT_TEMPLATE,
    options: templates.map(({ name: value, summary }) => ({ value, label: value, hint: summary })),
  });
  if (prompts.isCancel(template)) throw new Failure('nothing was written', ExitCode.Usage);
  return { name, template };
}

function checkTemplate(name: string, templates: readonly Template[]): void {
  const names = templates.map((template) => template.name);
  if (names.includes(name)) return;
  const guess = suggest(name, names) ?? '';
  const text = `there is no template ${name}; ${guess}\n${templatesText(templates)}`;
  throw new Failure(text.trimEnd(), ExitCode.Usage);
}

function templatesText(templates: readonly Template[]): string {
  const width = Math.max(...templates.map(({ name }) => name.length));
  return templates.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`).join('');
}

/** Files of the author are never touched; others may lie in the folder. */
function refuseToOverwrite(folder: string, paths: readonly string[]): void {
  const taken = paths.filter((path) => existsSync(join(folder, path)));
  if (taken.length === 0) return;
  const where = relative('', folder) || '.';
  const all = readdirSync(folder).length;
  throw new Failure(
    `${where} holds ${all} ${all === 1 ? 'entry' : 'entries'} already, ${taken.slice(0, 3).join(', ')} among them; ` +
      'nothing was written. Choose another name, or another folder with --dir',
  );
}

function nextSteps(template: string, folder: string, files: number): string {
  const { bold, dim, green } = colorsFor(process.stdout);
  const where = relative('', folder) || '.';
  // In a folder below one where all is installed there is nothing to install.
  const isReady = ['@weir/filters-sdk/package.json', 'vitest/package.json'].every(
    (name) => resolveFrom(folder, name) !== null,
  );
  const commands = [
    [where === '.' ? '' : `cd ${where}`, ''],
    [isReady ? '' : 'npm install', 'the compiler, the test runner, weir'],
    ['npx weir filter build', 'to a WebAssembly module'],
    ['npx weir filter test', "on weir's own host"],
    ['npx weir dev', 'serves it, and again with every save'],
  ].filter(([command]) => command !== '');
  const lines = commands.map(([command, what]) => `  ${bold(command!.padEnd(24))}${dim(what!)}`.trimEnd());
  return `${green('✓')} ${where}: ${files} files, template ${template}\n\nNext:\n${lines.join('\n')}\n`;
}
