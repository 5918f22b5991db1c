/**
 * Milliseconds of a clock that only moves forwards. Taken when the program is loaded: a test that replaces
 * the clock must not stop the one that ends endless loops.
 */
export const milliseconds: () => number = performance.now.bind(performance);

/** Time that this process has had since `start`, in milliseconds; all of its threads count. */
export function cpuMilliseconds(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}
