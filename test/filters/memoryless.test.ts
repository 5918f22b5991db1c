/**
 * A filter that counts nothing decides each request as if it were the first: what the requests before it were, and in
 * what pieces its body comes, changes nothing. Two instances get the same requests in another order, cut differently.
 */
import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Exchange, Filter } from '@weir/filters-sdk/testing';
import { Dice } from '../support/dice.ts';
import { openBuiltIn, PATIENT } from '../support/filter.ts';
import { CLAIMS, makeSigner, makeToken, NOW } from './jwt/tokens.ts';

/** WEIR_SEED=n,m runs these seeds instead. */
const SEEDS = (process.env['WEIR_SEED'] ?? '1').split(',').map(Number);
const REQUESTS = Number(process.env['WEIR_REQUESTS'] ?? 300);
/** Requests, about, that an instance of their own gets, too. */
const FRESH = 60;

const SECRET = 'a-secret-of-thirty-two-bytes-at-least';
const KEY = 'only-for-tests';
const SIGNERS = [makeSigner('ES256'), makeSigner('EdDSA')];
const JSON_SCHEMA = {
  type: 'object',
  properties: { id: { type: 'integer' }, name: { type: 'string', maxLength: 8 }, tags: { maxItems: 2 } },
  required: ['id'],
};

const CONFIGS: readonly (readonly [filter: string, config: object])[] = [
  [
    'access',
    {
      policies: [
        {
          name: 'deny',
          action: 'DENY',
          rules: [
            { to: [{ paths: [{ type: 'PathPrefix', value: '/admin' }] }] },
            { when: [{ header: 'x-user', values: ['mallory'] }] },
            { when: [{ expression: 'request.query.contains("debug") && request.method == "POST"' }] },
          ],
        },
        {
          name: 'allow',
          action: 'ALLOW',
          rules: [
            { to: [{ methods: ['GET', 'HEAD'] }] },
            { when: [{ query: 'k', values: ['1', '2'] }], from: [{ ipBlocks: ['10.0.0.0/8'] }] },
            { to: [{ hosts: ['*.example.test'], paths: [{ value: '/orders' }] }] },
          ],
        },
      ],
    },
  ],
  [
    'api-key',
    {
      from: [{ header: 'x-api-key' }, { query: 'key' }, { cookie: 'k' }],
      keys: [
        { name: 'mira', key: KEY },
        { name: 'noah', key: 'another' },
      ],
      consumerHeader: 'x-consumer',
    },
  ],
  [
    'basic',
    {
      users: [
        { username: 'mira', password: KEY },
        { username: 'é', password: ':' },
      ],
      consumerHeader: 'x-consumer',
    },
  ],
  [
    'jwt',
    {
      providers: [
        {
          name: 'id',
          issuer: 'https://id.test',
          audiences: ['shop'],
          jwks: { keys: SIGNERS.map(({ jwk }) => jwk) },
          claimsToHeaders: [{ claim: 'sub', header: 'x-user' }],
          consumerClaim: 'sub',
        },
      ],
    },
  ],
  ['hmac', { keys: [{ id: 'a', secret: SECRET }], components: ['@path'], maxAge: '1d' }],
  ['webhook', { scheme: 'github', secrets: [SECRET] }],
  [
    'cors',
    {
      origins: ['https://app.example.com', 'https://*.example.org'],
      methods: ['GET', 'PUT'],
      headers: ['content-type'],
      exposeHeaders: ['etag'],
      maxAge: '10m',
    },
  ],
  ['csrf', { token: { cookie: 'k' } }],
  ['bots', { deny: ['gptbot', 'a*b'], verified: [{ userAgents: ['googlebot'], addresses: ['10.0.0.0/8'] }] }],
  [
    'cache-control',
    { rules: [{ authorized: true, cacheControl: { maxAge: '1m' }, vary: ['accept'], override: true }] },
  ],
  ['security-headers', { preset: 'strict' }],
  [
    'headers',
    {
      request: {
        rename: { 'x-legacy': 'x-user' },
        remove: ['x-internal'],
        set: { 'x-from': '${request.method} ${request.path} ${request.headers.x-user}' },
        add: { 'x-tag': ['a', 'b'] },
      },
      response: { set: { 'x-code': '${response.code}' }, remove: ['x-internal'] },
    },
  ],
  [
    'transform',
    {
      request: [
        {
          when: { methods: ['POST'] },
          path: { pattern: '/{rest...}', to: '/v2/${request.method}/{rest}' },
          query: { set: { user: '${request.headers.x-user}' }, rename: { k: 'l' }, remove: ['debug'] },
          cookies: { remove: ['k'], set: { a: 'b' } },
          body: {
            patch: [{ op: 'copy', from: '/id', path: '/copy' }],
            merge: { tags: null, at: '${request.path}' },
          },
        },
      ],
      response: [
        {
          body: {
            redact: [
              { at: ['/**/name'], keepLast: 2 },
              { at: ['/**/tags'], drop: true },
            ],
          },
        },
        { cookies: { set: { seen: '${request.method}' } } },
      ],
    },
  ],
  [
    'validate',
    {
      body: { maxBytes: 2000, maxDepth: 6, maxKeys: 20, maxStringBytes: 200 },
      rules: [
        { path: '/orders', schema: JSON_SCHEMA, responseSchema: JSON_SCHEMA },
        { path: '/a', schema: { anyOf: [JSON_SCHEMA, { type: 'array' }] } },
      ],
      response: { mode: 'Log' },
    },
  ],
  [
    'graphql',
    {
      body: { maxBytes: 2000 },
      paths: ['/orders', '/graphql'],
      limits: { depth: 3, aliases: 2, cost: 20 },
      costs: { fields: { a: 2 } },
    },
  ],
  ['waf', { body: {} }],
];

const BODIES = [
  '',
  '{"id":1,"name":"mira","tags":["a"]}',
  '{"id":1,"n\\u0061me":"mira","name":"twice"}',
  '{"\\u0069d":7,"name":"\\ud83d\\ude00 \\"quoted\\""}',
  '{"id":"x","name":"far too long for it","tags":[1,2,3]}',
  '{"id":2,"nested":{"name":"secret","deep":{"tags":[],"name":null}}}',
  '[1,2,{"name":"in a list"}]',
  '{"id":3',
  '{"id":3}}',
  '{"a":{"b":{"c":{"d":{"e":{"f":{}}}}}}}',
  '{"query":"{a{b{c}}}"}',
  '{"query":"query Q($n: Int = 2) {a(first: $n){...F b: c}} fragment F on T {d}","variables":{"m":[1]}}',
  '{"query":"{a{b{c{d{e}}}} x: a y: a z: a}"}',
  '{"query":"mutation {\\u0061(text: \\"\\"\\"block\\"\\"\\")}"}',
  'q=1%27%20or%201%3D1--&id=7',
  'q=<script>alert(1)</script>',
  'name=mira&k=tok',
  'x'.repeat(3000),
  Buffer.from([0xff, 0xfe, 0x7b, 0x7d]),
];

/** What is wrong with an answer is seen when its head may have gone, or before: that is up to its pieces. */
const ANSWERS = BODIES.slice(0, 7);
const PATHS = ['/', '/a', '/orders', '/orders?k=1&k=3', '/admin/x', '/graphql', '/a?debug&key=another'];

function headersOf(path: string, dice: Dice): [string, string][] {
  const maybe = (name: string, ...values: string[]): [string, string][] =>
    dice.chance(0.35) ? [[name, dice.pick(values)]] : [];
  const params = `("@path");created=${NOW};keyid="${dice.pick(['a', 'b'])}"`;
  const base = `"@path": ${path.replace(/\?.*/, '')}\n"@signature-params": ${params}`;
  const token = (claims: object): string =>
    `Bearer ${makeToken(dice.pick(SIGNERS), { ...CLAIMS, exp: 4e9, ...claims })}`;
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
  const signed = dice.chance(0.4);
  return [
    ...maybe('x-api-key', KEY, 'another', 'wrong', ''),
    ...maybe('authorization', basic(`mira:${KEY}`), basic('é::'), basic('mira:no'), 'Basic %', 'Bearer x'),
    ...(dice.chance(0.5)
      ? []
      : maybe('authorization', token({}), token({ sub: 'noah' }), token({ aud: 'other' }))),
    ...maybe('cookie', 'k=tok; a=b', `k=${KEY}`, 'a=b', 'k=', '=;;k'),
    ...maybe('x-csrf-token', 'tok', 'other'),
    ...maybe('origin', 'https://app.example.com', 'https://x.example.org', 'https://evil.test', 'null'),
    ...maybe('sec-fetch-site', 'same-origin', 'cross-site', 'none'),
    ...maybe('access-control-request-method', 'GET', 'DELETE'),
    ...maybe('access-control-request-headers', 'content-type', 'x-other'),
    ...maybe('user-agent', 'Mozilla/5.0', 'GPTBot/1.0', 'Googlebot/2.1', 'sqlmap', ''),
    [
      'content-type',
      dice.chance(0.7)
        ? 'application/json'
        : dice.pick(['application/json; charset=utf-8', 'application/x-www-form-urlencoded', 'text/plain']),
    ],
    ...maybe('accept', '*/*', 'text/html', 'a'.repeat(600)),
    ...maybe('x-user', 'mira', 'mallory', '${request.path}'),
    ...maybe('x-legacy', 'one', 'two'),
    ...maybe('x-internal', 'yes'),
    ...(signed
      ? ([
          ['signature-input', `s=${params}`],
          ['signature', `s=:${createHmac('sha256', SECRET).update(base).digest('base64')}:`],
        ] as [string, string][])
      : []),
  ];
}

interface Case {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: [string, string][];
  readonly body: Buffer;
  readonly status: number;
  readonly answer: Buffer;
  readonly type: string;
}

function caseOf(dice: Dice): Case {
  const body = Buffer.from(dice.pick(BODIES));
  const digest = createHmac('sha256', dice.pick([SECRET, 'x']))
    .update(body)
    .digest('hex');
  const path = dice.pick(PATHS);
  const headers = headersOf(path, dice);
  if (dice.chance(0.5)) headers.push(['x-hub-signature-256', `sha256=${digest}`]);
  if (body.length > 0) headers.push(['content-length', String(body.length)]);
  return {
    method:
      body.length > 0 ? dice.pick(['POST', 'PUT']) : dice.pick(['GET', 'GET', 'HEAD', 'OPTIONS', 'DELETE']),
    path,
    authority: dice.pick(['example.test', 'shop.example.test', 'shop.example.test:8080']),
    headers,
    body,
    status: dice.pick([200, 200, 204, 404]),
    answer: Buffer.from(dice.pick(ANSWERS)),
    type: dice.pick(['application/json', 'text/html', 'application/x-ndjson']),
  };
}

function cut(bytes: Buffer, dice: Dice): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = dice.chance(0.5) ? bytes.length : 1 + dice.below(40);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

async function send(filter: Filter, given: Case, dice: Dice): Promise<object> {
  const { method, path, authority, headers, status, type } = given;
  const exchange = await filter.exchange({
    request: { method, path, authority, headers, body: cut(given.body, dice) },
    response: {
      status,
      headers: { 'content-type': type, 'x-internal': '1' },
      body: status === 204 || method === 'HEAD' ? [] : cut(given.answer, dice),
    },
  });
  return outcome(exchange);
}

/** All that is seen of it, but for how a body is framed: that is up to its pieces. */
function outcome({ answer, upstream }: Exchange): object {
  const fieldsOf = ({ fields }: Pick<Exchange['answer'], 'fields'>): unknown =>
    fields.filter(([name]) => name !== 'content-length' && name !== 'transfer-encoding');
  return {
    answer: [answer.status, answer.from, answer.details, fieldsOf(answer), answer.body],
    upstream: upstream && [
      upstream.method,
      upstream.path,
      upstream.authority,
      fieldsOf(upstream),
      upstream.body,
    ],
  };
}

function shuffled(count: number, dice: Dice): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = dice.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

describe.each(SEEDS)('in any order, however bodies are cut, seed %i', (seed) => {
  test.each(CONFIGS)('%s decides the same', { timeout: 120_000 }, async (name, config) => {
    const dice = new Dice(seed);
    const cases = Array.from({ length: REQUESTS }, () => caseOf(dice));
    const start = (): Promise<Filter> => openBuiltIn(name, config, { bodyWhileHeld: true, limits: PATIENT });
    const outcomes = async (order: readonly number[]): Promise<object[]> => {
      const filter = await start();
      const all: object[] = [];
      for (const i of order) all[i] = await send(filter, cases[i]!, dice);
      return all;
    };
    const one = await outcomes(cases.map((_, i) => i));
    const other = await outcomes(shuffled(cases.length, dice));
    for (const [i, expected] of one.entries()) {
      expect(other[i], JSON.stringify(cases[i])).toEqual(expected);
      // Both may have forgotten nothing of what came before.
      if (dice.chance(FRESH / REQUESTS))
        expect(await send(await start(), cases[i]!, dice), JSON.stringify(cases[i])).toEqual(expected);
    }
    // Else there was nothing to decide.
    expect(new Set(one.map((each) => JSON.stringify(each))).size).toBeGreaterThan(10);
  });
});
