import { Command, Help, Option } from 'commander';
import { registerCheck } from './check.ts';
import { registerDev } from './dev.ts';
import { registerExplain } from './explain.ts';
import { registerFilter } from './filter/filter.ts';
import { registerRun } from './run.ts';
import { registerSchema } from './schema.ts';
import { registerTap } from './tap.ts';
import { registerTest } from './test.ts';
import { packageVersion } from '../package-root.ts';

/** All commands of weir. Nothing is read or started before one of them is asked for. */
export function weirProgram(): Command {
  const program = new Command('weir')
    .description('A WebAssembly-extensible programmable proxy.')
    .version(packageVersion())
    .showHelpAfterError('(weir --help lists what there is)')
    .configureHelp({ optionDescription: describeOption })
    .exitOverride();
  registerRun(program);
  registerCheck(program);
  registerDev(program);
  registerExplain(program);
  registerTest(program);
  registerSchema(program);
  registerTap(program);
  registerFilter(program);
  endLikeTheProgram(program);
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

/** Verbs inherit nothing of how their parent ends. */
function endLikeTheProgram(parent: Command): void {
  for (const command of parent.commands) {
    command.exitOverride();
    endLikeTheProgram(command);
  }
}
