import { Command, Help, Option } from 'commander';
import { packageVersion } from '../package-root.ts';
import { registerNamed, type Loaders } from './commands.ts';

const COMMANDS: Loaders = {
  run: async () => (await import('./run.ts')).registerRun,
  init: async () => (await import('./init.ts')).registerInit,
  check: async () => (await import('./check.ts')).registerCheck,
  dev: async () => (await import('./dev.ts')).registerDev,
  explain: async () => (await import('./explain.ts')).registerExplain,
  test: async () => (await import('./test.ts')).registerTest,
  schema: async () => (await import('./schema.ts')).registerSchema,
  'hash-password': async () => (await import('./hash-password.ts')).registerHashPassword,
  tap: async () => (await import('./tap.ts')).registerTap,
  quota: async () => (await import('./quota.ts')).registerQuota,
  ratelimit: async () => (await import('./ratelimit.ts')).registerRatelimit,
  filter: async () => (await import('./filter/filter.ts')).registerFilter,
};

/**
 * The commands of weir: the one that is asked for, or all of them. Nothing is read or started before one of them runs.
 *
 * @param args behind the name of the program
 */
export async function weirProgram(args: readonly string[] = []): Promise<Command> {
  const program = new Command('weir')
    .description('A WebAssembly-extensible programmable proxy.')
    .version(packageVersion())
    .configureHelp({ optionDescription: describeOption, subcommandTerm: (command) => command.name() });
  await registerNamed(program, COMMANDS, args);
  settleUsage(program, 'weir');
  return program;
}

/** As commander does, but that something is off or empty by default needs no telling. */
function describeOption(option: Option): string {
  const { defaultValue } = option as { readonly defaultValue: unknown };
  const isEmpty = defaultValue === false || (Array.isArray(defaultValue) && defaultValue.length === 0);
  const shown = isEmpty
    ? Object.assign(new Option(option.flags), option, { defaultValue: undefined })
    : option;
  return Help.prototype.optionDescription(shown);
}

/** Verbs inherit nothing of how their parent ends; what is wrong with a command line is told with the help of its command. */
function settleUsage(command: Command, path: string): void {
  command.exitOverride().showHelpAfterError(`(${path} --help lists what there is)`);
  for (const child of command.commands) settleUsage(child, `${path} ${child.name()}`);
}
