import { ExitCode } from './exit-codes.ts';

/**
 * Ends a command: what went wrong, why, and what to do about it, for the person at the terminal. The program
 * prints it without a stack. For faults of the command line itself there is `command.error`.
 */
export class Failure extends Error {
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = ExitCode.Refused) {
    super(message);
    this.exitCode = exitCode;
  }
}
