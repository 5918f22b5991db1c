/**
 * CPU time as the operating system accounts it. Linux only: `/proc/PID/stat` holds user and system time of
 * all threads of a process, ended ones included, in ticks of 10 ms.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const TICKS_PER_SECOND = 100;

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly seconds: number;
}

function statOf(pid: number): ProcessStat | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return null; // It ended meanwhile.
  }
  // The second field is the command in parentheses and may hold blanks.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    pid,
    parent: Number(fields[1]),
    seconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
  };
}

/** Seconds of CPU that a process and all its descendants have used. */
export function cpuSeconds(root: number): number {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((stat) => stat !== null);
  const family = new Set([root]);
  // A child may come before its parent in the list, so go on until nothing is added.
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid);
  }
  return all.reduce((sum, { pid, seconds }) => (family.has(pid) ? sum + seconds : sum), 0);
}

/** Seconds that the hypervisor gave to others, over all cores. */
export function stolenSeconds(): number {
  const fields = /^cpu\s+(.*)$/m.exec(readFileSync('/proc/stat', 'latin1'))![1]!.split(/\s+/).map(Number);
  return (fields[7] ?? 0) / TICKS_PER_SECOND;
}

/** Seconds that one core was busy with whatever, interrupts included. */
export function coreBusySeconds(core: string): number {
  const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'latin1'))![1]!;
  const [user, nice, system, , , irq, softirq] = line.split(' ').map(Number);
  return (user! + nice! + system! + irq! + softirq!) / TICKS_PER_SECOND;
}

/** One core for the proxy, the rest for everybody else; null on a machine with a single core. */
export function cores(): { proxy: string; others: string } | null {
  const count = availableParallelism();
  if (count < 2) return null;
  return { proxy: String(count - 1), others: count === 2 ? '0' : `0-${count - 2}` };
}
