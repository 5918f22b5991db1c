import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ExchangeSpec } from '../../filters-sdk/testing/testing.d.ts';
import { openBuiltIn, refusalOf } from '../support/filter.ts';
import { pairs } from '../support/pairs.ts';

type Rule = Record<string, unknown>;
type Fields = readonly (readonly [name: string, value: string])[];
type Request = NonNullable<ExchangeSpec['request']>;
type Properties = NonNullable<ExchangeSpec['properties']>;

const policy = (action: string, rules: readonly Rule[], more: object = {}): object => ({
  name: `AccessPolicy/shop/${action.toLowerCase()}`,
  action,
  rules,
  ...more,
});

const start = (config: object) => openBuiltIn('access', config);

/** Whether one rule that allows, and whether one that denies, takes the request. */
async function takenBy(rule: Rule) {
  const allow = await start({ policies: [policy('ALLOW', [rule])] });
  const deny = await start({ policies: [policy('DENY', [rule])] });
  return async (request: Request = {}, properties: Properties = {}): Promise<string> => {
    const allows = (await allow.exchange({ request, properties })).answer.status === 200;
    const denies = (await deny.exchange({ request, properties })).answer.status === 403;
    if (allows && denies) return 'both';
    if (!allows && !denies) return 'neither';
    return allows ? 'only ALLOW' : 'only DENY';
  };
}

const onPath = (value: string, type?: string): Rule => ({ to: [{ paths: [{ type, value }] }] });
const byHeader = (...values: string[]): Rule => ({ when: [{ header: 'x-role', values }] });

describe('what comes first', () => {
  const rules = {
    deny: policy('DENY', [{ name: 'admin', to: [{ paths: [{ type: 'PathPrefix', value: '/admin' }] }] }]),
    allow: policy('ALLOW', [{ name: 'get', to: [{ methods: ['GET'] }] }]),
  };

  /** Who refused the request; null: it passed. */
  const refusedBy = async (config: object, request: Request): Promise<string | null> => {
    const { answer } = await (await start(config)).exchange({ request });
    return answer.status === 200 ? null : answer.details;
  };

  test('a rule that denies, whatever allows', async () => {
    const filter = await start({ policies: [rules.allow, rules.deny] });
    const { answer, upstream } = await filter.exchange({ request: { path: '/admin/x' } });
    expect(upstream).toBeNull();
    expect(answer).toMatchObject({ status: 403, from: 'filter', details: 'AccessPolicy/shop/deny#admin' });
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.json()).toEqual({
      type: 'about:blank',
      title: 'Forbidden',
      status: 403,
      detail: 'access denied',
    });
    expect((await filter.exchange({ request: { path: '/a' } })).answer.status).toBe(200);
  });

  test.each([
    ['what something allows passes', [rules.allow], 'GET', null],
    ['what nothing allows does not', [rules.allow], 'POST', 'AccessPolicy/shop/allow#default'],
    ['where nothing allows, what nothing denies passes', [rules.deny], 'POST', null],
    ['an ALLOW policy without rules', [policy('ALLOW', [])], 'GET', 'AccessPolicy/shop/allow#default'],
  ])('%s', async (_what, policies, method, by) => {
    expect(await refusedBy({ policies }, { method })).toBe(by);
  });

  test.each([
    ['Deny', 'base#default'],
    ['Allow', null],
  ])('the default %s decides what no rule does', async (action, by) => {
    const config = { policies: [rules.allow], default: { action, by: 'base' } };
    expect(await refusedBy(config, { method: 'POST' })).toBe(by);
    expect(await refusedBy({ ...config, policies: [] }, {})).toBe(by);
  });

  test('each stage must allow, and where there is nothing else that is enough', async () => {
    const outer = policy('ALLOW', [{ name: 'get', to: [{ methods: ['GET'] }] }], { name: 'outer', stage: 1 });
    const inner = policy('ALLOW', [{ name: 'a', to: [{ paths: [{ value: '/a' }] }] }], { name: 'inner' });
    const both = { policies: [outer, inner] };
    expect(await refusedBy(both, { path: '/a' })).toBeNull();
    expect(await refusedBy(both, { path: '/a', method: 'POST' })).toBe('outer#default');
    expect(await refusedBy(both, { path: '/b' })).toBe('inner#default');
    expect(await refusedBy({ policies: [outer] }, { path: '/b' })).toBeNull();
  });

  test('tells which rule allowed, and counts', async () => {
    const filter = await start({ policies: [rules.allow] });
    const exchange = await filter.exchange();
    expect(exchange.property('access.rule')).toBe('AccessPolicy/shop/allow#get');
    await filter.exchange({ request: { method: 'POST' } });
    await filter.exchange({ request: { method: 'PUT' } });
    const count = (rule: string, decision: string) =>
      filter.metric(
        `access_decisions_total{policy="AccessPolicy/shop/allow",rule="${rule}",decision="${decision}"}`,
      );
    expect([count('get', 'allow'), count('default', 'deny')]).toEqual([1, 2]);
  });

  test('a policy that is tried out changes nothing and tells what it would do', async () => {
    const deny = policy('DENY', [{ name: 'all' }], { dryRun: true });
    const exchange = await (await start({ policies: [rules.allow, deny] })).exchange();
    expect(exchange.answer.status).toBe(200);
    expect(exchange.property('access.dry_run')).toBe('AccessPolicy/shop/deny#all');
    const same = await (await start({ policies: [policy('DENY', [{ name: 'all' }]), deny] })).exchange();
    expect(same.property('access.dry_run')).toBeUndefined();
  });

  test('AUDIT notes and refuses nothing', async () => {
    const exchange = await (await start({ policies: [policy('AUDIT', [{ name: 'all' }])] })).exchange();
    expect(exchange.answer.status).toBe(200);
    expect(exchange.property('access.audit')).toBe('AccessPolicy/shop/audit#all');
  });
});

describe('paths', () => {
  test.each([
    ['Exact', '/admin', '/admin', 'both'],
    ['Exact', '/admin', '/admin?a=b', 'both'],
    ['Exact', '/admin', '/admin/', 'neither'],
    ['Exact', '/admin', '/Admin', 'neither'],
    ['Exact', '/', '/', 'both'],
    ['PathPrefix', '/admin', '/admin/x', 'both'],
    ['PathPrefix', '/admin/', '/admin', 'both'],
    ['PathPrefix', '/admin', '/administrator', 'neither'],
    ['PathPrefix', '/', '/anything', 'both'],
    ['Template', '/orders/{id}', '/orders/7', 'both'],
    ['Template', '/orders/{id}', '/orders/7/lines', 'neither'],
    ['Template', '/orders/{id}', '/orders/', 'neither'],
    ['Template', '/{tenant}/orders', '/a/orders', 'both'],
    ['Template', '/{tenant}/orders', '/a/b/orders', 'neither'],
    ['RegularExpression', '/r/[0-9]+', '/r/77?x', 'both'],
    ['RegularExpression', '/r/[0-9]+', '/r/77/8', 'neither'],
    ['RegularExpression', '(?i)/r/"\\d', '/R/"7', 'both'],
  ])('%s %s and %s: %s', async (type, value, request, taken) => {
    expect(await (await takenBy(onPath(value, type)))({ path: request })).toBe(taken);
  });

  test.each([
    ['digits of an escape in another case', '/caf%C3%A9', '/caf%c3%a9', 'both'],
    ['what is beyond ASCII, written as it is', '/café', '/caf%C3%A9', 'both'],
    ['an escape of what means something', '/a@b', '/a%40b', 'only DENY'],
    ['parameters of a segment', '/admin', '/admin;jsessionid=1', 'only DENY'],
    ['slashes that were not merged', '/admin/x', '/admin//x', 'only DENY'],
    ['an escaped slash that was kept', '/admin/x', '/admin%2Fx', 'only DENY'],
    ['dots that come to light behind an escaped slash', '/admin', '/a%2F..%2Fadmin', 'only DENY'],
    ['a backslash', '/admin/x', '/admin%5Cx', 'only DENY'],
    ['an escape of an escape', '/admin', '/%2561dmin', 'only DENY'],
    ['escapes of the digits of an escape', '/admin', '/%25%36%31dmin', 'only DENY'],
    ['escapes that have no end', '/other', '/%2525252561', 'only DENY'],
    ['a letter in two bytes', '/admin', '/%c1%a1dmin', 'only DENY'],
    ['a slash in two bytes, not escaped', '/admin/x', '/admin\xc0\xafx', 'only DENY'],
    ['a slash in three bytes', '/admin/x', '/admin%e0%80%afx', 'only DENY'],
    ['a letter that is not of ASCII', '/admin', '/%C3%A9dmin', 'neither'],
    ['what Latin-1 has in the place of two bytes', '/admin', '/%C1dmin', 'neither'],
    ['an escaped question mark', '/admin', '/admin%3Fx', 'only DENY'],
    ['an escaped escape of a NUL', '/admin', '/admin%2500.png', 'only DENY'],
    ['a question mark further on', '/admin', '/what%3Fadmin', 'neither'],
  ])('another spelling never escapes a rule that denies: %s', async (_what, value, request, taken) => {
    expect(await (await takenBy(onPath(value)))({ path: request })).toBe(taken);
  });
});

test.each([
  ['/public', '/public/..%2Fadmin', 'only DENY'],
  ['/public', '/public/..;/admin', 'only DENY'],
  ['/public', '/public/%252e%252e/admin', 'only DENY'],
  ['/public', '/public/a%2Fb', 'both'],
  ['/', '/public/..%2Fadmin', 'both'],
])('a path that may lead out of %s is not allowed by it: %s', async (value, request, taken) => {
  expect(await (await takenBy(onPath(value, 'PathPrefix')))({ path: request })).toBe(taken);
});

test.each([
  ['GET', 'both'],
  ['get', 'only DENY'],
  ['GETS', 'neither'],
])('a method in another case is not sure: %s', async (method, taken) => {
  expect(await (await takenBy({ to: [{ methods: ['GET'] }] }))({ method })).toBe(taken);
});

describe('values of a field', () => {
  test.each([
    ['one that fits', [['x-role', 'admin']], 'both'],
    ['none', [], 'neither'],
    [
      'two, one of which fits',
      [
        ['x-role', 'user'],
        ['x-role', 'admin'],
      ],
      'only DENY',
    ],
    ['a list, one member of which fits', [['x-role', 'user, admin']], 'only DENY'],
    ['a list, all members of which fit', [['x-role', 'admin,admin']], 'both'],
    ['another spelling of the name', [['x_role', 'admin']], 'both'],
    [
      'two spellings that differ',
      [
        ['x-role', 'user'],
        ['X.Role', 'admin'],
      ],
      'only DENY',
    ],
  ] as [string, Fields, string][])('%s', async (_what, fields, taken) => {
    expect(await (await takenBy(byHeader('admin')))({ headers: fields })).toBe(taken);
  });

  test.each([
    ['the value', [['x-role', 'admin']], 'neither'],
    ['another value', [['x-role', 'user']], 'both'],
    ['none', [], 'both'],
    [
      'both',
      [
        ['x-role', 'user'],
        ['x-role', 'admin'],
      ],
      'only DENY',
    ],
  ] as [string, Fields, string][])('notValues with %s', async (_what, fields, taken) => {
    const rule = { when: [{ header: 'X-Role', notValues: ['admin'] }] };
    expect(await (await takenBy(rule))({ headers: fields })).toBe(taken);
  });

  test.each([
    ['/?debug=1', 'both'],
    ['/?a=b', 'neither'],
    ['/?%64ebug=%31', 'both'],
    ['/?debug=0&debug=1', 'only DENY'],
  ])('of a parameter: %s', async (target, taken) => {
    const rule = { when: [{ query: 'debug', values: ['1'] }] };
    expect(await (await takenBy(rule))({ path: target })).toBe(taken);
  });

  test.each([
    ['admin', 'admin', 'both'],
    ['team-*', 'team-a', 'both'],
    ['team-*', 'tea', 'neither'],
    ['*-a', 'team-a', 'both'],
    ['*-a', '-a', 'neither'],
    ['*', 'x', 'both'],
    ['*', '', 'neither'],
  ])('the pattern %s and %j', async (pattern, value, taken) => {
    expect(await (await takenBy(byHeader(pattern)))({ headers: { 'x-role': value } })).toBe(taken);
  });
});

describe('who', () => {
  test('consumers that a filter before has found', async () => {
    const taken = await takenBy({ from: [{ consumers: ['ann', 'team-*'] }] });
    const as = (name: string): Promise<string> => taken({}, { 'consumer.name': name });
    expect(await as('ann')).toBe('both');
    expect(await as('team-x')).toBe('both');
    expect(await as('annika')).toBe('neither');
    expect(await taken()).toBe('neither');
    expect(await (await takenBy({ from: [{ notConsumers: ['ann'] }] }))()).toBe('both');
  });

  const payload = '{"sub":"u1","roles":["dev","ops"],"realm":{"level":3,"on":true}}';
  test.each([
    ['sub', ['u1'], 'both'],
    ['sub', ['u2'], 'neither'],
    ['roles', ['ops'], 'both'],
    [['realm', 'level'], ['3'], 'both'],
    [['realm', 'on'], ['true'], 'both'],
    [['realm', 'none'], ['*'], 'neither'],
    [['sub', 'x'], ['*'], 'neither'],
  ])('the claim %j with one of %j', async (claim, values, expected) => {
    const taken = await takenBy({ from: [{ claims: [{ claim, values }] }] });
    expect(await taken({}, { 'jwt.payload': payload })).toBe(expected);
    expect(await taken()).toBe('neither');
  });

  test('claims of one request are not those of the next', async () => {
    const taken = await takenBy({ when: [{ claim: 'sub', values: ['u1'] }] });
    for (const [sub, expected] of [
      ['u1', 'both'],
      ['u2', 'neither'],
      ['u1', 'both'],
    ] as const)
      expect(await taken({}, { 'jwt.payload': `{"sub":"${sub}"}` })).toBe(expected);
    expect(await taken()).toBe('neither');
  });

  test('claims that cannot be read are refused by both', async () => {
    const taken = await takenBy({ when: [{ claim: 'sub', values: ['u1'] }] });
    for (let i = 0; i < 2; i++) expect(await taken({}, { 'jwt.payload': '{"sub":"u1"' })).toBe('only DENY');
  });

  test.each([
    ['10.0.0.0/8', '10.1.2.3:5', 'both'],
    ['10.0.0.0/8', '[::ffff:10.1.2.3]:5', 'both'],
    ['10.0.0.0/8', '[::ffff:a01:203]:5', 'both'],
    ['10.0.0.0/8', '11.0.0.1:5', 'neither'],
    ['10.0.0.7', '10.0.0.7:5', 'both'],
    ['10.0.0.7', '10.0.0.8:5', 'neither'],
    ['0.0.0.0/0', '10.0.0.8:5', 'both'],
    ['0.0.0.0/0', '[2001:db8::1]:5', 'neither'],
    ['2001:db8::/32', '[2001:db8:1::7]:5', 'both'],
    ['2001:db8::/32', '[2001:db9::7]:5', 'neither'],
    ['2001:db8:0:1::/64', '[2001:db8:0:1:ffff::]:5', 'both'],
    ['::1', '[::1]:5', 'both'],
    ['::1', '[0:0:0:0:0:0:0:1]:5', 'both'],
    ['fe80::/10', '[fe80::1%eth0]:5', 'both'],
    ['::/0', '192.0.2.1:5', 'only DENY'],
    ['10.0.0.0/8', 'nobody', 'only DENY'],
    ['10.0.0.0/8', '[1::2::3]:5', 'only DENY'],
  ])('%s and a client at %s', async (block, address, expected) => {
    const taken = await takenBy({ from: [{ remoteIpBlocks: [block] }] });
    expect(await taken({}, { 'source.address': address })).toBe(expected);
  });

  test('the other end of the connection is not what proxies say', async () => {
    const taken = await takenBy({ from: [{ ipBlocks: ['10.0.0.0/8'] }] });
    const client = { 'source.address': '192.0.2.1:7' };
    expect(await taken({}, { ...client, 'connection.peer_address': '10.0.0.1:5' })).toBe('both');
    expect(await taken({}, { ...client, 'connection.peer_address': '11.0.0.1:5' })).toBe('neither');
  });

  test('names in a certificate', async () => {
    const taken = await takenBy({ from: [{ identities: ['spiffe://shop/ns/a/*', 'client.example'] }] });
    const uri = 'connection.uri_san_peer_certificate';
    expect(await taken({}, { [uri]: 'spiffe://shop/ns/a/sa/x' })).toBe('both');
    expect(await taken({}, { [uri]: 'spiffe://other/ns/a/sa/x' })).toBe('neither');
    expect(await taken({}, { 'connection.dns_san_peer_certificate': 'client.example' })).toBe('both');
    expect(await taken()).toBe('neither');
    // All of them count, where the host tells more than the first.
    const all = (...names: [string, string][]): Parameters<typeof taken>[1] => ({
      [uri]: 'spiffe://other/ns/a/sa/x',
      'connection.uri_sans_peer_certificate': pairs(...names),
    });
    expect(await taken({}, all(['spiffe://other/x', ''], ['spiffe://shop/ns/a/sa/x', '']))).toBe('both');
    expect(await taken({}, all(['spiffe://other/x', ''], ['x,spiffe://shop/ns/a/', '']))).toBe('neither');
  });
});

describe('where to', () => {
  test.each([
    ['api.example.com', 'api.example.com', 'both'],
    ['api.example.com', 'API.example.com:8080', 'both'],
    ['api.example.com', 'api.example.com.', 'both'],
    ['*.example.com', 'a.b.example.com', 'both'],
    ['*.example.com', 'example.com', 'neither'],
    ['*.example.com', 'evil-example.com', 'neither'],
    ['::1', '[::1]:80', 'both'],
  ])('the host %s and %s', async (host, authority, expected) => {
    expect(await (await takenBy({ to: [{ hosts: [host] }] }))({ authority })).toBe(expected);
  });

  test('ports and SNI', async () => {
    const known = {
      'destination.port': { int: 8443 },
      'connection.requested_server_name': 'shop.example.com',
    };
    const all = { to: [{ ports: [8443], serverNames: ['*.example.com'] }] };
    expect(await (await takenBy(all))({}, known)).toBe('both');
    expect(await (await takenBy({ to: [{ ports: [80] }] }))({}, known)).toBe('neither');
    expect(await (await takenBy({ to: [{ ports: [80] }] }))({}, { 'destination.port': '?' })).toBe(
      'only DENY',
    );
  });

  test('fields of one entry must all hold, of several entries one', async () => {
    const taken = await takenBy({
      to: [
        { methods: ['GET'], paths: [{ value: '/a' }] },
        { methods: ['POST'], notPaths: [{ value: '/a' }] },
      ],
    });
    expect(await taken({ path: '/a' })).toBe('both');
    expect(await taken({ path: '/b' })).toBe('neither');
    expect(await taken({ method: 'POST', path: '/b' })).toBe('both');
    expect(await taken({ method: 'POST', path: '/a' })).toBe('neither');
  });

  test('an expression that has no value is refused by both', async () => {
    const taken = await takenBy({ when: [{ expression: 'request.headers["x-n"] == "1"' }] });
    expect(await taken({ headers: { 'x-n': '1' } })).toBe('both');
    expect(await taken({ headers: { 'x-n': '2' } })).toBe('neither');
    expect(await taken()).toBe('only DENY');
  });
});

describe('connections', () => {
  const state = async (rule: Rule, action: string, properties: Properties = {}) => {
    const connection = (await start({ policies: [policy(action, [rule])] })).tcp({ properties });
    return connection.state;
  };
  const lan = { from: [{ ipBlocks: ['127.0.0.0/8'] }] };
  const web = { to: [{ paths: [{ value: '/a' }] }] };

  test('are let in, or closed', async () => {
    expect(await state(lan, 'ALLOW')).toBe('open');
    expect(await state(lan, 'DENY')).toBe('closed');
    expect(await state(lan, 'ALLOW', { 'connection.peer_address': '10.0.0.1:1' })).toBe('closed');
  });

  test('have nothing of a request: no rule about one allows them, each that denies does', async () => {
    expect(await state(web, 'ALLOW')).toBe('closed');
    expect(await state(web, 'DENY')).toBe('closed');
  });
});

describe('many rules', () => {
  test('the first that matches in their order is the one that is told, whatever it is found by', async () => {
    const filter = await start({
      policies: [
        policy('DENY', [
          { name: 'post', to: [{ methods: ['POST'] }] },
          { name: 'a', to: [{ paths: [{ type: 'PathPrefix', value: '/a' }] }] },
          { name: 'put', to: [{ methods: ['PUT'] }] },
          { name: 'ab', to: [{ paths: [{ value: '/a/b' }, { value: '/c' }] }] },
        ]),
      ],
    });
    const by = async (method: string, path: string) =>
      (await filter.exchange({ request: { method, path } })).answer.details.split('#')[1];
    expect(await by('POST', '/a/b')).toBe('post');
    expect(await by('PUT', '/a/b')).toBe('a');
    expect(await by('PUT', '/c')).toBe('put');
    expect(await by('GET', '/c')).toBe('ab');
    expect(await by('GET', '/d')).toBeUndefined();
  });

  test('rules by consumer are all looked at where nobody can say who asks: those that deny match', async () => {
    const rules = [{ name: 'ann', from: [{ consumers: ['ann'] }] }];
    // Properties cannot be read without the capability.
    const capabilities = ['headers', 'reply', 'metrics'];
    const deny = await openBuiltIn('access', { policies: [policy('DENY', rules)] }, { capabilities });
    const { answer } = await deny.exchange({});
    expect([answer.status, answer.details]).toEqual([403, 'AccessPolicy/shop/deny#ann']);
    const allow = await openBuiltIn('access', { policies: [policy('ALLOW', rules)] }, { capabilities });
    expect((await allow.exchange({})).answer.details).toBe('AccessPolicy/shop/allow#default');
  });

  test('rules that are found by paths, consumers, hosts, addresses and fields decide like rules that are all looked at', async () => {
    const some = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
      fc.array(value, { minLength: 1, maxLength: 2 });
    const path = fc.record({
      type: fc.constantFrom('Exact', 'PathPrefix', 'Template'),
      value: fc.constantFrom('/', '/a', '/a/b', '/c', '/{x}/b'),
    });
    const paths = some(path).map((list) =>
      list.map(({ type, value }) => ({ type: value.includes('{') ? 'Template' : type, value })),
    );
    const host = fc.constantFrom('a.test', 'B.test', '*.test', 'c*');
    const block = fc.constantFrom(
      ...[
        '10.1.0.0/16',
        '10.1.2.3',
        '10.0.0.0/8',
        '::ffff:10.1.2.3',
        '::/40',
        '::/100',
        '2001:db8::/32',
        '2001:db8:1::/48',
        '::1',
      ],
    );
    const address = fc.constantFrom(
      '10.1.2.3',
      '10.1.9.9',
      '10.2.0.1',
      '::ffff:10.1.2.3',
      '2001:db8:1::5',
      '::1',
      '',
    );
    const name = fc.constantFrom('x-role', 'x-team');
    const value = fc.constantFrom('admin', 'ops', 'a*', 'admin, ops');
    const consumer = fc.constantFrom('ann', 'bob', 'team-*', '*');
    const operation = fc.oneof(
      fc.record({ paths }),
      fc.record({ hosts: some(host) }),
      fc.record({ hosts: some(host), paths }),
      fc.record({ notHosts: some(host), methods: fc.constant(['GET']) }),
    );
    const source = fc.oneof(
      fc.record({ consumers: some(consumer) }),
      fc.record({ notConsumers: some(consumer) }),
      fc.constant({ remoteIpBlocks: ['0.0.0.0/0', '::/0'] }),
      fc.record({ remoteIpBlocks: some(block) }),
      fc.record({ ipBlocks: some(block) }),
    );
    const condition = fc.oneof(
      fc.record({ header: name, values: some(value) }),
      fc.record({ header: name, notValues: some(value) }),
    );
    const rule = fc.record(
      { to: some(operation), from: some(source), when: some(condition) },
      { requiredKeys: [] },
    );
    const request = fc.record({
      path: fc.constantFrom('/', '/a', '/a/b', '/a/b/c', '/c', '/A', '/%61', '/a%2Fb'),
      authority: fc.constantFrom('a.test', 'A.TEST:80', 'b.test.', 'x.test', 'c', '[::1]'),
      consumer: fc.constantFrom('', 'ann', 'bob', 'team-a', 'eve'),
      client: address,
      peer: address,
      fields: fc.array(
        fc.tuple(
          fc.constantFrom('x-role', 'X_Role', 'x-team'),
          fc.constantFrom('admin', 'ops', 'admin, ops', 'ops,admin', ',admin', 'x', ''),
        ),
        { maxLength: 2 },
      ),
    });
    // What nothing is like, and takes a rule out of its index.
    const everywhere = ({ to, from, when }: Rule): Rule => ({
      ...(to === undefined ? {} : { to: (to as Rule[]).map((each) => widened(each, 'paths', 'hosts')) }),
      ...(from === undefined
        ? {}
        : { from: (from as Rule[]).map((each) => widened(each, 'consumers', 'ipBlocks', 'remoteIpBlocks')) }),
      ...(when === undefined ? {} : { when: (when as Rule[]).map((each) => widened(each, 'values')) }),
    });
    const more: Rule = {
      paths: { type: 'Template', value: '/{a}/{b}/zzz/zzz' },
      hosts: 'zzz*',
      consumers: 'zzz*',
      ipBlocks: '203.0.0.0/8',
      remoteIpBlocks: '203.0.0.0/8',
      values: 'zzz*',
    };
    const widened = (part: Rule, ...names: string[]): Rule =>
      Object.fromEntries(
        Object.entries(part).map(([name, list]) => [
          name,
          names.includes(name) ? [...(list as unknown[]), more[name]] : list,
        ]),
      );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('ALLOW', 'DENY'),
        fc.array(rule, { minLength: 1, maxLength: 8 }),
        fc.array(request, { minLength: 1, maxLength: 12 }),
        async (action, rules, requests) => {
          const found = await start({ policies: [policy(action, rules)] });
          const all = await start({ policies: [policy(action, rules.map(everywhere))] });
          for (const { path: target, authority, consumer: who, client, peer, fields } of requests) {
            const exchange = {
              request: { path: target, authority, headers: fields },
              properties: {
                ...(who === '' ? {} : { 'consumer.name': who }),
                'source.address': client === '' ? 'nonsense' : withPort(client),
                'connection.peer_address': peer === '' ? 'nonsense' : withPort(peer),
              },
            };
            const [one, other] = [await found.exchange(exchange), await all.exchange(exchange)];
            const verdict = ({ answer }: typeof one): unknown => [answer.status, answer.details];
            expect([verdict(one), one.property('access.rule')]).toEqual([
              verdict(other),
              other.property('access.rule'),
            ]);
          }
          await Promise.all([found.close(), all.close()]);
        },
      ),
      { numRuns: 80 },
    );
  });
});

function withPort(address: string): string {
  return address.includes(':') ? `[${address}]:1` : `${address}:1`;
}

describe('explained', () => {
  test('every rule with the first condition that does not hold', async () => {
    const filter = await start({
      policies: [
        policy('ALLOW', [
          { name: 'x', from: [{ consumers: ['ann'] }], to: [{ methods: ['GET'] }] },
          { name: 'y', to: [{ methods: ['PUT'] }, { methods: ['POST'], paths: [{ value: '/a' }] }] },
          { name: 'z', when: [{ header: 'x-a', values: ['1'] }] },
          { name: 'all' },
        ]),
      ],
    });
    const stream = filter.stream();
    stream.requestHeaders({ path: '/a' });
    const told = stream.explanation()!;
    expect(told.replaceAll('AccessPolicy/shop/allow#', '').split('\n')).toEqual([
      'x\tfrom[0].consumers',
      'y\tto[1].methods',
      'z\twhen[0]',
      'all\t',
      '',
    ]);
  });
});

describe('a configuration that is wrong', () => {
  test.each([
    [{}, /"policies" is required/],
    [{ policies: [] }, /needs a policy/],
    [{ policies: [{ name: 'a', action: 'allow' }] }, /expected one of: ALLOW, DENY, AUDIT/],
    [{ policies: [policy('DENY', [{ frm: [] }])] }, /unknown field/],
    [{ policies: [policy('DENY', [onPath('admin')])] }, /must begin with/],
    [{ policies: [policy('DENY', [onPath('/a/{b', 'Template')])] }, /whole segment/],
    [{ policies: [policy('DENY', [onPath('/a/../b')])] }, /dot segments/],
    [{ policies: [policy('DENY', [onPath('/a[', 'RegularExpression')])] }, /not a regular expression/],
    [{ policies: [policy('DENY', [{ from: [{ ipBlocks: ['10.0.0.1/8'] }] }])] }, /an address or a block/],
    [{ policies: [policy('DENY', [{ from: [{ ipBlocks: ['010.0.0.1'] }] }])] }, /an address or a block/],
    [{ policies: [policy('DENY', [{ when: [{ header: 'x' }] }])] }, /one of "values" and "notValues"/],
    [{ policies: [policy('DENY', [{ when: [{ expression: 'a +' }] }])] }, /not a CEL expression/],
    [{ policies: [policy('DENY', [byHeader('a*b')])] }, /at one end alone/],
  ])('is refused: %j', async (config, message) => {
    expect((await refusalOf('access', config)).join('\n')).toMatch(message);
  });
});
