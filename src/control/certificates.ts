import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { CertificateSpec } from '../runtime/snapshot.ts';
import type { Config, UsableObject } from './config.ts';
import type { Path } from './document.ts';
import { resolveBeside, type FileReader } from './files.ts';
import type { ConfigObject } from './validate.ts';

/** A certificate with its key as text, and where each of them was written. */
interface Pair {
  readonly object: ConfigObject;
  readonly chainPem: string;
  readonly chainPath: Path;
  readonly keyPem: string;
  readonly keyPath: Path;
}

/**
 * Certificates of Secrets (type kubernetes.io/tls) and Certificates that Gateways refer to, by
 * `kind/namespace/name`. Faults are reported in `config`; messages never hold key material.
 *
 * @param now milliseconds since 1970, to warn of certificates outside their period
 */
export async function loadCertificates(
  config: Config,
  reader: FileReader,
  now: number,
): Promise<Map<string, CertificateSpec>> {
  const certificates = new Map<string, CertificateSpec>();
  const wanted = referredCertificates(config);
  for (const secret of config.all('Secret')) {
    const key = `Secret/${secret.namespace}/${secret.name}`;
    if (!wanted.has(key)) continue;
    const pair = secretPair(config, secret);
    const spec = pair === null ? null : checkPair(config, pair, now);
    if (spec !== null) certificates.set(key, spec);
  }
  for (const certificate of config.all('Certificate')) {
    const pair = await filePair(config, certificate, reader);
    const spec = pair === null ? null : checkPair(config, pair, now);
    if (spec !== null) certificates.set(`Certificate/${certificate.namespace}/${certificate.name}`, spec);
  }
  return certificates;
}

function referredCertificates(config: Config): Set<string> {
  const wanted = new Set<string>();
  for (const gateway of config.all('Gateway')) {
    for (const listener of gateway.value.spec.listeners) {
      for (const reference of listener.tls?.certificateRefs ?? []) {
        wanted.add(`${reference.kind}/${reference.namespace ?? gateway.namespace}/${reference.name}`);
      }
    }
  }
  return wanted;
}

/** A value of a Secret; stringData wins over data, as in Kubernetes. */
function secretValue(secret: UsableObject<'Secret'>, key: string): { text: string; path: Path } | null {
  const { data, stringData } = secret.value;
  if (Object.hasOwn(stringData, key)) return { text: stringData[key]!, path: ['stringData', key] };
  if (Object.hasOwn(data, key))
    return { text: Buffer.from(data[key]!, 'base64').toString('utf8'), path: ['data', key] };
  return null;
}

function secretPair(config: Config, secret: UsableObject<'Secret'>): Pair | null {
  const chain = secretValue(secret, 'tls.crt');
  const key = secretValue(secret, 'tls.key');
  for (const [name, value] of Object.entries({ 'tls.crt': chain, 'tls.key': key })) {
    if (value !== null) continue;
    config.report(
      secret,
      'WEIR1301',
      ['metadata', 'name'],
      `Secret ${secret.namespace}/${secret.name} is used as a certificate but has no ${name}`,
    );
  }
  if (chain === null || key === null) return null;
  return { object: secret, chainPem: chain.text, chainPath: chain.path, keyPem: key.text, keyPath: key.path };
}

async function filePair(
  config: Config,
  certificate: UsableObject<'Certificate'>,
  reader: FileReader,
): Promise<Pair | null> {
  const { spec } = certificate.value;
  const read = async (field: 'certificate' | 'privateKey') => {
    const path = ['spec', field, 'file'];
    const file = resolveBeside(certificate.document.file, spec[field].file);
    const result = await reader.text(file);
    if (typeof result === 'string') {
      config.report(certificate, 'WEIR1301', path, `${file} ${result}`);
      return null;
    }
    return { text: result.text, path, file };
  };
  const chain = await read('certificate');
  const key = await read('privateKey');
  if (chain === null || key === null) return null;
  const { mode } = await stat(key.file);
  if ((mode & 0o007) !== 0) {
    const octal = (mode & 0o777).toString(8).padStart(4, '0');
    config.report(
      certificate,
      'WEIR1303',
      key.path,
      `private key file ${key.file} is open to every user of the machine (mode ${octal})`,
    );
    return null;
  }
  return {
    object: certificate,
    chainPem: chain.text,
    chainPath: chain.path,
    keyPem: key.text,
    keyPath: key.path,
  };
}

function checkPair(config: Config, pair: Pair, now: number): CertificateSpec | null {
  let leaf: X509Certificate;
  let key: KeyObject;
  try {
    leaf = new X509Certificate(pair.chainPem);
  } catch {
    config.report(pair.object, 'WEIR1301', pair.chainPath, 'is not a certificate in PEM form');
    return null;
  }
  try {
    key = createPrivateKey(pair.keyPem);
  } catch {
    config.report(pair.object, 'WEIR1301', pair.keyPath, 'is not an unencrypted private key in PEM form');
    return null;
  }
  if (!leaf.checkPrivateKey(key)) {
    const related = [pair.object.document.place(pair.chainPath)];
    config.report(
      pair.object,
      'WEIR1302',
      pair.keyPath,
      'the private key does not belong to the certificate',
      { related },
    );
    return null;
  }
  if (now < Date.parse(leaf.validFrom) || now > Date.parse(leaf.validTo)) {
    const message = `the certificate is valid from ${leaf.validFrom} to ${leaf.validTo}`;
    config.report(pair.object, 'WEIR3008', pair.chainPath, message, { severity: 'warning' });
  }
  return { chainPem: pair.chainPem, keyPem: pair.keyPem, names: namesOf(leaf) };
}

/** DNS names of the certificate; its common name where it has none. */
function namesOf(leaf: X509Certificate): string[] {
  const names = [...(leaf.subjectAltName ?? '').matchAll(/DNS:([^,\s"]+)/g)].map((found) =>
    found[1]!.toLowerCase(),
  );
  if (names.length > 0) return names;
  const common = /(?:^|\n)CN=([^\n]+)/.exec(leaf.subject)?.[1];
  return common === undefined ? [] : [common.toLowerCase()];
}

/** PEM bundles that Upstreams verify with, by `namespace/name`. */
export async function loadAuthorities(config: Config, reader: FileReader): Promise<Map<string, string>> {
  const authorities = new Map<string, string>();
  for (const upstream of config.all('Upstream')) {
    const ca = upstream.value.spec.tls?.ca;
    if (ca === undefined) continue;
    const source =
      ca.file === undefined
        ? storedBundle(config, upstream)
        : await fileBundle(config, upstream, ca.file, reader);
    if (source === null) continue;
    const faulty = checkBundle(source.text);
    if (faulty === null) authorities.set(`${upstream.namespace}/${upstream.name}`, source.text);
    else config.report(upstream, 'WEIR1301', source.path, faulty);
  }
  return authorities;
}

type Source = { readonly text: string; readonly path: Path } | null;

async function fileBundle(
  config: Config,
  upstream: UsableObject<'Upstream'>,
  path: string,
  reader: FileReader,
): Promise<Source> {
  const file = resolveBeside(upstream.document.file, path);
  const read = await reader.text(file);
  const at = ['spec', 'tls', 'ca', 'file'];
  if (typeof read !== 'string') return { text: read.text, path: at };
  config.report(upstream, 'WEIR1301', at, `${file} ${read}`);
  return null;
}

function storedBundle(config: Config, upstream: UsableObject<'Upstream'>): Source {
  const ca = upstream.value.spec.tls!.ca!;
  const kind = ca.secret === undefined ? 'ConfigMap' : 'Secret';
  const field = ca.secret === undefined ? 'configMap' : 'secret';
  const { name } = (ca.secret ?? ca.configMap)!;
  const path = ['spec', 'tls', 'ca', field, 'name'];
  const found = config.find(kind, upstream.namespace, name);
  if (found === undefined) {
    config.reportMissing(upstream, 'WEIR2108', path, 'ca:', { kind, namespace: upstream.namespace, name });
    return null;
  }
  if (found.value === null) return null;
  const text =
    kind === 'Secret'
      ? secretValue(found as UsableObject<'Secret'>, 'ca.crt')?.text
      : (found as UsableObject<'ConfigMap'>).value.data['ca.crt'];
  if (text !== undefined) return { text, path };
  config.report(upstream, 'WEIR2108', path, `${kind} ${upstream.namespace}/${name} has no ca.crt`);
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
