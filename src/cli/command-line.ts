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
    } else if (isFileFault(error)) {
      process.stderr.write(`error: ${error.path}: ${reasonOf(error)}\n`);
      process.exitCode = ExitCode.Refused;
    } else throw error;
  }
}

/** A file that was named cannot be read or written. */
function isFileFault(error: unknown): error is NodeJS.ErrnoException & { readonly path: string } {
  const { path, syscall } = (error ?? {}) as { path?: unknown; syscall?: unknown };
  return error instanceof Error && typeof path === 'string' && FILE_CALLS.has(String(syscall));
}

const FILE_CALLS = new Set(['open', 'mkdir', 'write', 'copyfile', 'rename', 'unlink', 'scandir', 'stat']);

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  const reason = REASONS[code ?? ''];
  return reason === undefined ? message : `${reason} (${code})`;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'the file or its folder does not exist',
  ENOTDIR: 'a part of the path is no folder',
  EISDIR: 'is a folder',
  EACCES: 'not allowed for this user',
  EPERM: 'not allowed for this user',
  EROFS: 'the file system can only be read',
  ENOSPC: 'no space is left',
};
