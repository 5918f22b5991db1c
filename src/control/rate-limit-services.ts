import type { Limit } from '../runtime/limit.ts';
import type { StoreSpec } from '../runtime/snapshot.ts';
import type { Config, UsableObject } from './config.ts';
import type { StoreTable } from './stores.ts';

/** What `weir ratelimit` serves for one domain. */
export interface RateLimitDomain {
  readonly domain: string;
  /** Null: the memory of the process. */
  readonly store: StoreSpec | null;
  readonly onStoreFailure: 'Deny' | 'Allow' | 'Error';
  readonly rules: readonly RateLimitRule[];
}

export interface RateLimitRule {
  readonly keys: readonly string[];
  /** By entry; null: any. */
  readonly values: readonly (string | null)[];
  /** Null: unlimited. */
  readonly limit: Limit | null;
  /** It counts, and refuses nothing. */
  readonly isDryRun: boolean;
}

/** The RateLimitServices of a configuration; what contradicts is reported. */
export function compileRateLimitServices(config: Config, stores: StoreTable): RateLimitDomain[] {
  const domains = new Map<string, RateLimitDomain>();
  for (const service of config.all('RateLimitService')) {
    const { domain, store, onStoreFailure } = service.value.spec;
    if (domains.has(domain)) {
      const message = `the domain "${domain}" has another RateLimitService`;
      config.report(service, 'WEIR1046', ['spec', 'domain'], message);
    }
    const spec = store === undefined ? null : stores.find(service, store, ['spec', 'store']);
    domains.set(domain, { domain, store: spec, onStoreFailure, rules: rulesOf(config, service) });
  }
  return [...domains.values()];
}

type Place = readonly (string | number)[];
type Item = UsableObject<'RateLimitService'>['value']['spec']['limits'][number];

/** All rules, those of inner levels with the entries of the outer ones before their own. */
function rulesOf(config: Config, service: UsableObject<'RateLimitService'>): RateLimitRule[] {
  const seen = new Set<string>();
  const rules: RateLimitRule[] = [];
  const add = (items: readonly Item[], place: Place, outer: Item['descriptor']): void => {
    for (const [i, { descriptor, limit, unlimited, dryRun, limits = [] }] of items.entries()) {
      const entries = [...outer, ...descriptor];
      const keys = entries.map(({ key }) => key);
      const values = entries.map(({ value }) => value ?? null);
      if (limit !== undefined || unlimited) {
        const same = JSON.stringify([keys, values]);
        const where = [...place, i, 'descriptor'];
        if (seen.has(same)) config.report(service, 'WEIR1046', where, 'this descriptor has a limit already');
        seen.add(same);
        rules.push({ keys, values, limit: limit === undefined ? null : limitOf(limit), isDryRun: dryRun });
      }
      add(limits, [...place, i, 'limits'], entries);
    }
  };
  add(service.value.spec.limits, ['spec', 'limits'], []);
  return rules;
}

function limitOf({ algorithm, requests, per, burst }: NonNullable<Item['limit']>): Limit {
  return { algorithm, requests, periodMs: per, burst };
}
