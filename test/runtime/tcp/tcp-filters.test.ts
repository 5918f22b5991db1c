import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { makeCertificate } from '../../support/certificate.ts';
import { DataPlane, type Part } from '../../support/data-plane.ts';
import { scriptedTcpGuest } from '../../support/scripted-tcp-guest.ts';
import { dial, TcpServer, type TcpEnd } from '../../support/tcp.ts';

let code: Uint8Array;
let digest: string;

beforeAll(async () => {
  code = await scriptedTcpGuest();
  digest = createHash('sha256').update(code).digest('hex');
});

interface Filter {
  readonly script: string;
  readonly onError?: 'deny' | 'skip';
  readonly bodyBufferBytes?: number;
}

class Bench {
  readonly plane: DataPlane;
  readonly upstream: TcpServer;
  /** Lines of filters, `filter: text`. */
  readonly lines: string[];

  private constructor(plane: DataPlane, upstream: TcpServer, lines: string[]) {
    this.plane = plane;
    this.upstream = upstream;
    this.lines = lines;
  }

  /** Filters in the order of the chain: a script, or more. */
  static async start(
    filters: readonly (string | Filter)[],
    part: Part = {},
    upstream?: TcpServer,
  ): Promise<Bench> {
    const server = upstream ?? (await TcpServer.start());
    const lines: string[] = [];
    const plugins = filters.map((filter, i) => {
      const { script, ...rest } = typeof filter === 'string' ? { script: filter } : filter;
      return { name: `f${i + 1}`, configuration: script, ...rest };
    });
    const plane = await DataPlane.start(
      {
        protocol: 'tcp',
        tcpRules: [{ chain: 1 }],
        chains: [[], plugins.map((_, i) => i)],
        modules: [{ name: 'test/scripted', digest, source: 'test.yaml:1:1', memoryBytes: 16 * 1024 * 1024 }],
        plugins,
        clusters: [{ ports: [server.port] }],
        ...part,
      },
      new Map([[digest, code]]),
      (fields, message) => {
        const { plugin } = fields as { plugin?: string };
        if (plugin !== undefined) lines.push(`${plugin}: ${message}`);
      },
    );
    return new Bench(plane, server, lines);
  }

  async join(): Promise<{ client: TcpEnd; server: TcpEnd }> {
    const client = await dial(this.plane.port);
    return { client, server: await this.upstream.accepted() };
  }

  async logs(...lines: string[]): Promise<void> {
    for (let i = 0; i < 500 && this.lines.length < lines.length; i++) await sleep(10);
    expect(this.lines).toEqual(lines);
  }

  value(name: string, labels: Record<string, string> = {}): number {
    const family = this.plane.runtime.dump().find((candidate) => candidate.name === name);
    const series = family?.series.filter((one) =>
      Object.entries(labels).every(([label, value]) => one.labels[label] === value),
    );
    return (series ?? []).reduce((sum, { values }) => sum + values[0]!, 0);
  }
}

describe('the life of a connection', () => {
  test('is told to each filter in order, the way back backwards', async () => {
    const script =
      'new log new;down log down;up log up;uclose log uclose;dclose log dclose;done log done;log log log;delete log delete';
    const bench = await Bench.start([script, script]);
    const { client, server } = await bench.join();
    client.write('hi');
    await server.gets('hi');
    server.write('hello');
    await client.gets('hello');
    client.end();
    await server.over();
    server.end();
    await client.over();
    await bench.logs(
      'f1: new 0',
      'f2: new 0',
      'f1: down 2',
      'f2: down 2',
      'f2: up 5',
      'f1: up 5',
      'f1: down 0 end',
      'f2: down 0 end',
      'f2: up 0 end',
      'f1: up 0 end',
      // Closed by the upstream (2), then by the client (2).
      'f1: uclose 2',
      'f2: uclose 2',
      'f1: dclose 2',
      'f2: dclose 2',
      'f1: done 0',
      'f1: log 0',
      'f1: delete 0',
      'f2: done 0',
      'f2: log 0',
      'f2: delete 0',
    );
  });

  test('an upstream that could not be reached is not told as closed; the client was closed by weir', async () => {
    const bench = await Bench.start(
      ['uclose log uclose;dclose log dclose;log property response.code_details'],
      {
        clusters: [{ ports: [] }],
      },
    );
    await (await dial(bench.plane.port)).over();
    await bench.logs('f1: dclose 1', 'f1: response.code_details no_healthy_upstream');
  });

  test('a reset of the upstream closes it by the remote side, and then the client by weir', async () => {
    const bench = await Bench.start(['uclose log uclose;dclose log dclose']);
    const { client, server } = await bench.join();
    server.write('x');
    await client.gets('x');
    server.reset();
    expect(await client.over()).toBe('reset');
    await bench.logs('f1: uclose 2', 'f1: dclose 1');
  });
});

describe('data', () => {
  test('is changed by filters in their order, and backwards on the way back', async () => {
    const bench = await Bench.start(['down wrap a;up wrap a', 'down wrap b;up wrap b']);
    const { client, server } = await bench.join();
    client.write('x');
    expect(await server.gets('b(a(x))')).toBe('b(a(x))');
    server.write('y');
    expect(await client.gets('a(b(y))')).toBe('a(b(y))');
  });

  test('may grow, shrink and vanish', async () => {
    const bench = await Bench.start(['down append !!;up drop']);
    const { client, server } = await bench.join();
    client.write('x');
    expect(await server.gets('x!!')).toBe('x!!');
    server.write('secret');
    server.end();
    await client.over();
    expect(client.text).toBe('');
  });

  test('that a filter gathers is seen with all that came, and goes on together', async () => {
    const bench = await Bench.start(['down gather 6;down data saw', 'down log then']);
    const { client, server } = await bench.join();
    for (const part of ['ab', 'cd', 'ef']) {
      client.write(part);
      for (let i = 0; i < 100 && !bench.lines.some((line) => line.endsWith(part)); i++) await sleep(5);
    }
    expect(await server.gets('abcdef')).toBe('abcdef');
    await bench.logs('f1: saw ab', 'f1: saw abcd', 'f1: saw abcdef', 'f2: then 6');
  });

  test('that waits for more goes on with the end of the connection', async () => {
    const bench = await Bench.start(['down gather 100']);
    const { client, server } = await bench.join();
    client.end('short');
    expect(await server.over()).toBe('end');
    expect(server.text).toBe('short');
  });

  test('that is stopped goes on when the filter continues later, its end too, without asking it again', async () => {
    const bench = await Bench.start(['down log down;down later 2', 'down log then']);
    const { client, server } = await bench.join();
    client.end('held');
    expect(await server.over()).toBe('end');
    expect(server.text).toBe('held');
    const seen = bench.lines.filter((line) => line.startsWith('f1'));
    // The bytes and the end come together or one after the other.
    expect([['f1: down 4 end'], ['f1: down 4', 'f1: down 4 end']]).toContainEqual(seen);
    expect(bench.lines.filter((line) => line.startsWith('f2'))).toContain('f2: then 4 end');
  });

  test('of the upstream is held and continued too', async () => {
    const bench = await Bench.start(['up later 3', 'up wrap w']);
    const { client, server } = await bench.join();
    server.write('held');
    expect(await client.gets('w(held)')).toBe('w(held)');
  });

  test('is continued from within the callback that stops it', async () => {
    const bench = await Bench.start(['down continue 2;down stop']);
    const { client, server } = await bench.join();
    client.write('at once');
    expect(await server.gets('at once')).toBe('at once');
  });

  test('that a filter keeps is bounded: weir stops reading', async () => {
    const bench = await Bench.start([{ script: 'down stop', bodyBufferBytes: 64 * 1024 }]);
    const { client } = await bench.join();
    const piece = Buffer.alloc(64 * 1024);
    let written = 0;
    while (written < 64 * 1024 * 1024) {
      written += piece.length;
      if (client.socket.write(piece)) continue;
      if ((await Promise.race([once(client.socket, 'drain'), sleep(300)])) === undefined) break;
    }
    expect(written).toBeLessThan(32 * 1024 * 1024);
    expect(bench.value('istio_tcp_received_bytes_total')).toBeLessThan(1024 * 1024);
  });

  test('passes unharmed in large amounts through a filter that sees all of it', async () => {
    const bench = await Bench.start(['down count d', 'up count u'], {}, await TcpServer.echo());
    const client = await dial(bench.plane.port);
    const sent = randomBytes(3_000_000);
    client.end(sent);
    expect(await client.over()).toBe('end');
    expect(client.bytes.equals(sent)).toBe(true);
    expect(bench.value('wasmcustom_d')).toBeGreaterThan(1);
    expect(bench.value('wasmcustom_u')).toBeGreaterThan(1);
  }, 20_000);
});

describe('a new connection', () => {
  test('waits at a filter that stops it, and goes on to the next when continued', async () => {
    const bench = await Bench.start(['new log new;new later 2;down log down', 'new log new']);
    const client = await dial(bench.plane.port);
    client.write('early');
    const server = await bench.upstream.accepted();
    expect(await server.gets('early')).toBe('early');
    await bench.logs('f1: new 0', 'f2: new 0', 'f1: down 5');
  });

  test('is not passed to the upstream while it waits', async () => {
    const bench = await Bench.start(['new stop'], { tcpRules: [{ chain: 1, idleMs: 300 }] });
    const client = await dial(bench.plane.port);
    await client.over();
    expect(bench.upstream.ends).toEqual([]);
    expect(bench.value('istio_tcp_connections_closed_total', { response_flags: 'SI' })).toBe(1);
  });

  test('may be sent to a backend of the filter’s choice, and to no other', async () => {
    const [first, second] = [await TcpServer.echo(), await TcpServer.start((end) => void end.end('second'))];
    const part = {
      clusters: [{ ports: [first.port] }, { ports: [second.port] }, { ports: [second.port] }],
      tcpRules: [
        {
          chain: 1,
          backends: [
            { cluster: 0, weight: 1 },
            { cluster: 1, weight: 0 },
          ],
        },
      ],
    };
    for (const name of ['cluster-1', 'test/cluster-1']) {
      const bench = await Bench.start([`new cluster ${name}`], part);
      const client = await dial(bench.plane.port);
      await client.over();
      expect(client.text).toBe('second');
    }
    const beyond = await Bench.start(['new cluster cluster-2'], part);
    const client = await dial(beyond.plane.port);
    await client.over();
    expect(client.text).toBe('');
    expect(beyond.value('istio_tcp_connections_closed_total', { response_flags: 'NC' })).toBe(1);
  });
});

describe('closing', () => {
  test.each([2, 3])(
    'stream type %i ends both connections; what was sent to the client arrives',
    async (type) => {
      const bench = await Bench.start([`up append _;up close ${type}`, 'log property response.code_details']);
      const { client, server } = await bench.join();
      server.write('dropped');
      expect(await client.over()).toBe('end');
      expect(client.text).toBe('');
      expect(await server.over()).not.toBe('open');
      await bench.logs('f2: response.code_details filter_closed_stream');
    },
  );

  test('because of what the client sends comes before any byte of it reaches the upstream', async () => {
    const bench = await Bench.start(['down closeIf DROP']);
    const { client, server } = await bench.join();
    server.write('banner');
    await client.gets('banner');
    client.write('ok');
    await server.gets('ok');
    client.write('DROP TABLE');
    expect(await client.over()).toBe('end');
    await server.over();
    expect([client.text, server.text]).toEqual(['banner', 'ok']);
  });

  test('later, while data waits', async () => {
    const bench = await Bench.start(['down later 4']);
    const { client, server } = await bench.join();
    client.write('x');
    expect(await client.over()).toBe('end');
    await server.over();
    expect(server.text).toBe('');
  });
});

describe('a filter that traps', () => {
  test('in a new connection closes it where it denies', async () => {
    const bench = await Bench.start(['new trap']);
    // It may be over before the client has learned that it began.
    await dial(bench.plane.port).then(
      (client) => client.over(),
      () => undefined,
    );
    expect(bench.upstream.ends).toEqual([]);
    expect(bench.value('istio_tcp_connections_closed_total')).toBe(1);
    expect(bench.value('weir_filter_traps_total', { filter: 'f1' })).toBe(1);
  });

  test('in a new connection is passed by where it skips, in data too', async () => {
    const bench = await Bench.start([{ script: 'new trap;down wrap no', onError: 'skip' }, 'down wrap yes']);
    const { client, server } = await bench.join();
    client.write('x');
    expect(await server.gets('yes(x)')).toBe('yes(x)');
  });

  test('in data resets both sides where it denies; nothing of that data goes on', async () => {
    const bench = await Bench.start([
      'down write changed;down trapAt changed',
      'log property response.code_details',
    ]);
    const { client, server } = await bench.join();
    client.write('x');
    expect(await client.over()).toBe('reset');
    expect(await server.over()).toBe('reset');
    expect(server.text).toBe('');
    expect(bench.lines).toContain('f2: response.code_details filter_failed{f1}');
  });

  test('in data is skipped with the data as it was', async () => {
    const bench = await Bench.start([{ script: 'down write changed;down trapAt changed', onError: 'skip' }]);
    const { client, server } = await bench.join();
    client.write('as it was');
    expect(await server.gets('as it was')).toBe('as it was');
    server.end('bye');
    await client.over();
    expect(client.text).toBe('bye');
  });

  test('while a connection waits in it ends or frees that connection', async () => {
    for (const [onError, expected] of [
      ['deny', ''],
      ['skip', 'waits'],
    ] as const) {
      const bench = await Bench.start([{ script: 'down later 9', onError }]);
      const { client, server } = await bench.join();
      client.end('waits');
      await server.over();
      expect(server.text).toBe(expected);
    }
  });

  test('costs the connections in its instance and no others', async () => {
    const bench = await Bench.start(['down trapAt BOOM'], {}, await TcpServer.echo());
    const bad = await dial(bench.plane.port);
    bad.write('BOOM');
    expect(await bad.over()).toBe('reset');
    for (let i = 0; i < 200; i++) {
      // A reset may come before the client knows that it is connected.
      const next = await dial(bench.plane.port).catch(() => null);
      next?.end('fine');
      await next?.over();
      if (next?.text === 'fine') return;
      await sleep(10);
    }
    throw new Error('no instance took its place');
  });
});

describe('properties', () => {
  test('tell of the connection, its upstream and its route', async () => {
    const paths = [
      'source.address',
      'destination.address',
      'connection.requested_server_name',
      'upstream.address',
      'route_name',
      'cluster_name',
      'plugin_name',
      'request.path',
    ];
    const ask = paths.map((path) => `down property ${path}`).join(';');
    const bench = await Bench.start([`${ask};down property source.port int;down property connection.mtls`]);
    const { client, server } = await bench.join();
    client.write('x');
    await server.gets('x');
    const { localPort } = client.socket;
    await bench.logs(
      `f1: source.address 127.0.0.1:${localPort}`,
      `f1: destination.address 127.0.0.1:${bench.plane.port}`,
      'f1: connection.requested_server_name ',
      `f1: upstream.address 127.0.0.1:${bench.upstream.port}`,
      'f1: route_name test/tcp-route#0',
      'f1: cluster_name test/cluster-0',
      'f1: plugin_name f1',
      'f1: request.path NotFound',
      `f1: source.port ${localPort}`,
      'f1: connection.mtls \0',
    );
  });

  test('of TLS, and what a filter keeps for the next', async () => {
    const certificate = makeCertificate({ names: ['db.example'] });
    const bench = await Bench.start(
      [
        'new keep note;new property connection.tls_version;new property connection.requested_server_name',
        'new property kept',
      ],
      {
        protocol: 'tls',
        listeners: [
          {
            hostname: 'db.example',
            certificates: [
              { chainPem: certificate.certificatePem, keyPem: certificate.keyPem, names: ['db.example'] },
            ],
          },
        ],
      },
    );
    await dial(bench.plane.port, { servername: 'db.example', ca: certificate.certificatePem });
    await bench.logs(
      'f1: connection.tls_version TLSv1.3',
      'f1: connection.requested_server_name db.example',
      'f2: kept note',
    );
  });
});

test('time in the callbacks is counted by phase', async () => {
  const bench = await Bench.start(['down count seen']);
  const { client, server } = await bench.join();
  client.write('x');
  await server.gets('x');
  server.write('y');
  await client.gets('y');
  const family = bench.plane.runtime.dump().find(({ name }) => name === 'weir_filter_duration_seconds')!;
  const phases = family.series
    .filter(({ values }) => values.slice(0, -1).some((n) => n > 0))
    .map(({ labels }) => labels['phase']);
  expect(phases.sort()).toEqual(['downstream_data', 'new_connection', 'upstream_data']);
});

test('instances go with the last connection of their snapshot', async () => {
  const bench = await Bench.start(['down count seen']);
  const { client, server } = await bench.join();
  client.write('x');
  await server.gets('x');
  await bench.plane.apply({
    protocol: 'tcp',
    tcpRules: [{}],
    clusters: [{ ports: [bench.upstream.port] }],
  });
  const { runtime } = bench.plane;
  expect(runtime.status().plugins.map(({ name }) => name)).toEqual(['f1']);
  client.write('y');
  await server.gets('xy');
  client.end();
  server.end();
  await Promise.all([client.over(), server.over()]);
  for (let i = 0; i < 500 && runtime.status().plugins.length > 0; i++) await sleep(10);
  expect(runtime.status().plugins).toEqual([]);
});
