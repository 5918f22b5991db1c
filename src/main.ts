import { CommanderError } from 'commander';
import { ExitCode } from './cli/exit-codes.ts';
import { Failure } from './cli/failure.ts';
import { watchOutputs } from './cli/output-faults.ts';
import { weirProgram } from './cli/program.ts';

watchOutputs();
try {
  const program = await weirProgram(process.argv.slice(2));
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
