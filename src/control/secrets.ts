import type { Config, UsableObject } from './config.ts';
import type { Path } from './document.ts';
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
