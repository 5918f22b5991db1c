import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readSections } from '../cli/sections.mjs';
import { CoverageReport, type Hits } from './coverage-report.ts';
import type { Coverage } from './testing.d.ts';

/** Where processes of a test run leave what they counted. */
const FOLDER = process.env['WEIR_COVERAGE'];

/** What of a module's lines has run. */
class CountedModule {
  readonly lines: readonly (readonly [file: string, line: number])[];
  readonly #base: Uint32Array;
  #live: WebAssembly.Exports[] = [];

  constructor(lines: CountedModule['lines']) {
    this.lines = lines;
    this.#base = new Uint32Array(lines.length);
  }

  add(exports: WebAssembly.Exports): void {
    // What many instances counted is kept as a sum, so that they can be collected.
    if (this.#live.length >= MOST_INSTANCES) {
      this.#base.set(this.counts);
      this.#live = [];
    }
    this.#live.push(exports);
  }

  get counts(): Uint32Array {
    const counts = Uint32Array.from(this.#base);
    for (const exports of this.#live) {
      const { buffer } = exports['memory'] as WebAssembly.Memory;
      const { value } = exports['__weir_lines'] as unknown as { readonly value: number };
      const own = new Uint32Array(buffer, value, counts.length);
      for (let i = 0; i < counts.length; i++) counts[i]! += own[i]!;
    }
    return counts;
  }
}

const MOST_INSTANCES = 8;
/** As the step of the compiler names it that puts the counters in (cli/line-counters.mjs). */
const LINES_SECTION = 'weir.lines';

class RunningCoverage implements Coverage {
  readonly #modules: CountedModule[] = [];
  readonly #skipped = new Set<string>();

  /** @returns whom to tell of each instance; null: the module does not count its lines */
  watch(bytes: Uint8Array, name: string): ((exports: WebAssembly.Exports) => void) | null {
    const [section] = readSections(bytes, LINES_SECTION);
    if (section === undefined) {
      this.#skipped.add(name);
      return null;
    }
    const module = new CountedModule(JSON.parse(Buffer.from(section).toString()) as CountedModule['lines']);
    this.#modules.push(module);
    return (exports) => module.add(exports);
  }

  report(): CoverageReport {
    const hits: Hits = new Map();
    for (const { lines, counts } of this.#modules) {
      const most = new Map<string, Map<number, number>>();
      lines.forEach(([file, line], i) => {
        let known = most.get(file);
        if (known === undefined) most.set(file, (known = new Map<number, number>()));
        // A line has run as often as the statement of it that ran most.
        known.set(line, Math.max(known.get(line) ?? 0, counts[i]!));
      });
      for (const [file, counted] of most)
        for (const [line, count] of counted) addHits(hits, file, line, count);
    }
    return new CoverageReport(hits, [...this.#skipped]);
  }

  stop(): void {
    if (running === this) running = null;
  }
}

let running: RunningCoverage | null = null;

export function startCoverage(): Coverage {
  return (running ??= new RunningCoverage());
}

/** Null: nobody counts. */
export function coverage(): RunningCoverage | null {
  if (running === null && FOLDER !== undefined) {
    running = new RunningCoverage();
    process.on('exit', saveCoverage);
  }
  return running;
}

/** Leaves for `readCoverage` what this process has counted so far, in place of what it left before. */
export function saveCoverage(): void {
  if (running === null || FOLDER === undefined) return;
  mkdirSync(FOLDER, { recursive: true });
  const temporary = join(FOLDER, `.${PART}`);
  writeFileSync(temporary, JSON.stringify(running.report()));
  renameSync(temporary, join(FOLDER, PART));
}

/** Worker threads of a test runner share their process's number. */
const PART = `${process.pid}-${Math.random().toString(36).slice(2)}.json`;

export function readCoverage(folder: string): CoverageReport {
  const hits: Hits = new Map();
  const skipped = new Set<string>();
  for (const name of readdirSync(resolve(folder)).filter(
    (each) => each.endsWith('.json') && !each.startsWith('.'),
  )) {
    const part = JSON.parse(readFileSync(join(folder, name), 'utf8')) as ReturnType<CoverageReport['toJSON']>;
    for (const [file, lines] of part.files)
      for (const [line, count] of lines) addHits(hits, file, line, count);
    for (const each of part.skipped) skipped.add(each);
  }
  return new CoverageReport(hits, [...skipped]);
}

function addHits(hits: Hits, file: string, line: number, count: number): void {
  let lines = hits.get(file);
  if (lines === undefined) hits.set(file, (lines = new Map<number, number>()));
  lines.set(line, (lines.get(line) ?? 0) + count);
}
