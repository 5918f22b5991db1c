import type { ConnectionOptions } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import { STREAM_ATTRIBUTES } from '../../src/runtime/stream-attributes.ts';
import { DEFAULT_CAPABILITIES } from '../../src/runtime/wasm/capabilities.ts';
import { HOST_ATTRIBUTES } from '../../src/runtime/wasm/host-attributes.ts';
import { makeCertificate } from '../support/certificate.ts';
import { DataPlane, type Part } from '../support/data-plane.ts';
import { chunkedReply, FakeUpstream, reply, type UpstreamOptions } from '../support/fake-upstream.ts';
import { propertyGuest, readings } from '../support/property-guest.ts';
import { getRequest, RawClient } from '../support/raw-client.ts';

let guest: { readonly bytes: Uint8Array; readonly digest: string };

beforeAll(async () => {
  guest = await propertyGuest();
});

const authority = makeCertificate({ names: ['Test authority'], authority: true });
const own = makeCertificate({ names: ['edge.example'], uris: ['spiffe://edge'], issuer: authority });
const behind = makeCertificate({
  names: ['127.0.0.1', 'api.example'],
  uris: ['spiffe://api'],
  issuer: authority,
});

interface Bench {
  readonly plane: DataPlane;
  readonly upstream: FakeUpstream;
  readonly logged: string[];
}

/** One filter, or a chain of them, that read what their configurations say. */
async function start(
  filters: readonly string[],
  more: Part = {},
  options: UpstreamOptions = {},
  spec: NonNullable<Part['plugins']>[number] | object = {},
): Promise<Bench> {
  const upstream = await FakeUpstream.start(options);
  const logged: string[] = [];
  const plane = await DataPlane.start(
    {
      clusters: [{ ports: [upstream.port], metadata: [['example.com', [['zone', 'b']]]] }],
      modules: [
        {
          name: 'test/read',
          digest: guest.digest,
          source: 'test.yaml:1:1',
          memoryBytes: 16 << 20,
          // It reads more in one callback than a filter would, and on a busy machine.
          cpu: { perCallMs: 2000, perRequestMs: 4000, perStartMs: 4000, frames: 1000 },
        },
      ],
      plugins: filters.map((configuration, i) => ({ name: `test/chain#${i}`, configuration, ...spec })),
      chains: [[], filters.map((_, i) => i)],
      rules: [
        {
          chain: 1,
          metadata: [
            ['envoy.filters.http.wasm', [['auth', 'x-auth']]],
            ['weir', [['owner', 'shop']]],
          ],
        },
      ],
      listeners: [{ metadata: [['weir', [['stage', 'test']]]] }],
      ...more,
    },
    new Map([[guest.digest, guest.bytes]]),
    (_fields, message) => logged.push(message),
  );
  return { plane, upstream, logged };
}

const steps = (phase: string, paths: readonly string[]): string =>
  paths.map((path) => `${phase} get ${path}`).join('|');

const int = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return bytes;
};
const text = (value: string): Buffer => Buffer.from(value);
const number = (value: Buffer | number | undefined): number => Number((value as Buffer).readBigInt64LE());

type Expected =
  Buffer | number | ((value: Buffer | number | undefined, client: RawClient, bench: Bench) => void);

const NOT_FOUND = 1;
const SERIALIZATION_FAILURE = 3;
const between =
  (low: number, high: number): Expected =>
  (value) => {
    expect(number(value)).toBeGreaterThanOrEqual(low);
    expect(number(value)).toBeLessThanOrEqual(high);
  };
const nowNs = (): number => Date.now() * 1e6;

const pairs = (...entries: [string, Buffer][]): Buffer => {
  const head = Buffer.alloc(4 + 8 * entries.length);
  head.writeUInt32LE(entries.length);
  entries.forEach(([name, value], i) => {
    head.writeUInt32LE(Buffer.byteLength(name), 4 + 8 * i);
    head.writeUInt32LE(value.length, 8 + 8 * i);
  });
  return Buffer.concat([
    head,
    ...entries.flatMap(([name, value]) => [text(name), Buffer.alloc(1), value, Buffer.alloc(1)]),
  ]);
};
/** `Metadata` with one namespace and one text. */
const message = (namespace: string, key: string, value: string): Buffer => {
  const part = (tag: number, bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from([tag, bytes.length]), bytes]);
  const entry = (name: string, bytes: Buffer): Buffer =>
    Buffer.concat([part(0x0a, text(name)), part(0x12, bytes)]);
  return part(0x0a, entry(namespace, part(0x0a, entry(key, part(0x1a, text(value))))));
};

/** Of `GET /shop/cart?item=7` with the fields below, at the request's head. Paths as the filter takes them. */
const REQUEST: Readonly<Record<string, Expected>> = {
  'request/path': text('/shop/cart?item=7'),
  'request/url_path': text('/shop/cart'),
  'request/query': text('item=7'),
  'request/host': text('edge.example'),
  'request/scheme': text('http'),
  'request/method': text('GET'),
  'request/referer': text('http://from.example/'),
  'request/useragent': text('tester'),
  'request/id': (value) => expect(String(value)).toMatch(/^[0-9a-f-]{36}$/),
  'request/protocol': text('HTTP/1.1'),
  'request/headers/x-many': text('one,two'),
  'request/headers/X-Many': text('one,two'),
  'request/headers/:path': text('/shop/cart?item=7'),
  'request/headers/nothing': NOT_FOUND,
  'request/headers': (value) => {
    const map = (value as Buffer).toString('latin1');
    expect(map).toContain(':method\0GET\0');
    expect(map).toContain('x-many\0one,two\0');
  },
  'request/size': int(0),
  'request/total_size': between(100, 400),
  'request/headers_bytes': between(100, 400),
  'request/time': (value) => expect(Math.abs(number(value) - nowNs())).toBeLessThan(10e9),
  'request/duration': between(0, 10e9),
  'response/code': NOT_FOUND,
  'response/code_details': NOT_FOUND,
  'response/flags': int(0),
  'response/grpc_status': NOT_FOUND,
  'response/headers': pairs(),
  'response/headers/server': NOT_FOUND,
  'response/trailers': pairs(),
  'response/size': int(0),
  'response/total_size': int(0),
  'response/headers_bytes': int(0),
  'response/backend_latency': NOT_FOUND,
  'source/address': (value, client) => expect(value).toEqual(text(`127.0.0.1:${client.socket.localPort}`)),
  'source/port': (value, client) => expect(value).toEqual(int(client.socket.localPort!)),
  'connection/peer_address': (value, client) =>
    expect(value).toEqual(text(`127.0.0.1:${client.socket.localPort}`)),
  'destination/address': (value, _client, { plane }) =>
    expect(value).toEqual(text(`127.0.0.1:${plane.port}`)),
  'destination/port': (value, _client, { plane }) => expect(value).toEqual(int(plane.port)),
  'connection/id': (value) => expect(number(value)).toBeGreaterThan(0),
  connection_id: (value) => expect(number(value)).toBeGreaterThan(0),
  'connection/mtls': Buffer.from([0]),
  'connection/requested_server_name': text(''),
  'connection/tls_version': NOT_FOUND,
  'connection/termination_details': NOT_FOUND,
  'connection/transport_failure_reason': NOT_FOUND,
  'consumer/name': NOT_FOUND,
  'consumer/plan': NOT_FOUND,
  'consumer/labels': pairs(),
  'consumer/labels/app': NOT_FOUND,
  consumer: SERIALIZATION_FAILURE,
  'upstream/address': NOT_FOUND,
  'upstream/port': NOT_FOUND,
  'upstream/local_address': NOT_FOUND,
  'upstream/transport_failure_reason': NOT_FOUND,
  'upstream/request_attempt_count': int(0),
  'upstream/cx_pool_ready_duration': NOT_FOUND,
  'upstream/num_endpoints': NOT_FOUND,
  'upstream/locality': NOT_FOUND,
  route_name: text('test/route#0'),
  'xds/route_name': text('test/route#0'),
  'route_metadata/filter_metadata/envoy.filters.http.wasm/auth': text('x-auth'),
  'route_metadata/filter_metadata/weir': pairs(['owner', text('shop')]),
  'route_metadata/filter_metadata/weir/owner/more': NOT_FOUND,
  'route_metadata/filter_metadata/nothing': NOT_FOUND,
  'route_metadata/nothing': NOT_FOUND,
  'xds/route_metadata/filter_metadata/weir/owner': text('shop'),
  route_metadata: (value) => expect(String(value)).toContain('envoy.filters.http.wasm'),
  'xds/route_metadata': (value) => expect(String(value)).toContain('envoy.filters.http.wasm'),
  cluster_name: NOT_FOUND,
  'xds/cluster_name': NOT_FOUND,
  cluster_metadata: NOT_FOUND,
  'xds/cluster_metadata': NOT_FOUND,
  listener_direction: int(1),
  'xds/listener_direction': int(1),
  listener_metadata: message('weir', 'stage', 'test'),
  'xds/listener_metadata': message('weir', 'stage', 'test'),
  'listener_metadata/filter_metadata/weir/stage': text('test'),
  upstream_host_metadata: NOT_FOUND,
  'xds/upstream_host_metadata': NOT_FOUND,
  'xds/upstream_host_locality_metadata': NOT_FOUND,
  'xds/virtual_host_name': text('*'),
  'xds/virtual_host_metadata': Buffer.alloc(0),
  'xds/filter_chain_name': text('test/edge/http'),
  plugin_name: text('test/chain#0'),
  plugin_root_id: text(''),
  plugin_vm_id: text(''),
  'node/id': (value) => expect(String(value)).toMatch(/^weir-\d+$/),
  node: (value) => expect(String(value)).toContain('weir'),
  'xds/node': (value) => expect(String(value)).toContain('weir'),
  metadata: Buffer.alloc(0),
  filter_state: SERIALIZATION_FAILURE,
  'filter_state/nothing': NOT_FOUND,
  request: SERIALIZATION_FAILURE,
  response: SERIALIZATION_FAILURE,
  connection: SERIALIZATION_FAILURE,
  xds: SERIALIZATION_FAILURE,
  'request/nothing': NOT_FOUND,
};

/** The same stream at the head of its answer, 200 with a length of 2. */
const RESPONSE: Readonly<Record<string, Expected>> = {
  'response/code': int(200),
  'response/code_details': text('via_upstream'),
  'response/grpc_status': int(2),
  'response/headers/x-upstream': text('yes'),
  'response/headers': (value) => expect(String(value)).toContain(':status\x00200\x00'),
  'response/headers_bytes': between(20, 200),
  'response/total_size': between(20, 200),
  'response/backend_latency': between(1, 10e9),
  'upstream/address': (value, _client, { upstream }) =>
    expect(value).toEqual(text(`127.0.0.1:${upstream.port}`)),
  'upstream/port': (value, _client, { upstream }) => expect(value).toEqual(int(upstream.port)),
  'upstream/local_address': (value) => expect(String(value)).toMatch(/^127\.0\.0\.1:\d+$/),
  'upstream/transport_failure_reason': text(''),
  'upstream/request_attempt_count': int(1),
  'upstream/cx_pool_ready_duration': between(1, 10e9),
  'upstream/num_endpoints': int(1),
  'upstream/locality': Buffer.alloc(0),
  'upstream/locality/zone': text(''),
  'upstream/tls_version': NOT_FOUND,
  cluster_name: text('test/cluster-0'),
  'xds/cluster_name': text('test/cluster-0'),
  'cluster_metadata/filter_metadata/example.com/zone': text('b'),
  cluster_metadata: message('example.com', 'zone', 'b'),
  'xds/cluster_metadata': message('example.com', 'zone', 'b'),
};

const HEAD = [
  'GET /shop/cart?item=7 HTTP/1.1',
  'Host: edge.example',
  'Referer: http://from.example/',
  'User-Agent: tester',
  'X-Many: one',
  'X-Many: two',
  '\r\n',
].join('\r\n');

async function check(phase: string, expected: Readonly<Record<string, Expected>>): Promise<void> {
  const bench = await start(
    [steps(phase, Object.keys(expected))],
    {},
    { behaviour: reply(200, [['X-Upstream', 'yes']], 'ok') },
  );
  const client = await RawClient.connect({ port: bench.plane.port });
  const answer = await client.exchange(HEAD);
  expect(answer.status).toBe(200);
  const found = readings(answer.text.split('\n'));
  for (const [path, value] of Object.entries(expected)) {
    if (typeof value === 'function') value(found.get(path), client, bench);
    else expect(found.get(path), path).toEqual(value);
  }
}

describe('every property has its value', () => {
  test('at the head of a request', () => check('request', REQUEST));
  test('at the head of an answer', () => check('response', RESPONSE));

  test('in root contexts: plugin and node, nothing of a stream', async () => {
    const { logged } = await start([
      steps('configure', [
        'plugin_name',
        'node/cluster',
        'request/path',
        'connection/id',
        'metadata',
        'mine',
      ]),
    ]);
    const found = readings(logged);
    expect([found.get('plugin_name'), found.get('node/cluster')]).toEqual([
      text('test/chain#0'),
      text('weir'),
    ]);
    for (const path of ['request/path', 'connection/id', 'metadata', 'mine'])
      expect(found.get(path)).toBe(NOT_FOUND);
  });

  test('when the stream is over', async () => {
    const { plane, logged, upstream } = await start(
      [
        steps('log', [
          'request/path',
          'request/duration',
          'response/code',
          'response/size',
          'response/total_size',
          'upstream/local_address',
          'response/trailers/x-sum',
          'response/grpc_status',
        ]),
      ],
      {},
      {
        behaviour: chunkedReply(
          ['he', 'llo'],
          [
            ['X-Sum', 'five'],
            ['Grpc-Status', '5'],
          ],
        ),
      },
    );
    const client = await RawClient.connect({ port: plane.port });
    expect((await client.exchange(getRequest('/end'))).text).toBe('hello');
    expect(upstream.total).toBe(1);
    await expect.poll(() => logged.length).toBeGreaterThanOrEqual(8);
    const found = readings(logged);
    expect(found.get('request/path')).toEqual(text('/end'));
    expect(found.get('response/code')).toEqual(int(200));
    expect(found.get('response/size')).toEqual(int(5));
    expect(found.get('response/trailers/x-sum')).toEqual(text('five'));
    expect(found.get('response/grpc_status')).toEqual(int(5));
    expect(number(found.get('request/duration'))).toBeGreaterThan(0);
    expect(String(found.get('upstream/local_address'))).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test('no row of the table is left out', () => {
    const tested = new Set(
      [...Object.keys(REQUEST), ...Object.keys(RESPONSE)].map((path) => path.replaceAll('/', '.')),
    );
    const rows = [...STREAM_ATTRIBUTES.rows, ...HOST_ATTRIBUTES.rows].map(({ path }) => path);
    // Those of certificates: certificate-attributes.test.ts, and below.
    const left = rows.filter(
      (path) => !tested.has(path) && !path.endsWith('_certificate') && !path.endsWith('_digest'),
    );
    expect(left).toEqual([]);
  });
});

describe('failures', () => {
  test('an upstream that is not there: why, and by which flags', async () => {
    const { plane, upstream, logged } = await start([
      steps('log', [
        'upstream/transport_failure_reason',
        'upstream/local_address',
        'upstream/request_attempt_count',
        'response/code',
        'response/flags',
        'response/backend_latency',
      ]),
    ]);
    await upstream.stop();
    const client = await RawClient.connect({ port: plane.port });
    expect((await client.exchange(getRequest('/'))).status).toBe(503);
    await expect.poll(() => logged.length).toBeGreaterThanOrEqual(6);
    const found = readings(logged);
    expect(found.get('upstream/transport_failure_reason')).toEqual(text('ECONNREFUSED'));
    expect(found.get('upstream/local_address')).toBe(NOT_FOUND);
    expect(found.get('response/code')).toEqual(int(503));
    expect(number(found.get('response/flags'))).toBeGreaterThan(0);
    expect(found.get('response/backend_latency')).toBe(NOT_FOUND);
  });
});

describe('TLS', () => {
  const PATHS = [
    'request/scheme',
    'connection/mtls',
    'connection/requested_server_name',
    'connection/tls_version',
    'connection/subject_local_certificate',
    'connection/subject_peer_certificate',
    'connection/dns_san_local_certificate',
    'connection/uri_san_local_certificate',
    'connection/dns_san_peer_certificate',
    'connection/sha256_peer_certificate_digest',
    'connection/peer_certificate',
  ];

  const dial = (plane: DataPlane, options: ConnectionOptions = {}): Promise<RawClient> =>
    RawClient.connect({
      port: plane.port,
      tls: { servername: 'edge.example', ca: authority.certificatePem, ...options },
    });

  test('of the client: its name, version, and the certificate that it was shown', async () => {
    const { plane } = await start(
      [steps('request', PATHS)],
      {
        protocol: 'https',
        listeners: [
          { certificates: [{ chainPem: own.certificatePem, keyPem: own.keyPem, names: ['edge.example'] }] },
        ],
      },
      {},
      { capabilities: [...DEFAULT_CAPABILITIES, 'secrets'] },
    );
    const client = await dial(plane, { maxVersion: 'TLSv1.2' });
    const found = readings((await client.exchange(getRequest('/', 'edge.example'))).text.split('\n'));
    expect(Object.fromEntries(found)).toEqual({
      'request/scheme': text('https'),
      'connection/mtls': Buffer.from([0]),
      'connection/requested_server_name': text('edge.example'),
      'connection/tls_version': text('TLSv1.2'),
      'connection/subject_local_certificate': text('CN=edge.example'),
      'connection/subject_peer_certificate': text(''),
      'connection/dns_san_local_certificate': text('edge.example'),
      'connection/uri_san_local_certificate': text('spiffe://edge'),
      'connection/dns_san_peer_certificate': NOT_FOUND,
      'connection/sha256_peer_certificate_digest': NOT_FOUND,
      'connection/peer_certificate': NOT_FOUND,
    });
  });

  test('of the upstream: its certificate', async () => {
    const paths = [
      'tls_version',
      'subject_peer_certificate',
      'dns_san_peer_certificate',
      'uri_san_peer_certificate',
      'sha256_peer_certificate_digest',
      'peer_certificate',
      'dns_san_local_certificate',
    ].map((name) => `upstream/${name}`);
    const upstream = await FakeUpstream.start({ tls: { cert: behind.certificatePem, key: behind.keyPem } });
    const { plane } = await start([steps('response', paths)], {
      clusters: [
        {
          ports: [upstream.port],
          tls: { serverName: 'api.example', caPem: authority.certificatePem, verify: true },
        },
      ],
    });
    const client = await RawClient.connect({ port: plane.port });
    const found = readings((await client.exchange(getRequest('/'))).text.split('\n'));
    expect(found.get('upstream/tls_version')).toEqual(text('TLSv1.3'));
    expect(found.get('upstream/subject_peer_certificate')).toEqual(text('CN=127.0.0.1'));
    expect(found.get('upstream/dns_san_peer_certificate')).toEqual(text('127.0.0.1'));
    expect(found.get('upstream/uri_san_peer_certificate')).toEqual(text('spiffe://api'));
    expect(String(found.get('upstream/sha256_peer_certificate_digest'))).toMatch(/^[0-9a-f]{64}$/);
    expect(String(found.get('upstream/peer_certificate'))).toMatch(/^-----BEGIN%20CERTIFICATE-----%0A/);
    expect(found.get('upstream/dns_san_local_certificate')).toBe(NOT_FOUND);
  });
});

describe('text encodings', () => {
  test('are what a filter gets that asks for them', async () => {
    const paths = [
      'request/size',
      'request/duration',
      'request/time',
      'source/address',
      'source/port',
      'destination/port',
      'connection/mtls',
      'upstream/request_attempt_count',
    ];
    const { plane } = await start([steps('request', paths)], {}, {}, { properties: 'text' });
    const client = await RawClient.connect({ port: plane.port });
    const found = readings((await client.exchange(getRequest('/'))).text.split('\n'));
    const value = (path: string): string => String(found.get(path));
    expect(value('request/size')).toBe('0');
    expect(value('request/duration')).toMatch(/^\d\.\d{3}$/);
    expect(value('request/time')).toMatch(/^\d{10}\.\d{3}$/);
    expect(value('source/address')).toBe('127.0.0.1');
    expect(value('source/port')).toBe(String(client.socket.localPort));
    expect(value('destination/port')).toBe(String(plane.port));
    expect(value('connection/mtls')).toBe('false');
    expect(value('upstream/request_attempt_count')).toBe('0');
  });
});

describe('what filters keep', () => {
  test('is read by the filters behind, as property, filter state, metadata and in expressions', async () => {
    const { plane } = await start([
      'quiet set tier gold|quiet call weir.set_metadata auth/user/anna|quiet set deep/path there',
      [
        'request get tier',
        'request get filter_state/wasm.tier',
        'request get deep/path',
        'request get metadata/filter_metadata/auth/user',
        'request cel string(tier) + metadata.filter_metadata["auth"]["user"] + request.path',
        'request cel request.headers["host"]',
      ].join('|'),
    ]);
    const client = await RawClient.connect({ port: plane.port });
    const found = readings((await client.exchange(getRequest('/p'))).text.split('\n'));
    expect(found.get('tier')).toEqual(text('gold'));
    expect(found.get('filter_state/wasm.tier')).toEqual(text('gold'));
    expect(found.get('deep/path')).toEqual(text('there'));
    expect(found.get('metadata/filter_metadata/auth/user')).toEqual(text('anna'));
    expect(found.get('string(tier) + metadata.filter_metadata["auth"]["user"] + request.path')).toEqual(
      text('goldanna/p'),
    );
    expect(found.get('request.headers["host"]')).toBe(10);
  });

  test('is gone with the stream, unless it is declared to be the connection’s', async () => {
    // DeclarePropertyArguments { name: "kept", span: DownstreamConnection }
    const declare = `configure hex declare_property 0a04${text('kept').toString('hex')}2802`;
    const { plane } = await start([
      `${declare}|request get mine|request get kept|request set mine one|request set kept two`,
    ]);
    const client = await RawClient.connect({ port: plane.port });
    const ask = async (): Promise<unknown[]> => {
      const lines = (await client.exchange(getRequest('/'))).text.split('\n');
      return ['mine', 'kept'].map((path) => readings(lines.slice(0, 2)).get(path));
    };
    expect(await ask()).toEqual([NOT_FOUND, NOT_FOUND]);
    expect(await ask()).toEqual([NOT_FOUND, text('two')]);
    const other = await RawClient.connect({ port: plane.port });
    const lines = (await other.exchange(getRequest('/'))).text.split('\n');
    expect(readings(lines.slice(0, 2)).get('kept')).toBe(NOT_FOUND);
  });

  test('a built-in property stays what it is', async () => {
    const { plane } = await start(['request set request/path /mine|request get request/path']);
    const client = await RawClient.connect({ port: plane.port });
    const lines = (await client.exchange(getRequest('/theirs'))).text.split('\n');
    expect(lines.slice(0, 1)).toEqual(['request/path:0']);
    expect(readings(lines.slice(1)).get('request/path')).toEqual(text('/theirs'));
  });
});

test('the next stream of a connection has a duration of its own', async () => {
  const { plane } = await start(['response get request/duration']);
  const client = await RawClient.connect({ port: plane.port });
  for (let i = 0; i < 3; i++) {
    const found = readings((await client.exchange(getRequest('/'))).text.split('\n'));
    expect(number(found.get('request/duration'))).toBeGreaterThan(0);
    expect(number(found.get('request/duration'))).toBeLessThan(10e9);
  }
});
