import type { Pseudonyms } from './pseudonyms.ts';

/** Names of members whose values are secrets, in configurations of filters. */
export const SECRET_NAME =
  /secret|password|passwd|token|credential|private|^keys?$|apikey|api[-_]key|^hash(es)?$/i;

/** JSON with pseudonyms for the text below names of secrets; of other text, for all of it. */
export function redactConfiguration(text: string, pseudonyms: Pseudonyms): string {
  if (text === '') return '';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return Buffer.from(pseudonyms.of(Buffer.from(text).toString('latin1')), 'latin1').toString();
  }
  return JSON.stringify(redact(value, false, pseudonyms));
}

function redact(value: unknown, secret: boolean, pseudonyms: Pseudonyms): unknown {
  if (typeof value === 'string') {
    return secret
      ? Buffer.from(pseudonyms.of(Buffer.from(value).toString('latin1')), 'latin1').toString()
      : value;
  }
  if (Array.isArray(value)) return value.map((each) => redact(each, secret, pseudonyms));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      redact(each, secret || SECRET_NAME.test(name), pseudonyms),
    ]),
  );
}
