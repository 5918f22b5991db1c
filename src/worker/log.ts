import pino, { type Logger } from 'pino';
import { LogLevel } from '../runtime/wasm/abi.ts';

/** Bytes of log lines that may wait for a slow standard error; lines beyond are dropped and counted. */
const MAX_PENDING_BYTES = 1024 * 1024;

export interface Log {
  readonly logger: Logger;
  /** Lines that were dropped because standard error did not take them. */
  dropped(): number;
  /** Writes what is pending, blocking. For the last words of a process. */
  flush(): void;
}

/** The ABI's number of a level of ours: guests' lines below it are not worth making. */
export function guestLogLevel(level: string): number {
  const at = ['trace', 'debug', 'info', 'warn', 'error'].indexOf(level);
  return at >= 0 ? at : LogLevel.Critical;
}

/** JSON lines on standard error, never blocking the event loop. */
export function openLog(
  role: 'supervisor' | 'worker' | 'ratelimit',
  level: string,
  base: Record<string, unknown> = {},
): Log {
  const destination = pino.destination({ fd: 2, sync: false, maxLength: MAX_PENDING_BYTES });
  let dropped = 0;
  destination.on('drop', () => dropped++);
  // A closed standard error must not end the process.
  destination.on('error', () => undefined);
  const logger = pino(
    {
      level,
      base: { role, pid: process.pid, ...base },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return {
    logger,
    dropped: () => dropped,
    flush: () => {
      try {
        destination.flushSync();
      } catch {
        // Not open, or closed already: there is nobody to tell.
      }
    },
  };
}
