// The filters that ship with weir, in Envoy as in weir: they are Proxy-Wasm modules, and fall back where a host
// lacks weir's own functions.
import { createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../support/process.ts';
import { values } from '../support/message.ts';
import { getRequest } from '../support/raw-client.ts';
import { chunkedReply, reply, type Behaviour } from '../support/fake-upstream.ts';
import type { Place, Seen } from '../languages/subject.ts';
import { Both } from './both.ts';

const KEY = 'only-for-tests';
const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ED = generateKeyPairSync('ed25519');
/** Of another password than KEY. */
const HASH = 'scrypt$1024$8$1$c2FsdHNhbHQ=$JVUlEFLb4R6Vxw/x23MzYH0T7ekJLs4OezPAqhrqexM=';

function place(name: string, builtIn: string, config: object, ...callouts: string[]): Place {
  const file = `${ROOT}dist/filters/${builtIn}.wasm`;
  return { name, filters: [{ file, builtIn, rootId: '', configuration: JSON.stringify(config), callouts }] };
}

const key = { from: [{ header: 'x-api-key' }, { query: 'key' }], keys: [{ name: 'mira', key: KEY }] };
const SECRET = 'a-secret-of-thirty-two-bytes-at-least';

const PLACES: Place[] = [
  place('headers', 'headers', {
    request: {
      rename: { 'x-legacy': 'x-user' },
      remove: ['x-internal'],
      set: { 'x-from': '${request.method} ${request.path} ${source.address}', 'x-team': 'payments' },
      add: { 'x-tag': ['a', 'b'] },
    },
    response: { set: { 'x-code': '${response.code}' }, remove: ['x-internal'] },
  }),
  place('cors', 'cors', {
    origins: ['https://app.example.com', 'https://*.example.org'],
    methods: ['GET', 'PUT'],
    headers: ['content-type'],
    exposeHeaders: ['etag'],
    maxAge: '10m',
  }),
  place('api-key', 'api-key', { ...key, consumerHeader: 'x-consumer' }),
  // Digests alone: a hash needs a function of the host that Envoy does not have.
  place('basic', 'basic', {
    users: [{ username: 'mira', password: KEY, notAfter: '2990-01-01T00:00:00Z' }],
    consumerHeader: 'x-consumer',
  }),
  place('hashes', 'basic', { users: [{ username: 'mira', hash: HASH }] }),
  place('mtls', 'mtls', { forwarded: 1, identities: [{ name: 'mira', dns: 'mira.example' }] }),
  place('access', 'access', {
    policies: [
      {
        name: 'AccessPolicy/shop/deny',
        action: 'DENY',
        rules: [
          { to: [{ paths: [{ type: 'PathPrefix', value: '/admin' }] }] },
          { when: [{ expression: 'request.method == "GET"' }, { header: 'x-stop', values: ['*'] }] },
        ],
      },
      {
        name: 'AccessPolicy/shop/allow',
        rules: [{ from: [{ ipBlocks: ['127.0.0.0/8'] }], to: [{ methods: ['GET'] }] }],
      },
    ],
  }),
  place('rate-limit', 'rate-limit', {
    name: 'few',
    key: ['request.headers.x-user'],
    limit: { requests: 2, per: '1h', algorithm: 'token-bucket' },
  }),
  place(
    'ext-authz',
    'ext-authz',
    {
      http: {
        upstream: 'authz',
        pathPrefix: '/check',
        upstreamHeaders: ['x-user'],
        clientHeaders: ['x-why'],
      },
    },
    'authz',
  ),
  place('quota', 'quota', { key: ['request.headers.x-user'], quotas: [{ name: 'calls', limit: 2 }] }),
  place('open-quota', 'quota', { quotas: [{ name: 'all', limit: 0 }], onStoreFailure: 'Allow' }),
  // Without fields: a second may end between the two hosts.
  place('windows', 'rate-limit', {
    headers: false,
    limits: [
      {
        name: 'user',
        key: ['request.headers.x-user'],
        limit: { requests: 2, per: '1d', algorithm: 'fixed-window' },
      },
      { name: 'all', limit: { requests: 3, per: '31d', algorithm: 'sliding-window' } },
    ],
  }),
  place('busy', 'rate-limit', { limit: { requests: 1, algorithm: 'concurrency' } }),
  place('later', 'rate-limit', {
    limit: { requests: 10, per: '1d', algorithm: 'fixed-window' },
    cost: { response: 'response.size' },
    headers: false,
  }),
  place('transform', 'transform', {
    request: [
      {
        when: { methods: ['POST'] },
        path: { pattern: '/v1/{rest...}', to: '/v2/${request.method}/{rest}' },
        query: { set: { client: '${source.address}' }, remove: ['debug'] },
        cookies: { remove: ['tracking'] },
        body: {
          patch: [
            { op: 'test', path: '/currency', value: 'EUR' },
            { op: 'move', from: '/customer', path: '/buyer' },
          ],
          merge: { admin: null, by: '${source.address}' },
        },
      },
    ],
    response: [
      { when: { statuses: [404] }, body: { merge: { code: '${response.code}' } } },
      {
        cookies: { attributes: [{ secure: true, sameSite: 'Lax' }] },
        body: {
          redact: [
            { at: ['/**/password'], drop: true },
            { at: ['/card'], keepLast: 4 },
          ],
        },
      },
    ],
  }),
  place('csrf', 'csrf', { allowedOrigins: ['https://admin.test'], token: { cookie: 'csrf' } }),
  place('security-headers', 'security-headers', {
    preset: 'strict',
    hsts: { maxAge: '365d', always: true },
    contentSecurityPolicyReportOnly: { directives: ["default-src 'self'"] },
    permissionsPolicy: { usb: ['self', 'https://a.test'] },
  }),
  place('cache-control', 'cache-control', {
    rules: [
      {
        extensions: ['css'],
        cacheControl: { visibility: 'public', maxAge: '1m', staleWhileRevalidate: '30s' },
      },
    ],
  }),
  place('bots', 'bots', {
    deny: ['bot'],
    verified: [
      { userAgents: ['localbot'], addresses: ['127.0.0.0/8'] },
      { userAgents: ['farbot'], addresses: ['192.0.2.0/24'] },
    ],
    honeypots: ['/trap'],
    robots: 'Disallow: /trap',
  }),
  place('waf', 'waf', { exclude: [{ rules: ['sql/*'], targets: ['args.free'] }] }),
  place('nonce', 'security-headers', {
    contentSecurityPolicy: { directives: ['script-src ${nonce}'] },
    nonceHeader: 'x-nonce',
  }),
  {
    name: 'validate',
    filters: place('', 'validate', {
      body: { maxBytes: 100 },
      rules: [{ path: '/orders', schema: { type: 'object', required: ['item'] } }],
      whereMissing: 'Allow',
    }).filters.map((filter) => ({ ...filter, bodyWhileHeld: true })),
  },
  {
    name: 'graphql',
    filters: place('', 'graphql', { body: { maxBytes: 200 }, limits: { depth: 2 } }).filters.map(
      (filter) => ({
        ...filter,
        bodyWhileHeld: true,
      }),
    ),
  },
  place('hmac', 'hmac', {
    keys: [
      { id: 'shop', secret: SECRET, name: 'mira' },
      { id: 'ec', algorithm: 'ecdsa-p256-sha256', jwk: EC.publicKey.export({ format: 'jwk' }) },
      { id: 'ed', algorithm: 'ed25519', jwk: ED.publicKey.export({ format: 'jwk' }) },
    ],
    consumerHeader: 'x-who',
  }),
  {
    name: 'webhook',
    filters: place('', 'webhook', { scheme: 'slack', secrets: [SECRET] }).filters.map((filter) => ({
      ...filter,
      bodyWhileHeld: true,
    })),
  },
  place(
    'introspection',
    'introspection',
    {
      uri: 'http://authz/introspect',
      upstream: 'authz',
      client: { id: 'weir', secret: 'only-for-tests' },
      claimsToHeaders: [{ claim: 'sub', header: 'x-user' }],
    },
    'authz',
  ),
  {
    name: 'together',
    filters: [
      ...place('', 'api-key', key).filters,
      ...place('', 'rate-limit', { key: ['consumer.name'], limit: { requests: 1, per: '1h' } }).filters,
      ...place('', 'headers', { request: { set: { 'x-who': '${consumer.name}' } } }).filters,
    ],
  },
];

describe('a filter that ships with weir does the same in Envoy', () => {
  let both: Both;
  beforeAll(async () => {
    both = await Both.start({ places: PLACES });
  }, 120_000);

  function send(role: string, path: string, ...fields: string[]): Promise<Seen> {
    return both.compare({ role, send: getRequest(path, 'plugin.test', ...fields) });
  }

  test('headers: variables, renamed, removed, set and added fields', async () => {
    const seen = await send('headers', '/a?b=c', 'X-Legacy: mira', 'X-Internal: 1', 'X-Tag: 0');
    const fields = Object.fromEntries(seen.upstream[0]!.fields.map(([n, v]) => [n.toLowerCase(), v]));
    expect(fields['x-from']).toBe('GET /a?b=c 127.0.0.1');
    expect(fields['x-user']).toBe('mira');
    expect(fields['x-internal']).toBeUndefined();
    expect(seen.answer.header('x-code')).toBe('200');
    expect(seen.answer.header('x-internal')).toBeUndefined();
  });

  test('cors: a preflight that is allowed, one that is not, and a marked answer', async () => {
    const preflight = async (origin: string): Promise<Seen> => {
      const head = getRequest('/', 'plugin.test', `Origin: ${origin}`, 'Access-Control-Request-Method: PUT');
      return both.compare({ role: 'cors', send: head.replace('GET', 'OPTIONS') });
    };
    const allowed = await preflight('https://app.example.com');
    expect(allowed.upstream).toEqual([]);
    expect(allowed.answer.header('access-control-allow-methods')).toContain('PUT');
    const refused = await preflight('https://evil.example');
    expect(refused.answer.header('access-control-allow-origin')).toBeUndefined();
    const marked = await send('cors', '/', 'Origin: https://x.example.org');
    expect(marked.answer.header('access-control-allow-origin')).toBe('https://x.example.org');
    expect(marked.answer.header('access-control-expose-headers')).toBe('etag');
  });

  test('api-key: a good key in a field and in the query, a bad one, none', async () => {
    const inField = await send('api-key', '/', `X-Api-Key: ${KEY}`);
    expect(inField.upstream[0]!.fields.some(([name]) => name.toLowerCase() === 'x-api-key')).toBe(false);
    const inQuery = await send('api-key', `/?a=1&key=${KEY}&b=2`);
    expect(inQuery.upstream[0]!.target).toBe('/?a=1&b=2');
    expect((await send('api-key', '/', 'X-Api-Key: other')).answer.status).toBe(401);
    expect((await send('api-key', '/')).answer.status).toBe(401);
  });

  test('basic: the right password, a wrong one, none', async () => {
    const login = (text: string): string => `Authorization: Basic ${Buffer.from(text).toString('base64')}`;
    const right = await send('basic', '/', login(`mira:${KEY}`));
    expect(right.upstream[0]!.fields).toContainEqual(['x-consumer', 'mira']);
    expect((await send('basic', '/', login('mira:other'))).answer.status).toBe(401);
    expect((await send('basic', '/', login(`other:${KEY}`))).answer.status).toBe(401);
    expect((await send('basic', '/')).answer.status).toBe(401);
  });

  test('basic: a password that only the host could check is refused where it cannot', async () => {
    const head = getRequest(
      '/',
      'plugin.test',
      `Authorization: Basic ${Buffer.from('mira:x').toString('base64')}`,
    );
    const [weir, envoy] = await both.each({ role: 'hashes', send: head });
    expect([weir.answer.status, envoy.answer.status]).toEqual([401, 503]);
  });

  test('mtls: a connection without a certificate is refused, and what it says of one is not believed', async () => {
    expect((await send('mtls', '/', 'X-Forwarded-Client-Cert: DNS=mira.example')).answer.status).toBe(403);
    expect((await send('mtls', '/')).answer.status).toBe(403);
  });

  test('access: what is denied, what is allowed, and what neither is', async () => {
    expect((await send('access', '/orders')).answer.status).toBe(200);
    expect((await send('access', '/admin/x')).answer.status).toBe(403);
    expect((await send('access', '/', 'X-Stop: 1')).answer.status).toBe(403);
    const post = getRequest('/orders', 'plugin.test').replace('GET', 'PUT');
    expect((await both.compare({ role: 'access', send: post })).answer.status).toBe(403);
  });

  test('rate-limit: counts in shared data where the host cannot take from a limit', async () => {
    for (const status of [200, 200, 429])
      expect((await send('rate-limit', '/', 'X-User: one')).answer.status).toBe(status);
    expect((await send('rate-limit', '/', 'X-User: two')).answer.status).toBe(200);
  });

  test('ext-authz: allowed with a field for the upstream, refused in the words of the service, no decision', async () => {
    const ask = async (authz: Behaviour, ...awaits: string[]): Promise<Seen> =>
      both.compare({
        awaits,
        role: 'ext-authz',
        send: getRequest('/a?b=c', 'plugin.test', 'Authorization: t'),
        authz,
      });
    const allowed = await ask(reply(200, [['x-user', 'mira']], ''));
    expect(allowed.upstream[0]!.fields).toContainEqual(['x-user', 'mira']);
    expect(allowed.authz[0]!.target).toBe('/check/a?b=c');
    const refused = await ask(reply(401, [['x-why', 'late']], 'too late'));
    expect([refused.answer.status, refused.answer.text, refused.answer.header('x-why')]).toEqual([
      401,
      'too late',
      'late',
    ]);
    expect((await ask(reply(503, [], ''), 'no decision: status 503 ')).answer.status).toBe(403);
  });

  test('quota: there is no ledger in Envoy, so that it is closed or open as onStoreFailure says', async () => {
    const [weir, envoy] = await both.each({
      role: 'quota',
      send: getRequest('/', 'plugin.test', 'X-User: one'),
    });
    expect([weir.answer.status, envoy.answer.status]).toEqual([200, 503]);
    const [refused, passed] = await both.each({ role: 'open-quota', send: getRequest('/', 'plugin.test') });
    expect([refused.answer.status, passed.answer.status]).toEqual([429, 200]);
  });

  test('rate-limit: several at once, of which one that refuses costs the others nothing', async () => {
    const statuses = [];
    for (const user of ['one', 'one', 'one', 'two', 'two'])
      statuses.push((await send('windows', '/', `X-User: ${user}`)).answer.status);
    expect(statuses).toEqual([200, 200, 429, 200, 429]);
  });

  test('rate-limit: what is under way is free again when it is over', async () => {
    for (const status of [200, 200, 200]) expect((await send('busy', '/')).answer.status).toBe(status);
  });

  test('rate-limit: an answer is charged for when it is over', async () => {
    const first = await both.compare({
      role: 'later',
      send: getRequest('/', 'plugin.test'),
      upstream: reply(200, [], 'more than ten bytes'),
    });
    expect(first.answer.status).toBe(200);
    expect((await send('later', '/')).answer.status).toBe(429);
  });

  test('hmac: a request that is signed with a shared secret, a repetition of its nonce, another path, none', async () => {
    const params = `("@method" "@authority" "@path" "@query");created=${Math.floor(Date.now() / 1000)};keyid="shop";nonce="1"`;
    const base = `"@method": GET\n"@authority": plugin.test\n"@path": /a\n"@query": ?b=c\n"@signature-params": ${params}`;
    const signature = createHmac('sha256', SECRET).update(base).digest('base64');
    const ask = async (path: string): Promise<Seen> =>
      send('hmac', path, `Signature-Input: s=${params}`, `Signature: s=:${signature}:`, 'X-Who: root');
    expect((await ask('/a?b=d')).answer.status).toBe(401);
    const seen = await ask('/a?b=c');
    expect(values(seen.upstream[0]!.fields, 'x-who')).toEqual(['mira']);
    expect((await ask('/a?b=c')).answer.status).toBe(401);
    expect((await send('hmac', '/a?b=c')).answer.status).toBe(401);
  });

  test('webhook: a message that is signed, a repetition, another body, none', async () => {
    const time = Math.floor(Date.now() / 1000);
    const signature = createHmac('sha256', SECRET).update(`v0:${time}:{"a":1}`).digest('hex');
    const post = (body: string, ...fields: string[]): Promise<Seen> =>
      both.compare({
        role: 'webhook',
        send: `POST /hooks HTTP/1.1\r\nHost: plugin.test\r\nContent-Length: ${body.length}\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n${body}`,
      });
    const fields = [`X-Slack-Signature: v0=${signature}`, `X-Slack-Request-Timestamp: ${time}`];
    expect((await post('{"a":2}', ...fields)).answer.status).toBe(401);
    const seen = await post('{"a":1}', ...fields);
    expect(seen.answer.status).toBe(200);
    expect(seen.upstream[0]!.body.toString()).toBe('{"a":1}');
    expect((await post('{"a":1}', ...fields)).answer.status).toBe(401);
    expect((await post('{"a":1}')).answer.status).toBe(401);
  });

  test('hmac: public keys, where Envoy can check their signatures', async () => {
    const ask = (id: string, { privateKey }: { privateKey: KeyObject }, path: string): Promise<Seen[]> => {
      const params = `("@method" "@authority" "@path" "@query");created=${Math.floor(Date.now() / 1000)};keyid="${id}"`;
      const base = `"@method": GET\n"@authority": plugin.test\n"@path": /a\n"@query": ?b=c\n"@signature-params": ${params}`;
      const hash = id === 'ec' ? 'sha256' : null;
      const signature = sign(hash, Buffer.from(base), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      const fields = [`Signature-Input: s=${params}`, `Signature: s=:${signature.toString('base64')}:`];
      return both.each({ role: 'hmac', send: getRequest(path, 'plugin.test', ...fields) });
    };
    const statuses = (seen: Seen[]): number[] => seen.map(({ answer }) => answer.status);
    expect(statuses(await ask('ec', EC, '/a?b=c'))).toEqual([200, 200]);
    expect(statuses(await ask('ec', EC, '/a?b=d'))).toEqual([401, 401]);
    expect(statuses(await ask('ed', ED, '/a?b=c'))).toEqual([200, 401]);
  });

  test('introspection: a good token, asked about once, a bad one, none, no answer', async () => {
    const ask = async (token: string, authz: Behaviour, ...awaits: string[]): Promise<Seen> =>
      both.compare({
        awaits,
        role: 'introspection',
        send: getRequest('/', 'plugin.test', `Authorization: Bearer ${token}`, 'X-User: root'),
        authz,
      });
    const good = reply(200, [['content-type', 'application/json']], '{"active":true,"sub":"mira"}');
    for (const questions of [1, 0]) {
      const seen = await ask('good', good);
      expect(seen.upstream[0]!.fields).toContainEqual(['x-user', 'mira']);
      expect(seen.authz).toHaveLength(questions);
    }
    expect((await ask('bad', reply(200, [], '{"active":false}'))).answer.status).toBe(401);
    const failed = await ask('other', reply(500, [], ''), 'the server gave no answer: 500');
    expect(failed.answer.status).toBe(503);
    expect((await send('introspection', '/')).answer.status).toBe(401);
  });

  test('csrf: a change of this origin, of a listed one, of another site, without the token', async () => {
    const ask = async (...fields: string[]): Promise<number> => {
      const head = getRequest('/', 'plugin.test', 'Cookie: csrf=t', ...fields).replace('GET', 'DELETE');
      return (await both.compare({ role: 'csrf', send: head })).answer.status;
    };
    expect(await ask('Sec-Fetch-Site: same-origin', 'X-CSRF-Token: t')).toBe(200);
    expect(await ask('Origin: https://admin.test', 'X-CSRF-Token: t')).toBe(200);
    expect(await ask('Origin: https://evil.test', 'X-CSRF-Token: t')).toBe(403);
    expect(await ask('Sec-Fetch-Site: same-origin')).toBe(403);
    expect((await send('csrf', '/')).answer.status).toBe(200);
  });

  test('security-headers: the same fields, none of the server; a nonce of each host’s own', async () => {
    const { answer } = await send('security-headers', '/');
    expect(answer.header('strict-transport-security')).toBe('max-age=31536000; includeSubDomains');
    expect(answer.header('permissions-policy')).toBe('usb=(self "https://a.test")');
    for (const seen of await both.each({ role: 'nonce', send: getRequest('/', 'plugin.test') })) {
      const nonce = seen.upstream[0]!.fields.find(([name]) => name.toLowerCase() === 'x-nonce')![1];
      expect(nonce).toMatch(/^[A-Za-z0-9+/]{22}==$/);
      expect(seen.answer.header('content-security-policy')).toBe(`script-src 'nonce-${nonce}'`);
    }
  });

  test('validate: limits of bodies are held alike; what breaks a schema passes where the host cannot check it', async () => {
    const post = (body: string, type = 'application/json') => ({
      role: 'validate',
      send: `POST /orders HTTP/1.1\r\nHost: plugin.test\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    });
    expect((await both.compare(post('{"item":1}'))).answer.status).toBe(200);
    expect((await both.compare(post('{"item":1,"item":2}'))).answer.status).toBe(400);
    expect((await both.compare(post('{"item"'))).answer.status).toBe(400);
    expect((await both.compare(post(`"${'x'.repeat(200)}"`))).answer.status).toBe(413);
    expect((await both.compare(post('{}', 'text/plain'))).answer.status).toBe(415);
    const [weir, envoy] = await both.each(post('{}'));
    expect([weir.answer.status, envoy.answer.status]).toEqual([400, 200]);
  });

  test('waf: attacks in query, cookies and fields, what is none, and what is excluded', async () => {
    const ask = async (path: string, fields: string[], awaits: RegExp[]): Promise<number[]> => {
      const send = getRequest(path, 'plugin.test', 'User-Agent: x', ...fields);
      return (await both.each({ role: 'waf', send, awaits })).map((seen) => seen.answer.status);
    };
    const refused = async (path: string, ...fields: string[]): Promise<void> =>
      expect(await ask(path, fields, [/"waf":"denied"/])).toEqual([403, 403]);
    expect(await ask('/?q=shoes', [], [])).toEqual([200, 200]);
    await refused('/?q=1%27+union+select+a+from+b');
    expect(await ask('/?free=1%27+union+select+a+from+b', [], [])).toEqual([200, 200]);
    await refused('/', 'Cookie: a=<script>');
    await refused('/', 'X-Api-Version: ${jndi:ldap://evil.test/a}');
  });

  test('bots: what is denied, who is verified by address, a honeypot, robots.txt', async () => {
    const ask = async (path: string, agent: string): Promise<Seen> =>
      send('bots', path, `User-Agent: ${agent}`);
    expect((await ask('/', 'GPTBot/1.0')).answer.status).toBe(403);
    expect((await ask('/', 'localbot')).answer.status).toBe(200);
    expect((await ask('/', 'farbot')).answer.status).toBe(403);
    expect((await ask('/trap', 'x')).answer.status).toBe(403);
    expect((await ask('/robots.txt', 'GPTBot/1.0')).answer.text).toBe('Disallow: /trap');
  });

  test('cache-control: what may be kept, and what sets a cookie', async () => {
    const seen = await send('cache-control', '/a.css');
    expect(seen.answer.header('cache-control')).toBe('public, max-age=60, stale-while-revalidate=30');
    expect((await send('cache-control', '/a.html')).answer.header('cache-control')).toBeUndefined();
  });

  test('transform: heads and bodies of both directions', async () => {
    const type: [string, string] = ['content-type', 'application/json'];
    const post = (body: string, upstream: Behaviour): Promise<Seen> =>
      both.compare({
        role: 'transform',
        send: [
          'POST /v1/orders?debug=1&a=b HTTP/1.1',
          'Host: plugin.test',
          'Content-Type: application/json',
          'Cookie: a=b; tracking=1',
          'Accept-Encoding: gzip',
          `Content-Length: ${body.length}\r\n\r\n${body}`,
        ].join('\r\n'),
        upstream,
      });
    const answer = '{"card":"4111111111111111","list":[{"password":"x"},{"a":1.0}],"password":{"b":[]}}';
    const seen = await post(
      '{ "currency":"EUR", "customer":12345678901234567890, "admin":true}',
      chunkedReply(
        [answer.slice(0, 12), answer.slice(12, 50), answer.slice(50)],
        [],
        [type, ['etag', '"1"'], ['set-cookie', 'a=b; SameSite=None']],
      ),
    );
    expect(seen.upstream[0]!.target).toBe('/v2/POST/orders?a=b&client=127.0.0.1');
    expect(seen.upstream[0]!.body.toString()).toBe(
      '{ "currency":"EUR","buyer":12345678901234567890,"by":"127.0.0.1"}',
    );
    expect(values(seen.upstream[0]!.fields, 'cookie')).toEqual(['a=b']);
    expect(values(seen.upstream[0]!.fields, 'accept-encoding')).toEqual(['identity']);
    expect(seen.answer.text).toBe('{"card":"***1111","list":[{},{"a":1.0}]}');
    expect(seen.answer.header('set-cookie')).toBe('a=b; Secure; SameSite=Lax');
    expect(seen.answer.header('etag')).toBeUndefined();
    const missing = await post('{"currency":"EUR","customer":1}', reply(404, [type], '{"a":1}'));
    expect(missing.answer.text).toBe('{"a":1,"code":"404"}');
  });

  test('transform: a body is refused alike, though Envoy has sent the head on by then', async () => {
    for (const [body, status] of [
      ['{"currency":"USD"}', 422],
      ['{"currency"', 400],
    ] as const) {
      const send = `POST /v1/a HTTP/1.1\r\nHost: plugin.test\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      const [weir, envoy] = await both.each({ role: 'transform', send });
      expect([weir.answer.status, envoy.answer.status]).toEqual([status, status]);
      expect(weir.upstream).toEqual([]);
    }
  });

  test('graphql: operations by GET and POST, right, too deep and no GraphQL', async () => {
    const post = async (query: string): Promise<number> => {
      const body = JSON.stringify({ query });
      const send = `POST /graphql HTTP/1.1\r\nHost: plugin.test\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      return (await both.compare({ role: 'graphql', send })).answer.status;
    };
    expect(await post('{a{b}}')).toBe(200);
    expect(await post('{a{...F}} fragment F on T {b{c}}')).toBe(400);
    expect(await post('{a')).toBe(400);
    expect(await post('{__schema{x}}')).toBe(403);
    expect(await post(`{${'a '.repeat(200)}}`)).toBe(413);
    expect((await send('graphql', '/graphql?query=%7Ba%7D')).answer.status).toBe(200);
    expect((await send('graphql', '/graphql?query=mutation%7Ba%7D')).answer.status).toBe(405);
  });

  test('in a chain: one finds what another found out', async () => {
    const first = await both.compare({
      role: 'together',
      send: getRequest('/', 'plugin.test', `X-Api-Key: ${KEY}`),
      upstream: reply(200, [], 'through'),
    });
    expect(first.upstream[0]!.fields).toContainEqual(['x-who', 'mira']);
    expect((await send('together', '/', `X-Api-Key: ${KEY}`)).answer.status).toBe(429);
    expect((await send('together', '/')).answer.status).toBe(401);
  });
});

// With upstreams of its own: it asks for its provider each second, which would be taken for what another asks.
test(
  'oidc: programs are refused alike; nobody can log in where the host cannot seal',
  { timeout: 120_000 },
  async () => {
    const oidc = place(
      'oidc',
      'oidc',
      {
        issuer: 'http://authz',
        upstream: 'authz',
        timeout: '3s',
        clientId: 'shop',
        clientSecret: 'only-for-tests',
        cookieSecrets: [SECRET],
      },
      'authz',
    );
    const both = await Both.start({ places: [oidc] });
    const program = getRequest('/', 'plugin.test', 'Accept: application/json');
    const refused = await both.each({ role: 'oidc', send: program });
    expect(refused.map(({ answer }) => answer.status)).toEqual([401, 401]);
    const about = {
      issuer: 'http://authz',
      authorization_endpoint: 'http://id.test/a',
      token_endpoint: 'http://authz/t',
    };
    const [weir, envoy] = await both.each({
      role: 'oidc',
      send: getRequest('/', 'plugin.test', 'Accept: text/html'),
      authz: reply(200, [], JSON.stringify({ ...about, jwks_uri: 'http://authz/k' })),
    });
    expect([weir.answer.status, envoy.answer.status]).toEqual([302, 503]);
    expect([...weir.upstream, ...envoy.upstream]).toEqual([]);
  },
);
