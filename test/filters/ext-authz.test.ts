import { expect, test, vi } from 'vitest';
import { openFilter, type CallAnswer, type Filter, type HttpCall } from '@weir/filters-sdk/testing';
import {
  decodeCheck,
  encodeDecision,
  option,
  type CheckRequest,
  type CheckResponse,
} from '../support/authorization-server.ts';
import { ROOT } from '../support/process.ts';

const MODULE = `${ROOT}dist/filters/ext-authz.wasm`;
const CAPABILITIES = ['default', 'secrets'];

interface Grpc {
  readonly filter: Filter;
  readonly checks: CheckRequest[];
}

/** The filter before a service of gRPC that says the same to everybody. */
async function grpc(decision: CheckResponse | 'fails' | 'hangs', config: object = {}): Promise<Grpc> {
  const filter = await openFilter(MODULE, {
    config: { grpc: { upstream: 'auth' }, ...config },
    capabilities: CAPABILITIES,
    upstreams: ['auth'],
    bodyWhileHeld: true,
  });
  const checks: CheckRequest[] = [];
  filter.onGrpc('auth', (call) => {
    expect([call.service, call.method]).toEqual(['envoy.service.auth.v3.Authorization', 'Check']);
    checks.push(decodeCheck(call.messages[0]!));
    if (decision === 'hangs') return null;
    return decision === 'fails' ? { status: 13 } : { messages: [encodeDecision(decision)] };
  });
  return { filter, checks };
}

async function http(answer: CallAnswer, config: object = {}): Promise<{ filter: Filter; calls: HttpCall[] }> {
  const calls: HttpCall[] = [];
  const script = vi.fn((call: HttpCall) => {
    calls.push(call);
    return answer;
  });
  const filter = await openFilter(MODULE, {
    config: { http: { upstream: 'auth' }, ...config },
    capabilities: CAPABILITIES,
    upstreams: { auth: script },
    bodyWhileHeld: true,
  });
  return { filter, calls };
}

test('tells a gRPC service the request, both peers and what its place in the chain adds', async () => {
  const { filter, checks } = await grpc(
    {},
    { contextExtensions: { place: 'shop' }, disallowedHeaders: ['cookie'] },
  );
  const { answer } = await filter.exchange({
    request: {
      method: 'PUT',
      path: '/orders?id=7',
      authority: 'shop.test',
      headers: [
        ['x-a', '1'],
        ['authorization', 'Bearer t'],
        ['x-a', '2'],
        ['cookie', 'a=b'],
        ['x-envoy-auth-partial-body', 'true'],
      ],
    },
    properties: { 'source.address': '10.0.0.7:4711', 'source.port': { int: 4711 } },
  });
  expect(answer.status).toBe(200);
  const { attributes } = checks[0]!;
  expect(attributes.source.address!.socket_address).toMatchObject({ address: '10.0.0.7', port_value: 4711 });
  expect(attributes.context_extensions).toEqual({ place: 'shop' });
  expect(attributes.request.http).toMatchObject({
    method: 'PUT',
    path: '/orders?id=7',
    host: 'shop.test',
    scheme: 'http',
    body: '',
    headers: {
      ':method': 'PUT',
      ':path': '/orders?id=7',
      ':authority': 'shop.test',
      ':scheme': 'http',
      'x-a': '1,2',
      authorization: 'Bearer t',
    },
  });
});

test('text that is no UTF-8 does not break the message', async () => {
  const { filter, checks } = await grpc({});
  const bytes = Buffer.from([0x61, 0xff, 0xc3, 0xa9, 0xed, 0xa0, 0x80, 0xe2, 0x82]).toString('latin1');
  await filter.exchange({ request: { headers: { 'x-name': bytes } } });
  expect(checks).toHaveLength(1);
});

test('only fields on the list are shown where there is one, by their beginning too', async () => {
  const { filter, checks } = await grpc({}, { allowedHeaders: ['x-user', 'x-b-*'] });
  await filter.exchange({ request: { headers: { 'x-user': 'a', 'x-b-1': '1', 'x-c': '2' } } });
  expect(checks[0]!.attributes.request.http.headers).toEqual({ 'x-user': 'a', 'x-b-1': '1' });
});

test('what an allowing service asks for happens to the request and to its answer', async () => {
  const { filter } = await grpc({
    ok_response: {
      headers: [
        option('x-set', 'new', 2),
        option('x-added', '2', 0),
        option('x-absent', 'late', 1),
        option('x-if-present', 'new', 3),
        option('x-nothing', 'new', 3),
        option('x-joined', '2', true),
        option('connection', 'close'),
        option(':path', '/admin'),
      ],
      headers_to_remove: ['authorization'],
      response_headers_to_add: [option('x-checked', 'yes')],
      query_parameters_to_set: [{ key: 'tenant', value: 'a b' }],
      query_parameters_to_remove: ['debug'],
    },
  });
  const { answer, upstream } = await filter.exchange({
    request: {
      path: '/a?d%65bug=1&x=2&tenant=evil',
      headers: {
        'x-set': 'old',
        'x-added': '1',
        'x-absent': 'early',
        'x-if-present': 'old',
        'x-joined': '1',
        authorization: 'Bearer t',
      },
    },
  });
  expect(upstream!.path).toBe('/a?x=2&tenant=a%20b');
  expect(upstream!.headers).toMatchObject({
    'x-set': 'new',
    'x-added': '1, 2',
    'x-absent': 'early',
    'x-if-present': 'new',
    'x-joined': '1,2',
  });
  expect(Object.keys(upstream!.headers)).not.toContain('x-nothing');
  expect(Object.keys(upstream!.headers)).not.toContain('authorization');
  expect(answer.headers['x-checked']).toBe('yes');
});

test('a refusal is answered in the words of the service', async () => {
  const { filter } = await grpc({
    status: { code: 7 },
    denied_response: {
      status: { code: 401 },
      headers: [option('www-authenticate', 'Bearer'), option('content-type', 'application/json')],
      body: '{"why":"no"}',
    },
  });
  const { answer, upstream } = await filter.exchange();
  expect(upstream).toBeNull();
  expect(answer).toMatchObject({ status: 401, body: '{"why":"no"}', details: 'ext_authz_denied' });
  expect(answer.headers).toMatchObject({ 'www-authenticate': 'Bearer', 'content-type': 'application/json' });
  expect(filter.metric('ext_authz_checks{outcome="denied"}')).toBe(1);
});

test.each<[string, CheckResponse, number]>([
  ['without an answer of its own', { status: { code: 16 } }, 403],
  ['with an answer for an allowed request', { status: { code: 7 }, ok_response: {} }, 403],
  ['with a status that is none', { status: { code: 7 }, denied_response: { status: { code: 99 } } }, 403],
])('a refusal %s is one', async (_name, decision, status) => {
  const { filter } = await grpc(decision);
  const { answer, upstream } = await filter.exchange();
  expect([answer.status, upstream]).toEqual([status, null]);
});

test('no decision is a refusal: the service fails, hangs or says so', async () => {
  for (const decision of ['fails', 'hangs', { status: { code: 2 }, error_response: {} }] as const) {
    const { filter } = await grpc(decision, { statusOnError: 503 });
    const exchange = await filter.exchange();
    if (decision === 'hangs') {
      expect(exchange.state).toBe('waiting');
      await filter.clock.advance(201);
      await exchange.settle();
    }
    expect([exchange.answer.status, exchange.answer.details, exchange.upstream]).toEqual([
      503,
      'ext_authz_error',
      null,
    ]);
  }
});

test.each<[string, Buffer]>([
  ['text', Buffer.from('hello')],
  ['a page', Buffer.from('<html><body>Bad Gateway</body></html>')],
  ['JSON', Buffer.from('{"allowed": false}')],
  // Behind the cut it said that it denies.
  ['the beginning of a refusal', encodeDecision({ status: { code: 7 }, denied_response: {} }).subarray(0, 3)],
  ['a status of nothing but a tag', Buffer.from([0x0a, 0x01, 0x08])],
  ['a status of a kind that there is not', Buffer.from([0x0a, 0x02, 0x0b, 0x07])],
  ['a length beyond the end', Buffer.from([0x0a, 0xff, 0x01])],
  ['changes that are cut off', Buffer.from([0x1a, 0x02, 0x2a, 0x09])],
])('no decision is a refusal: the service answers with %s', async (_name, bytes) => {
  const { filter } = await grpc({}, { statusOnError: 503 });
  filter.onGrpc('auth', () => ({ messages: [bytes] }));
  const { answer, upstream } = await filter.exchange();
  expect([answer.status, answer.details, upstream]).toEqual([503, 'ext_authz_error', null]);
});

test('with failOpen it passes and is marked, and nobody else can mark it', async () => {
  const open = await grpc('fails', { failOpen: true });
  const failed = await open.filter.exchange();
  expect(failed.upstream!.headers['x-envoy-auth-failure-mode-allowed']).toBe('true');
  const fine = await grpc({}, { failOpen: true });
  const headers = { 'x-envoy-auth-failure-mode-allowed': 'true' };
  const passed = await fine.filter.exchange({ request: { headers } });
  expect(Object.keys(passed.upstream!.headers)).not.toContain('x-envoy-auth-failure-mode-allowed');
});

test('what the service sets or takes out, the client says in no other spelling', async () => {
  const { filter } = await grpc({
    ok_response: { headers: [option('x-role', 'user')], headers_to_remove: ['x-debug'] },
  });
  const { upstream } = await filter.exchange({
    request: {
      headers: { 'x-role': 'admin', x_role: 'admin', 'x.role': 'admin', x_debug: '1', 'x-roles': '1' },
    },
  });
  expect(upstream!.fields.filter(([name]) => name.startsWith('x'))).toEqual([
    ['x-roles', '1'],
    ['x-role', 'user'],
  ]);
});

test('the consumer is whom the service names, never whom the client does', async () => {
  const named = { ok_response: { headers: [option('x-user', 'mira')] } };
  for (const [decision, expected] of [
    [named, 'mira'],
    [{}, undefined],
  ] as const) {
    const { filter } = await grpc(decision, { consumer: { header: 'x-user' } });
    const exchange = await filter.exchange({
      request: { headers: { 'x-user': 'root', x_user: 'root' } },
    });
    const { upstream } = exchange;
    expect(upstream!.headers['x-user']).toBe(expected);
    expect(exchange.property('consumer.name')).toBe(expected);
    expect(Object.keys(upstream!.headers)).not.toContain('x_user');
  }
});

test('the body goes along once it is there, in whatever pieces it comes, and goes on unchanged', async () => {
  const { filter, checks } = await grpc({}, { body: { maxBytes: 10 } });
  const { upstream } = await filter.exchange({ request: { method: 'POST', body: ['01', '234', '56789'] } });
  expect(checks[0]!.attributes.request.http).toMatchObject({ body: '0123456789', size: 10 });
  expect(checks[0]!.attributes.request.http.headers['x-envoy-auth-partial-body']).toBe('false');
  expect(upstream!.body).toBe('0123456789');
});

test('a larger body is refused, or shown in part', async () => {
  const whole = await grpc({}, { body: { maxBytes: 4 } });
  const refused = await whole.filter.exchange({ request: { method: 'POST', body: ['012', '345'] } });
  expect([refused.answer.status, refused.upstream, whole.checks]).toEqual([413, null, []]);

  const part = await grpc({}, { body: { maxBytes: 4, allowPartial: true, raw: true } });
  const { upstream } = await part.filter.exchange({ request: { method: 'POST', body: ['012', '345', '6'] } });
  expect(Buffer.from(part.checks[0]!.attributes.request.http.raw_body).toString()).toBe('0123');
  expect(part.checks[0]!.attributes.request.http.headers['x-envoy-auth-partial-body']).toBe('true');
  expect(upstream!.body).toBe('0123456');
});

test('a service of HTTP is asked with method, path and host, and with few fields of the request', async () => {
  const { filter, calls } = await http(
    { status: 200, headers: { 'x-user': 'mira', 'x-other': '1', 'x-seen': 'yes' } },
    {
      http: {
        upstream: 'auth',
        pathPrefix: '/check',
        headers: { 'x-from': '${source.address}' },
        upstreamHeaders: ['x-user'],
        clientHeadersOnSuccess: ['x-seen'],
      },
      allowedHeaders: ['x-session-*'],
    },
  );
  const { answer, upstream } = await filter.exchange({
    request: {
      method: 'DELETE',
      path: '/a?b',
      authority: 'shop.test',
      headers: { authorization: 'Basic x', 'x-session-id': '7', 'x-private': '1', 'x-from': 'evil' },
    },
    properties: { 'source.address': '10.0.0.7:4711' },
  });
  expect(calls[0]).toMatchObject({ method: 'DELETE', path: '/check/a?b', authority: 'shop.test', body: '' });
  expect(calls[0]!.headers).toMatchObject({
    authorization: 'Basic x',
    'x-session-id': '7',
    'x-from': '10.0.0.7',
  });
  expect(Object.keys(calls[0]!.headers)).not.toContain('x-private');
  expect(upstream!.headers['x-user']).toBe('mira');
  expect(Object.keys(upstream!.headers)).not.toContain('x-other');
  expect(answer.headers['x-seen']).toBe('yes');
});

test('any other status of a service of HTTP is its refusal, and 5xx is none', async () => {
  const denied = await http({ status: 302, headers: { location: '/login', 'x-why': 'session' }, body: 'go' });
  const { answer } = await denied.filter.exchange();
  expect(answer).toMatchObject({ status: 302, body: 'go' });
  expect(answer.headers).toMatchObject({ location: '/login', 'x-why': 'session' });
  for (const failure of [{ status: 500 }, { fail: 'unavailable' } as const, null]) {
    const { filter } = await http(failure);
    const exchange = await filter.exchange();
    await filter.clock.advance(201);
    await exchange.settle();
    expect([exchange.answer.status, exchange.answer.details]).toEqual([403, 'ext_authz_error']);
  }
});

test.each<[string, unknown, RegExp]>([
  ['neither service', {}, /exactly one of/],
  ['both services', { grpc: { upstream: 'a' }, http: { upstream: 'a' } }, /exactly one of/],
  ['a field that frames', { grpc: { upstream: 'a', headers: { 'content-length': '1' } } }, /may write/],
  ['an unknown variable', { grpc: { upstream: 'a', headers: { 'x-a': '${nothing}' } } }, /unknown variable/],
  ['an unknown member', { grpc: { upstream: 'a', fast: true } }, /unknown field/],
])('refuses a configuration with %s', async (_name, config, message) => {
  await expect(openFilter(MODULE, { config, upstreams: ['a'] })).rejects.toThrow(message);
});
