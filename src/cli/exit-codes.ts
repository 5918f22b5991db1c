/** What `weir run` ends with. Part of its interface: scripts and service managers rely on them. */
export const ExitCode = {
  /** Drained after a signal, or nothing went wrong. */
  Ok: 0,
  /** The configuration is refused; the faults are on standard error. */
  Refused: 1,
  /** The command line is wrong. */
  Usage: 2,
  /** An address of a listener or of the admin server cannot be bound. */
  CannotListen: 3,
  /** A fault of weir itself. */
  Internal: 70,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** A second signal ended the drain: 128 and the number of the signal, as shells have it. */
export function exitCodeOf(signal: 'SIGINT' | 'SIGTERM'): number {
  return signal === 'SIGINT' ? 130 : 143;
}
