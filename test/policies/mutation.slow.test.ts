import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { StageError } from '../../src/runtime/plugin-set.ts';
import { fileOf, load, POLICIES, runTests } from './library.ts';

type Tree = Record<string, unknown> | unknown[];
type Path = readonly (string | number)[];

/** Names, and fields that say how much of something without which it works as well. */
const NEUTRAL = /^(name|burst|backoff|timeouts|kid|alg|weight|enforced)$/;
/** Values that are the default, or for what no script can make happen. */
const USUAL: readonly unknown[] = ['ALLOW', 'PathPrefix', 'connect-failure'];
/** What a policy cannot be without: weir refuses what is left. */
const KINDS = /^(AccessPolicy|Consumer|FilterChain|HTTPRoute|Plan|TrafficPolicy)$/;

/** Places that may be taken out: items of lists and members of mappings, below `spec`. */
function* places(value: unknown, path: Path): Generator<Path> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, part] of Object.entries(value)) {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    if (NEUTRAL.test(key) || USUAL.includes(part)) continue;
    yield at;
    yield* places(part, at);
  }
}

function without(objects: readonly Tree[], index: number, path: Path): string {
  const copy = structuredClone(objects) as Tree[];
  if (path.length === 0) copy.splice(index, 1);
  else {
    let parent = copy[index] as Record<string | number, unknown>;
    for (const part of path.slice(0, -1)) parent = parent[part] as Record<string | number, unknown>;
    const last = path.at(-1)!;
    if (Array.isArray(parent)) parent.splice(Number(last), 1);
    else delete parent[last];
  }
  return copy.map((object) => stringify(object)).join('---\n');
}

test.each(POLICIES)('nothing can be taken out of %s without a test that fails', async (policy) => {
  const objects = parseAllDocuments(readFileSync(fileOf(policy, 'policy.yaml'), 'utf8')).map(
    (document) => document.toJS() as Tree & { kind: string; metadata: { labels?: object }; spec: unknown },
  );
  const tests = readFileSync(fileOf(policy, 'tests.yaml'), 'utf8');
  const survived: string[] = [];
  let tried = 0;
  for (const [i, object] of objects.entries()) {
    // A Consumer whom no filter selects is there to be refused.
    if (!KINDS.test(object.kind) || (object.kind === 'Consumer' && object.metadata.labels === undefined))
      continue;
    for (const path of [[], ...places(object.spec, ['spec'])]) {
      const loaded = await load(policy, { 'policy.yaml': without(objects, i, path), 'tests.yaml': tests });
      const run = await runTests(loaded).catch((error: unknown) => {
        // A filter refuses what is left of its configuration.
        if (error instanceof StageError) return null;
        throw error;
      });
      tried++;
      // `weir check` has something to say.
      if (loaded.diagnostics.length > 0) continue;
      if (run !== null && run.results.every(({ misses }) => misses.length === 0))
        survived.push(`${object.kind} ${path.join('.')}`);
    }
  }
  expect(survived).toEqual([]);
  expect(tried).toBeGreaterThan(15);
});
