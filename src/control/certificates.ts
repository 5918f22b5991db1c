import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { CertificateSpec } from '../runtime/snapshot.ts';
import type { Config, UsableObject } from './config.ts';
import type { Path } from './document.ts';
import { resolveBeside, type FileReader } from './files.ts';
import { secretValue } from './secrets.ts';
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
