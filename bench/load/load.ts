/**
 * The whole proxy on loopback beside its peers. In each round every subject serves one slice; the figure is
 * the CPU time of the proxy's processes for each request, as a ratio to the first subject of that round.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../test/support/ports.ts';
import { spread, type Spread } from '../stats.ts';
import { coreBusySeconds, cores, cpuSeconds, stolenSeconds } from './cpu.ts';
import { SCENARIOS, type Scenario, type SubjectName } from './scenarios.ts';
import { missing, startSubject, startUpstream, verify, type StartContext, type Subject } from './subjects.ts';
import { wrk } from './wrk.ts';

export interface LoadBenchOptions {
  /** Names of scenarios; empty: all. */
  readonly scenarios: readonly string[];
  /** Empty: those of the scenario. */
  readonly subjects: readonly string[];
  readonly pairs: number;
  readonly sliceSeconds: number;
  readonly warmupSeconds: number;
  readonly node: string;
}

interface Slice {
  readonly cpuMicroseconds: number;
  readonly requestsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Of its core. Below about 0.8 the load or the upstream was the bottleneck. */
  readonly busy: number;
  /** What others took of the proxy's core: above some per cent, the machine is not quiet. */
  readonly foreign: number;
}

export interface SubjectResult {
  readonly subject: SubjectName;
  readonly cpuMicroseconds: Spread;
  readonly requestsPerSecond: Spread;
  readonly p50: Spread;
  readonly p99: Spread;
  readonly busy: Spread;
  readonly foreign: Spread;
  /** CPU per request, to another subject in the same round. */
  readonly ratios: Partial<Record<SubjectName, Spread>>;
  readonly slices: readonly Slice[];
}

export interface ScenarioResult {
  readonly scenario: string;
  readonly question: string;
  readonly discarded: number;
  readonly subjects: readonly SubjectResult[];
}

/** @param say progress, a line at a time */
export async function benchLoad(
  options: LoadBenchOptions,
  say: (line: string) => void,
): Promise<ScenarioResult[]> {
  const lacking = missing();
  if (lacking !== null) throw new Error(lacking);
  const pins = cores();
  if (pins === null) throw new Error('needs two cores: one for the proxy, one for load and upstream');

  const scenarios = pick(options.scenarios);
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  const context: StartContext = {
    folder,
    proxyCores: pins.proxy,
    otherCores: pins.others,
    node: options.node,
    upstreamPort: await freePort(),
  };
  const upstream = await startUpstream(context);
  try {
    const results: ScenarioResult[] = [];
    for (const scenario of scenarios) results.push(await benchScenario(scenario, options, context, say));
    return results;
  } finally {
    await upstream.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

function pick(names: readonly string[]): readonly Scenario[] {
  if (names.length === 0) return SCENARIOS;
  return names.map((name) => {
    const found = SCENARIOS.find((scenario) => scenario.name === name);
    if (found === undefined) {
      throw new Error(
        `no scenario is named "${name}"; there are: ${SCENARIOS.map((s) => s.name).join(', ')}`,
      );
    }
    return found;
  });
}

async function benchScenario(
  scenario: Scenario,
  options: LoadBenchOptions,
  context: StartContext,
  say: (line: string) => void,
): Promise<ScenarioResult> {
  const names = options.subjects.length === 0 ? scenario.subjects : (options.subjects as SubjectName[]);
  const subjects: Subject[] = [];
  try {
    for (const name of names) subjects.push(await startSubject(name, scenario, context));
    for (const subject of subjects) {
      await verify(subject, scenario);
      if (options.warmupSeconds > 0)
        await wrk(scenario, subject.port, options.warmupSeconds, context.otherCores);
    }
    const { rounds, discarded } = await measure(scenario, subjects, options, context, say);
    return {
      scenario: scenario.name,
      question: scenario.question,
      discarded,
      subjects: names.map((name) => summarise(name, names, rounds)),
    };
  } finally {
    for (const subject of subjects) await subject.program.kill();
  }
}

type Round = ReadonlyMap<SubjectName, Slice>;

async function measure(
  scenario: Scenario,
  subjects: readonly Subject[],
  options: LoadBenchOptions,
  context: StartContext,
  say: (line: string) => void,
): Promise<{ rounds: Round[]; discarded: number }> {
  const rounds: Round[] = [];
  let discarded = 0;
  while (rounds.length < options.pairs) {
    const stolenBefore = stolenSeconds();
    const started = performance.now();
    const round = new Map<SubjectName, Slice>();
    // Each round begins with another subject, so that none always follows the same one.
    for (let i = 0; i < subjects.length; i++) {
      const subject = subjects[(i + rounds.length) % subjects.length]!;
      round.set(subject.name, await slice(scenario, subject, options.sliceSeconds, context));
    }
    const stolen = (stolenSeconds() - stolenBefore) / ((performance.now() - started) / 1000);
    if (stolen > 0.03 && discarded < options.pairs) {
      discarded += 1;
      say(`${scenario.name}: round dropped, ${(100 * stolen).toFixed(0)} % of a core was stolen`);
      continue;
    }
    rounds.push(round);
    const told = [...round].map(([name, s]) => `${name} ${s.cpuMicroseconds.toFixed(1)} µs`);
    say(`${scenario.name} ${rounds.length}/${options.pairs}: ${told.join(', ')}`);
  }
  return { rounds, discarded };
}

async function slice(
  scenario: Scenario,
  subject: Subject,
  seconds: number,
  context: StartContext,
): Promise<Slice> {
  const { pid } = subject.program;
  const before = { cpu: cpuSeconds(pid), core: coreBusySeconds(context.proxyCores), at: performance.now() };
  const result = await wrk(scenario, subject.port, seconds, context.otherCores);
  const wall = (performance.now() - before.at) / 1000;
  const cpu = cpuSeconds(pid) - before.cpu;
  const core = coreBusySeconds(context.proxyCores) - before.core;
  if (result.errors > 0 || result.requests === 0) {
    throw subject.program.fault(`${scenario.name}: ${result.errors} of ${result.requests} requests failed`);
  }
  return {
    cpuMicroseconds: (cpu * 1e6) / result.requests,
    requestsPerSecond: (result.requests * 1e6) / result.microseconds,
    p50: result.p50,
    p99: result.p99,
    busy: cpu / wall,
    foreign: Math.max(0, core - cpu) / wall,
  };
}

function summarise(
  name: SubjectName,
  names: readonly SubjectName[],
  rounds: readonly Round[],
): SubjectResult {
  const slices = rounds.map((round) => round.get(name)!);
  const of = (key: keyof Slice): Spread => spread(slices.map((s) => s[key]));
  const ratios: Partial<Record<SubjectName, Spread>> = {};
  for (const other of names) {
    if (other === name) continue;
    ratios[other] = spread(
      rounds.map((round) => round.get(name)!.cpuMicroseconds / round.get(other)!.cpuMicroseconds),
    );
  }
  return {
    subject: name,
    cpuMicroseconds: of('cpuMicroseconds'),
    requestsPerSecond: of('requestsPerSecond'),
    p50: of('p50'),
    p99: of('p99'),
    busy: of('busy'),
    foreign: of('foreign'),
    ratios,
    slices,
  };
}
