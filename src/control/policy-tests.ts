import type { Snapshot } from '../runtime/snapshot.ts';
import type { Config, UsableObject } from './config.ts';
import type { Path } from './document.ts';
import { listNames, suggest } from './nearest.ts';
import { SECTION_REFERENCE } from './schema/policy-test.ts';

export type PolicyTest = UsableObject<'PolicyTest'>;
type Case = PolicyTest['value']['spec']['cases'][number];

/**
 * `HTTPRoute/name#rule` as the runtime names it.
 *
 * @param namespace of whoever refers
 * @returns `namespace/name#section`, with the kind in front for a rule of an AccessPolicy; null where the text is no such reference
 */
export function qualifiedName(text: string, namespace: string): string | null {
  const [, kind, other, name, section] = SECTION_REFERENCE.exec(text) ?? [];
  if (name === undefined) return null;
  return `${kind === 'AccessPolicy' ? 'AccessPolicy/' : ''}${other ?? namespace}/${name}#${section!}`;
}

/** Something that a case names. */
interface Reference {
  readonly path: Path;
  readonly kind: 'rule' | 'filter' | 'access rule' | 'Upstream in use' | 'Consumer';
  readonly name: string;
}

/** Warns of what PolicyTests name and the configuration does not serve: their cases can only fail. */
export function checkPolicyTests(config: Config, snapshot: Snapshot): void {
  const known = {
    rule: snapshot.rules.map(({ name }) => name),
    filter: snapshot.plugins.map(({ name }) => name),
    'access rule': snapshot.plugins.flatMap(({ rules = [] }) => rules.map((rule) => rule.name)),
    'Upstream in use': snapshot.clusters.map(({ name }) => name),
    Consumer: config.all('Consumer').map(({ namespace, name }) => `${namespace}/${name}`),
  };
  for (const test of config.all('PolicyTest')) {
    const { namespace } = test;
    const references = test.value.spec.cases.flatMap((each, i) => referencesOf(each, i, namespace));
    for (const { path, kind, name } of references) {
      if (known[kind].includes(name)) continue;
      const near = known[kind].filter((each) => each.includes(`${namespace}/`));
      // These are written without their namespace.
      const written = (each: string): string => each.replace(`${namespace}/`, '');
      const isBare = kind === 'Consumer' || kind === 'Upstream in use';
      config.report(test, 'WEIR3012', path, `there is no ${kind} ${name}`, {
        severity: 'warning',
        hint: isBare ? suggest(written(name), near.map(written)) : suggest(name, near),
        notes: [
          near.length > 0
            ? `known in namespace ${namespace}: ${listNames(near)}`
            : `namespace ${namespace} has none`,
        ],
      });
    }
  }
}

function referencesOf(
  { expect, upstreams, request, before }: Case,
  index: number,
  namespace: string,
): Reference[] {
  const at = ['spec', 'cases', index];
  const references: Reference[] = [];
  const section = (field: 'rule' | 'decidedBy', kind: Reference['kind']): void => {
    const name = qualifiedName(expect[field] ?? '', namespace);
    if (name !== null) references.push({ path: [...at, 'expect', field], kind, name });
  };
  const upstream = (path: Path, name: string): void => {
    references.push({ path, kind: 'Upstream in use', name: `${namespace}/${name}` });
  };
  const consumer = (path: Path, name: string | undefined): void => {
    if (name !== undefined)
      references.push({
        path: [...path, 'request', 'as', 'consumer'],
        kind: 'Consumer',
        name: `${namespace}/${name}`,
      });
  };
  consumer(at, request.as?.consumer);
  for (const [k, each] of before.entries()) consumer([...at, 'before', k], each.request.as?.consumer);
  section('rule', 'rule');
  section('decidedBy', expect.decidedBy?.startsWith('AccessPolicy/') === true ? 'access rule' : 'filter');
  if (expect.upstream !== undefined) upstream([...at, 'expect', 'upstream'], expect.upstream);
  for (const [k, name] of (expect.upstreamOneOf ?? []).entries())
    upstream([...at, 'expect', 'upstreamOneOf', k], name);
  for (const [k, name] of (expect.upstreamAllOf ?? []).entries())
    upstream([...at, 'expect', 'upstreamAllOf', k], name);
  for (const name of Object.keys(upstreams)) upstream([...at, 'upstreams', name], name);
  return references;
}
