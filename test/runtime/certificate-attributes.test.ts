import { X509Certificate } from 'node:crypto';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { certificateRows, showsValidCertificate } from '../../src/runtime/certificate-attributes.ts';
import type { AttributeValue } from '../../src/runtime/wasm/stream-host.ts';
import { makeCertificate, type TestCertificate } from '../support/certificate.ts';
import { atEnd } from '../support/cleanup.ts';

const authority = makeCertificate({ names: ['Test authority'], authority: true });
const server = makeCertificate({
  names: ['server.example', 'other.example'],
  uris: ['spiffe://test/server'],
  organization: 'Weir, "Inc"',
  issuer: authority,
});
const client = makeCertificate({
  names: ['client.example'],
  uris: ['spiffe://test/client,with=comma', 'spiffe://test/second'],
  issuer: authority,
});

/** Both ends of one connection. */
async function ends(own: TestCertificate | null): Promise<{ here: TLSSocket; there: TLSSocket }> {
  const listening = createServer({
    cert: server.certificatePem,
    key: server.keyPem,
    ca: authority.certificatePem,
    requestCert: true,
    rejectUnauthorized: own !== null,
  });
  atEnd(() => void listening.close());
  const accepted = new Promise<TLSSocket>((resolve) => listening.once('secureConnection', resolve));
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const there = connect({
    port: (listening.address() as AddressInfo).port,
    host: '127.0.0.1',
    ca: authority.certificatePem,
    servername: 'server.example',
    ...(own === null ? {} : { cert: own.certificatePem, key: own.keyPem }),
  });
  await new Promise((resolve, reject) => there.once('secureConnect', resolve).once('error', reject));
  const here = await accepted;
  atEnd(() => void [here.destroy(), there.destroy()]);
  return { here, there };
}

function textsOf(value: AttributeValue | undefined): unknown {
  if (value?.type === 'list') return value.value.map(textsOf);
  return value?.type === 'string' ? value.value : undefined;
}

const read = (socket: TLSSocket): Record<string, unknown> =>
  Object.fromEntries(
    certificateRows<TLSSocket>('connection', 'connection', (s) => s).map((row) => {
      const value = row.read(socket);
      expect(value === undefined || value.type === row.type).toBe(true);
      return [row.path.slice('connection.'.length), textsOf(value)];
    }),
  );

const digest = (certificate: TestCertificate): string =>
  new X509Certificate(certificate.certificatePem).fingerprint256.replaceAll(':', '').toLowerCase();
const encoded = ({ certificatePem }: TestCertificate): string =>
  certificatePem
    .replaceAll('\n', '%0A')
    .replaceAll(' ', '%20')
    .replaceAll('+', '%2B')
    .replaceAll('/', '%2F')
    .replaceAll('=', '%3D');

const SUBJECT = 'CN=server.example,O=Weir\\, \\"Inc\\"';

describe('a connection with certificates on both sides', () => {
  test('is told of by each end', async () => {
    const { here, there } = await ends(client);
    const atServer = {
      tls_version: 'TLSv1.3',
      subject_local_certificate: SUBJECT,
      subject_peer_certificate: 'CN=client.example',
      dns_san_local_certificate: 'server.example',
      dns_san_peer_certificate: 'client.example',
      uri_san_local_certificate: 'spiffe://test/server',
      uri_san_peer_certificate: 'spiffe://test/client,with=comma',
      dns_sans_peer_certificate: ['client.example'],
      uri_sans_peer_certificate: ['spiffe://test/client,with=comma', 'spiffe://test/second'],
      sha256_peer_certificate_digest: digest(client),
      peer_certificate: encoded(client),
    };
    expect(read(here)).toEqual(atServer);
    expect(showsValidCertificate(here)).toBe(true);
    expect(read(there)).toEqual({
      tls_version: 'TLSv1.3',
      subject_local_certificate: 'CN=client.example',
      subject_peer_certificate: SUBJECT,
      dns_san_local_certificate: 'client.example',
      dns_san_peer_certificate: 'server.example',
      uri_san_local_certificate: 'spiffe://test/client,with=comma',
      uri_san_peer_certificate: 'spiffe://test/server',
      dns_sans_peer_certificate: ['server.example', 'other.example'],
      uri_sans_peer_certificate: ['spiffe://test/server'],
      sha256_peer_certificate_digest: digest(server),
      peer_certificate: encoded(server),
    });
  });
});

describe('a client without a certificate', () => {
  test('has an empty subject, and nothing else', async () => {
    const { here } = await ends(null);
    expect(showsValidCertificate(here)).toBe(false);
    const found = read(here);
    expect(found['subject_peer_certificate']).toBe('');
    for (const name of ['dns_san', 'uri_san', 'dns_sans', 'uri_sans'])
      expect(found[`${name}_peer_certificate`]).toBeUndefined();
    expect([found['sha256_peer_certificate_digest'], found['peer_certificate']]).toEqual([
      undefined,
      undefined,
    ]);
    expect(found['subject_local_certificate']).toBe(SUBJECT);
  });
});

test('a certificate without names has no first one', async () => {
  const bare = makeCertificate({ names: ['bare.example'], issuer: authority });
  const { here } = await ends(bare);
  for (const name of ['uri_san', 'uri_sans']) expect(read(here)[`${name}_peer_certificate`]).toBeUndefined();
});

test('a connection without TLS has none of them', () => {
  for (const row of certificateRows<null>('upstream', 'attempt', () => null))
    expect(row.read(null)).toBeUndefined();
  expect(showsValidCertificate(null)).toBe(false);
});

test('a connection that is closed has those that were asked for before', async () => {
  const { here } = await ends(client);
  const before = read(here);
  const other = await ends(client);
  for (const socket of [here, other.here])
    await new Promise((resolve) => socket.once('close', resolve).destroy());
  expect(read(here)).toEqual({ ...before, tls_version: undefined });
  expect(read(other.here)).toMatchObject({ subject_peer_certificate: '', peer_certificate: undefined });
});
