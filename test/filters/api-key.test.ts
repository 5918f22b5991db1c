import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Filter } from '../../filters-sdk/testing/testing.d.ts';
import { Wants } from '../../src/runtime/wasm/abi.ts';
import { linesOf, openBuiltIn, refusalOf, wantsOf } from '../support/filter.ts';

type Fields = readonly (readonly [name: string, value: string])[];

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const KEYS = [
  { name: 'acme', sha256: sha256('acme-key') },
  { name: 'acme', key: 'acme-second-key' },
  { name: 'beta', key: 'beta-key' },
];

const start = (config: object = {}): Promise<Filter> =>
  openBuiltIn('api-key', { from: [{ header: 'X-Api-Key' }], keys: KEYS, ...config });

/** The status that a request gets; admitted ones with the fields that the upstream has seen. */
async function verdict(filter: Filter, headers: Fields, path = '/'): Promise<number | string[]> {
  const { answer, upstream } = await filter.exchange({ request: { headers, path } });
  return upstream === null ? answer.status : linesOf(upstream);
}
const KEY: Fields = [['x-api-key', 'acme-key']];
const BETA: Fields = [['x-api-key', 'beta-key']];

describe('api-key', () => {
  test('sees request heads alone', async () => {
    expect(await wantsOf('api-key')).toBe(Wants.RequestHeaders);
  });

  test('admits a known key, strips it, and names its owner to what comes behind', async () => {
    const filter = await start({ consumerHeader: 'X-Consumer' });
    const exchange = await filter.exchange({ request: { headers: [...KEY, ['accept', '*/*']] } });
    expect(linesOf(exchange.upstream!)).toEqual(['accept: */*', 'x-consumer: acme']);
    expect(exchange.property('consumer.name')).toBe('acme');
  });

  test('answers 401 with a challenge and a problem', async () => {
    const filter = await start({ realm: 'shop' });
    const exchange = await filter.exchange({ request: { headers: { 'x-api-key': 'acme-kez' } } });
    expect(exchange.upstream).toBeNull();
    expect(exchange.property('consumer.name')).toBeUndefined();
    expect(exchange.answer).toMatchObject({
      status: 401,
      from: 'filter',
      details: 'api_key_invalid',
      body: '{"type":"about:blank","title":"Unauthorized","status":401,"detail":"a valid API key is required"}\n',
    });
    expect(linesOf(exchange.answer)).toEqual([
      'content-type: application/problem+json',
      'www-authenticate: ApiKey realm="shop"',
      'content-length: 98',
    ]);
    expect((await filter.exchange()).answer).toMatchObject({ status: 401, details: 'api_key_missing' });
  });

  test.each([
    ['a part of a key', [['x-api-key', 'acme-ke']]],
    ['more than a key', [['x-api-key', 'acme-key ']]],
    ['another case', [['x-api-key', 'ACME-KEY']]],
    ['an empty one', [['x-api-key', '']]],
    ['the digest', [['x-api-key', sha256('acme-key')]]],
    ['two keys in one field', [['x-api-key', 'acme-key, acme-key']]],
    [
      'a good one before a bad one',
      [
        ['x-api-key', 'acme-key'],
        ['x-api-key', 'x'],
      ],
    ],
    [
      'a bad one before a good one',
      [
        ['x-api-key', 'x'],
        ['x-api-key', 'acme-key'],
      ],
    ],
    [
      'keys of two owners',
      [
        ['x-api-key', 'acme-key'],
        ['x-api-key', 'beta-key'],
      ],
    ],
    ['a longer one than any key may be', [['x-api-key', 'a'.repeat(1025)]]],
    ['another header', [['x-api-keys', 'acme-key']]],
  ] as const)('refuses %s', async (_what, fields) => {
    const filter = await start();
    // Also when the right key was remembered just before.
    expect(await verdict(filter, KEY)).toEqual([]);
    expect(await verdict(filter, fields)).toBe(401);
  });

  test('takes the same key twice for one', async () => {
    expect(await verdict(await start(), [...KEY, ...KEY])).toEqual([]);
  });

  test('removes the identity header from the input in every spelling', async () => {
    const filter = await start({ consumerHeader: 'x-consumer-name' });
    const fields = await verdict(filter, [
      ['x_consumer_name', 'forged'],
      ['x-consumer_name', 'forged'],
      ['X.Consumer-Name', 'forged'],
      ['x-consumer-name', 'forged'],
      ['x-consumer-names', 'kept'],
      ['x-api-key', 'beta-key'],
      ['x-consumer-name', 'forged too'],
    ]);
    expect(fields).toEqual(['x-consumer-name: beta', 'x-consumer-names: kept']);
  });

  test('leaves the credential in place where it is told to', async () => {
    expect(await verdict(await start({ stripCredential: false }), KEY)).toEqual(['x-api-key: acme-key']);
  });

  test('reads a scheme in any case, and leaves other schemes alone', async () => {
    const from = [{ header: 'authorization', scheme: 'Bearer' }, { header: 'x-api-key' }];
    const filter = await start({ from });
    const asked = (authorization: string, ...more: Fields) =>
      verdict(filter, [['authorization', authorization], ...more]);
    expect(await asked('bearer  beta-key')).toEqual([]);
    expect(await asked('Basic YTpi', ...BETA)).toEqual(['authorization: Basic YTpi']);
    expect(await asked('Bearerx y', ...BETA)).toEqual(['authorization: Bearerx y']);
    expect(await asked('Bearer\tbeta-key')).toEqual([]);
    // A server behind may take these for tokens, so a good key in another place does not make up for them.
    for (const bad of ['Bearer x', 'Bearer\tx', 'Bearer=x', 'Bearer,x', 'Bearer'])
      expect(await asked(bad, ...BETA), bad).toBe(401);
    expect(linesOf((await filter.exchange()).answer)).toContain('www-authenticate: Bearer realm="api"');
  });

  test.each([
    ['/a?api_key=beta-key', '/a'],
    ['/a?api_key=beta-key&b=c', '/a?b=c'],
    ['/a?b=c&api_key=beta%2Dkey', '/a?b=c'],
    ['/a?b=c&api%5Fkey=beta-key&d=&e', '/a?b=c&d=&e'],
    ['/a?api_key=beta-key&api_key=beta-key', '/a'],
    ['/?x=/a?api_key=1&api_key=beta-key', '/?x=/a?api_key=1'],
  ])('finds the parameter in %s and strips it', async (path, stripped) => {
    const filter = await start({ from: [{ query: 'api_key' }] });
    expect((await filter.exchange({ request: { path } })).upstream?.path).toBe(stripped);
  });

  test.each([
    '/a',
    '/api_key=beta-key',
    '/a?api_key',
    '/a?api_key=',
    '/a?api_key=beta-key&api_key=x',
    '/a?API_KEY=beta-key',
  ])('refuses %s', async (path) => {
    expect(await verdict(await start({ from: [{ query: 'api_key' }] }), [], path)).toBe(401);
  });

  test('finds a cookie and strips it', async () => {
    const filter = await start({ from: [{ cookie: 'key' }] });
    const asked = (...cookies: string[]) =>
      verdict(
        filter,
        cookies.map((cookie) => ['cookie', cookie] as const),
      );
    expect(await asked('a=b; key=beta-key; c=d=e')).toEqual(['cookie: a=b; c=d=e']);
    expect(await asked('key="beta-key"')).toEqual([]);
    expect(await asked('a=b', 'key=beta-key;f=g')).toEqual(['cookie: a=b; f=g']);
    expect(await asked('key=beta-key; key=x')).toBe(401);
    expect(await asked('xkey=beta-key')).toBe(401);
  });

  test('every place counts: a good key in one does not make up for a bad one in another', async () => {
    const from = [{ header: 'x-api-key' }, { query: 'api_key' }, { cookie: 'key' }];
    const filter = await start({ from });
    const { upstream } = await filter.exchange({
      request: { path: '/?api_key=acme-key', headers: { cookie: 'key=acme-key' } },
    });
    expect([upstream?.path, ...linesOf(upstream!)]).toEqual(['/']);
    expect(await verdict(filter, KEY, '/?api_key=x')).toBe(401);
  });

  test('tells plan and labels of the owner to what comes behind', async () => {
    const labels = { app: 'checkout', 'example.com/team': 'é' };
    const filter = await start({ keys: [{ name: 'acme', key: 'k', plan: 'gold', labels }] });
    const exchange = await filter.exchange({ request: { headers: { 'x-api-key': 'k' } } });
    expect(exchange.property('consumer.name')).toBe('acme');
    expect(exchange.property('consumer.plan')).toBe('gold');
    expect(exchange.property('consumer.labels.app')).toBe('checkout');
    expect(exchange.property('consumer.labels.example.com/team')).toBe('é');
  });

  test.each([
    ['2023-11-14T22:13:20Z', 0],
    ['2023-11-14T22:13:19Z', 1],
    ['2023-11-14T22:13:19.999Z', 1],
    ['2024-02-29T00:00:00Z', 0],
    ['2020-02-29T23:59:60Z', 1],
    ['1970-01-01T00:00:00Z', 1],
    ['9999-12-31T23:59:59Z', 0],
  ])('at 2023-11-14T22:13:20Z, of two keys of one owner the one until %s', async (notAfter, over) => {
    const keys = [
      { name: 'acme', key: 'old', notAfter },
      { name: 'acme', key: 'new' },
    ];
    const filter = await start({ keys });
    // The second time it is known without hashing.
    for (let i = 0; i < 2; i++) {
      const { answer } = await filter.exchange({ request: { headers: { 'x-api-key': 'old' } } });
      expect(answer.details).toBe(over === 1 ? 'api_key_expired' : 'via_upstream');
    }
    expect(await verdict(filter, [['x-api-key', 'new']])).toEqual([]);
  });

  test('admits nobody where the list is empty', async () => {
    expect(await verdict(await start({ keys: [] }), KEY)).toBe(401);
  });

  test('knows thousands of keys, and remembers the right ones only', async () => {
    const keys = Array.from({ length: 10_000 }, (_, i) => ({
      name: `c${i}`,
      sha256: sha256(`key number ${i}`),
    }));
    const filter = await start({ keys, consumerHeader: 'x-consumer' });
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 10_000; i += 101) {
        expect(await verdict(filter, [['x-api-key', `key number ${i}`]])).toEqual([`x-consumer: c${i}`]);
        expect(await verdict(filter, [['x-api-key', `key number ${i + 10_000}`]])).toBe(401);
      }
    }
  });

  test.each([0, 1, 54, 55, 56, 63, 64, 65, 119, 120, 128, 1000])(
    'knows a key of %i bytes by its digest',
    async (length) => {
      const key = 'k'.repeat(length);
      const filter = await start({ keys: [{ name: 'a', sha256: sha256(key) }] });
      expect(await verdict(filter, [['x-api-key', key]])).toEqual(length === 0 ? 401 : []);
    },
  );

  test.each([
    [{ from: [] }, '1:1: "from" must name at least one place'],
    [{ from: [{ heder: 'a' }] }, 'expected header, query or cookie, with a name'],
    [{ from: [{ header: 'a b' }] }, 'not the name of a field that filters may change'],
    [{ keys: undefined }, '1:1: "keys" is required'],
    [{ keys: [{ name: 'a', key: 'b', notAfter: 'tomorrow' }] }, 'keys[0].notAfter: expected a time such as'],
    [{ keys: [{ name: 'a', key: 'b', labels: { app: 1 } }] }, 'keys[0].labels.app: expected a string'],
    // What weir alone makes keys of: elsewhere nobody would be admitted, and nobody would know why.
    [{ keys: undefined, consumerLabel: {} }, 'consumerLabel: unknown field'],
    [{ keys: [{ name: 'a' }] }, 'expected either "sha256" or "key"'],
    [{ keys: [{ name: 'a', key: 'b', sha256: sha256('b') }] }, 'expected either "sha256" or "key"'],
    [{ keys: [{ name: 'a', key: '' }] }, 'the key is empty'],
    [{ keys: [{ name: 'a', sha256: 'zz' }] }, '"sha256" must have 64 hexadecimal digits'],
    [
      {
        keys: [
          { name: 'a', key: 'b' },
          { name: 'c', sha256: sha256('b') },
        ],
      },
      'this key stands in the list already',
    ],
    [{ keys: [{ name: 'a\nb', key: 'b' }] }, 'must be fit for a header field'],
    [{ keys: [{ key: 'b' }] }, '"name" is required'],
    [{ realm: 'a"b' }, 'printable characters without " and \\'],
    [{ stripCredentials: true }, 'stripCredentials: unknown field'],
  ])('refuses %j', async (config, message) => {
    const whole = { from: [{ header: 'x-api-key' }], keys: KEYS, ...config };
    expect((await refusalOf('api-key', whole)).join('\n')).toContain(message);
  });

  test('a configuration without keys admits nobody and does not start', async () => {
    await expect(openBuiltIn('api-key', '')).rejects.toThrow('proxy_on_configure answered false');
  });

  test('answers from different streams do not mix', async () => {
    const filter = await start({ consumerHeader: 'x-consumer' });
    const [first, second] = [filter.stream(), filter.stream()];
    first.requestHeaders({ headers: KEY });
    second.requestHeaders({ headers: BETA });
    first.responseHeaders();
    expect([first, second].map(({ upstream }) => linesOf(upstream!))).toEqual([
      ['x-consumer: acme'],
      ['x-consumer: beta'],
    ]);
    expect([first, second].map((each) => each.property('consumer.name'))).toEqual(['acme', 'beta']);
  });
});
