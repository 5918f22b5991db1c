import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { parseAllDocuments } from 'yaml';
import { suggest } from '../control/nearest.ts';
import { packageRoot } from '../package-root.ts';
import { ExitCode } from './exit-codes.ts';
import { Failure } from './failure.ts';
import { colorsFor } from './output.ts';

interface InitFlags {
  readonly policy?: string;
  readonly zeroTrust: boolean;
}

interface Policy {
  readonly name: string;
  readonly folder: string;
  /** The first sentences of its README. */
  readonly summary: string;
}

const DEFAULT = 'public-api';
/** Refuses what it does not allow. */
const ZERO_TRUST = 'internal-services';

/** `weir init [folder]`. */
export function registerInit(program: Command): void {
  program
    .command('init')
    .description('write a configuration to begin with, and tests that say what it is for')
    .argument('[folder]', 'where it goes', 'policies')
    .option('-p, --policy <name>', `which one of the library (default: ${DEFAULT}); --policy list names them`)
    .option('--zero-trust', `the one that refuses whatever it does not allow: ${ZERO_TRUST}`, false)
    .action((folder: string, flags: InitFlags, command: Command) => {
      const policies = readPolicies();
      if (flags.policy === 'list') {
        process.stdout.write(listOf(policies));
        return;
      }
      if (flags.zeroTrust && flags.policy !== undefined && flags.policy !== ZERO_TRUST)
        command.error('error: --zero-trust chooses the policy; leave --policy out');
      const policy = choose(policies, flags.zeroTrust ? ZERO_TRUST : (flags.policy ?? DEFAULT));
      write(policy, resolve(folder));
      process.stdout.write(nextSteps(policy, folder));
    });
}

function readPolicies(): Policy[] {
  const root = join(packageRoot(), 'policies');
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => {
      const [, summary = ''] = readFileSync(join(root, name, 'README.md'), 'utf8').split('\n\n');
      return { name, folder: join(root, name), summary: summary.replaceAll('\n', ' ').split('. ')[0]! };
    });
}

function choose(policies: readonly Policy[], name: string): Policy {
  const policy = policies.find((one) => one.name === name);
  if (policy !== undefined) return policy;
  const guess = suggest(
    name,
    policies.map((one) => one.name),
  );
  const text = `there is no policy ${name}; ${guess ?? 'these there are:'}\n${listOf(policies)}`;
  throw new Failure(text.trimEnd(), ExitCode.Usage);
}

function listOf(policies: readonly Policy[]): string {
  const width = Math.max(...policies.map(({ name }) => name.length));
  return policies
    .map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary.replace(/\.$/, '')}\n`)
    .join('');
}

/** What is there already is never touched. */
function write(policy: Policy, folder: string): void {
  const files = readdirSync(policy.folder).filter((name) => !name.startsWith('.'));
  const taken = files.filter((name) => existsSync(join(folder, name)));
  if (taken.length > 0)
    throw new Failure(
      `${relative('', folder) || '.'} holds ${taken.join(', ')} already; nothing was written. Name another folder`,
    );
  makeFolder(folder);
  for (const name of files) copyFileSync(join(policy.folder, name), join(folder, name));
}

/** One by one: below some folders, such as /proc, `recursive` of Node never ends. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder);
}

/** `METHOD 'URL'` of the first case that its tests have. */
function firstRequest({ folder }: Policy): string {
  const documents = parseAllDocuments(readFileSync(join(folder, 'tests.yaml'), 'utf8'));
  for (const document of documents) {
    const { spec } = document.toJS() as {
      spec?: { cases?: readonly { request: { method?: string; url: string } }[] };
    };
    const [first] = spec?.cases ?? [];
    if (first !== undefined) return `${first.request.method ?? 'GET'} '${first.request.url}'`;
  }
  return 'GET URL';
}

function nextSteps(policy: Policy, folder: string): string {
  const { bold, dim, green } = colorsFor(process.stdout);
  const commands = [
    [`weir test ${folder} --strict`, 'what it does, and whether anything of it is not tested'],
    [`weir explain ${firstRequest(policy)} -f ${folder}`, 'what becomes of one request, and why'],
    [`weir run -f ${folder}`, 'serves it'],
  ];
  const lines = commands.map(([command, what]) => `  ${dim(`# ${what}`)}\n  ${bold(command!)}`);
  return `${green('✓')} ${folder}: the policy ${policy.name}; its README says what to change\n\nNext:\n${lines.join('\n')}\n`;
}
