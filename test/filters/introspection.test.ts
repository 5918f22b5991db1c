import { expect, test } from 'vitest';
import type { CallAnswer, Filter, HttpCall } from '@weir/filters-sdk/testing';
import { openBuiltIn } from '../support/filter.ts';

const NOW = 1_700_000_000;

/** A server that knows these tokens, and the filter before it. */
async function open(
  tokens: Record<string, object>,
  config: object = {},
): Promise<{ filter: Filter; asked: HttpCall[]; answer: (answer: CallAnswer | undefined) => void }> {
  const asked: HttpCall[] = [];
  let fixed: CallAnswer | undefined;
  const all = {
    uri: 'https://id.test/introspect',
    upstream: 'id',
    client: { id: 'we:ir', secret: 's cret' },
    ...config,
  };
  const filter = await openBuiltIn('introspection', all, {
    clock: NOW * 1000,
    upstreams: {
      id: (call): CallAnswer => {
        asked.push(call);
        if (fixed !== undefined) return fixed;
        const token = new URLSearchParams(call.body).get('token')!;
        return {
          body: JSON.stringify(
            Object.hasOwn(tokens, token) ? { active: true, ...tokens[token] } : { active: false },
          ),
        };
      },
    },
  });
  return { filter, asked, answer: (given) => (fixed = given) };
}

const bearer = (token: string, more: Record<string, string> = {}) => ({
  request: { headers: { authorization: `Bearer ${token}`, ...more } },
});

async function verdict(filter: Filter, token: string): Promise<string> {
  const { answer, upstream } = await filter.exchange(bearer(token));
  expect(upstream === null).toBe(answer.status !== 200);
  return answer.status === 200 ? 'passes' : answer.details;
}

test('asks the server as itself, with the token encoded for a form, and tells the upstream and filters behind whose it is', async () => {
  const { filter, asked } = await open(
    { 'a+b/c==': { sub: 'mira', roles: ['a', 'b'], ext: { tenant: 'shop' } } },
    {
      claimsToHeaders: [
        { claim: 'sub', header: 'x-user' },
        { claim: 'roles', header: 'x-roles' },
        { claim: ['ext', 'tenant'], header: 'x-tenant' },
        { claim: 'missing', header: 'x-missing' },
      ],
      consumerClaim: 'sub',
      stripCredential: true,
    },
  );
  const exchange = await filter.exchange(
    bearer('a+b/c==', { 'x-user': 'root', x_user: 'root', 'x-missing': 'root' }),
  );
  const { upstream } = exchange;
  expect(exchange.property('consumer.name')).toBe('mira');
  expect(asked).toMatchObject([
    {
      method: 'POST',
      path: '/introspect',
      authority: 'id.test',
      body: 'token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token',
    },
  ]);
  expect(asked[0]!.headers['authorization']).toBe(
    `Basic ${Buffer.from('we%3Air:s%20cret').toString('base64')}`,
  );
  expect(upstream!.headers).toMatchObject({ 'x-user': 'mira', 'x-roles': 'a,b', 'x-tenant': 'shop' });
  for (const name of ['authorization', 'x_user', 'x-missing'])
    expect(Object.keys(upstream!.headers)).not.toContain(name);
});

test('remembers what it was told for as long as it was told, and never beyond the end of the token', async () => {
  const { filter, asked } = await open(
    { long: {}, short: { exp: NOW + 10 } },
    { cache: '60s', negativeCache: '5s' },
  );
  const count = async (token: string, expected: string): Promise<number> => {
    const before = asked.length;
    expect([token, await verdict(filter, token)]).toEqual([token, expected]);
    return asked.length - before;
  };
  for (const token of ['long', 'short']) {
    expect(await count(token, 'passes')).toBe(1);
    expect(await count(token, 'passes')).toBe(0);
  }
  expect(await count('bad', 'introspection_inactive')).toBe(1);
  expect(await count('bad', 'introspection_inactive')).toBe(0);
  await filter.clock.advance(6_000);
  expect(await count('bad', 'introspection_inactive')).toBe(1);
  await filter.clock.advance(5_000);
  expect(await count('short', 'introspection_inactive')).toBe(1);
  expect(await count('long', 'passes')).toBe(0);
  await filter.clock.advance(50_000);
  expect(await count('long', 'passes')).toBe(1);
});

test('what the server says has to be meant for this place and this time', async () => {
  const good = {
    iss: 'https://id.test',
    aud: ['other', 'shop'],
    scope: 'read write',
    exp: NOW + 60,
    nbf: NOW - 1,
  };
  const { filter } = await open(
    {
      good,
      one: { ...good, aud: 'shop' },
      issuer: { ...good, iss: 'https://evil.test' },
      noissuer: { ...good, iss: undefined },
      audience: { ...good, aud: ['other'] },
      noaudience: { ...good, aud: undefined },
      scope: { ...good, scope: 'reader write' },
      noscope: { ...good, scope: undefined },
      over: { ...good, exp: NOW - 1 },
      early: { ...good, nbf: NOW + 5 },
      notime: { ...good, exp: 'soon' },
      negative: { ...good, exp: -1 },
    },
    { issuer: 'https://id.test', audiences: ['shop'], scopes: ['read', 'write'] },
  );
  for (const [token, expected] of Object.entries({
    good: 'passes',
    one: 'passes',
    issuer: 'introspection_inactive',
    noissuer: 'introspection_inactive',
    audience: 'introspection_inactive',
    noaudience: 'introspection_inactive',
    scope: 'introspection_scope',
    noscope: 'introspection_scope',
    over: 'introspection_inactive',
    early: 'introspection_inactive',
    notime: 'introspection_inactive',
    negative: 'introspection_inactive',
  }))
    expect([token, await verdict(filter, token)]).toEqual([token, expected]);
  const { answer } = await filter.exchange(bearer('scope'));
  expect([answer.status, answer.headers['www-authenticate']]).toEqual([
    403,
    'Bearer realm="api", error="insufficient_scope", scope="read write"',
  ]);
});

test.each<[string, CallAnswer]>([
  ['is away', { fail: 'unavailable' }],
  ['closes', { fail: 'no answer' }],
  ['answers with an error', { status: 500, body: '{"active":true}' }],
  ['says 401 to weir', { status: 401, body: '{"active":true}' }],
  ['answers with no JSON', { body: 'active: true' }],
  ['says active with a text', { body: '{"active":"true"}' }],
  ['says nothing of it', { body: '{}' }],
  ['answers with a list', { body: '[{"active":true}]' }],
  ['answers with a name twice', { body: '{"active":false,"active":true}' }],
  ['answers too much', { body: `{"active":true,"x":"${'y'.repeat(70_000)}"}` }],
])('nobody passes while the server %s, and nothing of that is remembered', async (_name, failure) => {
  const { filter, answer } = await open({ good: {} });
  answer(failure);
  const { answer: refusal, upstream } = await filter.exchange(bearer('good'));
  expect([refusal.status, refusal.details, upstream]).toEqual([503, 'introspection_unavailable', null]);
  answer(undefined);
  expect(await verdict(filter, 'good')).toBe('passes');
});

test('a server that does not answer is waited for as long as is configured', async () => {
  const { filter, answer } = await open({}, { timeout: '2s' });
  answer(null);
  const exchange = await filter.exchange(bearer('good'));
  expect(exchange.state).toBe('waiting');
  await filter.clock.advance(2_001);
  await exchange.settle();
  expect(exchange.answer.details).toBe('introspection_unavailable');
});

test('requests with one token ask once, also where the first of them goes away', async () => {
  const { filter, asked } = await open({ good: {} });
  const streams = Array.from({ length: 20 }, () => filter.stream());
  for (const stream of streams) stream.requestHeaders(bearer('good').request, true);
  expect(streams.map(({ state }) => state)).toEqual(streams.map(() => 'waiting'));
  streams[0]!.disconnect();
  await streams[1]!.settle();
  for (const stream of streams.slice(1)) expect(stream.upstream).not.toBeNull();
  expect(streams[0]!.upstream).toBeNull();
  expect(asked).toHaveLength(1);
});

test('without a token it is 401, or passes where none is required; two are refused', async () => {
  const { filter } = await open(
    { good: {} },
    { from: [{ header: 'authorization', scheme: 'Bearer' }, { cookie: 't' }] },
  );
  const { answer } = await filter.exchange();
  expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, 'Bearer realm="api"']);
  expect((await filter.exchange({ request: { headers: { cookie: 'a=b; t=good' } } })).answer.status).toBe(
    200,
  );
  expect((await filter.exchange(bearer('good', { cookie: 't=good' }))).answer.details).toBe(
    'introspection_inactive',
  );
  const lax = await open({}, { required: false, claimsToHeaders: [{ claim: 'sub', header: 'x-user' }] });
  const passed = await lax.filter.exchange({ request: { headers: { 'x-user': 'root' } } });
  expect(Object.keys(passed.upstream!.headers)).not.toContain('x-user');
  expect(await verdict(lax.filter, 'bad')).toBe('introspection_inactive');
});

test.each<[string, object, RegExp]>([
  ['no way to say who it is', { client: undefined }, /exactly one/],
  ['two ways', { bearer: 'x' }, /exactly one/],
  ['an address that is none', { uri: 'id.test' }, /http or https/],
])('refuses a configuration with %s', async (_name, config, message) => {
  await expect(open({}, config)).rejects.toThrow(message);
});

test('those that wait for the same answer get it a hundred at a time: all may take more than a callback may', async () => {
  let answer: (given: CallAnswer) => void = () => undefined;
  const answered = new Promise<CallAnswer>((resolve) => (answer = resolve));
  const config = {
    uri: 'https://id.test/introspect',
    upstream: 'id',
    client: { id: 'a', secret: 'b' },
    claimsToHeaders: [{ claim: 'sub', header: 'x-user' }],
  };
  const filter = await openBuiltIn('introspection', config, {
    clock: NOW * 1000,
    upstreams: { id: () => answered },
  });
  const exchanges = Array.from({ length: 350 }, () => filter.exchange(bearer('shared')));
  answer({ body: '{"active":true,"sub":"mira"}' });
  const all = await Promise.all(exchanges);
  const told = (): number => all.filter(({ upstream }) => upstream?.headers['x-user'] === 'mira').length;
  expect(told()).toBe(100);
  await filter.clock.advance(1);
  expect(told()).toBe(200);
  await filter.clock.advance(100);
  expect(told()).toBe(350);
});
