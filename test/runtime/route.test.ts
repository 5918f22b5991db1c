import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_ROUTE, RouteCache, Router } from '../../src/runtime/route.ts';
import {
  DEFAULT_LISTENER_LIMITS,
  type MatchSpec,
  type PathMatch,
  type PortSpec,
  type RuleSpec,
} from '../../src/runtime/snapshot.ts';
import { requestBlock } from './blocks.ts';

type Hosts = Record<string, readonly Partial<MatchSpec>[]>;

function port(listeners: Record<string, Hosts>): PortSpec {
  return {
    address: '127.0.0.1',
    port: 8080,
    protocol: 'http',
    limits: DEFAULT_LISTENER_LIMITS,
    listeners: Object.entries(listeners).map(([hostname, hosts]) => ({
      name: `infra/edge/${hostname}`,
      hostname,
      chain: 0,
      certificates: [],
      minTlsVersion: 'TLSv1.2',
      metadata: [],
      tcpRule: -1,
      virtualHosts: Object.entries(hosts).map(([host, matches]) => ({
        hostname: host,
        matches: matches.map((match) => ({
          path: null,
          method: null,
          headers: [],
          query: [],
          rule: 0,
          ...match,
        })),
      })),
    })),
  };
}

// Only its length counts.
const RULES = new Array<RuleSpec>(2000).fill({} as RuleSpec);

const exact = (value: string): PathMatch => ({ type: 'exact', value });
const prefix = (value: string): PathMatch => ({ type: 'prefix', value });
const regex = (value: string): PathMatch => ({ type: 'regex', value });

/** Router of one listener and one host. */
const routerOf = (...matches: Partial<MatchSpec>[]): Router =>
  new Router(port({ '': { '': matches } }), RULES);

/** Matches that nothing in the tests asks for, to go over the size where tables are used. */
const filler: readonly Partial<MatchSpec>[] = Array.from({ length: 20 }, (_, i) => ({
  path: prefix(`/filler/${i}`),
  rule: 1000 + i,
}));

describe('Router, hostnames', () => {
  const router = new Router(
    port({
      // After Gateway API's GatewayHTTPListenerIsolation: nested wildcards.
      '': { '': [{ rule: 0 }] },
      '*.example.com': { '*.example.com': [{ rule: 1 }] },
      '*.foo.example.com': { '*.foo.example.com': [{ rule: 2 }], 'x.foo.example.com': [{ rule: 3 }] },
      'abc.foo.example.com': { 'abc.foo.example.com': [{ rule: 4 }] },
    }),
    RULES,
  );

  test.each([
    ['bar.com', 0],
    ['example.com', 0],
    ['bar.example.com', 1],
    ['a.b.example.com', 1],
    ['foo.example.com', 1],
    ['bar.foo.example.com', 2],
    ['a.b.foo.example.com', 2],
    ['x.foo.example.com', 3],
    ['abc.foo.example.com', 4],
    ['abc.foo.example.com:8080', 4],
    ['y.abc.foo.example.com', 2],
    ['notexample.com', 0],
    ['xexample.com', 0],
    ['[::1]:80', 0],
    ['', 0],
  ])('%s belongs to the most specific listener: rule %i', (authority, rule) => {
    expect(router.match(requestBlock({ authority }), null)).toBe(rule);
  });

  test('says which listener and virtual host it was, or that there is none', () => {
    const strict = new Router(
      port({ 'a.test': { 'a.test': [{ path: exact('/x') }] }, '*.b.test': {} }),
      RULES,
    );
    expect(strict.match(requestBlock({ authority: 'c.test' }), null)).toBe(NO_ROUTE);
    expect([strict.listener, strict.virtualHost]).toEqual([-1, -1]);
    expect(strict.match(requestBlock({ authority: 'a.test', path: '/y' }), null)).toBe(NO_ROUTE);
    expect([strict.listener, strict.virtualHost]).toEqual([0, 0]);
    expect(strict.match(requestBlock({ authority: 'x.b.test', path: '/x' }), null)).toBe(NO_ROUTE);
    expect([strict.listener, strict.virtualHost]).toEqual([1, -1]);
    expect(strict.match(requestBlock({ authority: 'b.test', path: '/x' }), null)).toBe(NO_ROUTE);
    expect([strict.listener, strict.virtualHost]).toEqual([-1, -1]);
  });

  test('an address is a hostname too, its port apart', () => {
    const addressed = new Router(
      port({ '127.0.0.1': { '127.0.0.1': [{}] }, '[::1]': { '[::1]': [{}] } }),
      RULES,
    );
    expect(addressed.match(requestBlock({ authority: '127.0.0.1:99' }), null)).toBe(0);
    expect(addressed.match(requestBlock({ authority: '[::1]:99' }), null)).toBe(0);
    expect(addressed.match(requestBlock({ authority: '[::1]' }), null)).toBe(0);
    expect(addressed.match(requestBlock({ authority: '127.0.0.2' }), null)).toBe(NO_ROUTE);
  });

  test('the cache of a connection changes nothing but the cost', () => {
    const cache = new RouteCache();
    const other = new Router(port({ '': { '': [{ rule: 9 }] } }), RULES);
    const authorities = ['bar.com', 'x.foo.example.com', 'x.foo.example.com', 'y.foo.example.com', 'bar.com'];
    for (const authority of authorities) {
      const block = requestBlock({ authority });
      expect(router.match(block, cache)).toBe(router.match(block, null));
      expect(router.match(block, cache)).toBe(router.match(block, null));
      // The next snapshot's router does not take over what this one found.
      expect(other.match(block, cache)).toBe(9);
    }
  });
});

describe.each([
  ['tried one after the other', []],
  ['looked up in tables', filler],
])('Router, paths %s', (_, more) => {
  test.each([
    // Gateway API: HTTPRouteExactPathMatching, HTTPPathMatch PathPrefix.
    [
      prefix('/foo'),
      ['/foo', '/foo/', '/foo/bar', '/foo?x', '/foo/bar?x=/y'],
      ['/foobar', '/', '/Foo', '/fo', '/x/foo'],
    ],
    [prefix('/foo/'), ['/foo', '/foo/', '/foo/bar'], ['/foobar']],
    [prefix('/foo/bar'), ['/foo/bar', '/foo/bar/x'], ['/foo', '/foo/barx', '/foo/ba']],
    [prefix('/'), ['/', '/x', '/x/y', '/?q'], ['*', '']],
    [exact('/one'), ['/one', '/one?x=1'], ['/one/', '/One', '/on', '/onee', '/?/one']],
    [exact('/'), ['/', '/?x'], ['/x', '*']],
    [regex('/v[0-9]+/x'), ['/v1/x', '/v22/x?y'], ['/v/x', '/v1/x/', '/a/v1/x']],
    [null, ['/', '/x', '*', ''], []],
  ] as const)('%j', (path, yes, no) => {
    const router = routerOf({ path, rule: 7 }, ...more);
    for (const given of yes)
      expect([given, router.match(requestBlock({ path: given }), null)]).toEqual([given, 7]);
    for (const given of no) {
      expect([given, router.match(requestBlock({ path: given }), null)]).toEqual([given, NO_ROUTE]);
    }
  });

  test('the first match that holds wins, whatever its kind', () => {
    const router = routerOf(
      { path: exact('/a/b'), method: 'POST', rule: 0 },
      { path: exact('/a/b'), headers: [{ name: 'v', type: 'exact', value: '2' }], rule: 1 },
      { path: regex('/a/.*'), query: [{ name: 'q', type: 'exact', value: '1' }], rule: 2 },
      { path: prefix('/a/b'), rule: 3 },
      { path: prefix('/a'), rule: 4 },
      { path: exact('/a/b/c'), rule: 5 },
      ...more,
      { path: null, rule: 6 },
    );
    const ruleFor = (path: string, method = 'GET', fields: [string, string][] = []): number =>
      router.match(requestBlock({ path, method }, fields), null);
    expect(ruleFor('/a/b', 'POST', [['v', '2']])).toBe(0);
    expect(ruleFor('/a/b', 'GET', [['v', '2']])).toBe(1);
    expect(ruleFor('/a/b?q=1')).toBe(2);
    expect(ruleFor('/a/b')).toBe(3);
    expect(ruleFor('/a/bc')).toBe(4);
    expect(ruleFor('/a/b/c')).toBe(3);
    expect(ruleFor('/other')).toBe(6);
  });

  test.each([
    [prefix('/foo/'), '/foo/bar', 4],
    [prefix('/foo'), '/foo', 4],
    [prefix('/'), '/foo', 0],
    [exact('/foo'), '/foo?x', 4],
    [regex('/f.*'), '/foo', 0],
  ] as const)('%j takes of %s %i bytes', (path, given, length) => {
    const router = routerOf({ path }, ...more);
    router.match(requestBlock({ path: given }), null);
    expect(router.matchedPrefixLength).toBe(length);
  });
});

describe('Router, headers', () => {
  const router = routerOf(
    {
      headers: [
        { name: 'version', type: 'exact', value: 'two' },
        { name: 'color', type: 'exact', value: 'orange' },
      ],
      rule: 1,
    },
    { headers: [{ name: 'version', type: 'exact', value: 'one' }], rule: 2 },
    { headers: [{ name: 'x', type: 'exact', value: 'a,b' }], rule: 3 },
    { headers: [{ name: 'kind', type: 'regex', value: 'web(,web)*' }], rule: 4 },
    { headers: [{ name: 'host', type: 'exact', value: 'special.test' }], rule: 5 },
    { headers: [{ name: 'empty', type: 'exact', value: '' }], rule: 6 },
  );

  test.each([
    [
      'all of a match must hold',
      [
        ['version', 'two'],
        ['color', 'orange'],
      ],
      1,
    ],
    ['one of two is not enough', [['version', 'two']], NO_ROUTE],
    ['names have no case', [['VERSION', 'one']], 2],
    ['values have', [['version', 'ONE']], NO_ROUTE],
    [
      'a second value spoils equality',
      [
        ['version', 'one'],
        ['version', 'evil'],
      ],
      NO_ROUTE,
    ],
    [
      'also the same one again',
      [
        ['version', 'one'],
        ['version', 'one'],
      ],
      NO_ROUTE,
    ],
    [
      'and one that comes first',
      [
        ['version', 'evil'],
        ['version', 'one'],
      ],
      NO_ROUTE,
    ],
    [
      'values are joined by a comma',
      [
        ['x', 'a'],
        ['x', 'b'],
      ],
      3,
    ],
    ['as if they had come in one field', [['x', 'a,b']], 3],
    [
      'in their order',
      [
        ['x', 'b'],
        ['x', 'a'],
      ],
      NO_ROUTE,
    ],
    [
      'a prefix of the value does not hold',
      [
        ['x', 'a,b'],
        ['x', 'c'],
      ],
      NO_ROUTE,
    ],
    ['nor does a part', [['x', 'a']], NO_ROUTE],
    ['an expression must take the whole value', [['kind', 'webx']], NO_ROUTE],
    [
      'an expression sees all values',
      [
        ['kind', 'web'],
        ['kind', 'web'],
      ],
      4,
    ],
    [
      'every one of them',
      [
        ['kind', 'web'],
        ['kind', 'bad'],
      ],
      NO_ROUTE,
    ],
    ['an empty value is there', [['empty', '']], 6],
  ] as const)('%s', (_, fields, rule) => {
    expect(router.match(requestBlock({}, fields), null)).toBe(rule);
  });

  test('host is the authority', () => {
    expect(router.match(requestBlock({ authority: 'special.test' }), null)).toBe(5);
  });
});

describe('Router, query parameters', () => {
  const query = (...values: [string, string][]): Partial<MatchSpec> => ({
    query: values.map(([name, value]) => ({ name, type: 'exact' as const, value })),
  });
  const router = routerOf(
    { ...query(['animal', 'whale'], ['color', 'blue']), rule: 1 },
    { ...query(['animal', 'whale']), rule: 2 },
    { ...query(['a b', 'ü &']), rule: 3 },
    { ...query(['flag', '']), rule: 4 },
    { query: [{ name: 'id', type: 'regex', value: '[0-9]{2}' }], rule: 5 },
  );

  test.each([
    ['/?animal=whale', 2],
    ['/?animal=whale&color=blue', 1],
    ['/?color=blue&animal=whale', 1],
    ['/?x&&animal=whale&', 2],
    ['/?animal=whale&animal=dolphin', 2],
    ['/?animal=dolphin&animal=whale', NO_ROUTE],
    ['/?Animal=whale', NO_ROUTE],
    ['/?animal=whales', NO_ROUTE],
    ['/?xanimal=whale', NO_ROUTE],
    ['/?animal=w%68ale', 2],
    ['/?%61nimal=whale', 2],
    ['/?a+b=%C3%BC+%26', 3],
    ['/?a%20b=%c3%bc%20%26', 3],
    ['/?flag', 4],
    ['/?flag=', 4],
    ['/?flag=x', NO_ROUTE],
    ['/?id=%31%32', 5],
    ['/?id=123', NO_ROUTE],
    ['/?animal=whale%', NO_ROUTE],
    ['/?', NO_ROUTE],
    ['/animal=whale', NO_ROUTE],
  ])('%s: %i', (path, rule) => {
    expect(router.match(requestBlock({ path }), null)).toBe(rule);
  });
});

test('methods are compared with their case', () => {
  const router = routerOf({ method: 'POST', rule: 3 });
  expect(router.match(requestBlock({ method: 'POST' }), null)).toBe(3);
  expect(router.match(requestBlock({ method: 'post' }), null)).toBe(NO_ROUTE);
  expect(router.match(requestBlock({ method: 'POSTS' }), null)).toBe(NO_ROUTE);
});

test('refuses to be built for a rule that is not there', () => {
  expect(() => new Router(port({ '': { '': [{ rule: 5 }] } }), [])).toThrow('a match names rule 5 of 0');
});

describe('against a slow, obvious router', () => {
  const segment = fc.constantFrom('a', 'b', 'ab', 'c');
  const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`);
  const slashed = fc
    .tuple(path, fc.boolean())
    .map(([value, slash]) => (slash && value !== '/' ? `${value}/` : value));
  const match = fc.record({
    path: fc.oneof(
      slashed.map(exact),
      slashed.map(prefix),
      slashed.map(prefix),
      fc.constantFrom(regex('/a.*'), regex('(/[ab])*/?'), null),
    ),
    method: fc.constantFrom(null, null, 'POST'),
    headers: fc.constantFrom([], [], [{ name: 'h', type: 'exact' as const, value: '1' }]),
  });

  function slow(
    matches: readonly Partial<MatchSpec>[],
    given: { path: string; method: string; h: boolean },
  ): number {
    const pathname = given.path.split('?')[0]!;
    for (const [rule, { path: wanted, method, headers }] of matches.entries()) {
      if (method && method !== given.method) continue;
      if (headers!.length > 0 && !given.h) continue;
      if (!wanted) return rule;
      const bare = wanted.value.replace(/\/$/, '');
      if (wanted.type === 'exact' && pathname === wanted.value) return rule;
      if (wanted.type === 'prefix' && (pathname === bare || pathname.startsWith(`${bare}/`))) return rule;
      if (wanted.type === 'regex' && new RegExp(`^(?:${wanted.value})$`).test(pathname)) return rule;
    }
    return NO_ROUTE;
  }

  test.each([8, 40])('finds the same rule with up to %i matches', (maxLength) => {
    const request = fc.record({
      path: fc.tuple(slashed, fc.constantFrom('', '?', '?a/b')).map((parts) => parts.join('')),
      method: fc.constantFrom('GET', 'POST'),
      h: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(match, { maxLength }),
        fc.array(request, { minLength: 1, maxLength: 20 }),
        (matches, requests) => {
          const router = routerOf(...matches.map((spec, rule) => ({ ...spec, rule })));
          for (const given of requests) {
            const block = requestBlock(given, given.h ? [['h', '1']] : []);
            expect([given, router.match(block, null)]).toEqual([given, slow(matches, given)]);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
