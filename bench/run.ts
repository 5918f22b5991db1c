/**
 * `npm run bench -- [load] [alloc] [micro] [options]`: the suites named, or all. Prints tables, and writes what
 * load and alloc found to bench/results. See bench/README.md.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../test/support/process.ts';
import { cleanUp } from '../test/support/cleanup.ts';
import { benchAlloc, type AllocResult } from './alloc/alloc.ts';
import { benchLoad, type ScenarioResult, type SubjectResult } from './load/load.ts';
import { describeCommit, describeMachine } from './machine.ts';
import type { Spread } from './stats.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    scenario: { type: 'string', multiple: true, default: [] },
    subjects: { type: 'string', default: '' },
    pairs: { type: 'string', default: '7' },
    slice: { type: 'string', default: '1' },
    warmup: { type: 'string', default: '2' },
    node: { type: 'string', default: process.execPath },
    profile: { type: 'boolean', default: false },
    'no-write': { type: 'boolean', default: false },
  },
});

const SUITES = ['load', 'alloc', 'micro'];
const suites = positionals.length > 0 ? positionals : flags.scenario.length > 0 ? ['load'] : SUITES;
for (const suite of suites)
  if (!SUITES.includes(suite)) fail(`no suite is named "${suite}"; there are: ${SUITES.join(', ')}`);

// Programs that were started go when this one does, however it ends.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

let failed = false;
try {
  await main();
} catch (fault) {
  fail(fault instanceof Error ? fault.message : String(fault));
} finally {
  await cleanUp();
}
process.exit(failed ? 1 : 0);

async function main(): Promise<void> {
  const report: Record<string, unknown> = {
    date: new Date().toISOString(),
    commit: describeCommit(),
    machine: describeMachine(flags.node),
    accessLog: 'off',
  };
  if (suites.includes('load')) {
    const results = await benchLoad(
      {
        scenarios: flags.scenario.flatMap((names) => names.split(',')),
        subjects: flags.subjects === '' ? [] : flags.subjects.split(','),
        pairs: Number(flags.pairs),
        sliceSeconds: Number(flags.slice),
        warmupSeconds: Number(flags.warmup),
        node: flags.node,
      },
      (line) => process.stderr.write(`${line}\n`),
    );
    report['load'] = results;
    console.log(`\n${loadTable(results)}`);
  }
  if (suites.includes('alloc')) {
    const result = await benchAlloc({
      node: flags.node,
      profile: flags.profile,
      which: flags.scenario,
    });
    report['alloc'] = result;
    console.log(`\n${allocTable(result)}`);
    for (const { name, sites } of result) if (sites.length > 0) console.log(`\n${name}\n${siteLines(sites)}`);
    failed ||= result.some((row) => row.bytes > row.ceiling);
  }
  if (suites.includes('micro')) runMicro();
  if (!flags['no-write'] && suites.some((suite) => suite !== 'micro')) write(report);
}

function write(report: Record<string, unknown>): void {
  const folder = join(ROOT, 'bench/results');
  mkdirSync(folder, { recursive: true });
  const day = String(report['date']).slice(0, 10);
  const machine = report['machine'] as { node: string };
  const file = join(
    folder,
    `${day}-${String(report['commit'])}-node${machine.node.slice(1).split('.')[0]}.json`,
  );
  writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`);
  console.log(`\nwritten: ${file.slice(ROOT.length)}`);
}

/** Each micro benchmark is a program of its own, so that none warms or deoptimises another. */
function runMicro(): void {
  const folder = join(ROOT, 'bench/micro');
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.bench.ts'))) {
    console.log(`\n${name}`);
    const args = ['--expose-gc', '--import', 'tsx', join(folder, name)];
    const { status } = spawnSync(flags.node, args, { cwd: ROOT, stdio: 'inherit' });
    if (status !== 0) failed = true;
  }
}

function loadTable(results: readonly ScenarioResult[]): string {
  const rows = [
    ['scenario', 'proxy', 'CPU µs/request', 'ratio', 'quartiles', 'requests/s', 'p50 ms', 'p99 ms', 'core'],
  ];
  const notes: string[] = [];
  for (const { scenario, subjects } of results) {
    for (const [i, subject] of subjects.entries())
      rows.push([i === 0 ? scenario : '', ...loadRow(subject, subjects)]);
    const fair = subjects.find(({ subject }) => subject === 'weir')?.ratios['nginx-64k'];
    if (fair !== undefined) {
      notes.push(
        `${scenario}: weir is ${ratio(fair)} (${quartiles(fair)}) × nginx with 64 KiB proxy buffers`,
      );
    }
    const idle = subjects.filter(({ busy }) => busy.median < 0.8).map(({ subject }) => subject);
    if (idle.length > 0)
      notes.push(`${scenario}: load and upstream, not the proxy, were the bottleneck for ${idle.join(', ')}`);
  }
  if (results.some(({ subjects }) => subjects.some(({ foreign }) => foreign.median > 0.05))) {
    notes.push('other programs took more than 5 % of the proxy core: not a quiet machine');
  }
  return [table(rows), ...notes.map((note) => `* ${note}`)].join('\n');
}

function loadRow(subject: SubjectResult, all: readonly SubjectResult[]): string[] {
  const base = subject.ratios[all[0]!.subject];
  return [
    subject.subject,
    subject.cpuMicroseconds.median.toFixed(1),
    base === undefined ? '1.00' : ratio(base),
    base === undefined ? '' : quartiles(base),
    Math.round(subject.requestsPerSecond.median).toString(),
    (subject.p50.median / 1000).toFixed(1),
    (subject.p99.median / 1000).toFixed(1),
    `${Math.round(100 * subject.busy.median)} %`,
  ];
}

function allocTable(results: readonly AllocResult[]): string {
  return table([
    ['bytes allocated per request', 'on the heap', 'outside', 'together', 'ceiling'],
    ...results.map((r) => [
      r.name,
      r.heapBytes.toFixed(0),
      r.externalBytes.toFixed(0),
      r.bytes.toFixed(0),
      String(r.ceiling),
    ]),
  ]);
}

/** The places that allocate most, most first. */
function siteLines(sites: AllocResult['sites']): string {
  const lines = sites.slice(0, 25).map(([place, bytes]) => `${bytes.toFixed(0).padStart(6)}  ${place}`);
  return lines.join('\n');
}

function ratio(spread: Spread): string {
  return spread.median.toFixed(2);
}

function quartiles(spread: Spread): string {
  return `${spread.low.toFixed(2)} to ${spread.high.toFixed(2)}`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join('\n');
}

function fail(why: string): never {
  process.stderr.write(`bench: ${why}\n`);
  process.exit(1);
}
