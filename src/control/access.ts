import { DEFAULT_RULE, type RuleSource } from '../runtime/snapshot.ts';
import { Attachments, ruleSection } from './attachments.ts';
import type { Config, UsableObject } from './config.ts';
import type { Path } from './document.ts';
import { listNames, suggest } from './nearest.ts';
import { mergeScopes, type Layer, type Setting } from './merge.ts';
import type { SenderNames } from './sender-names.ts';

type Policy = UsableObject<'AccessPolicy'>;
type Source = NonNullable<Policy['value']['spec']['rules'][number]['from']>[number];

/** What the filter `access` gets for one request's or connection's policies. */
export interface EffectiveAccess {
  /** Namespace and names of the policies, as one text. */
  readonly name: string;
  readonly policies: readonly Policy[];
  /** JSON text, see src/filters/access/schema.json. */
  readonly configuration: string;
  readonly rules: readonly RuleSource[];
}

/** AccessPolicies where they hold. */
export class AccessTable {
  readonly #config: Config;
  readonly #attachments: Attachments<'AccessPolicy'>;
  /** Policies in force, and whom filters in front of one of their places may find to send; none: there is no such filter. */
  readonly #senders = new Map<Policy, SenderNames>();

  constructor(config: Config) {
    this.#config = config;
    this.#attachments = new Attachments(config, 'AccessPolicy');
    for (const [what, attached] of this.#attachments.scopes()) {
      const layers = attached.map(({ policy }) => defaultLayer(policy));
      mergeScopes(config, [{ what, layers }]);
    }
  }

  /**
   * The policies of all scopes, outermost first; each once, at the outermost. All that deny hold. Those that
   * allow are one pool; but enforced ones are a stage for each scope, and each stage must allow.
   *
   * @returns null where there are none
   */
  effective(scopes: readonly string[]): EffectiveAccess | null {
    const attached = scopes.map((what) => ({
      what,
      policies: this.#attachments.at(what).map(({ policy }) => policy),
    }));
    const stages = new Map<Policy, number>();
    let stage = 0;
    for (const { policies } of attached) {
      const added = policies.filter((policy) => !stages.has(policy));
      if (added.some(isStage)) stage++;
      for (const policy of added) stages.set(policy, isStage(policy) ? stage : 0);
    }
    const policies = [...stages.keys()];
    if (policies.length === 0) return null;
    const inForce = (tried: boolean) =>
      this.#default(
        attached.map(({ what, policies: all }) => ({
          what,
          policies: all.filter(({ value }) => tried || !value.spec.dryRun),
        })),
      );
    const fallback = inForce(false);
    const tried = policies.some(({ value }) => value.spec.dryRun) ? inForce(true) : undefined;
    const configuration = {
      policies: policies.map((policy) => policyOf(policy, stages.get(policy)!)),
      ...(fallback === undefined ? {} : { default: fallback }),
      ...(tried === undefined ? {} : { tryDefault: tried }),
    };
    return {
      name: `${policies[0]!.namespace}/${policies.map(({ name }) => name).join('+')}`,
      policies,
      configuration: JSON.stringify(configuration),
      rules: policies.flatMap(rulesOf),
    };
  }

  /** @param names whom filters in front may find to send */
  note({ policies }: EffectiveAccess, names: SenderNames): void {
    for (const policy of policies) {
      const before = this.#senders.get(policy);
      const isOpen = before === null || names === null;
      this.#senders.set(policy, isOpen ? null : new Set([...(before ?? []), ...names]));
    }
  }

  /** Warns of rules that ask who sends where nothing finds it out, or for somebody whom nothing finds: they never match, or always. */
  reportUnknownSenders(): void {
    for (const [policy, names] of this.#senders) {
      if (names === null) continue;
      for (const [i, rule] of policy.value.spec.rules.entries()) {
        const section = ruleSection(rule, i);
        const at = ['spec', 'rules', i];
        if (names.size > 0) this.#reportStrangers(policy, section, [...at, 'from'], rule.from ?? [], names);
        const path = names.size > 0 ? null : senderPath(rule);
        if (path === null) continue;
        const message = `rule "${section}" asks who sends a request, and no filter where the policy holds finds that out`;
        this.#config.report(policy, 'WEIR3032', [...at, ...path], message, {
          severity: 'warning',
          hint: 'put a filter of the phase authn in front, such as api-key or jwt',
        });
      }
    }
  }

  #reportStrangers(
    policy: Policy,
    section: string,
    path: Path,
    from: readonly Source[],
    names: ReadonlySet<string>,
  ): void {
    for (const [i, source] of from.entries()) {
      for (const field of ['consumers', 'notConsumers'] as const) {
        for (const [k, name] of (source[field] ?? []).entries()) {
          if (name.includes('*') || names.has(name)) continue;
          const known = [...names].sort();
          const message = `rule "${section}" names a consumer "${name}", and no filter where the policy holds finds one of that name`;
          this.#config.report(policy, 'WEIR3035', [...path, i, field, k], message, {
            severity: 'warning',
            hint: suggest(name, known),
            notes: [`they find: ${listNames(known)}`],
          });
        }
      }
    }
  }

  #default(scopes: readonly { readonly what: string; readonly policies: readonly Policy[] }[]) {
    const layered = scopes.map(({ what, policies }) => ({ what, layers: policies.map(defaultLayer) }));
    const setting = mergeScopes(this.#config, layered).get('default');
    return setting === undefined
      ? undefined
      : {
          action: setting.value as string,
          by: `AccessPolicy/${setting.object.namespace}/${setting.object.name}`,
        };
  }
}

/** Where a rule asks for what filters in front know of the sender alone; null: nowhere. */
function senderPath(rule: Policy['value']['spec']['rules'][number]): Path | null {
  for (const [i, source] of (rule.from ?? []).entries()) {
    const field = (['consumers', 'notConsumers', 'claims'] as const).find(
      (each) => source[each] !== undefined,
    );
    if (field !== undefined) return ['from', i, field];
  }
  const claim = (rule.when ?? []).findIndex((condition) => condition.claim !== undefined);
  return claim < 0 ? null : ['when', claim, 'claim'];
}

/** One without rules that has a default is there for that alone. */
function isStage({ value: { spec } }: Policy): boolean {
  const allows = spec.rules.length > 0 || spec.default === undefined;
  return spec.enforced && spec.action === 'ALLOW' && allows;
}

function defaultLayer(policy: Policy): Layer {
  const { default: action, enforced } = policy.value.spec;
  const settings = new Map<string, Setting>();
  if (action !== undefined)
    settings.set('default', { value: action, object: policy, path: ['spec', 'default'] });
  return { settings, enforced: enforced ? ['default'] : [] };
}

/** `AccessPolicy/namespace/name`. */
function nameOf({ namespace, name }: Policy): string {
  return `AccessPolicy/${namespace}/${name}`;
}

/** Only what is written, so that a configuration that says the same is the same. */
function policyOf(policy: Policy, stage: number) {
  const { action, rules, dryRun } = policy.value.spec;
  return {
    name: nameOf(policy),
    action,
    ...(stage === 0 ? {} : { stage }),
    ...(dryRun ? { dryRun } : {}),
    rules: rules.map((rule, i) => ({ ...rule, name: ruleSection(rule, i) })),
  };
}

function rulesOf(policy: Policy): RuleSource[] {
  const { document, value } = policy;
  const name = nameOf(policy);
  return [
    ...value.spec.rules.map((rule, i) => ({
      name: `${name}#${ruleSection(rule, i)}`,
      source: document.position(['spec', 'rules', i]),
    })),
    {
      name: `${name}#${DEFAULT_RULE}`,
      source: document.position(
        value.spec.default === undefined ? ['metadata', 'name'] : ['spec', 'default'],
      ),
    },
  ];
}
