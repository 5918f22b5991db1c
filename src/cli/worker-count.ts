import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/**
 * Workers where nobody says how many: one for each core that this process may use, and never fewer than two.
 * With one alone its port refuses connections from its death until another has taken its place.
 */
export function defaultWorkers(
  read: (file: string) => string = readText,
  cores = availableParallelism(),
): number {
  return Math.max(2, Math.min(cores, Math.ceil(quota(read))));
}

/** Cores' worth of CPU time that the control group of this process may have; Infinity: as much as there is. */
function quota(read: (file: string) => string): number {
  // Version 2: "max 100000" or "150000 100000", microseconds in each period.
  const [limit, period] = read('/sys/fs/cgroup/cpu.max').trim().split(/\s+/).map(Number);
  if (limit! > 0 && period! > 0) return limit! / period!;
  // Version 1; -1 is no limit.
  const before = Number(read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us'));
  const each = Number(read('/sys/fs/cgroup/cpu/cpu.cfs_period_us'));
  return before > 0 && each > 0 ? before / each : Infinity;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
