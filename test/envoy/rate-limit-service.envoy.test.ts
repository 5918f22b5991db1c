// Envoy's own filter for rate limit services, weir's filter in weir, and the same module in Envoy, each with the same
// service: what the service was asked, what the upstream saw and what the client got.
import { beforeAll, describe, expect, test } from 'vitest';
import { echo, FakeUpstream } from '../support/fake-upstream.ts';
import type { Fields } from '../support/message.ts';
import { freePort } from '../support/ports.ts';
import { ROOT, Weir } from '../support/process.ts';
import { RateLimitStandIn, status, type LimitVerdict } from '../support/rate-limit-server.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { Envoy } from './envoy.ts';

const header = (name: string, key: string): object => ({
  request_headers: { header_name: name, descriptor_key: key },
});

/** What both sides are to ask about. */
const ACTIONS = [
  { actions: [header('x-user', 'user')] },
  { actions: [header('x-user', 'user'), header(':method', 'method')] },
  { actions: [{ generic_key: { descriptor_value: 'checkout' } }, header('x-role', 'role')] },
  { actions: [{ remote_address: {} }] },
];
const USER = { key: 'user', attribute: 'request.headers.x-user' };
const DESCRIPTORS = [
  { entries: [USER] },
  { entries: [USER, { key: 'method', attribute: 'request.method' }] },
  { entries: [{ value: 'checkout' }, { key: 'role', attribute: 'request.headers.x-role' }] },
  { entries: [{ key: 'remote_address', attribute: 'source.address' }] },
];

/** Where the service answers it may be late, on a busy machine; where it does not, the filter is to give up soon. */
const PLACES = [
  { name: 'closed', timeout: '8s', envoy: { failure_mode_deny: true }, weir: {} },
  { name: 'closed-soon', timeout: '2s', envoy: { failure_mode_deny: true }, weir: {} },
  {
    name: 'open',
    timeout: '2s',
    envoy: { failure_mode_deny: false },
    weir: { onServiceFailure: 'Allow' },
  },
];

interface Side {
  readonly upstream: FakeUpstream;
  readonly service: RateLimitStandIn;
  readonly ports: ReadonlyMap<string, number>;
}

async function parts(): Promise<Side & { ports: Map<string, number> }> {
  const ports = new Map<string, number>();
  for (const { name } of PLACES) ports.set(name, await freePort());
  return {
    upstream: await FakeUpstream.start({ behaviour: echo() }),
    service: await RateLimitStandIn.start(),
    ports,
  };
}

const configOf = (upstream: string, { timeout, weir }: (typeof PLACES)[number]): object => ({
  upstream,
  domain: 'shop',
  timeout,
  headers: false,
  xHeaders: true,
  descriptors: DESCRIPTORS,
  ...weir,
});

async function startEnvoy(): Promise<Side> {
  const own = await parts();
  await Envoy.start({
    clusters: { origin: own.upstream.port, 'grpc-limits': own.service.port },
    listeners: PLACES.map(({ name, timeout, envoy }) => ({
      name,
      port: own.ports.get(name)!,
      protocol: 'http',
      filters: [],
      own: [
        {
          name: 'envoy.filters.http.ratelimit',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit',
            domain: 'shop',
            timeout,
            enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
            rate_limit_service: {
              transport_api_version: 'V3',
              grpc_service: { envoy_grpc: { cluster_name: 'grpc-limits' } },
            },
            rate_limits: ACTIONS,
            ...envoy,
          },
        },
      ],
    })),
  });
  return own;
}

async function startModule(): Promise<Side> {
  const own = await parts();
  await Envoy.start({
    clusters: { origin: own.upstream.port, 'grpc-limits': own.service.port },
    listeners: PLACES.map((place) => ({
      name: place.name,
      port: own.ports.get(place.name)!,
      protocol: 'http',
      filters: [
        {
          name: 'ask',
          file: `${ROOT}dist/filters/rate-limit-service.wasm`,
          rootId: '',
          vmId: place.name,
          configuration: JSON.stringify(configOf('grpc-limits', place)),
          vmConfiguration: '',
        },
      ],
    })),
  });
  return own;
}

async function startWeir(): Promise<Side> {
  const own = await parts();
  const object = (kind: string, name: string, spec: object): string =>
    JSON.stringify({
      apiVersion: /Route|Gateway/.test(kind) ? 'gateway.networking.k8s.io/v1' : 'policy.weir/v1alpha1',
      kind,
      metadata: { name },
      spec,
    });
  const upstream = (name: string, port: number): string =>
    object('Upstream', name, { endpoints: { static: [{ address: '127.0.0.1', port }] } });
  const all = [
    object('Gateway', 'edge', {
      listeners: PLACES.map(({ name }) => ({ name, port: own.ports.get(name)!, protocol: 'HTTP' })),
    }),
    object('HTTPRoute', 'all', {
      parentRefs: [{ name: 'edge' }],
      rules: [{ backendRefs: [{ group: 'policy.weir', kind: 'Upstream', name: 'origin' }] }],
    }),
    upstream('origin', own.upstream.port),
    upstream('limits', own.service.port),
    ...PLACES.map((place) =>
      object('FilterChain', place.name, {
        targetRefs: [{ kind: 'Gateway', name: 'edge', sectionName: place.name }],
        filters: [
          {
            name: 'ask',
            use: 'rate-limit-service',
            callouts: [{ name: 'limits' }],
            config: configOf('limits', place),
          },
        ],
      }),
    ),
  ];
  await Weir.start({ files: { 'all.yaml': all.join('\n---\n') } });
  return own;
}

/** Fields that a proxy, or the upstream, puts in on its own account. */
const OWN =
  /^(x-envoy-|x-forwarded-|x-request-id$|date$|server$|host$|connection$|transfer-encoding$|content-length$|via$|traceparent$|retry-after$)/;

const fieldsOf = (fields: Fields): string[] =>
  fields
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
    .filter((line) => !OWN.test(line.slice(0, line.indexOf(':'))))
    .sort();

interface Case {
  readonly place?: string;
  readonly send: string | Uint8Array;
  readonly verdict?: LimitVerdict | null;
  /** The status and the words are each filter's own. */
  readonly ownWords?: boolean;
}

async function observe(side: Side, { place, send, verdict, ownWords }: Case): Promise<object> {
  side.service.decide = () => (verdict === undefined ? { overall_code: 'OK' } : verdict);
  const [asked, seen] = [side.service.asked.length, side.upstream.requests.length];
  const got = await exchange({ port: side.ports.get(place ?? 'closed')! }, send);
  const passed = got.status === 200;
  return {
    asked: side.service.asked.slice(asked),
    upstream: side.upstream.requests.slice(seen).map(({ fields }) => fieldsOf(fields)),
    status: ownWords === true ? got.status >= 500 : got.status,
    told: fieldsOf(got.fields).filter((line) => line.startsWith('x-')),
    text: passed || ownWords === true ? '' : got.text,
  };
}

const get = (...fields: string[]): string => getRequest('/orders?id=7', 'shop.test', ...fields);

/** A field of bytes that are not all UTF-8. */
const bytes = Buffer.from(get('X-User: a\xff\xc3\xa9'), 'latin1');

const CASES: Record<string, Case> = {
  'all descriptors': { send: get('X-User: ann', 'X-Role: admin') },
  'those that the request has values for': { send: get('X-User: ann') },
  'none but the address': { send: get() },
  'what the service adds': {
    send: get('X-User: ann', 'X-Tier: none'),
    verdict: {
      overall_code: 'OK',
      request_headers_to_add: [{ key: 'x-tier', value: 'gold' }],
      response_headers_to_add: [
        { key: 'x-a', value: '1' },
        { key: 'x-a', value: '2' },
      ],
    },
  },
  'what is left': {
    send: get('X-User: ann'),
    verdict: {
      overall_code: 'OK',
      statuses: [
        status('OK', 7),
        status('OK', 3, { unit: 'HOUR', name: 'by-method', requests_per_unit: 50 }),
        { code: 'OK' },
      ],
    },
  },
  'over a limit': {
    send: get('X-User: ann'),
    verdict: {
      overall_code: 'OVER_LIMIT',
      statuses: [status('OVER_LIMIT', 0), status('OK', 5, { unit: 'MONTH' })],
      raw_body: Buffer.from('later'),
      response_headers_to_add: [{ key: 'x-why', value: 'too many' }],
    },
  },
  'a service that does not answer': {
    place: 'closed-soon',
    send: get('X-User: ann'),
    verdict: null,
    ownWords: true,
  },
  'a service that does not answer, and a filter that lets pass': {
    place: 'open',
    send: get('X-User: ann'),
    verdict: null,
  },
};

describe('rate-limit-service does what the filter of Envoy does', () => {
  let envoy: Side;
  let others: [string, Side][];
  beforeAll(async () => {
    envoy = await startEnvoy();
    others = [
      ['weir', await startWeir()],
      ['the module in Envoy', await startModule()],
    ];
  }, 120_000);

  test.each(Object.entries(CASES))('%s', async (_name, one) => {
    const wanted = await observe(envoy, one);
    for (const [name, side] of others)
      expect({ name, ...(await observe(side, one)) }).toEqual({ name, ...wanted });
  });

  test.each<[string, string | Uint8Array, string]>([
    [
      'all values of a field count, where Envoy takes the first',
      get('X-User: ann', 'X-User: bea'),
      'ann,bea',
    ],
    ['bytes that are no UTF-8 leave the question readable, where Envoy sends them on', bytes, 'a!é'],
  ])('but %s', async (_name, send, value) => {
    for (const [, side] of others) {
      side.service.decide = () => ({ overall_code: 'OK' });
      await exchange({ port: side.ports.get('closed')! }, send);
      expect(side.service.asked.at(-1)).toMatch(`shop[user=${value}][user=${value} method=GET]`);
    }
  });
});
