import { CommanderError } from 'commander';
import { ExitCode } from './exit-codes.ts';
import { Failure } from './failure.ts';
import { weirProgram } from './program.ts';

/**
 * Runs a command. What goes wrong is told on standard error, and by `process.exitCode`.
 *
 * @param args behind the name of the program
 * @throws what is a fault of weir itself
 */
export async function runCommandLine(args: readonly string[]): Promise<void> {
  try {
    const program = await weirProgram(args);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof Failure) {
      process.stderr.write(`error: ${error.message}\n`);
      process.exitCode = error.exitCode;
    } else if (error instanceof CommanderError) {
      // Help and version end well; everything else that commander throws is about the command line.
      process.exitCode = error.exitCode === 0 ? ExitCode.Ok : ExitCode.Usage;
    } else throw error;
  }
}
