import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { Config, UsableObject } from './config.ts';
import { LISTS, selectorOf, type Credential } from './consumers.ts';
import { hasLabels } from './labels.ts';

type Consumer = UsableObject<'Consumer'>;

/** Credentials that a test shows in place of those whose digests alone are known. */
export interface Presented {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly query: readonly (readonly [name: string, value: string])[];
}

// Never leaves this process: a configuration that serves has no stand-ins.
const secret = randomBytes(32);

function passwordOf({ namespace, name }: Pick<Consumer, 'namespace' | 'name'>): string {
  return `weir-test-${createHmac('sha256', secret).update(`${namespace}/${name}`).digest('hex')}`;
}

/** One more credential for each kind that a consumer has a digest of; it ends with the last of them. */
export function standInsFor(credentials: readonly Credential[]): Credential[] {
  const last = new Map<string, Credential>();
  for (const credential of credentials) {
    const { consumer, type, entry } = credential;
    if (type !== 'apiKey' && type !== 'basic') continue;
    const key = `${consumer.namespace}/${consumer.name} ${type}`;
    const before = last.get(key);
    if (before === undefined || endOf(entry) >= endOf(before.entry)) last.set(key, credential);
  }
  return [...last.values()].map((credential) => {
    const { hash: _hash, ...entry } = credential.entry;
    const sha256 = createHash('sha256').update(passwordOf(credential.consumer)).digest('hex');
    return { ...credential, entry: { ...entry, sha256 } };
  });
}

function endOf(entry: Credential['entry']): string {
  return String(entry['notAfter'] ?? '~');
}

/** What each Consumer shows to the filters of its namespace that select it, by `namespace/name`. */
export function presentedByAll(config: Config): Map<string, Presented> {
  const filters = config
    .all('FilterChain')
    .flatMap((chain) =>
      chain.value.spec.filters.map((filter) => ({ ...filter, namespace: chain.namespace })),
    );
  return new Map(
    config.all('Consumer').map((consumer) => {
      const headers = new Map<string, string>();
      const cookies = new Map<string, string>();
      const query = new Map<string, string>();
      for (const filter of filters) {
        const selector = selectorOf(filter);
        const type = LISTS[filter.use]?.type;
        if (selector === null || filter.namespace !== consumer.namespace || !hasLabels(consumer, selector))
          continue;
        const { credentials } = consumer.value.spec;
        const basic = credentials.findLast((credential) => credential.basic !== undefined)?.basic;
        if (type === 'basic' && basic !== undefined) {
          const text = Buffer.from(`${basic.username}:${passwordOf(consumer)}`).toString('base64');
          headers.set('authorization', `Basic ${text}`);
        }
        if (type !== 'apiKey' || credentials.every(({ apiKey }) => apiKey === undefined)) continue;
        const place = firstPlace(filter.config);
        const key = passwordOf(consumer);
        if (place.header !== undefined)
          headers.set(
            place.header.toLowerCase(),
            place.scheme === undefined ? key : `${place.scheme} ${key}`,
          );
        else if (place.query !== undefined) query.set(place.query, key);
        else if (place.cookie !== undefined) cookies.set(place.cookie, key);
      }
      if (cookies.size > 0) headers.set('cookie', [...cookies].map((pair) => pair.join('=')).join('; '));
      return [`${consumer.namespace}/${consumer.name}`, { headers: [...headers], query: [...query] }];
    }),
  );
}

interface Place {
  readonly header?: string;
  readonly scheme?: string;
  readonly query?: string;
  readonly cookie?: string;
}

/** Where a filter api-key looks first. Its schema has said what is wrong with it. */
function firstPlace(config: unknown): Place {
  const { from } = config as { readonly from?: unknown };
  const [first] = Array.isArray(from) ? (from as unknown[]) : [];
  return typeof first === 'object' && first !== null ? first : {};
}
