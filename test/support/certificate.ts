import { createSign, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';

/** A certificate for tests, with its key. P-256, signed with ECDSA and SHA-256. */
export interface TestCertificate {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly name: string;
  readonly key: KeyObject;
}

export interface CertificateOptions {
  /** DNS names; the first one is the common name too. */
  readonly names: readonly string[];
  readonly uris?: readonly string[];
  /** Its subject's organization, before the common name. */
  readonly organization?: string;
  /** Signs the certificate; itself where left out. */
  readonly issuer?: TestCertificate;
  readonly authority?: boolean;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

/** Makes a certificate without any tool of the machine (X.509 version 3, RFC 5280). */
export function makeCertificate(options: CertificateOptions): TestCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = options.names[0]!;
  const notBefore = options.notBefore ?? new Date(Date.now() - 3_600_000);
  const notAfter = options.notAfter ?? new Date(Date.now() + 30 * 86_400_000);
  const algorithm = sequence(objectId('1.2.840.10045.4.3.2'));
  const serial = randomBytes(8);
  serial[0]! &= 0x7f;
  const body = sequence(
    tagged(0xa0, tagged(0x02, Buffer.from([2]))),
    tagged(0x02, Buffer.concat([Buffer.from([0x01]), serial])),
    algorithm,
    distinguishedName(options.issuer?.name ?? name),
    sequence(time(notBefore), time(notAfter)),
    distinguishedName(name, options.organization),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions(options))),
  );
  const signature = createSign('sha256')
    .update(body)
    .sign(options.issuer?.key ?? privateKey);
  const der = sequence(body, algorithm, tagged(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = der.toString('base64').match(/.{1,64}/g)!;
  return {
    certificatePem: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    name,
    key: privateKey,
  };
}

function extensions({ names, uris = [], authority }: CertificateOptions): Buffer[] {
  const alternatives = [
    ...names.map((name) => tagged(0x82, Buffer.from(name, 'latin1'))),
    ...uris.map((uri) => tagged(0x86, Buffer.from(uri, 'latin1'))),
  ];
  const list = [extension('2.5.29.17', false, sequence(...alternatives))];
  // basicConstraints: critical, cA true.
  if (authority === true)
    list.push(extension('2.5.29.19', true, sequence(tagged(0x01, Buffer.from([0xff])))));
  return list;
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  const flag = critical ? [tagged(0x01, Buffer.from([0xff]))] : [];
  return sequence(objectId(id), ...flag, tagged(0x04, value));
}

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const size = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function objectId(text: string): Buffer {
  const [first, second, ...rest] = text.split('.').map(Number) as [number, number, ...number[]];
  const bytes = [40 * first + second];
  for (const part of rest) {
    const digits = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return tagged(0x06, Buffer.from(bytes));
}

function distinguishedName(name: string, organization?: string): Buffer {
  const part = (id: string, value: string): Buffer =>
    tagged(0x31, sequence(objectId(id), tagged(0x0c, Buffer.from(value))));
  const parts = organization === undefined ? [] : [part('2.5.4.10', organization)];
  return sequence(...parts, part('2.5.4.3', name));
}

function time(date: Date): Buffer {
  const text = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return tagged(0x18, Buffer.from(text));
}
