import { ExitCode } from './exit-codes.ts';

/**
 * Keeps a reader that goes away (`weir schema | head`) from ending a command with a stack: it runs on to its own end and
 * exit status, unheard. Anything else that is wrong with an output ends it with a message.
 */
export function watchOutputs(): void {
  process.stdout.on('error', onStdoutFault);
  // Nobody is left to tell.
  process.stderr.on('error', () => undefined);
}

function onStdoutFault(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') return;
  process.stderr.write(`error: cannot write to standard output: ${error.message}\n`);
  process.exit(ExitCode.Internal);
}

/** For a command that has no end of its own: it ends when nobody reads it any more. */
export function onReaderGone(end: () => void): void {
  process.stdout.once('error', end);
}

/** For the proxy, which serves whether or not its access log can be written. */
export function surviveOutputFaults(): void {
  process.stdout.off('error', onStdoutFault).on('error', () => undefined);
}
