import type { LoadedWithTests } from '../control/load.ts';
import type { PolicyTest } from '../control/policy-tests.ts';
import type { Phase } from '../control/phase.ts';
import type { Explanation } from '../explain/explanation.ts';
import type { AccessTrace } from '../explain/trace.ts';
import { DEFAULT_RULE, type Snapshot } from '../runtime/snapshot.ts';
import type { Log } from '../runtime/worker-state.ts';
import { runCase } from './policy-case.ts';
import { Rehearsal, type Rehearsed } from './rehearsal.ts';

export interface CaseResult {
  /** `namespace/name` of the PolicyTest. */
  readonly test: string;
  readonly name: string;
  /** Where the case is written: `file:line:column`. */
  readonly place: string;
  readonly milliseconds: number;
  /** Empty where it passed. */
  readonly misses: readonly string[];
  /** What decided about its last request; null where it passed, or sent none. */
  readonly explanation: Explanation | null;
}

/** What no case has tried. */
export interface Gap {
  readonly what: string;
  readonly place: string;
}

export interface PolicyRun {
  readonly results: readonly CaseResult[];
  /** Rules that a case reached, of all. */
  readonly rules: { readonly reached: number; readonly total: number };
  readonly gaps: readonly Gap[];
}

/** Phases whose filters are there to refuse: a case has to show that they do. */
const GUARDS: readonly Phase[] = ['authn', 'authz', 'limit'];

/** Runs all cases, each on a rehearsal of its own. @param only a part of the names of cases to run; null: all */
export async function runPolicyTests(
  loaded: LoadedWithTests & { readonly snapshot: Snapshot },
  only: string | null,
  log: Log,
  each: (result: CaseResult) => void,
): Promise<PolicyRun> {
  const results: CaseResult[] = [];
  const all: Rehearsed[] = [];
  for (const test of loaded.tests) {
    for (const [i, spec] of test.value.spec.cases.entries()) {
      if (only !== null && !spec.name.includes(only)) continue;
      const startedAt = performance.now();
      const at = spec.at === undefined ? undefined : Date.parse(spec.at);
      const rehearsal = await Rehearsal.open(loaded.snapshot, loaded.code, log, at);
      const outcome = await runCase(rehearsal, test.namespace, spec, loaded).finally(() => rehearsal.close());
      all.push(...outcome.rehearsed);
      const result = {
        test: `${test.namespace}/${test.name}`,
        name: spec.name,
        place: placeOf(test, i),
        milliseconds: performance.now() - startedAt,
        misses: outcome.misses,
        explanation: outcome.explanation,
      };
      results.push(result);
      each(result);
    }
  }
  return { results, ...coverage(loaded, all) };
}

function placeOf({ document }: PolicyTest, index: number): string {
  return document.position(['spec', 'cases', index]);
}

/** Rules that matched, with the one that decided. */
function matchedRules({ rule, missing }: AccessTrace): string[] {
  return [rule, ...[...missing].filter(([, place]) => place === '').map(([name]) => name)];
}

function coverage(
  { snapshot, phases }: LoadedWithTests & { readonly snapshot: Snapshot },
  all: readonly Rehearsed[],
): Pick<PolicyRun, 'rules' | 'gaps'> {
  const reached = new Set(all.flatMap(({ trace }) => trace.rules));
  const met = new Set(all.flatMap(({ trace }) => trace.steps.map(({ filter }) => filter)));
  const refused = new Set(all.map(({ trace }) => trace.repliedBy));
  // A rule that several listeners reach is there once for each.
  const rules = new Map(snapshot.rules.map(({ name, source }) => [name, source]));
  const inUse = new Set(snapshot.chains.flat());
  const gaps: Gap[] = [];
  /** A rule is in force at several places, and seen once. */
  const policyGaps = new Map<string, string>();
  for (const [name, place] of rules) if (!reached.has(name)) gaps.push({ what: `rule ${name}`, place });
  const matched = new Set(all.flatMap(({ trace }) => trace.access.flatMap(matchedRules)));
  for (const [i, { name, source: place, module, rules: ofPolicies = [] }] of snapshot.plugins.entries()) {
    if (!inUse.has(i)) continue;
    for (const rule of ofPolicies)
      if (!matched.has(rule.name) && !rule.name.endsWith(`#${DEFAULT_RULE}`))
        policyGaps.set(rule.name, rule.source);
    const phase = phases.get(snapshot.modules[module]!.name);
    if (!met.has(name)) gaps.push({ what: `filter ${name}`, place });
    else if (phase !== undefined && GUARDS.includes(phase) && !refused.has(name))
      gaps.push({ what: `filter ${name} (${phase}): no case sees it refuse`, place });
  }
  for (const [what, place] of policyGaps) gaps.push({ what: `rule ${what}: no case matches it`, place });
  return {
    rules: { reached: [...rules.keys()].filter((name) => reached.has(name)).length, total: rules.size },
    gaps,
  };
}
