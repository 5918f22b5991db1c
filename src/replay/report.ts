import { createHash } from 'node:crypto';
import { compileModule } from '../runtime/wasm/module.ts';
import { CALL_MS, REQUEST_MS, START_MS } from '../runtime/wasm/limits.ts';
import { differencesOf, isIdentical, MetricNames, type Difference } from './differences.ts';
import type { Recording, RecordedInstance } from './recording.ts';
import { Replay, type Step } from './replay.ts';

/** Differences of one subject: how many requests have them. */
export interface DifferenceGroup {
  readonly subject: string;
  readonly was: string;
  readonly is: string;
  /** 0: outside requests, such as a tick. */
  readonly requests: number;
  /** How many different values there are; `was` and `is` are of the first. */
  readonly variants: number;
  /** Request ids, the first few. */
  readonly examples: readonly string[];
}

export interface ReplayReport {
  readonly filter: string;
  readonly recordedDigest: string;
  readonly digest: string;
  readonly instances: number;
  readonly callbacks: number;
  readonly hostCalls: number;
  readonly requests: number;
  /** Not to be told apart: each host call with its arguments and its answer. */
  readonly identical: number;
  /** The same outcome, by other questions to the host. */
  readonly equal: number;
  /** Another outcome. */
  readonly different: number;
  /** Another outcome, where the filter was given pseudonyms for secrets, or parts of bodies: it may come of that. */
  readonly undecided: number;
  readonly groups: readonly DifferenceGroup[];
  readonly undecidedGroups: readonly DifferenceGroup[];
  /** The recording was cut before its end. */
  readonly cut: boolean;
}

/** A replay takes what a record took, on a machine that may be slower: budgets are no part of the comparison. */
const PATIENCE = 20;
const EXAMPLES = 3;
/** Values of one subject that are told one by one. */
const VARIANTS = 5;

interface RequestResult {
  identical: boolean;
  redacted: boolean;
  /** Of the request; null: this is what happens outside requests. */
  readonly id: string | null;
  readonly differences: Difference[];
}

/** The module, with budgets of time that do not matter. */
export function compileForReplay(bytes: Uint8Array, memoryBytes: number): ReturnType<typeof compileModule> {
  const cpu = {
    perCallMs: PATIENCE * CALL_MS,
    perRequestMs: PATIENCE * REQUEST_MS,
    perStartMs: PATIENCE * START_MS,
  };
  return compileModule(bytes, { memoryBytes, cpu });
}

/** Instances that have the filter, by its full name or the part after `#`. */
export function instancesOf(recording: Recording, filter: string): RecordedInstance[] {
  return recording.instances.filter(({ record }) =>
    record.plugins.some(({ name }) => name === filter || name.endsWith(`#${filter}`)),
  );
}

/** Full names of the filters in a recording. */
export function filtersOf(recording: Recording): string[] {
  return [...new Set(recording.instances.flatMap(({ record }) => record.plugins.map(({ name }) => name)))];
}

/**
 * Replays a filter's part of a recording against a build.
 *
 * @throws ModuleError, PluginStartError
 */
export async function compare(
  recording: Recording,
  filter: string,
  bytes: Uint8Array,
): Promise<ReplayReport> {
  const instances = instancesOf(recording, filter);
  const requests: RequestResult[] = [];
  const outside: RequestResult = { identical: true, redacted: false, id: null, differences: [] };
  let callbacks = 0;
  let hostCalls = 0;
  for (const instance of instances) {
    const compiled = await compileForReplay(bytes, instance.record.memoryBytes);
    const names = new MetricNames();
    const byContext = new Map<number, RequestResult>();
    for (const step of await new Replay(compiled, instance, recording.header.bodies ?? Infinity).run()) {
      callbacks++;
      hostCalls += step.recorded?.calls.length ?? 0;
      names.learn(step);
      add(resultFor(step, byContext, outside), step, names);
    }
    requests.push(...byContext.values());
  }
  const different = requests.filter(({ differences }) => differences.length > 0);
  const undecided = different.filter(({ redacted }) => redacted);
  const decided = [
    ...different.filter(({ redacted }) => !redacted),
    ...(outside.differences.length > 0 ? [outside] : []),
  ];
  const identical = requests.filter((each) => each.identical).length;
  return {
    filter,
    recordedDigest: instances[0]?.record.module.digest ?? '',
    digest: createHash('sha256').update(bytes).digest('hex'),
    instances: instances.length,
    callbacks,
    hostCalls,
    requests: requests.length,
    identical,
    equal: requests.length - identical - different.length,
    different: different.length - undecided.length,
    undecided: undecided.length,
    groups: grouped(decided),
    undecidedGroups: grouped(undecided),
    cut: recording.summary === null || instances.some(({ end }) => end === null || end === 'too much'),
  };
}

function resultFor(
  { recorded, replayed }: Step,
  byContext: Map<number, RequestResult>,
  outside: RequestResult,
): RequestResult {
  const record = recorded ?? replayed!;
  // A callout's answer comes to the root context; it belongs to the stream that the callback turns to.
  const turned = record.calls.find(
    ({ call, status }) => call === 'proxy_set_effective_context' && status === 0,
  );
  const context =
    record.stream !== undefined ? record.context : ((turned?.in[0] as number | undefined) ?? -1);
  const known = byContext.get(context);
  if (record.stream === undefined) return known ?? outside;
  if (known !== undefined) return known;
  const made: RequestResult = { identical: true, redacted: false, id: record.stream, differences: [] };
  byContext.set(context, made);
  return made;
}

function add(result: RequestResult, step: Step, names: MetricNames): void {
  if (step.recorded?.redacted === true) result.redacted = true;
  if (isIdentical(step)) return;
  result.identical = false;
  result.differences.push(...differencesOf(step, names));
}

/** By subject and values; a subject with many values is told once. */
function grouped(results: readonly RequestResult[]): DifferenceGroup[] {
  const subjects = new Map<string, Map<string, { difference: Difference; ids: Set<RequestResult> }>>();
  for (const result of results) {
    for (const difference of result.differences) {
      const values =
        subjects.get(difference.subject) ??
        new Map<string, { difference: Difference; ids: Set<RequestResult> }>();
      subjects.set(difference.subject, values);
      const key = JSON.stringify([difference.was, difference.is]);
      const known = values.get(key) ?? { difference, ids: new Set<RequestResult>() };
      values.set(key, known);
      known.ids.add(result);
    }
  }
  const groups = [...subjects.values()].flatMap((values) => {
    const each = [...values.values()];
    if (each.length <= VARIANTS) return each.map(({ difference, ids }) => group(difference, ids, 1));
    return [group(each[0]!.difference, new Set(each.flatMap(({ ids }) => [...ids])), each.length)];
  });
  return groups.sort((a, b) => b.requests - a.requests);
}

function group(
  difference: Difference,
  results: ReadonlySet<RequestResult>,
  variants: number,
): DifferenceGroup {
  const ids = [...results].flatMap(({ id }) => (id === null || id === '' ? [] : [id]));
  const requests = [...results].filter((each) => each.id !== null).length;
  return { ...difference, requests, variants, examples: ids.slice(0, EXAMPLES) };
}
