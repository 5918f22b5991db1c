import type { Config, UsableObject } from './config.ts';
import type { Path } from './document.ts';
import { listNames, suggest } from './nearest.ts';
import type { SecretValueRef } from './schema/reference.ts';
import type { ConfigObject } from './validate.ts';

/** A value of a Secret; stringData wins over data, as in Kubernetes. */
export function secretValue(
  secret: UsableObject<'Secret'>,
  key: string,
): { readonly text: string; readonly path: Path } | null {
  const { data, stringData } = secret.value;
  if (Object.hasOwn(stringData, key)) return { text: stringData[key]!, path: ['stringData', key] };
  if (Object.hasOwn(data, key))
    return { text: Buffer.from(data[key]!, 'base64').toString('utf8'), path: ['data', key] };
  return null;
}

/** The Secret that an object of the same namespace names; null where there is none, which is reported. */
export function findSecret(
  config: Config,
  object: ConfigObject,
  name: string,
  path: Path,
): UsableObject<'Secret'> | null {
  const found = config.find('Secret', object.namespace, name);
  if (found === undefined) {
    const wanted = { kind: 'Secret', namespace: object.namespace, name } as const;
    config.reportMissing(object, 'WEIR2113', path, `${object.kind} "${object.name}":`, wanted);
    return null;
  }
  return found.value === null ? null : (found as UsableObject<'Secret'>);
}

/**
 * The text that a field of an object refers to.
 *
 * @param path of the field
 * @returns null where it is not there or empty, which is reported
 */
export function referredSecret(
  config: Config,
  object: ConfigObject,
  ref: SecretValueRef,
  path: Path,
): string | null {
  const secret = findSecret(config, object, ref.name, [...path, 'name']);
  if (secret === null) return null;
  const value = secretValue(secret, ref.key);
  if (value !== null && value.text !== '') return value.text;
  const known = [...Object.keys(secret.value.data), ...Object.keys(secret.value.stringData)];
  config.report(
    object,
    'WEIR2115',
    [...path, 'key'],
    `Secret ${secret.namespace}/${secret.name} has no value "${ref.key}"`,
    {
      hint: suggest(ref.key, known),
      notes: [known.length > 0 ? `its values: ${listNames(known)}` : 'it is empty'],
    },
  );
  return null;
}
