/** Of a test that bounds a time: another process may have had the machine, so the best of three counts. */
export const TIMED = { retry: 2 } as const;

/** Of a test whose bound is near what is usual: the best of ten. */
export const CLOSELY_TIMED = { retry: 9 } as const;

/** Time that this thread had for the job, in milliseconds, at most: by the clock, or all of the process, whichever is less. */
export function spent(job: () => void): number {
  const elapsed = stopwatch();
  job();
  return elapsed();
}

/** Starts to measure like `spent`; what it gives tells the milliseconds so far. */
export function stopwatch(): () => number {
  const start = process.cpuUsage();
  const startedAt = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return Math.min((user + system) / 1000, performance.now() - startedAt);
  };
}
