import { Script, createContext } from 'node:vm';

const frame = createContext({ job: null as (() => void) | null });
const script = new Script('job()');

/** The time was over: everything that `job` had on the stack is gone, catch clauses passed over. */
export class TimeoutError extends Error {
  constructor(limitMs: number) {
    super(`it did not end within ${limitMs} ms`);
    this.name = 'TimeoutError';
  }
}

/**
 * Runs a job and interrupts it after `limitMs`, endless loops of a guest included. Costs about 60 µs, so
 * it is for what happens once: start, `proxy_on_vm_start`, `proxy_on_configure`.
 *
 * @throws TimeoutError, or what the job throws
 */
export function runWithin(limitMs: number, job: () => void): void {
  frame.job = job;
  try {
    script.runInContext(frame, { timeout: limitMs });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      throw new TimeoutError(limitMs);
    throw error;
  } finally {
    frame.job = null;
  }
}
