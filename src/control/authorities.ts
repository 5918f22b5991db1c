import { X509Certificate } from 'node:crypto';
import type { Config, UsableObject } from './config.ts';
import type { Path } from './document.ts';
import { resolveBeside, type FileReader } from './files.ts';
import type { AuthoritySource } from './schema/reference.ts';
import { secretValue } from './secrets.ts';
import type { ConfigObject } from './validate.ts';

/** PEM bundles that Upstreams verify with, by `namespace/name`. */
export async function loadAuthorities(config: Config, reader: FileReader): Promise<Map<string, string>> {
  const authorities = new Map<string, string>();
  for (const upstream of config.all('Upstream')) {
    const ca = upstream.value.spec.tls?.ca;
    if (ca === undefined) continue;
    const bundle = await readBundle(config, upstream, ['spec', 'tls', 'ca'], ca, reader);
    if (bundle !== null) authorities.set(`${upstream.namespace}/${upstream.name}`, bundle);
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
  const found =
    source.file === undefined
      ? storedBundle(config, object, at, source)
      : await fileBundle(config, object, at, source.file, reader);
  if (found === null) return null;
  const faulty = checkBundle(found.text);
  if (faulty === null) return found.text;
  config.report(object, 'WEIR1301', found.path, faulty);
  return null;
}

type Bundle = { readonly text: string; readonly path: Path } | null;

async function fileBundle(
  config: Config,
  object: ConfigObject,
  at: Path,
  path: string,
  reader: FileReader,
): Promise<Bundle> {
  const file = resolveBeside(object.document.file, path);
  const read = await reader.text(file);
  const where = [...at, 'file'];
  if (typeof read !== 'string') return { text: read.text, path: where };
  config.report(object, 'WEIR1301', where, `${file} ${read}`);
  return null;
}

function storedBundle(config: Config, object: ConfigObject, at: Path, source: AuthoritySource): Bundle {
  const kind = source.secret === undefined ? 'ConfigMap' : 'Secret';
  const field = source.secret === undefined ? 'configMap' : 'secret';
  const { name } = (source.secret ?? source.configMap)!;
  const path = [...at, field, 'name'];
  const { namespace } = object;
  const found = config.find(kind, namespace, name);
  if (found === undefined) {
    config.reportMissing(object, 'WEIR2108', path, `${String(at.at(-1))}:`, { kind, namespace, name });
    return null;
  }
  if (found.value === null) return null;
  const text =
    kind === 'Secret'
      ? secretValue(found as UsableObject<'Secret'>, 'ca.crt')?.text
      : (found as UsableObject<'ConfigMap'>).value.data['ca.crt'];
  if (text !== undefined) return { text, path };
  config.report(object, 'WEIR2108', path, `${kind} ${namespace}/${name} has no ca.crt`);
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
