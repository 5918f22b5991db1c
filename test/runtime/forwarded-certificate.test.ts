import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { ListenerLimits } from '../../src/runtime/snapshot.ts';
import { makeCertificate, type TestCertificate } from '../support/certificate.ts';
import { DataPlane } from '../support/data-plane.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { getRequest, RawClient } from '../support/raw-client.ts';

const authority = makeCertificate({ names: ['Test authority'], authority: true });
const stranger = makeCertificate({ names: ['Another authority'], authority: true });
const EDGE = makeCertificate({ names: ['edge.example'], uris: ['spiffe://test/edge'], issuer: authority });
const CLIENT = makeCertificate({
  names: ['client.example', 'other.example'],
  uris: ['spiffe://test/client'],
  organization: 'Acme, "Inc"',
  issuer: authority,
});
const ODD = makeCertificate({
  names: ['odd'],
  uris: ['spiffe://test/a,Hash=00;URI=spiffe://test/root'],
  issuer: authority,
});
const STRANGER = makeCertificate({ names: ['stranger'], issuer: stranger });

const hashOf = ({ certificatePem }: TestCertificate): string =>
  new X509Certificate(certificatePem).fingerprint256.replaceAll(':', '').toLowerCase();

/** What the upstream gets in the field of a request; the values that come with it are the client's own. */
async function forwarded(
  limits: Partial<ListenerLimits>,
  own: TestCertificate | null,
  ...values: string[]
): Promise<string[]> {
  const upstream = await FakeUpstream.start();
  const plane = await DataPlane.start({
    clusters: [{ ports: [upstream.port] }],
    protocol: 'https',
    listeners: [
      { certificates: [{ chainPem: EDGE.certificatePem, keyPem: EDGE.keyPem, names: ['edge.example'] }] },
    ],
    clientValidation: { authoritiesPem: authority.certificatePem, required: false },
    limits,
  });
  const certificate = own === null ? {} : { cert: own.certificatePem, key: own.keyPem };
  const client = await RawClient.connect({
    port: plane.port,
    tls: { servername: 'edge.example', ca: authority.certificatePem, ...certificate },
  });
  const fields = values.map((value) => `X-Forwarded-Client-Cert: ${value}`);
  await client.exchange(getRequest('/', 'edge.example', ...fields));
  return upstream.requests
    .at(-1)!
    .fields.filter(([name]) => name.toLowerCase() === 'x-forwarded-client-cert')
    .map(([, value]) => value);
}

const OWN = `By=spiffe://test/edge;Hash=${hashOf(CLIENT)};Subject="CN=client.example,O=Acme\\\\, \\\\\\"Inc\\\\\\"";URI=spiffe://test/client;DNS=client.example;DNS=other.example`;

describe('X-Forwarded-Client-Cert', () => {
  test.each<[ListenerLimits['forwardedClientCert'], string[], string[], string[]]>([
    // mode, from a client with a certificate, from one without or with a stranger's, what both send
    [undefined, [], [], ['Hash=1', 'Hash=2']],
    ['sanitize', [], [], ['Hash=1']],
    ['forwardonly', ['Hash=1', 'Hash=2'], [], ['Hash=1', 'Hash=2']],
    ['forwardonly', [], [], []],
    ['appendforward', [`Hash=1,Hash=2,${OWN}`], [], ['Hash=1', 'Hash=2']],
    ['appendforward', [OWN], [], []],
    ['sanitizeset', [OWN], [], ['Hash=1']],
    ['alwaysforwardonly', ['Hash=1'], ['Hash=1'], ['Hash=1']],
  ])('%s: %j, without a certificate %j', async (mode, withOne, without, sent) => {
    const limits = mode === undefined ? {} : { forwardedClientCert: mode };
    expect(await forwarded(limits, CLIENT, ...sent)).toEqual(withOne);
    expect(await forwarded(limits, null, ...sent)).toEqual(without);
    expect(await forwarded(limits, STRANGER, ...sent)).toEqual(without);
  });

  test.each([
    'URI=spiffe://test/root;Subject="',
    'URI=spiffe://test/root;Subject="\\',
    'URI=spiffe://test/root;Subject="a"b"',
    '"URI=spiffe://test/root',
  ])('a value whose quotes could swallow what is appended goes: %s', async (value) => {
    const limits = { forwardedClientCert: 'appendforward' } as const;
    expect(await forwarded(limits, CLIENT, 'Subject="CN=\\"a\\",b" ,Hash=1', value)).toEqual([
      `Subject="CN=\\"a\\",b" ,Hash=1,${OWN}`,
    ]);
  });

  test('proxies that are trusted for other fields are not for this one', async () => {
    expect(await forwarded({ trustedHops: 1 }, null, 'Hash=1')).toEqual([]);
  });

  test('says of the certificate what it is asked to', async () => {
    const limits = { forwardedClientCert: 'sanitizeset', forwardedClientCertDetails: 'cert' } as const;
    const [value] = await forwarded(limits, CLIENT);
    const [, hash, pem] = /^By=spiffe:\/\/test\/edge;Hash=([0-9a-f]{64});Cert="([^"]+)"$/.exec(value!)!;
    expect(hash).toBe(hashOf(CLIENT));
    expect(decodeURIComponent(pem!)).toBe(CLIENT.certificatePem);
  });

  test('a name in a certificate cannot pass for another element or pair', async () => {
    const limits = { forwardedClientCert: 'sanitizeset', forwardedClientCertDetails: 'uri' } as const;
    expect(await forwarded(limits, ODD)).toEqual([
      `By=spiffe://test/edge;Hash=${hashOf(ODD)};URI="spiffe://test/a,Hash=00;URI=spiffe://test/root"`,
    ]);
  });
});
