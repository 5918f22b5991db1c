import type { HeaderModifier, RuleSpec } from '../runtime/snapshot.ts';
import { ruleSection } from './attachments.ts';
import type { ChainTable } from './chains.ts';
import type { ClusterTable } from './clusters.ts';
import type { Config } from './config.ts';

/** The part of a snapshot that says which request reaches which upstream through which filters. */
interface Compiled {
  readonly rules: readonly RuleSpec[];
  readonly chains: Pick<ChainTable, 'chains' | 'plugins' | 'modules'>;
  readonly clusters: Pick<ClusterTable, 'specs'>;
}

/** What a filter, or a chain, does to fields of requests, by names in lower case. */
interface Handling {
  /** Told to the upstream, and taken out of what comes from outside; with the filter that does. */
  readonly told: Map<string, string>;
  /** Taken out or replaced by others. */
  readonly removed: Set<string>;
}

const BUILTIN = 'builtin/';

/**
 * Warns where a field that tells an upstream who sends a request reaches it as the client wrote it: by a rule whose chain lacks the
 * filter that sets the field for the upstream's other rules.
 */
export function reportForgeable(config: Config, compiled: Compiled): void {
  const { rules, clusters } = compiled;
  const handling = handlingOf(compiled.chains);
  const told = new Map<number, Map<string, { filter: string; rule: string }>>();
  for (const rule of rules) {
    for (const { cluster } of rule.backends) {
      const fields = told.get(cluster) ?? new Map<string, { filter: string; rule: string }>();
      told.set(cluster, fields);
      for (const [field, filter] of handling[rule.chain]!.told)
        if (!fields.has(field)) fields.set(field, { filter, rule: rule.name });
    }
  }
  const reported = new Set<string>();
  for (const rule of rules) {
    const own = handling[rule.chain]!;
    for (const { cluster, requestHeaders } of rule.backends) {
      for (const [field, by] of told.get(cluster) ?? []) {
        const handled = own.told.has(field) || own.removed.has(field);
        const key = `${rule.name} ${cluster} ${field}`;
        if (handled || replaces(rule.requestHeaders, field) || replaces(requestHeaders, field)) continue;
        if (reported.has(key)) continue;
        reported.add(key);
        report(config, rule, `Upstream ${clusters.specs[cluster]!.name}`, field, by);
      }
    }
  }
}

function report(
  config: Config,
  rule: RuleSpec,
  upstream: string,
  field: string,
  by: { readonly filter: string; readonly rule: string },
): void {
  const route = config.all('HTTPRoute').find((each) => `${each.namespace}/${each.name}` === rule.route);
  const index = route?.value.spec.rules.findIndex(
    (each, i) => rule.name === `${rule.route}#${ruleSection(each, i)}`,
  );
  if (route === undefined || index === undefined || index < 0) return;
  const message = `rule ${rule.name} hands ${field} on to ${upstream} as the client wrote it, and filter "${by.filter}" tells by it who sends, for rule ${by.rule}`;
  config.report(route, 'WEIR3034', ['spec', 'rules', index], message, {
    severity: 'warning',
    hint: `add the filter here, or take the field out: filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [${field}]}}]`,
  });
}

/** By chain. */
function handlingOf({ chains, plugins, modules }: Compiled['chains']): Handling[] {
  const filters = plugins.map((plugin): Handling => {
    const { module, configuration, filter = '' } = plugin;
    const { name } = modules[module]!;
    // What a module of one's own does to fields, nobody knows.
    const config: unknown =
      name.startsWith(BUILTIN) && configuration !== '' ? JSON.parse(configuration) : undefined;
    const edits = name === `${BUILTIN}headers`;
    return {
      told: new Map(edits ? [] : toldBy(config).map((field) => [field, filter])),
      removed: new Set(edits ? editedBy(config) : []),
    };
  });
  return chains.map((chain) => ({
    told: new Map(chain.flatMap((plugin) => [...filters[plugin]!.told])),
    removed: new Set(chain.flatMap((plugin) => [...filters[plugin]!.removed])),
  }));
}

/** Fields by which filters of the phase authn tell the upstream who it is: they are called the same in all of them. */
function toldBy(config: unknown): string[] {
  if (Array.isArray(config)) return config.flatMap(toldBy);
  if (!isObject(config)) return [];
  return Object.entries(config).flatMap(([name, value]) => {
    if (name === 'consumerHeader' && typeof value === 'string') return [value.toLowerCase()];
    if (name === 'ownedHeaders') return texts(value);
    if (name === 'claimsToHeaders' && Array.isArray(value))
      return value.flatMap((each) => (isObject(each) ? texts([each['header']]) : []));
    // Of ext-authz.
    if (name === 'consumer' && isObject(value)) return texts([value['header']]);
    return name === 'providers' ? toldBy(value) : [];
  });
}

/** Fields of requests that the filter headers takes out or sets. */
function editedBy(config: unknown): string[] {
  const request = isObject(config) ? config['request'] : undefined;
  if (!isObject(request)) return [];
  return [...texts(request['remove']), ...Object.keys(isObject(request['set']) ? request['set'] : {})].map(
    (name) => name.toLowerCase(),
  );
}

function replaces(modifier: HeaderModifier | null, field: string): boolean {
  if (modifier === null) return false;
  const names = [...modifier.remove, ...modifier.set.map(([name]) => name)];
  return names.some((name) => name.toLowerCase() === field);
}

function texts(value: unknown): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [];
  return list.filter((each): each is string => typeof each === 'string').map((each) => each.toLowerCase());
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
