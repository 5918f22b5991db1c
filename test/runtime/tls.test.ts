import { connect as connectPlain, createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type ConnectionOptions } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { CertificateSpec, ListenerSpec, UpstreamTlsSpec } from '../../src/runtime/snapshot.ts';
import { makeCertificate, type TestCertificate } from '../support/certificate.ts';
import { atEnd } from '../support/cleanup.ts';
import { DataPlane, type Part } from '../support/data-plane.ts';
import {
  big,
  delayed,
  type Echo,
  FakeUpstream,
  hang,
  reply,
  upgradeEcho,
  type UpstreamOptions,
} from '../support/fake-upstream.ts';
import { type Answer, bigHash, exchange, getRequest, postRequest, RawClient } from '../support/raw-client.ts';
import { TIMED } from '../support/timing.ts';

const authority = makeCertificate({ names: ['Test authority'], authority: true });
const stranger = makeCertificate({ names: ['Another authority'], authority: true });

function certificate(...names: string[]): TestCertificate {
  return makeCertificate({ names, issuer: authority });
}

function spec(of: TestCertificate, ...names: string[]): CertificateSpec {
  return { chainPem: of.certificatePem, keyPem: of.keyPem, names };
}

const A = certificate('a.example');
const A_NEXT = certificate('a.example');
const WILD = certificate('*.wild.example');
const ANY = certificate('any.example');

const EXACT: Partial<ListenerSpec> = { hostname: 'a.example', certificates: [spec(A, 'a.example')] };
const WILDCARD: Partial<ListenerSpec> = {
  hostname: '*.wild.example',
  certificates: [spec(WILD, '*.wild.example')],
};
const OPEN: Partial<ListenerSpec> = { certificates: [spec(ANY, 'any.example')] };

interface Bench {
  upstream: FakeUpstream;
  plane: DataPlane;
}

async function start(
  listeners: Partial<ListenerSpec>[],
  part: Part = {},
  upstreamOptions: UpstreamOptions = {},
): Promise<Bench> {
  const upstream = await FakeUpstream.start(upstreamOptions);
  const plane = await DataPlane.start({
    clusters: [{ ports: [upstream.port] }],
    protocol: 'https',
    listeners,
    ...part,
  });
  return { upstream, plane };
}

/** @param servername empty: no SNI */
function dial(plane: DataPlane, servername: string, tls: ConnectionOptions = {}): Promise<RawClient> {
  return RawClient.connect({
    port: plane.port,
    tls: { servername, ca: authority.certificatePem, checkServerIdentity: () => undefined, ...tls },
  });
}

/** Connects and sends one request. Rejects where either is refused. */
async function request(plane: DataPlane, servername: string, tls: ConnectionOptions = {}): Promise<Answer> {
  const client = await dial(plane, servername, tls);
  return client.exchange(getRequest('/', servername || 'any.example'));
}

function shown(client: RawClient): string {
  const { subject } = client.tls.getPeerCertificate();
  return String(subject.CN);
}

describe('the name that a client asks for', () => {
  test.each([
    ['a.example', 'a.example'],
    ['A.Example', 'a.example'],
    ['x.wild.example', '*.wild.example'],
    ['any.example', 'any.example'],
    ['other.test', 'any.example'],
    ['', 'any.example'],
  ])('%j is shown the certificate of %s', async (servername, expected) => {
    const { plane } = await start([EXACT, WILDCARD, OPEN]);
    const client = await dial(plane, servername);
    expect(shown(client)).toBe(expected);
    const answer = await client.exchange(getRequest('/', servername || 'any.example'));
    expect(answer.status).toBe(200);
    const fields = new Map(answer.json<Echo>().headers.map(([name, value]) => [name.toLowerCase(), value]));
    expect(fields.get('x-forwarded-proto')).toBe('https');
  });

  test('decides among the certificates of a listener; the first is for names that fit none', async () => {
    const { plane } = await start([
      { certificates: [spec(ANY, 'any.example'), spec(A, 'a.example'), spec(WILD, '*.wild.example')] },
    ]);
    expect(shown(await dial(plane, 'a.example'))).toBe('a.example');
    expect(shown(await dial(plane, 'b.wild.example'))).toBe('*.wild.example');
    expect(shown(await dial(plane, 'else.example'))).toBe('any.example');
  });

  test('a certificate without names serves its listener', async () => {
    const { plane } = await start([{ hostname: 'a.example', certificates: [spec(A)] }]);
    expect(shown(await dial(plane, 'a.example'))).toBe('a.example');
  });

  test.each(['other.test', 'b.a.example', 'wild.example', ''])(
    '%j is refused where no listener has it',
    async (servername) => {
      const { plane, upstream } = await start([EXACT, WILDCARD]);
      await expect(dial(plane, servername)).rejects.toThrow();
      const client = await dial(plane, 'a.example');
      expect((await client.exchange(getRequest('/', 'a.example'))).status).toBe(200);
      expect(upstream.total).toBe(1);
      client.close();
      await expect.poll(() => plane.runtime.status().connections).toBe(0);
    },
  );

  test.each([
    ['a.example', 'x.wild.example', 421],
    ['x.wild.example', 'a.example', 421],
    ['a.example', 'unknown.test', 421],
    ['', 'a.example', 421],
    ['', 'unknown.test', 200],
    ['x.wild.example', 'y.wild.example', 200],
    ['a.example', 'A.EXAMPLE:443', 200],
  ])('SNI %j with Host %j: %i', async (servername, host, status) => {
    const { plane, upstream } = await start([EXACT, WILDCARD, OPEN]);
    const client = await dial(plane, servername);
    const answer = await client.exchange(getRequest('/', host));
    expect(answer.status).toBe(status);
    expect(upstream.total).toBe(status === 200 ? 1 : 0);
    // The connection stays good for its own names.
    const own = servername === '' ? 'any.example' : servername;
    expect((await client.exchange(getRequest('/', own))).status).toBe(200);
  });
});

describe('the version of TLS', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('may be %s', async (version) => {
    const { plane } = await start([OPEN]);
    const client = await dial(plane, 'any.example', { minVersion: version, maxVersion: version });
    expect(client.tls.getProtocol()).toBe(version);
    expect((await client.exchange(getRequest('/'))).status).toBe(200);
  });

  test('below 1.2 is refused', async () => {
    const { plane } = await start([OPEN]);
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(dial(plane, 'any.example', old)).rejects.toThrow();
  });

  test.each(['any.example', ''])('may be bounded from below; for SNI %j', async (servername) => {
    const { plane } = await start([{ ...OPEN, minTlsVersion: 'TLSv1.3' }]);
    await expect(dial(plane, servername, { maxVersion: 'TLSv1.2' })).rejects.toThrow();
    expect((await dial(plane, servername)).tls.getProtocol()).toBe('TLSv1.3');
  });

  test('is bounded for each listener of a port by itself', async () => {
    const { plane, upstream } = await start([{ ...EXACT, minTlsVersion: 'TLSv1.3' }, OPEN]);
    const old = { maxVersion: 'TLSv1.2' } as const;
    await expect(request(plane, 'a.example', old)).rejects.toThrow();
    expect(upstream.total).toBe(0);
    const open = await dial(plane, 'any.example', old);
    expect((await open.exchange(getRequest('/', 'any.example'))).status).toBe(200);
    // Nor is it had by naming the lenient one in the handshake.
    expect((await open.exchange(getRequest('/', 'a.example'))).status).toBe(421);
    expect((await (await dial(plane, 'a.example')).exchange(getRequest('/', 'a.example'))).status).toBe(200);
  });

  test('is not lowered for others by the listener that takes any name', async () => {
    const { plane } = await start([EXACT, { ...OPEN, minTlsVersion: 'TLSv1.3' }]);
    const old = { maxVersion: 'TLSv1.2' } as const;
    expect((await (await dial(plane, 'a.example', old)).exchange(getRequest('/', 'a.example'))).status).toBe(
      200,
    );
    await expect(request(plane, '', old)).rejects.toThrow();
  });
});

describe('the application protocol', () => {
  test.each([
    [['http/1.1'], 'http/1.1'],
    [['h2', 'http/1.1'], 'http/1.1'],
    [undefined, false],
  ])('of %j is %j', async (ALPNProtocols, expected) => {
    const { plane } = await start([OPEN]);
    const client = await dial(plane, 'any.example', ALPNProtocols === undefined ? {} : { ALPNProtocols });
    expect(client.tls.alpnProtocol).toBe(expected);
    expect((await client.exchange(getRequest('/'))).status).toBe(200);
  });

  test('that weir does not speak is refused in the handshake', async () => {
    const { plane } = await start([OPEN]);
    await expect(dial(plane, 'any.example', { ALPNProtocols: ['h2'] })).rejects.toThrow();
  });
});

describe('a swap', () => {
  const withListeners = (upstream: FakeUpstream, listeners: Partial<ListenerSpec>[]): Part => ({
    clusters: [{ ports: [upstream.port] }],
    protocol: 'https',
    listeners,
  });

  test('renews certificates, and open connections go on', async () => {
    const { plane, upstream } = await start([EXACT, OPEN]);
    const before = await dial(plane, 'a.example');
    const first = before.tls.getPeerCertificate().fingerprint256;
    const unnamed = await dial(plane, '');
    await before.exchange(getRequest('/1', 'a.example'));
    const next = { ...EXACT, certificates: [spec(A_NEXT, 'a.example')] };
    await plane.apply(withListeners(upstream, [next, { certificates: [spec(WILD, '*.wild.example')] }]));
    expect((await before.exchange(getRequest('/2', 'a.example'))).status).toBe(200);
    expect((await unnamed.exchange(getRequest('/3', 'any.example'))).status).toBe(200);
    const after = await dial(plane, 'a.example');
    expect(shown(after)).toBe('a.example');
    expect(after.tls.getPeerCertificate().fingerprint256).not.toBe(first);
    expect(shown(await dial(plane, ''))).toBe('*.wild.example');
    // Also where the client resumes its session: it is one of the same name.
    expect((await after.exchange(getRequest('/4', 'a.example'))).status).toBe(200);
  });

  test('takes a certificate away, also from clients that name no server', async () => {
    const { plane, upstream } = await start([EXACT, OPEN]);
    expect(shown(await dial(plane, ''))).toBe('any.example');
    await plane.apply(withListeners(upstream, [EXACT]));
    await expect(dial(plane, '')).rejects.toThrow();
    await expect(dial(plane, 'any.example')).rejects.toThrow();
    expect(shown(await dial(plane, 'a.example'))).toBe('a.example');
  });

  test('changes the lowest version', async () => {
    const { plane, upstream } = await start([OPEN]);
    await plane.apply(withListeners(upstream, [{ ...OPEN, minTlsVersion: 'TLSv1.3' }]));
    await expect(dial(plane, 'any.example', { maxVersion: 'TLSv1.2' })).rejects.toThrow();
    await plane.apply(withListeners(upstream, [OPEN]));
    const client = await dial(plane, 'any.example', { maxVersion: 'TLSv1.2' });
    expect(client.tls.getProtocol()).toBe('TLSv1.2');
  });

  test('with a key of another certificate cannot be staged, and changes nothing', async () => {
    const { plane, upstream } = await start([EXACT]);
    const mixed = { chainPem: A.certificatePem, keyPem: WILD.keyPem, names: ['a.example'] };
    const bad = withListeners(upstream, [{ ...EXACT, certificates: [mixed] }]);
    await expect(plane.apply(bad)).rejects.toThrow();
    const garbage = { chainPem: 'no certificate', keyPem: 'no key', names: ['a.example'] };
    await expect(
      plane.apply(withListeners(upstream, [{ ...EXACT, certificates: [garbage] }])),
    ).rejects.toThrow();
    expect((await (await dial(plane, 'a.example')).exchange(getRequest('/', 'a.example'))).status).toBe(200);
  });
});

describe('what is no handshake', () => {
  const DRIVEL: [what: string, bytes: Buffer][] = [
    ['plain HTTP', Buffer.from(getRequest('/'))],
    ['zeros', Buffer.alloc(1000)],
    ['a record that is too long', Buffer.from([0x16, 3, 1, 0xff, 0xff, ...Buffer.alloc(70_000)])],
    ['a hello that says it is longer than it is', Buffer.from([0x16, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff])],
    ['an alert', Buffer.from([0x15, 3, 3, 0, 2, 2, 40])],
    ['data before the handshake', Buffer.from([0x17, 3, 3, 0, 4, 1, 2, 3, 4])],
  ];

  test.each(DRIVEL)('%s is cut, and the port goes on', async (_what, bytes) => {
    const { plane, upstream } = await start([OPEN], { limits: { tlsHandshakeTimeoutMs: 200 } });
    const socket = connectPlain({ port: plane.port, host: '127.0.0.1' });
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    let answer = '';
    socket.on('data', (piece: Buffer) => (answer += piece.toString('latin1')));
    socket.write(bytes);
    await closed;
    expect(answer).not.toContain('HTTP/');
    expect(upstream.total).toBe(0);
    expect((await (await dial(plane, 'any.example')).exchange(getRequest('/'))).status).toBe(200);
  });

  test('a handshake that never completes is cut, however it dribbles', TIMED, async () => {
    const { plane } = await start([OPEN], { limits: { tlsHandshakeTimeoutMs: 300 } });
    const socket = connectPlain({ port: plane.port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    const from = performance.now();
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]));
    const dribble = setInterval(() => socket.write('x'), 30);
    socket.resume();
    await closed;
    clearInterval(dribble);
    expect(performance.now() - from).toBeGreaterThan(250);
    expect(performance.now() - from).toBeLessThan(900);
  });

  test('handshakes under way count as connections', TIMED, async () => {
    const { plane } = await start([OPEN], { limits: { connections: 3, tlsHandshakeTimeoutMs: 400 } });
    const silent = Array.from({ length: 3 }, () => connectPlain({ port: plane.port, host: '127.0.0.1' }));
    await sleep(50);
    await expect(dial(plane, 'any.example')).rejects.toThrow();
    for (const socket of silent) socket.resetAndDestroy();
    await sleep(50);
    const client = await dial(plane, 'any.example');
    expect((await client.exchange(getRequest('/'))).status).toBe(200);
    client.close();
    await expect.poll(() => plane.runtime.status().connections).toBe(0);
  });

  test('an address may have as many connections as allowed, set up or not', TIMED, async () => {
    const { plane } = await start([OPEN], { limits: { connectionsPerAddress: 2 } });
    const first = await dial(plane, 'any.example');
    const silent = connectPlain({ port: plane.port, host: '127.0.0.1' });
    await sleep(50);
    await expect(dial(plane, 'any.example')).rejects.toThrow();
    expect((await first.exchange(getRequest('/'))).status).toBe(200);
    silent.resetAndDestroy();
    first.close();
    await sleep(50);
    expect((await (await dial(plane, 'any.example')).exchange(getRequest('/'))).status).toBe(200);
  });

  test('a client may go at any byte of the handshake', async () => {
    const { plane } = await start([OPEN]);
    const hello = await recordHello();
    const step = Math.ceil(hello.length / 20);
    for (let size = 1; size <= hello.length; size += step) {
      const socket = connectPlain({ port: plane.port, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      await new Promise<void>((resolve) => socket.write(hello.subarray(0, size), () => resolve()));
      if (size % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    }
    expect((await (await dial(plane, 'any.example')).exchange(getRequest('/'))).status).toBe(200);
    await expect.poll(() => plane.runtime.status().streams).toBe(0);
  });
});

/** The first bytes that a TLS client sends. */
async function recordHello(): Promise<Buffer> {
  const upstream = await FakeUpstream.start({ behaviour: hang() });
  const socket = connect({ port: upstream.port, host: '127.0.0.1', servername: 'any.example' });
  socket.on('error', () => undefined);
  await expect.poll(() => Buffer.concat(upstream.received[0] ?? []).length).toBeGreaterThan(100);
  socket.destroy();
  return Buffer.concat(upstream.received[0]!);
}

describe('requests over TLS', () => {
  test('may be pipelined and cut into records anywhere', async () => {
    const { plane } = await start([OPEN]);
    const client = await dial(plane, 'any.example');
    const sent = client.sendInPieces(Array.from({ length: 20 }, (_, i) => getRequest(`/${i}`)).join(''), 17);
    for (let i = 0; i < 20; i++) expect((await client.read()).json<Echo>().target).toBe(`/${i}`);
    await sent;
  });

  test('bodies arrive whole, both ways', async () => {
    const size = 8 * 1024 * 1024;
    const { plane, upstream } = await start([OPEN], {}, { discard: true, behaviour: big(size, { seed: 3 }) });
    const client = await dial(plane, 'any.example');
    expect((await client.exchange(getRequest('/'), { discard: true })).sha256).toBe(bigHash(size, 3));
    upstream.behaviour = async (request, answer) => {
      await request.finish();
      await answer.send(200, [], request.sha256);
    };
    await client.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
    const hash = await client.sendBig(size, 5);
    expect((await client.read()).text).toBe(hash);
  });

  test('a slow reader holds the upstream back, and gets its answer whole', async () => {
    const size = 32 * 1024 * 1024;
    let sent = 0;
    const { plane } = await start(
      [OPEN],
      {},
      {
        behaviour: async (request, answer) => {
          await request.finish();
          await answer.raw(answer.head(200, [['Content-Length', String(size)]]));
          const piece = Buffer.alloc(64 * 1024);
          for (; sent < size && !answer.socket.destroyed; sent += piece.length) await answer.raw(piece);
        },
      },
    );
    const client = await dial(plane, 'any.example');
    client.socket.pause();
    client.socket.write(getRequest('/'));
    await sleep(400);
    expect(sent).toBeLessThan(24 * 1024 * 1024);
    client.socket.resume();
    expect((await client.read({ discard: true })).bodyLength).toBe(size);
  });

  test('a client that takes nothing is cut', async () => {
    const { plane, upstream } = await start(
      [OPEN],
      { limits: { writeTimeoutMs: 300 } },
      { behaviour: big(64 << 20) },
    );
    const client = await dial(plane, 'any.example');
    client.socket.pause();
    client.socket.write(getRequest('/'));
    await upstream.waitForRequests(1);
    expect(plane.runtime.status().connections).toBe(1);
    await expect.poll(() => plane.runtime.status().connections).toBe(0);
  });

  test('an upgrade becomes a tunnel', async () => {
    const { plane } = await start([OPEN], {}, { behaviour: upgradeEcho() });
    const client = await dial(plane, 'any.example');
    await client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    expect((await client.read()).status).toBe(101);
    await client.send('ping');
    expect((await client.source.some())!.toString()).toBe('ping');
    client.close();
    await expect.poll(() => plane.runtime.status().streams).toBe(0);
  });

  test('an answer cut short is not passed off as whole', async () => {
    const { plane } = await start(
      [OPEN],
      {},
      {
        behaviour: async (_request, answer) => {
          await answer.raw('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
          await sleep(20);
          answer.reset();
        },
      },
    );
    const client = await dial(plane, 'any.example');
    await expect(client.exchange(getRequest('/'))).rejects.toThrow();
  });

  test('a client that closes its side still gets its answer', async () => {
    const { plane } = await start([OPEN], {}, { behaviour: delayed(50, reply(200, [], 'late')) });
    const client = await dial(plane, 'any.example', { allowHalfOpen: true } as ConnectionOptions);
    await client.send(getRequest('/', 'any.example', 'Connection: close'));
    expect((await client.read()).text).toBe('late');
    expect(await client.closed()).toBe('ended');
  });
});

describe('TLS to upstreams', () => {
  const TRUST: UpstreamTlsSpec = {
    serverName: 'up.example',
    caPem: authority.certificatePem,
    verify: true,
  };

  async function behind(
    own: TestCertificate,
    tls: UpstreamTlsSpec,
    options: UpstreamOptions = {},
    limits: object = {},
  ): Promise<Bench> {
    const upstream = await FakeUpstream.start({
      tls: { cert: own.certificatePem, key: own.keyPem },
      ...options,
    });
    const plane = await DataPlane.start({ clusters: [{ ports: [upstream.port], tls, ...limits }] });
    return { upstream, plane };
  }

  const good = certificate('up.example');

  test('the right name and authority: the request goes through, and the connection is kept', async () => {
    const { plane, upstream } = await behind(good, TRUST);
    const client = await RawClient.connect({ port: plane.port });
    for (let i = 0; i < 5; i++) {
      const answer = await client.exchange(postRequest(`/${i}`, 'x'.repeat(i * 1000)));
      expect(answer.json<Echo>()).toMatchObject({ target: `/${i}`, bodyLength: i * 1000, connection: 0 });
    }
    expect(upstream.connections).toBe(1);
  });

  const HOUR = 3_600_000;
  test.each<[what: string, own: TestCertificate, tls: UpstreamTlsSpec]>([
    ['another name', certificate('else.example'), TRUST],
    ['another authority', makeCertificate({ names: ['up.example'], issuer: stranger }), TRUST],
    ['an authority of its own', makeCertificate({ names: ['up.example'] }), TRUST],
    [
      'a certificate that is over',
      makeCertificate({
        names: ['up.example'],
        issuer: authority,
        notBefore: new Date(Date.now() - 48 * HOUR),
        notAfter: new Date(Date.now() - HOUR),
      }),
      TRUST,
    ],
    [
      'a certificate that is not valid yet',
      makeCertificate({
        names: ['up.example'],
        issuer: authority,
        notBefore: new Date(Date.now() + 24 * HOUR),
        notAfter: new Date(Date.now() + 48 * HOUR),
      }),
      TRUST,
    ],
    ['no authority named, and none of the system', good, { ...TRUST, caPem: null }],
    ['a name asked for that is an address', good, { ...TRUST, serverName: '127.0.0.1' }],
    ['authorities that cannot be read', good, { ...TRUST, caPem: 'no certificate' }],
  ])('%s: 503, and no byte of the request is sent', async (_what, own, tls) => {
    const { plane, upstream } = await behind(own, tls);
    const answer = await exchange({ port: plane.port }, postRequest('/', 'secret'));
    expect(answer.status).toBe(503);
    expect(answer.json<{ code: string }>().code).toBe('upstream_connect_failure');
    expect(upstream.total).toBe(0);
    expect(Buffer.concat(upstream.received.flat()).length).toBe(0);
    await expect.poll(() => upstream.connections).toBe(0);
    expect(plane.runtime.status().streams).toBe(0);
  });

  test('verification may be switched off in as many words', async () => {
    const { plane } = await behind(makeCertificate({ names: ['else.example'] }), {
      serverName: 'up.example',
      caPem: null,
      verify: false,
    });
    expect((await exchange({ port: plane.port }, getRequest('/'))).status).toBe(200);
  });

  test('the name goes into the handshake', async () => {
    const names: string[] = [];
    const { plane } = await behind(good, TRUST, {
      tls: {
        cert: good.certificatePem,
        key: good.keyPem,
        SNICallback: (name, done) => {
          names.push(name);
          done(null);
        },
      },
    });
    expect((await exchange({ port: plane.port }, getRequest('/'))).status).toBe(200);
    expect(names).toEqual(['up.example']);
  });

  test('an upstream that speaks no TLS: 503', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    atEnd(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const plane = await DataPlane.start({ clusters: [{ ports: [port], tls: TRUST }] });
    expect((await exchange({ port: plane.port }, getRequest('/'))).status).toBe(503);
  });

  test('a handshake that the upstream never finishes: 504', async () => {
    const upstream = await FakeUpstream.start({ behaviour: hang() });
    const plane = await DataPlane.start({
      clusters: [{ ports: [upstream.port], tls: TRUST, connectTimeoutMs: 200 }],
    });
    const answer = await exchange({ port: plane.port }, getRequest('/'));
    expect(answer.json<{ code: string }>().code).toBe('upstream_connect_timeout');
    await expect.poll(() => upstream.connections).toBe(0);
  });

  test('bodies arrive whole, both ways, also where the upstream is slow', async () => {
    const size = 8 * 1024 * 1024;
    const { plane, upstream } = await behind(good, TRUST, {
      discard: true,
      behaviour: big(size, { seed: 9 }),
    });
    const client = await RawClient.connect({ port: plane.port });
    expect((await client.exchange(getRequest('/'), { discard: true })).sha256).toBe(bigHash(size, 9));
    upstream.behaviour = async (request, answer) => {
      await sleep(200);
      await request.finish();
      await answer.send(200, [], request.sha256);
    };
    await client.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
    const hash = await client.sendBig(size, 5);
    expect((await client.read()).text).toBe(hash);
  });

  test('an idle connection that the upstream closed is replaced without a failure', async () => {
    const { plane, upstream } = await behind(good, TRUST);
    const client = await RawClient.connect({ port: plane.port });
    for (let i = 0; i < 4; i++) {
      expect((await client.exchange(getRequest('/'))).status).toBe(200);
      upstream.closeConnections(i % 2 === 0 ? 'close' : 'reset');
      if (i >= 2) await sleep(20);
    }
  });

  test('a request that is tried again after half its body was taken goes out whole', async () => {
    const size = 60 * 1024;
    const { plane, upstream } = await behind(good, TRUST, {}, {});
    await plane.apply({
      clusters: [{ ports: [upstream.port], tls: TRUST }],
      rules: [
        {
          retry: {
            on: 1 << 2,
            statuses: [],
            maxAttempts: 3,
            backoffBaseMs: 1,
            backoffMaxMs: 2,
            honorRetryAfter: true,
            budgetPercent: 100,
            budgetMinPerSecond: 10,
            budgetWindowMs: 10_000,
            replayBytes: 65536,
            onlyIdempotent: false,
            avoidPreviousEndpoint: false,
          },
        },
      ],
    });
    upstream.script(async (_request, answer) => {
      await sleep(50);
      answer.over = true;
      answer.socket.destroy();
    });
    const client = await RawClient.connect({ port: plane.port });
    await client.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
    await client.send(Buffer.alloc(size / 2));
    await upstream.waitForRequests(2);
    await client.send(Buffer.alloc(size / 2));
    expect((await client.read()).json<Echo>().bodyLength).toBe(size);
  });
});
