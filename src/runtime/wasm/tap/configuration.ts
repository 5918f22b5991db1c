import type { Pseudonyms } from './pseudonyms.ts';

/** Names of members whose values are secrets, in configurations of filters. */
export const SECRET_NAME =
  /secret|password|passwd|token|credential|private|^keys?$|apikey|api[-_]key|^hash(es)?$/i;
/** Among the names of secrets: all of the configuration is one. */
export const EVERYTHING = '*';

/** Whether all below a member is secret. @param secrets names that the filter's schema marks as such */
export function isSecretMember(name: string, secrets: readonly string[]): boolean {
  return SECRET_NAME.test(name) || secrets.includes(name);
}

/**
 * JSON with pseudonyms for the text and the numbers below names of secrets; of other text, for all of it.
 *
 * @param secrets names that the filter's schema marks as secret
 */
export function redactConfiguration(
  text: string,
  pseudonyms: Pseudonyms,
  secrets: readonly string[] = [],
): string {
  if (text === '') return '';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return pseudonymOf(text, pseudonyms);
  }
  return JSON.stringify(redact(value, secrets.includes(EVERYTHING), pseudonyms, secrets));
}

function redact(
  value: unknown,
  secret: boolean,
  pseudonyms: Pseudonyms,
  secrets: readonly string[],
): unknown {
  if (typeof value === 'string') return secret ? pseudonymOf(value, pseudonyms) : value;
  if (typeof value === 'number') return secret ? Number(pseudonymOf(String(value), pseudonyms)) || 0 : value;
  if (Array.isArray(value)) return value.map((each) => redact(each, secret, pseudonyms, secrets));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      redact(each, secret || isSecretMember(name, secrets), pseudonyms, secrets),
    ]),
  );
}

function pseudonymOf(text: string, pseudonyms: Pseudonyms): string {
  return Buffer.from(pseudonyms.of(Buffer.from(text).toString('latin1')), 'latin1').toString();
}
