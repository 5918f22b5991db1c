import { createHash } from 'node:crypto';
import type { Config, UsableObject } from './config.ts';
import type { Path } from './document.ts';
import { hasLabels } from './labels.ts';
import { listNames } from './nearest.ts';
import type { CredentialSpec, CredentialType } from './schema/consumer.ts';
import type { FilterConfig } from './schema/filter-chain.ts';
import type { SecretValueRef } from './schema/reference.ts';
import { referredSecret } from './secrets.ts';

type Consumer = UsableObject<'Consumer'>;

/** What a filter is handed of one credential, beside whose it is. */
type Fields = Readonly<Record<string, unknown>>;

export interface Credential {
  readonly consumer: Consumer;
  readonly type: CredentialType;
  /** Under the consumer. */
  readonly path: Path;
  /** An entry of the list in a filter's configuration. */
  readonly entry: Fields;
}

/** Filters that know Consumers: which of their credentials, and the list of the configuration that they go into. */
export const LISTS: Readonly<Record<string, { readonly type: CredentialType; readonly list: string }>> = {
  'api-key': { type: 'apiKey', list: 'keys' },
  basic: { type: 'basic', list: 'users' },
  hmac: { type: 'hmac', list: 'keys' },
  jwt: { type: 'jwt', list: 'consumers' },
  mtls: { type: 'mtls', list: 'identities' },
};

/** Asks for Consumers in the configuration of a filter: all of the namespace that have these labels. */
const SELECTOR = 'consumerLabel';

/** Of an HMAC: as long as its digest (RFC 2104, section 3). */
const LEAST_SECRET = 32;

/**
 * Consumers as lists in the configurations of the filters that ask for them, so that a filter knows nothing of the
 * kind and works with a written list elsewhere.
 */
export class ConsumerTable {
  readonly #config: Config;
  readonly #credentials: readonly Credential[];

  /** @param standIns makes further credentials of those that there are, for tests */
  constructor(config: Config, standIns: ((credentials: readonly Credential[]) => Credential[]) | null) {
    this.#config = config;
    this.#credentials = config.all('Consumer').flatMap((consumer) => this.#credentialsOf(consumer));
    this.#checkUnique();
    if (standIns !== null) this.#credentials = [...this.#credentials, ...standIns(this.#credentials)];
  }

  /** The configuration that a filter's module receives; what it selects wrongly is reported. */
  expand(chain: UsableObject<'FilterChain'>, index: number): unknown {
    const { use, config } = chain.value.spec.filters[index]!;
    const known = LISTS[use];
    const selector = selectorOf({ use, config });
    if (known === undefined || selector === null) return config;
    const { [SELECTOR]: _selector, [known.list]: written, ...rest } = config as Fields;
    const found = this.#credentials.filter(
      ({ type, consumer }) =>
        type === known.type && consumer.namespace === chain.namespace && hasLabels(consumer, selector),
    );
    if (found.length === 0) this.#reportNobody(chain, index, known.type, selector);
    return {
      ...rest,
      [known.list]: [
        ...(Array.isArray(written) ? (written as unknown[]) : []),
        ...found.map(({ entry }) => entry),
      ],
    };
  }

  #reportNobody(
    chain: UsableObject<'FilterChain'>,
    index: number,
    type: CredentialType,
    selector: Readonly<Record<string, string>>,
  ): void {
    const filter = chain.value.spec.filters[index]!;
    const labels = Object.entries(selector).map(([key, value]) => `${key}=${value}`);
    const who = labels.length === 0 ? '' : ` labelled ${labels.join(', ')}`;
    const known = this.#config.names('Consumer', chain.namespace);
    this.#config.report(
      chain,
      'WEIR3030',
      ['spec', 'filters', index, 'config', SELECTOR],
      `filter "${filter.name}": no Consumer of namespace ${chain.namespace}${who} has a credential ${type}`,
      {
        severity: 'warning',
        notes: [known.length > 0 ? `Consumers there: ${listNames(known)}` : 'the namespace has no Consumer'],
      },
    );
  }

  #credentialsOf(consumer: Consumer): Credential[] {
    const { name, labels } = consumer.value.metadata;
    const { plan, credentials } = consumer.value.spec;
    const owner = {
      name,
      ...(plan === undefined ? {} : { plan }),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
    };
    const found: Credential[] = [];
    for (const [i, credential] of credentials.entries()) {
      const path = ['spec', 'credentials', i];
      for (const [type, fields] of this.#fieldsOf(consumer, credential, path)) {
        const { notAfter } = credential;
        // One spelling, so that filters need to read no other.
        const end = notAfter === undefined ? {} : { notAfter: new Date(notAfter).toISOString() };
        found.push({ consumer, type, path: [...path, type], entry: { ...owner, ...fields, ...end } });
      }
    }
    return found;
  }

  *#fieldsOf(
    consumer: Consumer,
    { apiKey, basic, hmac, jwt, mtls }: CredentialSpec,
    path: Path,
  ): Generator<[CredentialType, Fields]> {
    if (apiKey !== undefined) {
      const digest =
        apiKey.sha256?.toLowerCase() ?? this.#secretDigest(consumer, apiKey.secretRef!, [...path, 'apiKey']);
      if (digest !== null) yield ['apiKey', { sha256: digest }];
    }
    if (basic !== undefined) {
      const { username, hash, secretRef } = basic;
      const digest =
        secretRef === undefined
          ? basic.sha256?.toLowerCase()
          : this.#secretDigest(consumer, secretRef, [...path, 'basic']);
      if (hash !== undefined) yield ['basic', { username, hash }];
      else if (digest != null) yield ['basic', { username, sha256: digest }];
    }
    if (hmac !== undefined) {
      const fields = this.#hmacFields(consumer, hmac, [...path, 'hmac']);
      if (fields !== null) yield ['hmac', fields];
    }
    if (jwt !== undefined) yield ['jwt', jwt];
    if (mtls !== undefined) yield ['mtls', mtls];
  }

  /** Null where the secret is not there or too short, which is reported. It has to be known itself: no digest will do. */
  #hmacFields(consumer: Consumer, spec: NonNullable<CredentialSpec['hmac']>, path: Path): Fields | null {
    const { keyId: id, algorithm, secretRef, encoding, jwk } = spec;
    if (secretRef === undefined) return { id, algorithm, jwk };
    const text = referredSecret(this.#config, consumer, secretRef, [...path, 'secretRef']);
    if (text === null) return null;
    const bytes = Buffer.from(text, encoding === 'Base64' ? 'base64' : 'utf8');
    const isBase64 = encoding !== 'Base64' || bytes.toString('base64') === text.trim();
    if (isBase64 && bytes.length >= LEAST_SECRET)
      return { id, algorithm, secretBase64: bytes.toString('base64') };
    const { name, key } = secretRef;
    const fault = isBase64 ? `has ${bytes.length} bytes, ${LEAST_SECRET} is the least` : 'is not base64';
    const message = `value "${key}" of Secret ${consumer.namespace}/${name} ${fault}`;
    this.#config.report(consumer, 'WEIR1046', [...path, 'secretRef', 'key'], message);
    return null;
  }

  /** SHA-256 of a value of a Secret, in hexadecimal; null where it is not there, which is reported. */
  #secretDigest(consumer: Consumer, ref: SecretValueRef, path: Path): string | null {
    const text = referredSecret(this.#config, consumer, ref, [...path, 'secretRef']);
    return text === null ? null : createHash('sha256').update(text).digest('hex');
  }

  /** One credential must not lead to two consumers, nor stand twice. */
  #checkUnique(): void {
    const seen = new Map<string, Credential>();
    for (const credential of this.#credentials) {
      const { consumer, type, path, entry } = credential;
      const key = `${consumer.namespace} ${type} ${identityOf(type, entry)}`;
      const first = seen.get(key);
      // A user may have two passwords, so that one can take over from the other.
      if (first === undefined || (type === 'basic' && first.consumer === consumer)) {
        seen.set(key, credential);
        continue;
      }
      const both =
        first.consumer === consumer
          ? `Consumer ${consumer.name} has this credential twice`
          : `Consumers ${first.consumer.name} and ${consumer.name} have the same credential`;
      this.#config.report(consumer, 'WEIR2020', path, both, {
        related: [first.consumer.document.place(first.path)],
      });
    }
  }
}

/** Null where a filter asks for no Consumers. Its schema says what is wrong with a selector. */
export function selectorOf({
  config,
}: Pick<FilterConfig, 'use' | 'config'>): Readonly<Record<string, string>> | null {
  if (typeof config !== 'object' || config === null) return null;
  const selector = (config as Fields)[SELECTOR];
  return typeof selector === 'object' && selector !== null ? (selector as Record<string, string>) : null;
}

/** What must lead to one consumer alone. */
function identityOf(type: CredentialType, entry: Fields): string {
  switch (type) {
    case 'apiKey':
      return String(entry['sha256']);
    case 'basic':
      return String(entry['username']);
    case 'hmac':
      return String(entry['id']);
    case 'mtls':
      return JSON.stringify([
        entry['uri'] ?? entry['spiffe'],
        ...['dns', 'sha256'].map((part) => String(entry[part] ?? '').toLowerCase()),
        entry['subject'],
      ]);
    case 'jwt':
      return JSON.stringify([entry['issuer'], [entry['claim']].flat(), entry['equals']]);
  }
}
