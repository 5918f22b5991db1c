// Envoy's own filter for external authorization beside weir's, each with the same services: what the services were asked,
// what the upstream saw and what the client got.
import { beforeAll, describe, expect, test } from 'vitest';
import {
  AuthorizationServer,
  option,
  type CheckRequest,
  type CheckResponse,
} from '../support/authorization-server.ts';
import { echo, FakeUpstream, hang, reply, type Behaviour } from '../support/fake-upstream.ts';
import type { Fields } from '../support/message.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest, postRequest } from '../support/raw-client.ts';
import { Envoy } from './envoy.ts';

interface Setting {
  readonly name: string;
  /** Of `envoy.extensions.filters.http.ext_authz.v3.ExtAuthz`. */
  readonly envoy: object;
  /** Of filter ext-authz. */
  readonly weir: object;
}

/** Of filters whose service answers, however late on a busy machine, and of those that give up. */
const PATIENT = '8s';
const SHORT = '2s';

const grpcOfEnvoy = (timeout: string): object => ({ envoy_grpc: { cluster_name: 'grpc-auth' }, timeout });
const grpcOfWeir = (timeout: string): object => ({ upstream: 'grpc-auth', timeout });
const exact = (...names: string[]): object => ({ patterns: names.map((name) => ({ exact: name })) });

function http(name: string, timeout: string): Setting {
  return {
    name,
    envoy: {
      allowed_headers: exact('x-session'),
      http_service: {
        server_uri: { uri: 'http://auth', cluster: 'http-auth', timeout },
        path_prefix: '/check',
        authorization_response: {
          allowed_upstream_headers: exact('x-user'),
          allowed_upstream_headers_to_append: exact('x-role'),
          allowed_client_headers: exact('x-why'),
          allowed_client_headers_on_success: exact('x-seen'),
        },
      },
    },
    weir: {
      allowedHeaders: ['x-session'],
      http: {
        upstream: 'http-auth',
        timeout,
        pathPrefix: '/check',
        upstreamHeaders: ['x-user'],
        upstreamHeadersToAppend: ['x-role'],
        clientHeaders: ['x-why'],
        clientHeadersOnSuccess: ['x-seen'],
      },
    },
  };
}

const SETTINGS: Setting[] = [
  {
    name: 'grpc',
    envoy: { grpc_service: grpcOfEnvoy(PATIENT) },
    weir: { grpc: grpcOfWeir(PATIENT) },
  },
  {
    name: 'grpc-body',
    envoy: { grpc_service: grpcOfEnvoy(PATIENT), with_request_body: { max_request_bytes: 16 } },
    weir: { grpc: grpcOfWeir(PATIENT), body: { maxBytes: 16 } },
  },
  {
    name: 'grpc-part',
    envoy: {
      grpc_service: grpcOfEnvoy(PATIENT),
      with_request_body: { max_request_bytes: 16, allow_partial_message: true, pack_as_bytes: true },
    },
    weir: { grpc: grpcOfWeir(PATIENT), body: { maxBytes: 16, allowPartial: true, raw: true } },
  },
  {
    name: 'grpc-few',
    envoy: {
      grpc_service: grpcOfEnvoy(SHORT),
      allowed_headers: exact('x-user'),
      status_on_error: { code: 503 },
    },
    weir: { grpc: grpcOfWeir(SHORT), allowedHeaders: ['x-user'], statusOnError: 503 },
  },
  {
    name: 'grpc-open',
    envoy: {
      grpc_service: grpcOfEnvoy(SHORT),
      failure_mode_allow: true,
      failure_mode_allow_header_add: true,
    },
    weir: { grpc: grpcOfWeir(SHORT), failOpen: true },
  },
  http('http', PATIENT),
  http('http-short', SHORT),
];

/** One proxy with its upstream and its services. */
interface Side {
  readonly upstream: FakeUpstream;
  readonly grpc: AuthorizationServer;
  readonly http: FakeUpstream;
  readonly ports: ReadonlyMap<string, number>;
}

async function services(): Promise<Omit<Side, 'ports'>> {
  return {
    upstream: await FakeUpstream.start({ behaviour: echo() }),
    grpc: await AuthorizationServer.start(),
    http: await FakeUpstream.start(),
  };
}

async function freePorts(): Promise<Map<string, number>> {
  const ports = new Map<string, number>();
  for (const { name } of SETTINGS) ports.set(name, await freePort());
  return ports;
}

async function startEnvoy(): Promise<Side> {
  const own = await services();
  const ports = await freePorts();
  await Envoy.start({
    clusters: { origin: own.upstream.port, 'grpc-auth': own.grpc.port, 'http-auth': own.http.port },
    listeners: SETTINGS.map(({ name, envoy }) => ({
      name,
      port: ports.get(name)!,
      protocol: 'http',
      filters: [],
      own: [
        {
          name: 'envoy.filters.http.ext_authz',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz',
            transport_api_version: 'V3',
            ...envoy,
          },
        },
      ],
    })),
  });
  return { ...own, ports };
}

async function startWeir(): Promise<Side> {
  const own = await services();
  const ports = await freePorts();
  const object = (kind: string, name: string, spec: object): object => ({
    apiVersion: /Route|Gateway/.test(kind) ? 'gateway.networking.k8s.io/v1' : 'policy.weir/v1alpha1',
    kind,
    metadata: { name, namespace: 'test' },
    spec,
  });
  const upstream = (name: string, port: number): object =>
    object('Upstream', name, { endpoints: { static: [{ address: '127.0.0.1', port }] } });
  const listeners = SETTINGS.map(({ name }) => ({ name, port: ports.get(name)!, protocol: 'HTTP' }));
  const all = [
    object('Gateway', 'edge', { listeners }),
    object('HTTPRoute', 'all', {
      parentRefs: [{ name: 'edge' }],
      rules: [{ backendRefs: [{ group: 'policy.weir', kind: 'Upstream', name: 'origin' }] }],
    }),
    upstream('origin', own.upstream.port),
    upstream('grpc-auth', own.grpc.port),
    upstream('http-auth', own.http.port),
    ...SETTINGS.map(({ name, weir }) =>
      object('FilterChain', name, {
        targetRefs: [{ kind: 'Gateway', name: 'edge', sectionName: name }],
        filters: [
          {
            name: 'ask',
            use: 'ext-authz',
            config: weir,
            callouts: [{ name: 'grpc-auth' }, { name: 'http-auth' }],
          },
        ],
      }),
    ),
  ];
  await Weir.start({ files: { 'all.yaml': all.map((one) => JSON.stringify(one)).join('\n---\n') } });
  return { ...own, ports };
}

interface Case {
  readonly setting: string;
  readonly send: string | Uint8Array;
  readonly decision?: CheckResponse | null;
  readonly answer?: Behaviour;
  /** The words of the answer are each proxy's own. */
  readonly ownWords?: boolean;
}

/** Fields that a proxy puts in on its own account. */
const PROXYS =
  /^(x-envoy-(?!auth)|x-forwarded-|x-request-id$|date$|server$|host$|connection$|transfer-encoding$|via$|traceparent$)/;

const fieldsOf = (fields: Fields): string[] =>
  fields
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
    .filter((line) => !PROXYS.test(line.slice(0, line.indexOf(':'))))
    .sort();

function questionOf({ attributes }: CheckRequest): object {
  const { source, destination, request } = attributes;
  const { http } = request;
  return {
    from: source.address!.socket_address.address,
    to: destination.address!.socket_address.address,
    service: source.service,
    principal: source.principal,
    ofNow: Math.abs(request.time.seconds - Date.now() / 1000) < 60,
    ...http,
    id: http.id.length > 0,
    raw_body: Buffer.from(http.raw_body).toString(),
    headers: Object.fromEntries(
      Object.entries(http.headers)
        .filter(([name]) => !PROXYS.test(name))
        .sort(),
    ),
  };
}

async function observe(side: Side, { setting, send, decision, answer, ownWords }: Case): Promise<object> {
  side.grpc.decide = () => (decision === undefined ? {} : decision);
  side.http.behaviour = answer ?? reply(200, [], '');
  const [questions, asked, seen] = [
    side.grpc.checks.length,
    side.http.requests.length,
    side.upstream.requests.length,
  ];
  const got = await exchange({ port: side.ports.get(setting)! }, send);
  return {
    questions: side.grpc.checks.slice(questions).map(questionOf),
    asked: side.http.requests.slice(asked).map(({ method, target, fields, text }) => ({
      line: `${method} ${target}`,
      text,
      host: fields.find(([name]) => name.toLowerCase() === 'host')?.[1],
      // Envoy says so of a GET as well.
      fields: fieldsOf(fields).filter((line) => line !== 'content-length: 0'),
    })),
    upstream: side.upstream.requests.slice(seen).map(({ method, target, fields, text }) => ({
      line: `${method} ${target}`,
      text,
      fields: fieldsOf(fields),
    })),
    status: got.status,
    fields: got.status === 200 || ownWords === true ? [] : fieldsOf(got.fields),
    seenBySuccess: got.header('x-seen'),
    text: got.status === 200 || ownWords === true ? '' : got.text,
  };
}

const get = (...fields: string[]): string => getRequest('/orders?id=7&debug=1', 'shop.test', ...fields);

const CASES: Record<string, Case> = {
  'a request that is allowed': { setting: 'grpc', send: get('X-A: 1', 'X-A: 2', 'Authorization: Bearer t') },
  'changes of the head': {
    setting: 'grpc',
    send: get('x-set: old', 'x-joined: 1', 'x-older: old', 'authorization: t'),
    decision: {
      ok_response: {
        headers: [option('x-set', 'new', 2), option('x-joined', '2', true), option('x-older', 'new', false)],
        headers_to_remove: ['authorization', ':path', 'x-nothing'],
        response_headers_to_add: [option('x-seen', 'yes')],
        query_parameters_to_remove: ['debug'],
      },
    },
  },
  'a refusal with an answer': {
    setting: 'grpc',
    send: get(),
    decision: {
      status: { code: 16 },
      denied_response: {
        status: { code: 401 },
        headers: [
          option('www-authenticate', 'Bearer'),
          option('set-cookie', 'a=1', 0),
          option('set-cookie', 'b=2', 0),
        ],
        body: 'who are you?',
      },
    },
  },
  'a refusal without one': { setting: 'grpc', send: get(), decision: { status: { code: 7 } } },
  'an error in the words of the service': {
    setting: 'grpc',
    send: get(),
    decision: { status: { code: 14 }, error_response: { status: { code: 502 }, body: 'down' } },
  },
  'a service that does not answer': { setting: 'grpc-few', send: get('X-User: mira'), decision: null },
  'a service that does not answer, and a filter that lets pass': {
    setting: 'grpc-open',
    send: get(),
    decision: null,
  },
  'a body that goes along': { setting: 'grpc-body', send: postRequest('/a', 'hello', 'shop.test') },
  'a body that is too large': {
    setting: 'grpc-body',
    send: postRequest('/a', 'x'.repeat(17), 'shop.test'),
    ownWords: true,
  },
  'a request without a body where one would go along': { setting: 'grpc-body', send: get() },
  'a body in part': { setting: 'grpc-part', send: postRequest('/a', '0123456789abcdefXYZ', 'shop.test') },
  'a service of HTTP that allows': {
    setting: 'http',
    send: get('X-Session: 7', 'Authorization: Basic x', 'X-Private: 1', 'X-Role: guest', 'X-User: root'),
    answer: reply(
      200,
      [
        ['x-user', 'mira'],
        ['x-role', 'admin'],
        ['x-seen', 'yes'],
        ['x-other', 'no'],
      ],
      '',
    ),
  },
  'a service of HTTP that refuses': {
    setting: 'http',
    send: get(),
    answer: reply(
      302,
      [
        ['location', '/login'],
        ['x-why', 'session'],
        ['x-secret', 'inner'],
      ],
      'go there',
    ),
  },
  'a service of HTTP that fails': { setting: 'http', send: get(), answer: reply(500, [], 'oops') },
  'a service of HTTP that does not answer': { setting: 'http-short', send: get(), answer: hang() },
};

describe('ext-authz does what the filter of Envoy does', () => {
  let envoy: Side;
  let weir: Side;
  beforeAll(async () => {
    [envoy, weir] = [await startEnvoy(), await startWeir()];
  }, 120_000);

  test.each(Object.entries(CASES))('%s', async (_name, one) => {
    const expected = await observe(envoy, one);
    expect(await observe(weir, one)).toEqual(expected);
  });
});
