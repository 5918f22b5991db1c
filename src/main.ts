import { Command, CommanderError } from 'commander';
import { registerCheck } from './cli/check.ts';
import { registerDev } from './cli/dev.ts';
import { ExitCode } from './cli/exit-codes.ts';
import { registerExplain } from './cli/explain.ts';
import { Failure } from './cli/failure.ts';
import { registerFilter } from './cli/filter/filter.ts';
import { registerRun } from './cli/run.ts';
import { registerTest } from './cli/test.ts';
import { packageVersion } from './package-root.ts';

const program = new Command('weir')
  .description('A WebAssembly-extensible programmable proxy.')
  .version(packageVersion())
  .showHelpAfterError('(weir --help lists what there is)')
  .exitOverride();

registerRun(program);
registerCheck(program);
registerDev(program);
registerExplain(program);
registerTest(program);
registerFilter(program);
endLikeTheProgram(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof Failure) {
    process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = error.exitCode;
  } else if (error instanceof CommanderError) {
    // Help and version end well; everything else that commander throws is about the command line.
    process.exitCode = error.exitCode === 0 ? ExitCode.Ok : ExitCode.Usage;
  } else throw error;
}

/** Verbs inherit nothing of how their parent ends. */
function endLikeTheProgram(parent: Command): void {
  for (const command of parent.commands) {
    command.exitOverride();
    endLikeTheProgram(command);
  }
}
