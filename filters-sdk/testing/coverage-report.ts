import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CoverageReport as Report } from './testing.d.ts';

/** How often lines have run, by file. */
export type Hits = Map<string, Map<number, number>>;

/** What has run of the sources of filters. */
export class CoverageReport implements Report {
  readonly files: readonly { readonly file: string; readonly lines: ReadonlyMap<number, number> }[];
  readonly skipped: readonly string[];

  constructor(hits: Hits, skipped: readonly string[]) {
    this.skipped = skipped;
    this.files = [...hits]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([file, lines]) => ({ file, lines: new Map([...lines].sort(([a], [b]) => a - b)) }));
  }

  get percent(): number {
    let all = 0;
    let ran = 0;
    for (const { lines } of this.files) {
      all += lines.size;
      ran += hitOf(lines);
    }
    return all === 0 ? 0 : (100 * ran) / all;
  }

  lcov(): string {
    const out: string[] = [];
    for (const { file, lines } of this.files) {
      out.push('TN:', `SF:${file}`);
      for (const [line, count] of lines) out.push(`DA:${line},${count}`);
      out.push(`LF:${lines.size}`, `LH:${hitOf(lines)}`, 'end_of_record');
    }
    return out.map((line) => `${line}\n`).join('');
  }

  text(): string {
    const rows = this.files.map(({ file, lines }) => {
      const ran = hitOf(lines);
      const percent = ((100 * ran) / lines.size).toFixed(1);
      return [file, `${percent} %`, `${ran} of ${lines.size}`, runsOf(lines)];
    });
    const table = [['file', 'lines', '', 'never ran'], ...rows];
    const widths = [0, 1, 2].map((i) => Math.max(...table.map((row) => row[i]!.length)));
    const lines = table.map((row) =>
      row
        .map((cell, i) => (i === 0 || i === 3 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    );
    for (const name of this.skipped)
      lines.push(
        `${name}: its lines are not counted: give openFilter the .ts file, or build with countLines`,
      );
    return `${lines.join('\n')}\n`;
  }

  annotate(file: string): string {
    const found = this.files.find((each) => each.file === file);
    if (found === undefined || !existsSync(resolve(file))) return '';
    return readFileSync(resolve(file), 'utf8')
      .split('\n')
      .map((text, i) => {
        const count = found.lines.get(i + 1);
        const mark = count === undefined ? '' : count === 0 ? '!!' : `${count}`;
        return `${mark.padStart(8)} | ${text}`;
      })
      .join('\n');
  }

  toJSON(): { files: [file: string, lines: [line: number, count: number][]][]; skipped: readonly string[] } {
    return { files: this.files.map(({ file, lines }) => [file, [...lines]]), skipped: this.skipped };
  }
}

function hitOf(lines: ReadonlyMap<number, number>): number {
  return [...lines.values()].filter((count) => count > 0).length;
}

/** `3, 7-9`: lines that never ran; those between which no line is code belong together. */
function runsOf(lines: ReadonlyMap<number, number>): string {
  const runs: [number, number][] = [];
  let last: [number, number] | null = null;
  for (const [line, count] of lines) {
    if (count > 0) last = null;
    else if (last === null) runs.push((last = [line, line]));
    else last[1] = line;
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}
