import { X509Certificate } from 'node:crypto';
import type { Config, UsableObject } from './config.ts';
import type { Path } from './document.ts';
import { resolveBeside, type FileReader } from './files.ts';
import type { AuthoritySource } from './schema/reference.ts';
import { secretValue } from './secrets.ts';
import type { ConfigObject } from './validate.ts';

/** PEM bundles to verify with: of Upstreams by `namespace/name`, of Stores by `Store namespace/name`. */
export async function loadAuthorities(config: Config, reader: FileReader): Promise<Map<string, string>> {
  const authorities = new Map<string, string>();
  for (const upstream of config.all('Upstream')) {
    const ca = upstream.value.spec.tls?.ca;
    if (ca === undefined) continue;
    const bundle = await readBundle(config, upstream, ['spec', 'tls', 'ca'], ca, reader);
    if (bundle !== null) authorities.set(`${upstream.namespace}/${upstream.name}`, bundle);
  }
  for (const store of config.all('Store')) {
    const ca = store.value.spec.redis.tls?.ca;
    if (ca === undefined) continue;
    const bundle = await readBundle(config, store, ['spec', 'redis', 'tls', 'ca'], ca, reader);
    if (bundle !== null) authorities.set(`Store ${store.namespace}/${store.name}`, bundle);
  }
  return authorities;
}

/**
 * The PEM bundle that a field of an object names.
 *
 * @param at where the field is
 * @returns null where there is none that can be used, which is reported
 */
export async function readBundle(
  config: Config,
  object: ConfigObject,
  at: Path,
  source: AuthoritySource,
  reader: FileReader,
): Promise<string | null> {
  if (source.file !== undefined) return fileBundle(config, object, at, source.file, reader);
  const kind = source.secret === undefined ? 'ConfigMap' : 'Secret';
  const field = source.secret === undefined ? 'configMap' : 'secret';
  const { name } = (source.secret ?? source.configMap)!;
  return storedBundle(config, object, [...at, field], { kind, namespace: object.namespace, name });
}

async function fileBundle(
  config: Config,
  object: ConfigObject,
  at: Path,
  path: string,
  reader: FileReader,
): Promise<string | null> {
  const file = resolveBeside(object.document.file, path);
  const read = await reader.text(file);
  const where = [...at, 'file'];
  if (typeof read !== 'string') return checked(config, object, where, read.text);
  config.report(object, 'WEIR1301', where, `${file} ${read}`);
  return null;
}

/**
 * `ca.crt` of a ConfigMap or a Secret.
 *
 * @param at where the object is named
 * @returns null where there is none that can be used, which is reported
 */
export function storedBundle(
  config: Config,
  object: ConfigObject,
  at: Path,
  wanted: { readonly kind: 'ConfigMap' | 'Secret'; readonly namespace: string; readonly name: string },
): string | null {
  const { kind, namespace, name } = wanted;
  const path = [...at, 'name'];
  const found = config.find(kind, namespace, name);
  if (found === undefined) {
    config.reportMissing(
      object,
      'WEIR2108',
      path,
      `${at.findLast((part) => typeof part === 'string')}:`,
      wanted,
    );
    return null;
  }
  if (found.value === null) return null;
  const text =
    kind === 'Secret'
      ? secretValue(found as UsableObject<'Secret'>, 'ca.crt')?.text
      : (found as UsableObject<'ConfigMap'>).value.data['ca.crt'];
  if (text !== undefined) return checked(config, object, path, text);
  config.report(object, 'WEIR2108', path, `${kind} ${namespace}/${name} has no ca.crt`);
  return null;
}

function checked(config: Config, object: ConfigObject, path: Path, text: string): string | null {
  const faulty = checkBundle(text);
  if (faulty === null) return text;
  config.report(object, 'WEIR1301', path, faulty);
  return null;
}

function checkBundle(pem: string): string | null {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) return 'the bundle holds no certificate in PEM form';
  try {
    for (const block of blocks) new X509Certificate(block);
    return null;
  } catch {
    return 'the bundle holds something that is not a certificate';
  }
}
