import type { Config, UsableObject } from './config.ts';
import { nearest } from './nearest.ts';
import { GATEWAY_GROUP } from './schema/reference.ts';
import type { ConfigObject } from './validate.ts';

export type PolicyKind = 'FilterChain' | 'AccessPolicy' | 'TrafficPolicy' | 'ListenerPolicy';

/** A policy at one of its targets. */
export interface Attached<K extends PolicyKind> {
  readonly policy: UsableObject<K>;
  /** Which of its targetRefs. */
  readonly index: number;
}

/** What policies attach to. */
const TARGETS = ['Gateway', 'HTTPRoute', 'TCPRoute', 'TLSRoute'] as const;
type TargetKind = (typeof TARGETS)[number];

/** The place that a policy attaches to, as one text: `Gateway shop/edge#https`. */
export function scopeKey(kind: TargetKind, namespace: string, name: string, section?: string): string {
  return `${kind} ${namespace}/${name}${section === undefined ? '' : `#${section}`}`;
}

/** The name that a rule has for sectionName, logs and metrics. */
export function ruleSection(rule: { readonly name?: string | undefined }, index: number): string {
  return rule.name ?? String(index);
}

/**
 * Where the policies of one kind hold. Targets that are not declared are reported as WEIR2103.
 */
export class Attachments<K extends PolicyKind> {
  readonly #byScope = new Map<string, Attached<K>[]>();

  constructor(config: Config, kind: K) {
    for (const policy of config.all(kind)) {
      const targets = policy.value.spec.targetRefs as readonly Target[];
      for (const [index, target] of targets.entries()) {
        if (!exists(config, policy, target, index)) continue;
        const key = scopeKey(target.kind as TargetKind, policy.namespace, target.name, target.sectionName);
        const list = this.#byScope.get(key) ?? [];
        this.#byScope.set(key, list);
        if (list.every((other) => other.policy !== policy)) list.push({ policy, index });
      }
    }
  }

  at(scope: string): readonly Attached<K>[] {
    return this.#byScope.get(scope) ?? [];
  }

  scopes(): Iterable<[scope: string, attached: readonly Attached<K>[]]> {
    return this.#byScope;
  }
}

interface Target {
  readonly group?: string | undefined;
  readonly kind: string;
  readonly name: string;
  readonly sectionName?: string | undefined;
}

function exists(config: Config, policy: ConfigObject, target: Target, index: number): boolean {
  const path = ['spec', 'targetRefs', index];
  const kind = TARGETS.find((known) => known === target.kind);
  if (kind === undefined) return false;
  if (target.group !== undefined && target.group !== GATEWAY_GROUP) {
    config.report(
      policy,
      'WEIR2110',
      [...path, 'group'],
      `${target.kind} is in the group ${GATEWAY_GROUP}, not "${target.group}"`,
    );
    return false;
  }
  const found: ConfigObject<TargetKind> | undefined = config.find(kind, policy.namespace, target.name);
  if (found === undefined) {
    const wanted = { kind, namespace: policy.namespace, name: target.name } as const;
    config.reportMissing(policy, 'WEIR2103', [...path, 'name'], 'targetRef', wanted);
    return false;
  }
  if (target.sectionName === undefined || found.value === null) return true;
  const sections = sectionsOf(found as Targeted);
  if (sections.includes(target.sectionName)) return true;
  const noun = target.kind === 'Gateway' ? 'listener' : 'rule';
  const close = nearest(target.sectionName, sections);
  config.report(
    policy,
    'WEIR2103',
    [...path, 'sectionName'],
    `${target.kind} ${target.name} has no ${noun} "${target.sectionName}"`,
    {
      hint: close === null ? undefined : `did you mean "${close}"?`,
      notes: [`${noun}s: ${sections.join(', ')}`],
    },
  );
  return false;
}

type Targeted = { [K in TargetKind]: UsableObject<K> }[TargetKind];

function sectionsOf(object: Targeted): string[] {
  return object.kind === 'Gateway'
    ? object.value.spec.listeners.map((listener) => listener.name)
    : object.value.spec.rules.map(ruleSection);
}
