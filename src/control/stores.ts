import type { ServerAddress, StoreSpec } from '../runtime/snapshot.ts';
import type { Assets } from './assets.ts';
import type { Config, UsableObject } from './config.ts';
import type { Path } from './document.ts';
import type { SecretValueRef } from './schema/reference.ts';
import { referredSecret } from './secrets.ts';
import type { ConfigObject } from './validate.ts';

type Chain = UsableObject<'FilterChain'>;

/** Stores of a configuration, as filters name them. */
export class StoreTable {
  readonly #config: Config;
  readonly #assets: Assets;
  readonly #specs = new Map<string, StoreSpec | null>();

  constructor(config: Config, assets: Assets) {
    this.#config = config;
    this.#assets = assets;
    for (const store of config.all('Store')) this.#specs.set(keyOf(store), this.#compile(store));
  }

  /** Of one filter: `store` where it has one. */
  of(chain: Chain, index: number): { store?: StoreSpec } {
    const { store } = chain.value.spec.filters[index]!;
    if (store === undefined) return {};
    const spec = this.#specs.get(`${chain.namespace}/${store}`);
    return spec === undefined || spec === null ? {} : { store: spec };
  }

  /** The one that a field of an object names; null where there is none, which is reported. */
  find(object: ConfigObject, name: string, path: Path): StoreSpec | null {
    const spec = this.#specs.get(`${object.namespace}/${name}`);
    if (spec === undefined && this.#config.find('Store', object.namespace, name) === undefined) {
      const wanted = { kind: 'Store', namespace: object.namespace, name } as const;
      this.#config.reportMissing(object, 'WEIR2117', path, `${object.kind} "${object.name}":`, wanted);
    }
    return spec ?? null;
  }

  /** Reports a Store that is not there, and a filter that counts in none. */
  check(chain: Chain, index: number): void {
    const { name, store, config } = chain.value.spec.filters[index]!;
    const path = ['spec', 'filters', index];
    if (store !== undefined) {
      if (this.#config.find('Store', chain.namespace, store) !== undefined) return;
      const wanted = { kind: 'Store', namespace: chain.namespace, name: store } as const;
      this.#config.reportMissing(chain, 'WEIR2117', [...path, 'store'], `filter "${name}":`, wanted);
      return;
    }
    if (typeof config !== 'object' || config === null || !('scope' in config)) return;
    if (config.scope !== 'cluster') return;
    this.#config.report(
      chain,
      'WEIR2117',
      [...path, 'config', 'scope'],
      `filter "${name}": scope: cluster needs a Store to count in`,
      { hint: 'name one: `store: limits` beside `config`' },
    );
  }

  #compile(store: UsableObject<'Store'>): StoreSpec | null {
    const { redis, keyPrefix, deadline, silence } = store.value.spec;
    const { address, sentinel } = redis;
    const at = ['spec', 'redis'];
    const password = this.#password(store, redis.passwordRef, [...at, 'passwordRef']);
    const theirs = this.#password(store, sentinel?.passwordRef, [...at, 'sentinel', 'passwordRef']);
    if (password === undefined || theirs === undefined) return null;
    return {
      name: keyOf(store),
      addresses: (sentinel?.addresses ?? [address!]).map(readAddress),
      sentinel: sentinel
        ? { master: sentinel.master, username: sentinel.username ?? null, password: theirs }
        : null,
      tls:
        redis.tls === undefined
          ? null
          : {
              serverName: redis.tls.serverName ?? null,
              ca: this.#assets.authorities.get(`Store ${keyOf(store)}`) ?? null,
            },
      username: redis.username ?? null,
      password,
      db: redis.db,
      keyPrefix,
      deadlineMs: deadline,
      silenceMs: silence,
      replicas: redis.replicas,
    };
  }

  /** Null where there is no reference; undefined where what it names is not there, which is reported. */
  #password(
    store: UsableObject<'Store'>,
    ref: SecretValueRef | undefined,
    path: Path,
  ): string | null | undefined {
    if (ref === undefined) return null;
    return referredSecret(this.#config, store, ref, path) ?? undefined;
  }
}

function readAddress(text: string): ServerAddress {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

function keyOf({ namespace, name }: UsableObject<'Store'>): string {
  return `${namespace}/${name}`;
}
