import { Pseudo, type HeaderBlock } from '../runtime/http/headers.ts';
import { DEFAULT_RULE, type PluginSpec } from '../runtime/snapshot.ts';
import { hostOf } from './route-explanation.ts';
import type { AccessTrace } from './trace.ts';

/** What the AccessPolicies of a stream decided, and what was nearest to deciding. */
export interface AccessExplanation {
  readonly allowed: boolean;
  /** `AccessPolicy/namespace/name#rule`; empty where no policy had to decide. */
  readonly rule: string;
  /** `file:line:column`; empty where there is no rule. */
  readonly source: string;
  /** The rule of a policy with `dryRun` that would have changed it; empty: none. */
  readonly tried: string;
  /** Of the rules that do not match the one that came nearest; null: there is none. */
  readonly nearest: NearRule | null;
}

export interface NearRule {
  readonly rule: string;
  readonly source: string;
  /** Where its first condition stands that does not hold: `to[0].methods`. */
  readonly condition: string;
  /** What that asks for, and what the stream has in its place: `methods GET`, `method is POST`. */
  readonly wanted: string;
  readonly actual: string;
}

interface RuleConfig {
  readonly name: string;
  readonly [part: string]: unknown;
}

/** The part of the configuration of the filter `access` that is told here. */
interface AccessConfig {
  readonly policies: readonly {
    readonly name: string;
    readonly action: string;
    readonly rules: readonly RuleConfig[];
  }[];
}

export function explainAccess(trace: AccessTrace, head: HeaderBlock): AccessExplanation {
  const { plugin, rule, allowed, consumer } = trace;
  const config = JSON.parse(plugin.configuration) as AccessConfig;
  let nearest: NearRule | null = null;
  let most = -1;
  for (const [name, condition] of trace.missing) {
    // A rule that denies is reason enough.
    if (condition === '' || name === rule || (!allowed && !rule.endsWith(`#${DEFAULT_RULE}`))) continue;
    const policy = config.policies.find((each) => name.startsWith(`${each.name}#`));
    // What was refused lacks a rule that allows.
    if (policy === undefined || (!allowed && policy.action !== 'ALLOW')) continue;
    const found = policy.rules.find((each) => `${policy.name}#${each.name}` === name);
    if (found === undefined) continue;
    const miss = {
      rule: name,
      source: sourceOf(plugin, name),
      condition,
      wanted: wantedText(found, condition),
      actual: actualText(condition, head, consumer),
    };
    const near = nearness(found, miss, head);
    if (near <= most) continue;
    most = near;
    nearest = miss;
  }
  return {
    allowed,
    rule,
    source: rule === '' ? '' : sourceOf(plugin, rule),
    tried: trace.tried,
    nearest,
  };
}

function sourceOf({ rules = [] }: PluginSpec, name: string): string {
  return rules.find((rule) => rule.name === name)?.source ?? '';
}

/** `to[0].methods` taken apart. */
const CONDITION = /^(to|from|when)\[(\d+)\](?:\.(\w+)(?:\[(\d+)\])?)?$/;

function valueOf(rule: RuleConfig, condition: string): unknown {
  const [, part, index, field, item] = CONDITION.exec(condition) ?? [];
  const entry = (rule[part ?? ''] as readonly Record<string, unknown>[] | undefined)?.[Number(index)];
  const value = field === undefined ? entry : entry?.[field];
  return item === undefined ? value : (value as readonly unknown[])[Number(item)];
}

function wantedText(rule: RuleConfig, condition: string): string {
  const [, , , field] = CONDITION.exec(condition) ?? [];
  const value = valueOf(rule, condition);
  if (field === undefined || !Array.isArray(value)) return conditionText(value);
  const texts = value.map((each: unknown) =>
    typeof each === 'object' && each !== null
      ? `${(each as { type: string }).type} ${(each as { value: string }).value}`
      : String(each),
  );
  return `${words(field)} ${texts.join(', ')}`;
}

/** One of `when`, or a claim. */
function conditionText(value: unknown): string {
  const { header, query, claim, expression, values, notValues } = value as Record<string, string | string[]>;
  if (expression !== undefined) return String(expression);
  const subject =
    header === undefined
      ? query === undefined
        ? `claim ${[claim].flat().join('.')}`
        : `parameter ${String(query)}`
      : `header ${String(header)}`;
  return `${subject} ${values === undefined ? 'none of' : ''}${values === undefined ? ' ' : ''}${[values ?? notValues].flat().join(', ')}`;
}

/** `notRemoteIpBlocks`: `not remote ip blocks`. */
function words(field: string): string {
  return field.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function actualText(condition: string, head: HeaderBlock, consumer: string | null): string {
  const [, , , field = ''] = CONDITION.exec(condition) ?? [];
  switch (field.replace(/^not/, '').toLowerCase()) {
    case 'methods':
      return `method is ${head.valueText(Pseudo.Method)}`;
    case 'paths':
      return `path is ${pathOf(head)}`;
    case 'hosts':
      return `host is ${hostOf(head)}`;
    case 'consumers':
      return consumer === null ? 'there is no consumer' : `consumer is ${consumer}`;
    default:
      return `${condition} does not hold`;
  }
}

function pathOf(head: HeaderBlock): string {
  return head.valueText(Pseudo.Path).replace(/\?.*$/s, '');
}

/** Of one entry, in the order in which the filter asks. */
const FIELDS = [
  ...['hosts', 'paths', 'methods', 'ports', 'serverNames'],
  ...['consumers', 'identities', 'ipBlocks', 'remoteIpBlocks', 'claims'],
].flatMap((name) => [name, `not${name[0]!.toUpperCase()}${name.slice(1)}`]);

/** How many conditions hold before the one that does not, and of a path how much is the same. */
function nearness(rule: RuleConfig, { condition, wanted }: NearRule, head: HeaderBlock): number {
  const [, part = '', index, field = ''] = CONDITION.exec(condition) ?? [];
  const entries = (name: string) => (rule[name] as readonly object[] | undefined) ?? [];
  const whole = (name: string) => Math.min(...entries(name).map((entry) => Object.keys(entry).length), 9);
  const before = part === 'to' ? [] : part === 'from' ? ['to'] : ['to', 'from'];
  let held = before.reduce((sum, name) => sum + (entries(name).length > 0 ? whole(name) : 0), 0);
  if (part === 'when') held += Number(index);
  else {
    const known = Object.keys(entries(part)[Number(index)] ?? {});
    held += known.filter((name) => FIELDS.indexOf(name) < FIELDS.indexOf(field)).length;
  }
  if (field !== 'paths') return held;
  const path = pathOf(head);
  const same = [...wanted.matchAll(/\/\S*/g)].map(([text]) => {
    let length = 0;
    while (length < text.length && text[length] === path[length]) length++;
    return length / Math.max(text.length, path.length);
  });
  return held + Math.max(0, ...same);
}
