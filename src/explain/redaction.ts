import { isSecretName } from '../runtime/wasm/secret-fields.ts';
import { SECRET_NAME } from '../runtime/wasm/tap/configuration.ts';
import type { Explanation } from './explanation.ts';
import type { Edit, Fields } from './trace.ts';

const HIDDEN = '[redacted]';
/** Names of fields and of query parameters that may carry a credential, besides those that are known to. */
const TELLING = /(^|[-_])(auth|key|sid)$|^authoriz|-authoriz|session|signature|csrf|xsrf/i;
const PARAMETER = /([?&][\w.~%[\]-]+)=([^&#]+)/g;
/** What is shorter stands in its own field alone: it might be any word. */
const SHORTEST = 6;

/** Takes the credentials of a request out of its explanation, wherever they appear. */
export class Redaction {
  readonly #fields: ReadonlySet<string>;

  /** @param fields names of further fields whose values are secret */
  constructor(fields: readonly string[]) {
    this.#fields = new Set(fields.map((name) => name.toLowerCase()));
  }

  /** @param head of the request, as it came */
  of({ filters, sent, ...rest }: Explanation, head: Fields): Explanation {
    const edits = filters.flatMap(({ request, response }) => [...request, ...response]);
    const values = edits.flatMap(({ name, before, after }) => [
      [name, before ?? ''] as const,
      [name, after ?? ''] as const,
    ]);
    const all = [...head, ...values, ...sent];
    const secrets = all.flatMap(([name, value]) => this.#secretsOf(name, value));
    const clean = hiding(secrets);
    const field = (name: string, value: string): string =>
      this.#isSecret(name) ? HIDDEN : clean(value.replace(PARAMETER, hideParameter));
    const edit = ({ name, before, after }: Edit): Edit => ({
      name,
      before: before === null ? null : field(name, before),
      after: after === null ? null : field(name, after),
    });
    return {
      ...mapTexts(rest, clean),
      filters: filters.map((filter) => ({
        ...filter,
        told: clean(filter.told),
        request: filter.request.map(edit),
        response: filter.response.map(edit),
      })),
      sent: sent.map(([name, value]) => [name, field(name, value)]),
    };
  }

  #isSecret(name: string): boolean {
    const bytes = Buffer.from(name, 'latin1');
    return (
      isSecretName(bytes, 0, bytes.length) ||
      SECRET_NAME.test(name) ||
      TELLING.test(name) ||
      this.#fields.has(name)
    );
  }

  /** What may not stand elsewhere either: of credentials with a scheme what is behind it, of cookies each value. */
  #secretsOf(name: string, value: string): string[] {
    const parameters = [...value.matchAll(PARAMETER)].filter(([, key]) => isSecretParameter(key!));
    const found = parameters.map(([, , secret]) => secret!);
    if (!this.#isSecret(name)) return found;
    const [, credentials = value] = /^[A-Za-z][\w-]* +(\S.*)$/.exec(value) ?? [];
    // Who it is may be told, as by filters behind; the password not.
    const [, password = ''] = /^[^:]*:([\s\S]*)$/.exec(Buffer.from(credentials, 'base64').toString()) ?? [];
    const pairs = [...value.matchAll(/=\s*"?([^";,\s]+)/g)].map(([, part]) => part!);
    return [...found, value, credentials, password, ...pairs];
  }
}

/** The same without these texts, wherever they stand in it. */
export function withoutTexts<T>(value: T, secrets: readonly string[]): T {
  return secrets.length === 0 ? value : mapTexts(value, hiding(secrets));
}

function hiding(secrets: readonly string[]): (text: string) => string {
  // The longest first: another may be a part of it.
  const known = [...new Set(secrets)]
    .filter(({ length }) => length >= SHORTEST)
    .sort((a, b) => b.length - a.length);
  return (text) => known.reduce((left, each) => left.replaceAll(each, HIDDEN), text);
}

function isSecretParameter(text: string): boolean {
  const name = text.slice(1);
  return SECRET_NAME.test(name) || TELLING.test(name);
}

function hideParameter(all: string, name: string): string {
  return isSecretParameter(name) ? `${name}=${HIDDEN}` : all;
}

function mapTexts<T>(value: T, change: (text: string) => string): T {
  if (typeof value === 'string') return change(value) as T;
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((each: unknown) => mapTexts(each, change)) as T;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, mapTexts(each, change)])) as T;
}
