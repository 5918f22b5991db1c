import { bytesText, type Colors } from '../output.ts';
import { median, medianInterval, spread } from './bench-statistics.ts';

/** What a run took. */
export interface Round {
  /** Nanoseconds a call, by callback; NaN where it was not called. */
  readonly callbacks: readonly number[];
  /** Nanoseconds of all callbacks together, for one exchange. */
  readonly total: number;
}

/** What one exchange uses, whatever the clock says. */
export interface Cost {
  readonly fuel: number;
  readonly hostCalls: Readonly<Record<string, number>>;
  readonly heapBytes: number;
}

/** One build, measured. */
export interface Measured {
  readonly file: string;
  readonly bytes: number;
  /** Names of the callbacks, as rounds have them. */
  readonly callbacks: readonly string[];
  /** What a reader has to know of it. */
  readonly notes: readonly string[];
  readonly cost: Cost;
  readonly rounds: readonly Round[];
}

/** Costs of a build, beside those of another one where there is one. */
export function reportText([now, before]: readonly Measured[], colors: Colors): string {
  const lines = [`${colors.bold(now!.file)} ${bytesText(now!.bytes)}`];
  if (before !== undefined) lines.push(colors.dim(`beside ${before.file} ${bytesText(before.bytes)}`));
  lines.push('');
  const rows = now!.callbacks.map((name, i): Row => ({ name, of: (round) => round.callbacks[i]! }));
  for (const row of [...rows, { name: 'all of one exchange', of: (round: Round) => round.total }]) {
    const line = timeLine(row, now!, before);
    if (line !== null) lines.push(line);
  }
  lines.push('', countLine('fuel', Math.round(now!.cost.fuel), before && Math.round(before.cost.fuel)));
  const heap = before === undefined ? '' : `  before ${bytesText(before.cost.heapBytes)}`;
  lines.push(`${'heap'.padEnd(WIDTH)}${bytesText(now!.cost.heapBytes).padStart(12)}${heap}`);
  const groups = new Set([...Object.keys(now!.cost.hostCalls), ...Object.keys(before?.cost.hostCalls ?? {})]);
  for (const group of groups)
    lines.push(
      countLine(
        `calls of ${group}`,
        now!.cost.hostCalls[group] ?? 0,
        before && (before.cost.hostCalls[group] ?? 0),
      ),
    );
  const notes = [now!, ...(before === undefined ? [] : [before])].flatMap(({ file, notes }) =>
    notes.map((note) => `${file}: ${note}`),
  );
  lines.push('', ...notes, verdict(now!, before));
  return lines.join('\n');
}

interface Row {
  readonly name: string;
  readonly of: (round: Round) => number;
}

const WIDTH = 22;

/** Null where neither build has the callback. */
function timeLine({ name, of }: Row, now: Measured, before: Measured | undefined): string | null {
  const times = now.rounds.map(of).filter((ns) => ns > 0);
  const earlier = before?.rounds.map(of).filter((ns) => ns > 0) ?? [];
  if (times.length === 0 && earlier.length === 0) return null;
  const text = `${name.padEnd(WIDTH)}${nanoseconds(times)}`;
  if (before === undefined) return text;
  return `${text}  before ${nanoseconds(earlier)}  ${changeText(now, before, of)}`;
}

function nanoseconds(times: readonly number[]): string {
  if (times.length === 0) return '          -       ';
  const ns = median(times);
  const value = ns < 10_000 ? `${ns.toFixed(0)} ns` : `${(ns / 1000).toFixed(1)} µs`;
  return `${value.padStart(12)} ${`±${(100 * spread(times)).toFixed(0)} %`.padEnd(6)}`;
}

/** Of the rounds in pairs: what both had around them is the same. */
function ratios(now: Measured, before: Measured, of: Row['of']): number[] {
  return now.rounds.map((round, i) => of(round) / of(before.rounds[i]!)).filter((ratio) => ratio > 0);
}

function changeText(now: Measured, before: Measured, of: Row['of']): string {
  const pairs = ratios(now, before, of);
  if (pairs.length === 0) return '';
  const { low, high } = medianInterval(pairs);
  const percent = (ratio: number) => `${ratio >= 1 ? '+' : '−'}${Math.abs(100 * (ratio - 1)).toFixed(1)}`;
  return `${percent(median(pairs))} % (${percent(low)} to ${percent(high)})`;
}

function countLine(name: string, now: number, before: number | undefined): string {
  const text = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(1));
  const line = `${name.padEnd(WIDTH)}${text(now).padStart(12)}`;
  return before === undefined ? line : `${line}  before ${text(before)}`;
}

function verdict(now: Measured, before: Measured | undefined): string {
  if (before === undefined)
    return 'There is no other build to compare with: change the filter, build it, and run this again, or name one with --against.';
  const pairs = ratios(now, before, ({ total }) => total);
  const { low, high } = medianInterval(pairs);
  const middle = Math.abs(100 * (median(pairs) - 1)).toFixed(1);
  if (low > 1) return `Slower than before: by ${middle} %.`;
  if (high < 1) return `Faster than before: by ${middle} %.`;
  return 'No difference in time that this run could tell from noise.';
}
