import type { ConnectionOptions } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { ListenerSpec, PortSpec } from '../../src/runtime/snapshot.ts';
import { makeCertificate, type TestCertificate } from '../support/certificate.ts';
import { DataPlane } from '../support/data-plane.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { getRequest, RawClient } from '../support/raw-client.ts';

const authority = makeCertificate({ names: ['Test authority'], authority: true });
const stranger = makeCertificate({ names: ['Another authority'], authority: true });
const next = makeCertificate({ names: ['Next authority'], authority: true });
const A = makeCertificate({ names: ['a.example'], issuer: authority });
const B = makeCertificate({ names: ['b.example'], issuer: authority });
const GOOD = makeCertificate({ names: ['good.example'], issuer: authority });
const BAD = makeCertificate({ names: ['bad.example'], issuer: stranger });
const NEXT = makeCertificate({ names: ['next.example'], issuer: next });
const OVER = makeCertificate({
  names: ['over.example'],
  issuer: authority,
  notBefore: new Date(Date.now() - 2 * 86_400_000),
  notAfter: new Date(Date.now() - 86_400_000),
});

const listener = (of: TestCertificate, hostname: string): Partial<ListenerSpec> => ({
  hostname,
  certificates: [{ chainPem: of.certificatePem, keyPem: of.keyPem, names: [of.name] }],
});
const LISTENERS = [listener(B, 'b.example'), listener(A, '')];

const trust = (of: TestCertificate, required = true): PortSpec['clientValidation'] => ({
  authoritiesPem: of.certificatePem,
  required,
});

async function start(clientValidation: PortSpec['clientValidation']) {
  const upstream = await FakeUpstream.start();
  const part = { clusters: [{ ports: [upstream.port] }], protocol: 'https', listeners: LISTENERS } as const;
  const plane = await DataPlane.start({
    ...part,
    ...(clientValidation === undefined ? {} : { clientValidation }),
  });
  return {
    plane,
    apply: (validation?: PortSpec['clientValidation']) =>
      plane.apply({ ...part, ...(validation === undefined ? {} : { clientValidation: validation }) }),
  };
}

function dial(
  plane: DataPlane,
  own: TestCertificate | null,
  tls: ConnectionOptions = {},
): Promise<RawClient> {
  const certificate = own === null ? {} : { cert: own.certificatePem, key: own.keyPem };
  return RawClient.connect({
    port: plane.port,
    tls: { servername: 'a.example', ca: authority.certificatePem, ...certificate, ...tls },
  });
}

/** 200, or `refused`: with TLS 1.3 a client learns of it after the handshake. */
async function attempt(
  plane: DataPlane,
  own: TestCertificate | null,
  tls: ConnectionOptions = {},
): Promise<number | string> {
  try {
    const client = await dial(plane, own, tls);
    const { status } = await client.exchange(getRequest('/', tls.servername || 'a.example'));
    client.close();
    return status;
  } catch {
    return 'refused';
  }
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('certificates of clients, %s', (version) => {
  const only: ConnectionOptions = { minVersion: version, maxVersion: version };

  test.each(['a.example', 'b.example', ''])(
    'a port that asks for one lets in those of its authorities alone (SNI %j)',
    async (servername) => {
      const { plane } = await start(trust(authority));
      const tls = { ...only, servername, checkServerIdentity: () => undefined };
      expect(await attempt(plane, GOOD, tls)).toBe(200);
      expect(await attempt(plane, null, tls)).toBe('refused');
      expect(await attempt(plane, BAD, tls)).toBe('refused');
      expect(await attempt(plane, OVER, tls)).toBe('refused');
      // What a client shows for itself is no authority.
      expect(await attempt(plane, stranger, tls)).toBe('refused');
    },
  );

  test('one that does not insist lets others in', async () => {
    const { plane } = await start(trust(authority, false));
    for (const own of [GOOD, BAD, OVER, null]) expect(await attempt(plane, own, only)).toBe(200);
  });

  test('no authority that can be used: nobody comes in, the system’s authorities do not count', async () => {
    const { plane } = await start({ authoritiesPem: '', required: true });
    expect(await attempt(plane, GOOD, only)).toBe('refused');
    expect(await attempt(plane, null, only)).toBe('refused');
  });

  test('a new configuration asks new connections, and old ones end with what they do', async () => {
    const { plane, apply } = await start(undefined);
    const before = await dial(plane, null, only);
    expect((await before.exchange(getRequest('/', 'a.example'))).status).toBe(200);

    await apply(trust(authority));
    const last = await before.exchange(getRequest('/', 'a.example')).then(
      (answer) => answer.header('connection'),
      () => 'close',
    );
    expect(last).toBe('close');
    expect(await attempt(plane, null, only)).toBe('refused');
    expect(await attempt(plane, GOOD, only)).toBe(200);

    await apply(trust(next));
    expect(await attempt(plane, GOOD, only)).toBe('refused');
    expect(await attempt(plane, NEXT, only)).toBe(200);

    await apply();
    expect(await attempt(plane, null, only)).toBe(200);
  });

  test('a session is not taken up again once its authority is gone', async () => {
    const { plane, apply } = await start(trust(authority));
    const client = await dial(plane, GOOD, only);
    const session = new Promise<Buffer>((resolve) => client.tls.once('session', resolve));
    expect((await client.exchange(getRequest('/', 'a.example'))).status).toBe(200);
    const ticket = client.tls.getSession() ?? (await session);
    client.close();
    await apply(trust(next));
    // The client has nothing but the session to show.
    expect(await attempt(plane, null, { ...only, session: ticket })).toBe('refused');
  });
});
