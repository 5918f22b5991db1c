import type { Assets } from './assets.ts';
import type { Config, UsableObject } from './config.ts';
import { hasLabels } from './labels.ts';
import { listNames, suggest } from './nearest.ts';

type Chain = UsableObject<'FilterChain'>;
type Plan = UsableObject<'Plan'>;
type Fields = Readonly<Record<string, unknown>>;

/** Filters that know plans: what of a Plan is theirs, and the list of a plan in their configuration that it goes into. */
const LISTS = {
  quota: { part: 'quotas', list: 'quotas' },
  'rate-limit': { part: 'rateLimits', list: 'limits' },
} as const;
type Part = (typeof LISTS)[keyof typeof LISTS]['part'];

/** Asks for Plans in the configuration of a filter: all of the namespace that have these labels. */
const SELECTOR = 'planLabel';
const FROM_CONSUMER = 'from-consumer';

/** What a filter says of plans, as far as it can be read: its schema tells of the rest. */
interface Asked {
  readonly config: Fields;
  readonly part: Part;
  readonly list: string;
  readonly selector: Fields | null;
  /** Plans that are selected; empty without a selector. */
  readonly selected: readonly Plan[];
  /** Plans in the configuration itself. */
  readonly written: Fields;
}

/**
 * Plans as plain configuration of the filters that ask for them, so that a filter knows nothing of the kind and works
 * with written plans elsewhere.
 */
export class PlanTable {
  readonly #config: Config;
  readonly #plans: readonly Plan[];
  /** `part namespace/name` of what some filter selects. */
  readonly #selected = new Set<string>();
  /** `namespace/name` of Plans that a filter names. */
  readonly #named = new Set<string>();

  constructor(config: Config, assets: Assets) {
    this.#config = config;
    this.#plans = config.all('Plan');
    for (const plan of this.#plans) this.#checkParts(plan, assets);
    this.#checkConsumers();
  }

  /** The configuration that a filter's module receives; null where it asks for no Plans. */
  expand(chain: Chain, index: number): unknown {
    const asked = this.#asked(chain, index);
    if (asked === null || asked.selector === null) return null;
    const { [SELECTOR]: _selector, ...rest } = asked.config;
    const plans = asked.selected.map(
      ({ name, value }) => [name, { [asked.list]: value.spec[asked.part] }] as const,
    );
    return { ...rest, plans: { ...asked.written, ...Object.fromEntries(plans) } };
  }

  /** Reports what a filter says wrongly of plans. */
  check(chain: Chain, index: number): void {
    const asked = this.#asked(chain, index);
    if (asked === null) return;
    const { part, selector, selected, written } = asked;
    for (const { namespace, name } of selected) this.#selected.add(`${part} ${namespace}/${name}`);
    const isEmpty =
      selector === null
        ? Object.keys(written).length === 0
        : !selected.some(({ value }) => value.spec[part].length > 0);
    if (isEmpty) {
      this.#reportNone(chain, index, asked);
      return;
    }
    for (const plan of selected) if (Object.hasOwn(written, plan.name)) this.#reportTwice(chain, index, plan);
    for (const field of ['plan', 'withoutPlan'] as const) this.#checkName(chain, index, field, asked);
  }

  /** Warns of Plans, or halves of them, that hold nobody to anything. */
  reportUnused(): void {
    const wanted = new Set(this.#named);
    const namespaces = new Set<string>();
    for (const { namespace, value } of this.#config.all('Consumer')) {
      namespaces.add(namespace);
      if (value.spec.plan !== undefined) wanted.add(`${namespace}/${value.spec.plan}`);
    }
    for (const plan of this.#plans) {
      const key = `${plan.namespace}/${plan.name}`;
      const warn = (path: readonly string[], message: string) =>
        this.#config.report(plan, 'WEIR3031', path, message, { severity: 'warning' });
      for (const [use, { part }] of Object.entries(LISTS)) {
        if (plan.value.spec[part].length === 0 || this.#selected.has(`${part} ${key}`)) continue;
        warn(['spec', part], `the ${part} of Plan ${key} hold nowhere: no filter ${use} selects it`);
      }
      // Where there are no Consumers something else says who has which plan.
      if (wanted.has(key) || !namespaces.has(plan.namespace)) continue;
      warn(['metadata', 'name'], `no Consumer has the Plan ${key}, and no filter names it`);
    }
  }

  #asked(chain: Chain, index: number): Asked | null {
    const { use, config } = chain.value.spec.filters[index]!;
    if (!Object.hasOwn(LISTS, use) || !isFields(config) || typeof config['plan'] !== 'string') return null;
    const { [SELECTOR]: selector = null, plans: written = {} } = config;
    if ((selector !== null && !isFields(selector)) || !isFields(written)) return null;
    return {
      ...LISTS[use as keyof typeof LISTS],
      config,
      selector,
      selected: this.#plans.filter(
        (plan) => selector !== null && plan.namespace === chain.namespace && hasLabels(plan, selector),
      ),
      written,
    };
  }

  #checkName(chain: Chain, index: number, field: 'plan' | 'withoutPlan', asked: Asked): void {
    const name = asked.config[field];
    const { namespace } = chain;
    if (typeof name !== 'string' || (field === 'plan' && name === FROM_CONSUMER)) return;
    this.#named.add(`${namespace}/${name}`);
    const known = [...Object.keys(asked.written), ...asked.selected.map((plan) => plan.name)];
    if (known.includes(name)) return;
    const other = this.#config.find('Plan', namespace, name);
    const path = ['spec', 'filters', index, 'config', field];
    const filter = chain.value.spec.filters[index]!;
    this.#config.report(chain, 'WEIR2118', path, `filter "${filter.name}" has no plan "${name}"`, {
      hint: suggest(name, known),
      notes: [
        `its plans: ${listNames(known.sort())}`,
        ...(other === undefined ? [] : [`Plan ${namespace}/${name} has not the labels of planLabel`]),
      ],
      ...(other === undefined ? {} : { related: [other.document.place(['metadata', 'name'])] }),
    });
  }

  #reportNone(chain: Chain, index: number, { part, selector, selected }: Asked): void {
    const { namespace } = chain;
    const filter = chain.value.spec.filters[index]!;
    const path = ['spec', 'filters', index, 'config'];
    if (selector === null) {
      this.#config.report(chain, 'WEIR2118', [...path, 'plan'], `filter "${filter.name}" has no plans`, {
        hint: 'write `plans`, or select Plans: `planLabel: {}`',
      });
      return;
    }
    const labels = Object.entries(selector).map(([key, value]) => `${key}=${String(value)}`);
    const which = labels.length === 0 ? '' : ` labelled ${labels.join(', ')}`;
    const known = this.#config.names('Plan', namespace);
    const there = known.length > 0 ? `Plans there: ${listNames(known)}` : 'the namespace has no Plan';
    const chosen = listNames(selected.map(({ name }) => name));
    const message = `filter "${filter.name}": no Plan of namespace ${namespace}${which} has ${part}`;
    this.#config.report(chain, 'WEIR2118', [...path, SELECTOR], message, {
      notes: [chosen === '' ? there : `selected: ${chosen}`],
    });
  }

  #reportTwice(chain: Chain, index: number, plan: Plan): void {
    const filter = chain.value.spec.filters[index]!;
    const path = ['spec', 'filters', index, 'config', 'plans', plan.name];
    const message = `filter "${filter.name}": plan "${plan.name}" is written here, and is a Plan that planLabel selects`;
    this.#config.report(chain, 'WEIR2021', path, message, {
      related: [plan.document.place(['metadata', 'name'])],
    });
  }

  /** What the filters themselves say of the parts of a Plan. */
  #checkParts(plan: Plan, assets: Assets): void {
    for (const [use, { part, list }] of Object.entries(LISTS)) {
      const items = plan.value.spec[part];
      const schema = assets.builtins.get(use)?.schema ?? null;
      if (schema === null || items.length === 0) continue;
      const config = { plan: FROM_CONSUMER, plans: { it: { [list]: items } } };
      for (const fault of schema.check(config)) {
        const path = ['spec', part, ...fault.path.slice(3)];
        const message = fault.message.replace(`config.plans.it.${list}`, part);
        this.#config.report(plan, 'WEIR1207', path, message, {
          key: fault.key,
          hint: fault.hint,
          notes: [`rule comes from the schema of the built-in filter "${use}"`],
        });
      }
    }
  }

  /** Where there are Plans, the plan of a Consumer is one of them. Without any it is a text for filters to read. */
  #checkConsumers(): void {
    const namespaces = new Set(this.#plans.map(({ namespace }) => namespace));
    for (const consumer of this.#config.all('Consumer')) {
      const { namespace, name } = consumer;
      const { plan } = consumer.value.spec;
      if (plan === undefined || !namespaces.has(namespace)) continue;
      if (this.#config.find('Plan', namespace, plan) !== undefined) continue;
      const wanted = { kind: 'Plan', namespace, name: plan } as const;
      this.#config.reportMissing(consumer, 'WEIR2118', ['spec', 'plan'], `Consumer "${name}":`, wanted);
    }
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
