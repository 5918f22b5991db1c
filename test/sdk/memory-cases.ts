import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { LocalLedger } from '../../src/runtime/ledger.ts';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import { makeSigner, makeToken } from '../filters/jwt/tokens.ts';
import { encodeDecision, option } from '../support/authorization-server.ts';
import { encodeVerdict, status } from '../support/rate-limit-server.ts';
import { LoadedFilter, type Load } from '../support/example-load.ts';
import { filterBytes, startBuiltIn } from '../support/filter.ts';
import { pluginBytes } from '../support/plugin.ts';
import { BareHost } from '../support/bare-host.ts';
import { BareStream, type Fields } from '../support/bare-stream.ts';

/** Memory of the instance after a while, and after many more requests. */
function heapOver(plugin: Plugin, requests: number, fields: Fields): [before: number, after: number] {
  const stream = new BareStream();
  const head = stream.request(fields);
  const answer = stream.response([
    [':status', '200'],
    ['server', 'x'],
  ]);
  stream.replies.push = () => 0;
  const pass = (): void => {
    head.checkpoint();
    answer.checkpoint();
    const context = plugin.createContext(stream)!;
    context.onRequestHeaders(head.count, true);
    context.onResponseHeaders(answer.count, false);
    context.finish();
    head.rollback();
    answer.rollback();
  };
  for (let i = 0; i < 5000; i++) pass();
  const before = plugin.heapBytes;
  for (let i = 0; i < requests; i++) pass();
  return [before, plugin.heapBytes];
}

const SIGNER = makeSigner('ES256');

const jwtFor = (audience: string): object => ({
  providers: [
    {
      name: 'id',
      issuer: 'https://id.test',
      audiences: [audience],
      jwks: { keys: [SIGNER.jwk] },
      claimsToHeaders: [{ claim: 'sub', header: 'x-user' }],
      consumerClaim: 'sub',
    },
  ],
});

const SECRET = 'a-secret-of-thirty-two-bytes-at-least';

/** For filter hmac. */
function signature(): Fields {
  const params = `("@path");created=${Math.floor(Date.now() / 1000)};keyid="a"`;
  const base = `"@path": /a\n"@signature-params": ${params}`;
  return [
    ['signature-input', `s=${params}`],
    ['signature', `s=:${createHmac('sha256', SECRET).update(base).digest('base64')}:`],
  ];
}

/** Every built-in filter, and one that makes garbage, through so many requests. */
export function memoryTests(requests: number): void {
  test.each([
    [
      'api-key',
      {
        from: [{ header: 'x-api-key' }, { query: 'k' }, { cookie: 'k' }],
        keys: [{ name: 'a', key: 'b' }],
        consumerHeader: 'x-consumer',
      },
    ],
    ['basic', { users: [{ username: 'a', password: 'b' }], consumerHeader: 'x-consumer' }],
    ['basic', { users: [{ username: 'a', password: 'c' }] }],
    [
      'mtls',
      {
        forwarded: 1,
        identities: [
          { name: 'a', spiffe: 'spiffe://a/*/b' },
          { name: 'a', dns: 'a.test' },
        ],
        consumerHeader: 'x-consumer',
      },
    ],
    ['rate-limit', { key: ['request.path'], limit: { requests: 1000, per: '1m' } }],
    [
      'rate-limit',
      {
        key: ['request.path'],
        plan: 'from-consumer',
        withoutPlan: 'a',
        plans: { a: { limits: [{ limit: { requests: 1000, per: '1m' } }] } },
      },
    ],
    [
      'rate-limit',
      {
        limits: [
          { name: 'a', key: [{ cel: 'request.path' }], limit: { requests: 10, algorithm: 'concurrency' } },
          {
            name: 'b',
            key: ['source.address'],
            limit: { requests: 1e6, per: '1h', algorithm: 'sliding-window' },
            cost: { request: 'request.headers.x-cost', response: 'response.code' },
          },
        ],
      },
    ],
    [
      'headers',
      {
        request: { set: { 'x-a': '${request.path}' }, rename: { cookie: 'x-cookie' } },
        response: { remove: ['server'] },
      },
    ],
    [
      'transform',
      {
        request: [
          {
            path: { pattern: '/{rest...}', to: '/x/${request.method}' },
            query: { set: { a: '${request.host}' }, rename: { b: 'c' } },
            cookies: { remove: ['k'], set: { a: 'b' } },
          },
        ],
        response: [{ cookies: { set: { a: 'b' }, attributes: [{ secure: true }] } }],
      },
    ],
    ['cors', { origins: ['https://a.test'], credentials: true }],
    ['csrf', { token: { cookie: 'k' } }],
    ['bots', { deny: ['gptbot', 'a*b'], verified: [{ userAgents: ['a'], addresses: ['10.0.0.0/8'] }] }],
    [
      'cache-control',
      { rules: [{ authorized: true, cacheControl: { maxAge: '1m' }, vary: ['accept'], override: true }] },
    ],
    [
      'security-headers',
      {
        preset: 'strict',
        contentSecurityPolicy: { directives: ['script-src ${nonce}'] },
        nonceHeader: 'x-nonce',
      },
    ],
    ['hmac', { keys: [{ id: 'a', secret: SECRET }], components: ['@path'], maxAge: '1d' }],
    ['webhook', { scheme: 'github', secrets: [SECRET] }],
    ['quota', { key: ['request.path'], quotas: [{ name: 'a', limit: 1000 }], charge: { on: 'response' } }],
    // Every request is refused, by a quota of a plan, and for want of one.
    ['quota', { plan: 'none', plans: { none: { quotas: [{ name: 'a', limit: 0 }] } } }],
    ['rate-limit', { plan: 'from-consumer', plans: { gold: { limits: [] } } }],
    [
      'access',
      {
        policies: [
          {
            name: 'a',
            action: 'DENY',
            rules: [
              { to: [{ paths: [{ value: '/b%20c' }], hosts: ['b.test'] }] },
              {
                when: [
                  { header: 'accept', values: ['b'] },
                  { query: 'k', values: ['c'] },
                ],
              },
              { from: [{ remoteIpBlocks: ['10.0.0.0/8'] }], when: [{ expression: 'request.path == "/"' }] },
            ],
          },
          { name: 'b', action: 'ALLOW', rules: [{ to: [{ methods: ['GET'] }] }] },
        ],
      },
    ],
    ['jwt', jwtFor('shop')],
    // Refused each time, so that nothing of it is remembered.
    ['jwt', jwtFor('another')],
  ])(`%s needs no more memory after ${requests} requests`, async (name, config) => {
    const host = new BareHost({ ledger: new LocalLedger(() => 0) });
    const plugin = await startBuiltIn(name, config, host);
    const fields: Fields = [
      [':path', '/a?k=b&c=d'],
      ['authorization', 'Basic YTpi'],
      ['x-forwarded-client-cert', 'By=x;URI=spiffe://a/c/b;DNS=a.test'],
      ['x-api-key', 'b'],
      ['cookie', 'k=b; c=d'],
      ['origin', 'https://a.test'],
      ['authorization', `Bearer ${makeToken(SIGNER)}`],
      ['accept', 'a'.repeat(500)],
      ...signature(),
      ['x-hub-signature-256', `sha256=${createHmac('sha256', SECRET).digest('hex')}`],
    ];
    const [before, after] = heapOver(plugin, requests, fields);
    expect(after).toBe(before);
    expect(after).toBeLessThanOrEqual(128 * 1024);
  });

  test.each<[string, Load]>([
    [
      'gRPC',
      {
        config: { grpc: { upstream: 'auth' }, body: { maxBytes: 20 }, consumer: { header: 'x-user' } },
        body: ['1234', '56789'],
        grpc: encodeDecision({
          ok_response: { headers: [option('x-user', 'mira')], response_headers_to_add: [option('x-a', 'b')] },
        }),
      },
    ],
    ['HTTP', { config: { http: { upstream: 'auth', pathPrefix: '/check' } } }],
  ])(`ext-authz over %s needs no more memory after ${requests} requests`, async (_name, load) => {
    const filter = await LoadedFilter.start(filterBytes('ext-authz'), load);
    await filter.run(20_000);
    const before = filter.heapBytes;
    await filter.run(requests);
    expect(filter.heapBytes).toBe(before);
    expect(filter.calls).toBeGreaterThan(requests);
    await filter.stop();
  });

  test(`waf needs no more memory after ${requests} requests`, async () => {
    const filter = await LoadedFilter.start(filterBytes('waf'), {
      config: { body: {} },
      request: (turn) => [
        [':path', `/a?b=${turn % 100}&c=%3Cb%3E`],
        ['content-type', 'application/json'],
        ['cookie', `a=${'b'.repeat(turn % 50)}`],
      ],
      body: ['{"a": "x', ' or y", "b": [1, "c"]}'],
    });
    await filter.run(20_000);
    const before = filter.heapBytes;
    await filter.run(requests);
    expect(filter.heapBytes).toBe(before);
    await filter.stop();
  });

  test(`rate-limit-service needs no more memory after ${requests} requests`, async () => {
    const filter = await LoadedFilter.start(filterBytes('rate-limit-service'), {
      config: {
        upstream: 'auth',
        domain: 'shop',
        xHeaders: true,
        descriptors: [{ entries: [{ key: 'path', attribute: 'request.path' }, { value: 'a' }], cost: 2 }],
      },
      grpc: encodeVerdict({
        overall_code: 'OK',
        statuses: [status('OK', 7, { name: 'a' })],
        request_headers_to_add: [{ key: 'x-user', value: 'mira' }],
        response_headers_to_add: [{ key: 'x-a', value: 'b' }],
      }),
    });
    await filter.run(20_000);
    const before = filter.heapBytes;
    await filter.run(requests);
    expect(filter.heapBytes).toBe(before);
    expect(filter.calls).toBeGreaterThan(requests);
    await filter.stop();
  });

  test.each<[string, string]>([
    ['that are right', '{"id":1,"\\u0061":[]}'],
    ['that are refused', '{"id":"x","b":{"c":[1,2,3]}}'],
  ])(`validate needs no more memory after ${requests} bodies %s`, async (_name, body) => {
    const schema = { properties: { id: { type: 'integer' } } };
    const filter = await LoadedFilter.start(filterBytes('validate'), {
      config: {
        body: { maxBytes: 100 },
        rules: [{ path: '/', schema, responseSchema: schema }],
        response: { mode: 'Log' },
      },
      request: [
        [':path', '/'],
        ['content-type', 'application/json'],
      ],
      body: [body],
      answer: [['content-type', 'application/json']],
      answerBody: [body],
    });
    await filter.run(20_000);
    const before = filter.heapBytes;
    await filter.run(requests);
    expect(filter.heapBytes).toBe(before);
    await filter.stop();
  });

  test.each<[string, object, string]>([
    [
      'patched and redacted',
      {
        patch: [{ op: 'move', from: '/a', path: '/z' }],
        merge: { at: '${request.path}' },
        redact: [{ at: ['/**/p'], drop: true }],
      },
      'application/json',
    ],
    ['redacted as they come', { redact: [{ at: ['/**/p'], keepLast: 1 }] }, 'application/json'],
    ['of lines', { redact: [{ at: ['/p'], replace: null }] }, 'application/x-ndjson'],
    ['that are refused', { patch: [{ op: 'remove', path: '/none' }] }, 'application/json'],
  ])(`transform needs no more memory after ${requests} bodies %s`, async (_name, body, type) => {
    const filter = await LoadedFilter.start(filterBytes('transform'), {
      config: { request: [{ body }], response: [{ body }] },
      request: [
        [':path', '/'],
        ['content-type', type],
      ],
      body: ['{"a":1,"p":', '"secret","b":[{"p":2}]}'],
      answer: [['content-type', type]],
      answerBody: ['{"a":{"b":[1,2,3]},"p', '":"secret"}\n'],
    });
    await filter.run(20_000);
    const before = filter.heapBytes;
    await filter.run(requests);
    expect(filter.heapBytes).toBe(before);
    await filter.stop();
  });

  test.each<[string, string]>([
    [
      'that are right',
      '{"query":"query Q($n: Int = 2) {a(first: $n){...F b: c}} fragment F on T {d}","variables":{"m":[1]}}',
    ],
    ['that are refused', '{"query":"{a{b{c}}}"}'],
  ])(`graphql needs no more memory after ${requests} operations %s`, async (_name, body) => {
    const filter = await LoadedFilter.start(filterBytes('graphql'), {
      config: { body: { maxBytes: 1000 }, limits: { depth: 2 }, costs: { fields: { a: 2 } } },
      request: [
        [':method', 'POST'],
        [':path', '/graphql'],
        ['content-type', 'application/json'],
      ],
      body: [body],
    });
    await filter.run(20_000);
    const before = filter.heapBytes;
    await filter.run(requests);
    expect(filter.heapBytes).toBe(before);
    await filter.stop();
  });

  test(`introspection needs no more memory after ${requests} requests`, async () => {
    const filter = await LoadedFilter.start(filterBytes('introspection'), {
      config: {
        uri: 'http://id.test/introspect',
        upstream: 'auth',
        client: { id: 'a', secret: 'b' },
        claimsToHeaders: [{ claim: 'sub', header: 'x-user' }],
      },
      request: (turn) => [['authorization', `Bearer token-${turn % 20_000}`]],
      called: '{"active":true,"sub":"ann"}',
    });
    await filter.run(40_000);
    const before = filter.heapBytes;
    await filter.run(requests);
    expect(filter.heapBytes).toBe(before);
    expect(filter.calls).toBeGreaterThan(20_000);
    await filter.stop();
  });

  test(`oidc needs no more memory after ${requests} requests`, async () => {
    // Pages of people who have not logged in, with what another filter of the name has left in their cookies.
    const filter = await LoadedFilter.start(filterBytes('oidc'), {
      config: {
        issuer: 'http://id.test',
        upstream: 'auth',
        clientId: 'a',
        clientSecret: 'b',
        cookieSecrets: [SECRET],
      },
      request: (turn) => [
        ['accept', 'text/html'],
        ['cookie', `a=b; __Host-weir-session=1.${'A'.repeat(400 + (turn % 50))}`],
      ],
      called: JSON.stringify({
        issuer: 'http://id.test',
        authorization_endpoint: 'http://id.test/a',
        token_endpoint: 'http://id.test/t',
        jwks_uri: 'http://id.test/k',
      }),
    });
    // Those of the first batch wait for what the provider says of itself, and are woken some a tick.
    await filter.run(1000);
    await sleep(1000);
    await filter.run(40_000);
    const before = filter.heapBytes;
    await filter.run(requests);
    expect(filter.heapBytes).toBe(before);
    await filter.stop();
  });

  test('a filter that makes objects and strings for each request keeps its size too', async () => {
    const host = new BareHost({ logLevel: 5 });
    const plugin = await host.start(pluginBytes('sdk-kit'));
    const [before, after] = heapOver(plugin, requests, [[':path', '/garbage']]);
    expect(after).toBe(before);
  });
}
