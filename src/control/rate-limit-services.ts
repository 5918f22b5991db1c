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
  readonly limit: Limit;
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

function rulesOf(config: Config, service: UsableObject<'RateLimitService'>): RateLimitRule[] {
  const seen = new Set<string>();
  return service.value.spec.limits.map(({ descriptor, limit }, i) => {
    const keys = descriptor.map(({ key }) => key);
    const values = descriptor.map(({ value }) => value ?? null);
    const same = JSON.stringify([keys, values]);
    if (seen.has(same))
      config.report(
        service,
        'WEIR1046',
        ['spec', 'limits', i, 'descriptor'],
        'this descriptor has a limit already',
      );
    seen.add(same);
    const { algorithm, requests, per, burst } = limit;
    return { keys, values, limit: { algorithm, requests, periodMs: per, burst } };
  });
}
