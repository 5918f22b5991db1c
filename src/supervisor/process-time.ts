import { readFileSync } from 'node:fs';

/** Clock ticks a second that the kernel counts in, on every Linux that Node runs on. */
const TICKS = 100;

/** Milliseconds of CPU that a process has had, all of its threads; null where the system does not say. */
export function processMilliseconds(pid: number): number | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The name of the program, in parentheses, may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}
