import { createHash, randomBytes } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { ClusterSpec, RetrySpec } from '../../../src/runtime/snapshot.ts';
import { Failure } from '../../../src/runtime/retry.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { atEnd } from '../../support/cleanup.ts';
import { DataPlane, snapshotOf, type Part } from '../../support/data-plane.ts';
import { freePort } from '../../support/ports.ts';
import { dial, TcpServer, type TcpEnd } from '../../support/tcp.ts';
import { TIMED } from '../../support/timing.ts';

async function relayTo(
  upstream: TcpServer,
  part: Part = {},
  cluster: Partial<ClusterSpec> = {},
): Promise<DataPlane> {
  return DataPlane.start({
    protocol: 'tcp',
    tcpRules: [{}],
    clusters: [{ ports: [upstream.port], ...cluster }],
    ...part,
  });
}

/** A client and the upstream's end of the same stream. */
async function joined(part: Part = {}): Promise<{ plane: DataPlane; client: TcpEnd; server: TcpEnd }> {
  const upstream = await TcpServer.start();
  const plane = await relayTo(upstream, part);
  const client = await dial(plane.port);
  return { plane, client, server: await upstream.accepted() };
}

async function comesTrue(what: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !what(); i++) await sleep(10);
  expect(what()).toBe(true);
}

/** `name{label="value",…}` with the labels that are named, of a metric with several series. */
function counts(plane: DataPlane, name: string, ...labels: string[]): Record<string, number> {
  const family = plane.runtime.dump().find((candidate) => candidate.name === name);
  const entries = (family?.series ?? [])
    .filter(({ values }) => values[0] !== 0)
    .map((series) => [labels.map((label) => series.labels[label]).join(' '), series.values[0]!] as const);
  return Object.fromEntries(entries);
}

describe('bytes', () => {
  test('go both ways, whoever speaks first', async () => {
    const { client, server } = await joined();
    server.write('220 ready\r\n');
    expect(await client.gets('220 ready\r\n')).toBe('220 ready\r\n');
    client.write('EHLO me\r\n');
    expect(await server.gets('EHLO me\r\n')).toBe('EHLO me\r\n');
    server.write('250 ok');
    expect(await client.gets('220 ready\r\n250 ok')).toBe('220 ready\r\n250 ok');
  });

  test('that the client sends before the upstream is connected arrive', async () => {
    const upstream = await TcpServer.start();
    const plane = await relayTo(upstream);
    const client = await dial(plane.port);
    client.write('early').end();
    const server = await upstream.accepted();
    expect(await server.over()).toBe('end');
    expect(server.text).toBe('early');
  });

  test('of either side arrive after it has ended, and the other side goes on', async () => {
    const { plane, client, server } = await joined();
    client.end('question');
    expect(await server.over()).toBe('end');
    expect(server.text).toBe('question');
    server.write('first ');
    expect(await client.gets('first ')).toBe('first ');
    server.end('last');
    expect(await client.over()).toBe('end');
    expect(client.text).toBe('first last');
    await comesTrue(() => plane.runtime.status().connections === 0);
    expect(counts(plane, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ '-': 1 });
  });

  test('of the client arrive after the upstream has ended', async () => {
    const { client, server } = await joined();
    server.end('bye');
    expect(await client.over()).toBe('end');
    client.end('one more thing');
    expect(await server.over()).toBe('end');
    expect(server.text).toBe('one more thing');
  });

  test('are the same in large amounts in both directions at once', async () => {
    const { client, server } = await joined();
    const [up, down] = [randomBytes(6_000_000), randomBytes(9_000_000)];
    client.end(up);
    server.end(down);
    await Promise.all([client.over(), server.over()]);
    const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    expect([sha(server.bytes), sha(client.bytes)]).toEqual([sha(up), sha(down)]);
  }, 20_000);

  test.each([
    ['client', 'server'],
    ['server', 'client'],
  ] as const)(
    'are held back where the %s does not read',
    async (slow, fast) => {
      const ends = await joined();
      ends[slow].pause();
      const writer = ends[fast].socket;
      const piece = Buffer.alloc(64 * 1024, 1);
      let written = 0;
      // What the kernels on the way take is a few MiB; what weir takes is its buffers.
      while (written < 64 * 1024 * 1024) {
        written += piece.length;
        if (!writer.write(piece)) {
          const drained = await Promise.race([once(writer, 'drain'), sleep(300)]);
          if (drained === undefined) break;
        }
      }
      expect(written).toBeLessThan(32 * 1024 * 1024);
      ends[slow].resume();
      writer.end();
      await ends[slow].over();
      expect(ends[slow].length).toBe(written);
    },
    20_000,
  );
});

describe('a failure', () => {
  test('of the upstream reaches the client as a reset, so that nobody takes a part for the whole', async () => {
    const { plane, client, server } = await joined();
    server.write('half an ans');
    await client.gets('half an ans');
    server.reset();
    expect(await client.over()).toBe('reset');
    expect(counts(plane, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ UC: 1 });
  });

  test.each([
    ['server', 'client', 'still talks'],
    ['client', 'server', 'still talks'],
    ['server', 'client', 'has ended'],
    ['client', 'server', 'has ended'],
  ] as const)(
    'of the %s right behind its last bytes is no end to the %s that %s',
    async (from, to, state) => {
      for (let i = 0; i < 10; i++) {
        const ends = await joined();
        // An upstream that resets before the connection is known to be up has refused it.
        ends.client.write('.');
        await ends.server.gets('.');
        if (state === 'has ended') {
          ends[to].end('x');
          await ends[from].over();
        }
        ends[from].write('a part').reset();
        expect(await ends[to].over()).toBe('reset');
      }
    },
  );

  test('of the client reaches the upstream as a reset', async () => {
    const { plane, client, server } = await joined();
    client.write('half a que');
    await server.gets('half a que');
    client.reset();
    expect(await server.over()).toBe('reset');
    await comesTrue(() => plane.runtime.status().connections === 0);
    expect(counts(plane, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ DC: 1 });
  });

  test('of an upstream that had said everything loses nothing of that', async () => {
    const { plane, client, server } = await joined();
    const last = randomBytes(500_000);
    server.end(last);
    expect(await client.over()).toBe('end');
    expect(client.bytes.equals(last)).toBe(true);
    server.reset();
    client.write('still talking');
    await comesTrue(() => plane.runtime.status().connections === 0);
    expect(client.ended).toBe('end');
    expect(counts(plane, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ '-': 1 });
  });

  test('to connect closes the client’s connection', async () => {
    const plane = await DataPlane.start({
      protocol: 'tcp',
      tcpRules: [{}],
      clusters: [{ ports: [await freePort()] }],
    });
    const client = await dial(plane.port);
    expect(await client.over()).toBe('end');
    expect(client.length).toBe(0);
    expect(counts(plane, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ UF: 1 });
    expect(counts(plane, 'weir_upstream_connect_failures_total', 'cluster')).toEqual({ 'test/cluster-0': 1 });
    await comesTrue(() => plane.runtime.status().clusters[0]!.requests === 0);
  });
});

const RETRY: RetrySpec = {
  on: (1 << Failure.ConnectRefused) | (1 << Failure.ConnectTimeout),
  statuses: [],
  maxAttempts: 3,
  backoffBaseMs: 1,
  backoffMaxMs: 1,
  honorRetryAfter: true,
  budgetPercent: 100,
  budgetMinPerSecond: 100,
  budgetWindowMs: 10_000,
  replayBytes: 0,
  onlyIdempotent: true,
  avoidPreviousEndpoint: true,
};

describe('connecting', () => {
  test('goes to another endpoint where the rule retries', async () => {
    const upstream = await TcpServer.echo();
    const dead = await freePort();
    const plane = await DataPlane.start({
      protocol: 'tcp',
      tcpRules: [{ retry: RETRY }],
      clusters: [{ ports: [dead, upstream.port] }],
    });
    for (let i = 0; i < 4; i++) {
      const client = await dial(plane.port);
      client.end('hello');
      await client.over();
      expect(client.text).toBe('hello');
    }
    expect(counts(plane, 'weir_retries_total', 'cluster')['test/cluster-0']).toBeGreaterThanOrEqual(1);
    expect(counts(plane, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ '-': 4 });
  });

  test('is given up after all attempts', async () => {
    const plane = await DataPlane.start({
      protocol: 'tcp',
      tcpRules: [{ retry: RETRY }],
      clusters: [{ ports: [await freePort(), await freePort()] }],
    });
    expect(await (await dial(plane.port)).over()).toBe('end');
    expect(counts(plane, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ 'UF,URX': 1 });
    expect(counts(plane, 'weir_upstream_connect_failures_total', 'cluster')).toEqual({ 'test/cluster-0': 3 });
  });

  test('ends with the time limit of the cluster, TLS included', TIMED, async () => {
    // It accepts and never answers the handshake.
    const silent = await TcpServer.start();
    const plane = await relayTo(
      silent,
      {},
      {
        connectTimeoutMs: 200,
        tls: { serverName: 'a.example', caPem: null, verify: true },
      },
    );
    const client = await dial(plane.port);
    const begun = Date.now();
    expect(await client.over()).toBe('end');
    expect(Date.now() - begun).toBeLessThan(2000);
    expect(counts(plane, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ UF: 1 });
    await comesTrue(() => silent.ends[0]!.closed || silent.ends[0]!.ended !== 'open');
  });

  test('splits by the weights of the backends', async () => {
    const [heavy, light] = [await TcpServer.echo(), await TcpServer.echo()];
    const plane = await DataPlane.start({
      protocol: 'tcp',
      tcpRules: [
        {
          backends: [
            { cluster: 0, weight: 9 },
            { cluster: 1, weight: 1 },
          ],
        },
      ],
      clusters: [{ ports: [heavy.port] }, { ports: [light.port] }],
    });
    for (let i = 0; i < 200; i++) {
      const client = await dial(plane.port);
      client.end();
      await client.over();
    }
    expect(heavy.ends.length + light.ends.length).toBe(200);
    // Three standard deviations (√(200·0.9·0.1) ≈ 4.2) and some.
    expect(light.ends.length).toBeGreaterThan(3);
    expect(light.ends.length).toBeLessThan(40);
  });
});

describe('limits', () => {
  test('a stream without a byte for too long is closed on both sides', async () => {
    const { plane, client, server } = await joined({ tcpRules: [{ idleMs: 300 }] });
    for (let i = 0; i < 3; i++) {
      await sleep(150);
      client.write('.');
      await server.until(() => server.length === i + 1);
    }
    expect(client.ended).toBe('open');
    await Promise.all([client.over(), server.over()]);
    expect(counts(plane, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ SI: 1 });
  });

  test.each(['maxConnections', 'maxRequests'] as const)('%s of the cluster', async (limit) => {
    const upstream = await TcpServer.echo();
    const plane = await relayTo(upstream, {}, { [limit]: 1 });
    const first = await dial(plane.port);
    await upstream.accepted();
    expect(await (await dial(plane.port)).over()).toBe('end');
    expect(counts(plane, 'weir_upstream_overflows_total', 'cluster')).toEqual({ 'test/cluster-0': 1 });
    first.end('x');
    expect(await first.over()).toBe('end');
    await comesTrue(
      () => counts(plane, 'weir_upstream_connections', 'cluster')['test/cluster-0'] === undefined,
    );
    const again = await dial(plane.port);
    again.end('y');
    await again.over();
    expect(again.text).toBe('y');
  });

  test('connections of the listener', async () => {
    const upstream = await TcpServer.echo();
    const plane = await relayTo(upstream, { limits: { connections: 1 } });
    const first = await dial(plane.port);
    first.write('x');
    await first.gets('x');
    const second = await dial(plane.port);
    await second.over();
    expect(counts(plane, 'weir_downstream_connections_refused_total')).toEqual({ '': 1 });
  });

  test('a listener that no route took closes', async () => {
    const plane = await DataPlane.start({ protocol: 'tcp', tcpRules: [], listeners: [{ tcpRule: -1 }] });
    expect(await (await dial(plane.port)).over()).toBe('end');
    expect(counts(plane, 'istio_tcp_connections_closed_total', 'route', 'response_flags')).toEqual({
      'unknown NR': 1,
    });
  });

  test('a share without a cluster closes, an upstream without endpoint too', async () => {
    const none = await DataPlane.start({
      protocol: 'tcp',
      tcpRules: [{ backends: [{ cluster: -1, weight: 1 }] }],
    });
    expect(await (await dial(none.port)).over()).toBe('end');
    expect(counts(none, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ NC: 1 });
    const empty = await DataPlane.start({ protocol: 'tcp', tcpRules: [{}], clusters: [{ ports: [] }] });
    expect(await (await dial(empty.port)).over()).toBe('end');
    expect(counts(empty, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ UH: 1 });
  });
});

describe('TLS', () => {
  const authority = makeCertificate({ names: ['Test authority'], authority: true });
  const issued = (name: string) => {
    const of = makeCertificate({ names: [name], issuer: authority });
    return {
      of,
      spec: { chainPem: of.certificatePem, keyPem: of.keyPem, names: [name] },
      server: { cert: of.certificatePem, key: of.keyPem },
    };
  };

  test('of the client ends at the listener; its name chooses the route', async () => {
    const [a, b] = [issued('a.example'), issued('b.example')];
    const upstreams = await Promise.all(
      ['A', 'B'].map((letter) => TcpServer.start((end) => void end.end(letter))),
    );
    const plane = await DataPlane.start({
      protocol: 'tls',
      tcpRules: [{}, { backends: [{ cluster: 1, weight: 1 }] }],
      listeners: [
        { hostname: 'a.example', certificates: [a.spec], tcpRule: 0 },
        { hostname: 'b.example', certificates: [b.spec], tcpRule: 1 },
      ],
      clusters: upstreams.map(({ port }) => ({ ports: [port] })),
    });
    for (const [name, letter] of [
      ['a.example', 'A'],
      ['b.example', 'B'],
    ] as const) {
      const client = await dial(plane.port, { servername: name, ca: authority.certificatePem });
      expect(await client.over()).toBe('end');
      expect(client.text).toBe(letter);
      client.end();
    }
    await expect(
      dial(plane.port, { servername: 'c.example', ca: authority.certificatePem }),
    ).rejects.toThrow();
  });

  test('to the upstream is checked, and bytes and ends go both ways through both', async () => {
    const [front, back] = [issued('front.example'), issued('back.example')];
    const upstream = await TcpServer.echo(back.server);
    const cluster = (serverName: string): NonNullable<Part['clusters']> => [
      { ports: [upstream.port], tls: { serverName, caPem: authority.certificatePem, verify: true } },
    ];
    const part = { protocol: 'tls', tcpRules: [{}], listeners: [{ certificates: [front.spec] }] } as const;
    const plane = await DataPlane.start({ ...part, clusters: cluster('back.example') });
    const client = await dial(plane.port, { servername: 'front.example', ca: authority.certificatePem });
    const sent = randomBytes(2_000_000);
    client.end(sent);
    expect(await client.over()).toBe('end');
    expect(client.bytes.equals(sent)).toBe(true);

    const wrong = await DataPlane.start({ ...part, clusters: cluster('other.example') });
    const refused = await dial(wrong.port, { servername: 'front.example', ca: authority.certificatePem });
    await refused.over();
    expect(refused.length).toBe(0);
    expect(counts(wrong, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ UF: 1 });
  });
});

describe('TLS that passes through', () => {
  const authority = makeCertificate({ names: ['Test authority'], authority: true });
  const serverOf = (name: string) => {
    const { certificatePem: cert, keyPem: key } = makeCertificate({ names: [name], issuer: authority });
    return TcpServer.echo({ cert, key });
  };

  async function through(part: Part = {}): Promise<{ plane: DataPlane; servers: TcpServer[] }> {
    const servers = await Promise.all(['a.example', 'b.wild.example'].map(serverOf));
    const plane = await DataPlane.start({
      protocol: 'passthrough',
      tcpRules: [{}, { backends: [{ cluster: 1, weight: 1 }] }],
      listeners: [
        { hostname: 'a.example', tcpRule: 0 },
        { hostname: '*.wild.example', tcpRule: 1 },
        { hostname: 'nobody.example', tcpRule: -1 },
      ],
      clusters: servers.map(({ port }) => ({ ports: [port] })),
      ...part,
    });
    return { plane, servers };
  }

  test('ends at the upstream that its server name leads to', async () => {
    const { plane, servers } = await through();
    for (const name of ['a.example', 'b.wild.example']) {
      const client = await dial(plane.port, { servername: name, ca: authority.certificatePem });
      const sent = randomBytes(300_000);
      client.end(sent);
      expect(await client.over()).toBe('end');
      expect(client.bytes.equals(sent)).toBe(true);
    }
    expect(servers.map(({ ends }) => ends.length)).toEqual([1, 1]);
  });

  test('is closed where nobody has the name, or there is none', async () => {
    const { plane } = await through();
    for (const options of [{ servername: 'nobody.example' }, { servername: 'other.example' }, {}])
      await expect(dial(plane.port, { ca: authority.certificatePem, ...options })).rejects.toThrow();
    expect(counts(plane, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ NR: 3 });
  });

  test('is closed where it is no TLS, and where it does not come in time', async () => {
    const { plane } = await through({ limits: { tlsHandshakeTimeoutMs: 300 } });
    const plain = await dial(plane.port);
    plain.write('SELECT 1\n');
    await plain.over();
    expect(counts(plane, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ DPE: 1 });
    const silent = await dial(plane.port);
    silent.write(Buffer.from([22, 3, 1]));
    await silent.over();
    await comesTrue(() => plane.runtime.status().connections === 0);
    expect(counts(plane, 'weir_downstream_connections_refused_total')).toEqual({ '': 1 });
  });

  test('waits for a name that comes byte by byte', async () => {
    const { plane, servers } = await through();
    const raw = await dial(plane.port);
    const hello = await helloFor('a.example');
    for (const byte of hello) {
      raw.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    // The server answers the handshake: it got all of it, once.
    await raw.until(() => raw.length > 100);
    expect(raw.bytes[0]).toBe(22);
    expect(servers[0]!.ends.length + servers[1]!.ends.length).toBeLessThanOrEqual(1);
  });
});

/** What a client of TLS sends first. */
async function helloFor(servername: string): Promise<Buffer> {
  const server = await TcpServer.start();
  const dialled = dial(server.port, { servername }).catch(() => undefined);
  const end = await server.accepted();
  await end.until(() => end.length > 100);
  const { bytes } = end;
  end.reset();
  await dialled;
  return bytes;
}

describe('the life of a snapshot', () => {
  test('a stream stays with the upstream that it began with; new ones go to the new', async () => {
    const [before, after] = [await TcpServer.echo(), await TcpServer.echo()];
    const plane = await relayTo(before);
    const old = await dial(plane.port);
    old.write('1');
    await old.gets('1');
    await plane.apply({ protocol: 'tcp', tcpRules: [{}], clusters: [{ ports: [after.port] }] });
    const fresh = await dial(plane.port);
    fresh.end('2');
    await fresh.over();
    expect(after.ends[0]!.text).toBe('2');
    expect(plane.runtime.status().snapshots).toBe(2);
    old.end('3');
    expect(await old.over()).toBe('end');
    expect([old.text, before.ends[0]!.text]).toEqual(['13', '13']);
    await comesTrue(() => plane.runtime.status().snapshots === 1);
  });

  test('a drain waits for streams, and cuts what is left at its limit', async () => {
    const { plane, client, server } = await joined();
    const drained = plane.runtime.drain(400);
    await expect(dial(plane.port)).rejects.toThrow();
    client.write('still here');
    expect(await server.gets('still here')).toBe('still here');
    await drained;
    await Promise.all([client.over(), server.over()]);
    expect(counts(plane, 'istio_tcp_connections_closed_total', 'response_flags')).toEqual({ LR: 1 });
  });

  test('a drain waits for streams of a listener that is no longer configured', async () => {
    const { plane, client, server } = await joined();
    plane.runtime.swap(await plane.runtime.stage(snapshotOf(await freePort(), {}), new Map()));
    expect(plane.runtime.status().connections).toBe(1);
    const drained = plane.runtime.drain(5000);
    client.end('last');
    server.end('words');
    expect(await client.over()).toBe('end');
    expect([client.text, server.text]).toEqual(['words', 'last']);
    await drained;
  });
});

test('bytes and connections are counted by route and destination', async () => {
  const upstream = await TcpServer.echo();
  const plane = await relayTo(upstream);
  const client = await dial(plane.port);
  client.write('12345');
  await client.gets('12345');
  const by = ['route', 'destination_service', 'request_protocol'] as const;
  const key = 'test/tcp-route cluster-0.test tcp';
  // While it runs, not when it is over: such connections may last for days.
  expect(counts(plane, 'istio_tcp_connections_opened_total', ...by)).toEqual({ [key]: 1 });
  expect(counts(plane, 'istio_tcp_received_bytes_total', ...by)).toEqual({ [key]: 5 });
  expect(counts(plane, 'istio_tcp_sent_bytes_total', ...by)).toEqual({ [key]: 5 });
  expect(counts(plane, 'istio_tcp_connections_closed_total', ...by)).toEqual({});
  expect(counts(plane, 'weir_upstream_connections', 'cluster')).toEqual({ 'test/cluster-0': 1 });
});

test('a connection that is held open by nobody’s reading does not leak', async () => {
  const server = createServer((socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(() => void server.close());
  const plane = await DataPlane.start({
    protocol: 'tcp',
    tcpRules: [{}],
    clusters: [{ ports: [(server.address() as AddressInfo).port] }],
  });
  const clients = await Promise.all(Array.from({ length: 50 }, () => dial(plane.port)));
  await Promise.all(clients.map((client) => client.over()));
  for (const client of clients) client.end();
  await comesTrue(() => plane.runtime.status().connections === 0);
  expect(plane.runtime.status().clusters[0]!.requests).toBe(0);
  expect(counts(plane, 'weir_upstream_connections', 'cluster')).toEqual({});
});
