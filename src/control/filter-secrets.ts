import type { Config, UsableObject } from './config.ts';
import type { Path } from './document.ts';
import { referredSecret } from './secrets.ts';

type Chain = UsableObject<'FilterChain'>;

/** Members of configurations whose values came from Secrets, by `namespace/chain#filter`. */
export type SecretMembers = ReadonlyMap<string, readonly string[]>;

export interface FilterSecrets {
  readonly members: SecretMembers;
  /** The values themselves, which nothing that is printed may show. */
  readonly texts: readonly string[];
}

/**
 * Puts the values of Secrets in the place of references in configurations of filters: `{secretRef: {name, key}}`, with an
 * optional `prefix` beside it. What cannot be found is reported.
 */
export function resolveFilterSecrets(config: Config): FilterSecrets {
  const members = new Map<string, readonly string[]>();
  const texts = new Set<string>();
  for (const chain of config.all('FilterChain')) {
    for (const [i, filter] of chain.value.spec.filters.entries()) {
      const resolver = new Resolver(config, chain, texts);
      filter.config = resolver.resolve(filter.config, ['spec', 'filters', i, 'config'], '');
      if (resolver.members.size > 0)
        members.set(`${chain.namespace}/${chain.name}#${filter.name}`, [...resolver.members]);
    }
  }
  return { members, texts: [...texts] };
}

class Resolver {
  readonly members = new Set<string>();
  readonly #config: Config;
  readonly #chain: Chain;
  readonly #texts: Set<string>;

  constructor(config: Config, chain: Chain, texts: Set<string>) {
    this.#config = config;
    this.#chain = chain;
    this.#texts = texts;
  }

  /** @param member that the value is below, the nearest */
  resolve(value: unknown, path: Path, member: string): unknown {
    if (Array.isArray(value)) return value.map((each, i) => this.resolve(each, [...path, i], member));
    if (value === null || typeof value !== 'object') return value;
    if ('secretRef' in value) return this.#referred(value, path, member);
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, this.resolve(each, [...path, name], name)]),
    );
  }

  #referred(value: { secretRef: unknown; prefix?: unknown }, path: Path, member: string): unknown {
    const { secretRef, prefix = '', ...rest } = value;
    const { name, key, ...more } = (secretRef ?? {}) as Record<string, unknown>;
    const whole = Object.keys({ ...rest, ...more }).length === 0;
    if (!whole || typeof name !== 'string' || typeof key !== 'string' || typeof prefix !== 'string') {
      const message =
        'a value from a Secret is {secretRef: {name, key}}, with an optional prefix beside secretRef';
      this.#config.report(this.#chain, 'WEIR1046', [...path, 'secretRef'], message);
      return '';
    }
    if (member !== '') this.members.add(member);
    const text = referredSecret(this.#config, this.#chain, { name, key }, [...path, 'secretRef']);
    if (text === null) return '';
    this.#texts.add(text);
    return prefix + text;
  }
}
