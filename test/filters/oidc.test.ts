import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  openFilter,
  type CallAnswer,
  type Exchange,
  type Filter,
  type HttpCall,
} from '@weir/filters-sdk/testing';
import { ROOT } from '../support/process.ts';
import { attacksOn } from './jwt/attacks.ts';
import { makeSigner, makeToken } from './jwt/tokens.ts';

const MODULE = `${ROOT}dist/filters/oidc.wasm`;
const NOW = 1_700_000_000;
const ISSUER = 'https://id.test/realm';
const SIGNER = makeSigner('ES256', 'one');
const BASE = {
  issuer: ISSUER,
  upstream: 'id',
  clientId: 'shop',
  clientSecret: 'secret',
  cookieSecrets: ['a secret for cookies of 32 bytes or more'],
};
const ABOUT = {
  issuer: ISSUER,
  authorization_endpoint: 'https://login.test/authorize?x=1',
  token_endpoint: 'https://id.test/token',
  jwks_uri: 'https://id.test/keys',
};

interface Provider {
  readonly filter: Filter;
  readonly asked: HttpCall[];
  /** What the token endpoint answers. */
  tokens: (form: URLSearchParams) => CallAnswer;
}

async function open(config: object = {}, about: object = ABOUT): Promise<Provider> {
  const asked: HttpCall[] = [];
  const provider: Provider = {
    asked,
    tokens: () => ({ status: 500 }),
    filter: await openFilter(MODULE, {
      config: { ...BASE, ...config },
      capabilities: ['default', 'secrets'],
      clock: NOW * 1000,
      upstreams: {
        id: (call): CallAnswer => {
          asked.push(call);
          if (call.path === '/realm/.well-known/openid-configuration') return { body: JSON.stringify(about) };
          if (call.path === '/keys') return { body: JSON.stringify({ keys: [SIGNER.jwk] }) };
          return provider.tokens(new URLSearchParams(call.body));
        },
      },
    }),
  };
  for (let i = 0; i < 3; i++) await provider.filter.clock.advance(1100);
  return provider;
}

const page = { accept: 'text/html' };

async function begin(filter: Filter): Promise<{ location: URL; cookie: string }> {
  const { answer } = await filter.exchange({ request: { path: '/a?b=c', headers: page } });
  expect(answer.status).toBe(302);
  return {
    location: new URL(answer.headers['location']!),
    cookie: answer.headers['set-cookie']!.split(';')[0]!,
  };
}

async function settled(filter: Filter, exchange: Exchange): Promise<Exchange> {
  for (let i = 0; i < 400 && exchange.state === 'waiting'; i++) {
    await filter.clock.advance(50);
    await exchange.settle();
  }
  return exchange;
}

async function finish(
  provider: Provider,
  claims: object,
  token?: (claims: object) => string,
  more: object = {},
): Promise<Exchange> {
  const { location, cookie } = await begin(provider.filter);
  const now = Math.floor(provider.filter.clock.now / 1000);
  const all = {
    iss: ISSUER,
    aud: 'shop',
    sub: 'mira',
    iat: now,
    exp: now + 600,
    nonce: location.searchParams.get('nonce'),
    ...claims,
  };
  provider.tokens = (form) => {
    const challenge = createHash('sha256').update(form.get('code_verifier')!).digest('base64url');
    expect(challenge).toBe(location.searchParams.get('code_challenge'));
    const id_token = token === undefined ? makeToken(SIGNER, all) : token(all);
    return {
      body: JSON.stringify({ access_token: 'at', token_type: 'Bearer', expires_in: 300, id_token, ...more }),
    };
  };
  const path = `/oauth2/callback?code=abc&state=${location.searchParams.get('state')!}`;
  return settled(
    provider.filter,
    await provider.filter.exchange({ request: { path, headers: { ...page, cookie } } }),
  );
}

test('a login: what the provider is asked, the session, what the upstream gets', async () => {
  const provider = await open({
    scopes: ['email'],
    claimsToHeaders: [{ claim: 'email', header: 'x-email' }],
    forwardAccessToken: true,
  });
  const { answer } = await finish(provider, { email: 'mira@shop.test' });
  expect([answer.status, answer.headers['location']]).toEqual([302, '/a?b=c']);
  const asked = provider.asked.at(-1)!;
  expect(asked).toMatchObject({ method: 'POST', path: '/token', authority: 'id.test' });
  expect(asked.headers['authorization']).toBe(`Basic ${Buffer.from('shop:secret').toString('base64')}`);
  expect(Object.fromEntries(new URLSearchParams(asked.body))).toMatchObject({
    grant_type: 'authorization_code',
    code: 'abc',
    redirect_uri: 'http://example.test/oauth2/callback',
  });
  const cookies = answer.fields.filter(([name]) => name === 'set-cookie').map(([, value]) => value);
  const session = cookies.find((value) => value.startsWith('__Host-weir-session='))!;
  expect(session).toMatch(/; Max-Age=28800; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
  expect(session).not.toContain('mira');
  const cookie = `a=b; ${session.split(';')[0]!}`;
  const { upstream } = await provider.filter.exchange({
    request: { headers: { cookie, 'x-email': 'root', x_email: 'root', authorization: 'Bearer mine' } },
  });
  expect(upstream!.headers).toMatchObject({
    'x-email': 'mira@shop.test',
    authorization: 'Bearer at',
    cookie: 'a=b',
  });
  expect(Object.keys(upstream!.headers)).not.toContain('x_email');
});

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

test.each<[string, object, ((claims: object) => string)?]>([
  ['for another login', { nonce: 'another' }],
  ['for no login', { nonce: undefined }],
  ['for another client', { aud: 'bank' }],
  ['for no client', { aud: undefined }],
  ['made for another of its clients', { aud: ['shop', 'bank'], azp: 'bank' }],
  ['of another issuer', { iss: 'https://evil.test' }],
  ['that is over', { exp: NOW - 60 }],
  ['of the future', { iat: NOW + 3600 }],
  ['without an end', { exp: undefined }],
  ['of another key', {}, (claims) => makeToken(makeSigner('ES256', 'one'), claims)],
  ['that is not signed', {}, (claims) => `${encode({ alg: 'none' })}.${encode(claims)}.`],
  ['that is none', {}, () => 'x'],
])('an ID token %s is refused', async (_name, claims, token) => {
  const { answer } = await finish(await open(), claims, token);
  expect([answer.status, answer.details]).toEqual([403, 'oidc_login_failed']);
  expect(answer.headers['set-cookie']).toBeUndefined();
});

test.each(attacksOn(SIGNER).map(([name]) => name))(
  'an ID token %s is refused, as a token of jwt is',
  async (name) => {
    const forge = (claims: object): string => attacksOn(SIGNER, claims).find((each) => each[0] === name)![1];
    const { answer } = await finish(await open(), {}, forge);
    expect([answer.status, answer.details]).toEqual([403, 'oidc_login_failed']);
    expect(answer.headers['set-cookie']).toBeUndefined();
  },
);

test('an answer in the name of another provider is refused, and errors of the provider are not repeated', async () => {
  const provider = await open();
  for (const query of [
    'code=abc&iss=https%3A%2F%2Fevil.test',
    'error=access_denied&error_description=<script>',
  ]) {
    const { location, cookie } = await begin(provider.filter);
    const path = `/oauth2/callback?${query}&state=${location.searchParams.get('state')!}`;
    const { answer } = await provider.filter.exchange({ request: { path, headers: { cookie } } });
    expect([answer.status, answer.details]).toEqual([403, 'oidc_login_failed']);
    expect(answer.body).not.toContain('script');
  }
});

test('a provider that names itself otherwise is not believed, and while none is known pages get 503', async () => {
  for (const about of [{ ...ABOUT, issuer: `${ISSUER}/` }, { ...ABOUT, token_endpoint: undefined }, []]) {
    const { filter } = await open({ timeout: '500ms' }, about);
    const exchange = await settled(filter, await filter.exchange({ request: { headers: page } }));
    expect([exchange.answer.status, exchange.upstream]).toEqual([503, null]);
  }
});

test('logins begin at the hosts that are listed, and come back to the origin that is told', async () => {
  const { filter } = await open({ hosts: ['app.test'], origin: 'https://app.example' });
  const other = await filter.exchange({ request: { headers: page } });
  expect([other.answer.status, other.answer.details]).toEqual([400, 'oidc_unknown_host']);
  const { answer } = await filter.exchange({ request: { authority: 'app.test', headers: page } });
  const location = new URL(answer.headers['location']!);
  expect(location.searchParams.get('redirect_uri')).toBe('https://app.example/oauth2/callback');
  expect(location.searchParams.get('x')).toBe('1');
});

test('logins that were never finished do not pile up', async () => {
  const { filter } = await open();
  const cookie = Array.from({ length: 9 }, (_, i) => `__Host-weir-session-login-${i}=x`).join('; ');
  const { answer } = await filter.exchange({ request: { headers: { ...page, cookie } } });
  const removed = answer.fields.filter(
    ([name, value]) => name === 'set-cookie' && value.includes('Max-Age=0'),
  );
  expect(removed).toHaveLength(4);
});

test('a session that does not fit one cookie takes several, without the ID token where that helps; one that fits none is refused', async () => {
  const groups = Array.from({ length: 350 }, (_, i) => `group-${i}`);
  const provider = await open({ claimsToHeaders: [{ claim: 'groups', header: 'x-groups' }] });
  for (const [size, count] of [
    [10, 4],
    [5000, 4],
  ] as const) {
    const { answer } = await finish(provider, { groups }, undefined, { access_token: 'a'.repeat(size) });
    const session = answer.fields
      .filter(([name, value]) => name === 'set-cookie' && !value.includes('Max-Age=0'))
      .map(([, value]) => value.split(';')[0]!);
    expect(session).toHaveLength(count);
    const { upstream } = await provider.filter.exchange({
      request: { headers: { cookie: session.join('; ') } },
    });
    expect(upstream!.headers['x-groups']).toBe(groups.join(','));
    expect(Object.keys(upstream!.headers)).not.toContain('cookie');
    // One part missing is no session.
    const part = await provider.filter.exchange({
      request: { headers: { cookie: session.slice(1).join('; ') } },
    });
    expect(part.answer.status).toBe(401);
  }
  // More than cookies hold, and more than the host seals.
  for (const size of [20_000, 40_000]) {
    const huge = await finish(provider, { groups }, undefined, { access_token: 'a'.repeat(size) });
    expect([huge.answer.status, huge.answer.details]).toEqual([500, 'oidc_session_too_large']);
  }
});

/** A session whose access token ends in 300 s, with a refresh token, as the cookies that hold it. */
async function loggedIn(): Promise<{ provider: Provider; cookie: string }> {
  const provider = await open();
  const { answer } = await finish(provider, {}, undefined, { refresh_token: 'r1' });
  return { provider, cookie: sessionOf(answer) };
}

const sessionOf = (answer: Exchange['answer']): string =>
  answer.fields
    .filter(([name, value]) => name === 'set-cookie' && !value.includes('Max-Age=0'))
    .map(([, value]) => value.split(';')[0]!)
    .join('; ');

async function come(provider: Provider, cookie: string): Promise<Exchange> {
  return settled(provider.filter, await provider.filter.exchange({ request: { headers: { cookie } } }));
}

test('a refresh asks with the token of before, keeps the claims where no new ones come, and the client gets the new session', async () => {
  const { provider, cookie } = await loggedIn();
  let form: URLSearchParams | null = null;
  provider.tokens = (given) => {
    form = given;
    return { body: JSON.stringify({ access_token: 'at2', expires_in: 300, refresh_token: 'r2' }) };
  };
  await provider.filter.clock.advance(200_000);
  expect((await come(provider, cookie)).answer.status).toBe(200);
  expect(form).toBeNull();
  await provider.filter.clock.advance(50_000);
  const { answer } = await come(provider, cookie);
  expect([answer.status, Object.fromEntries(form!)]).toEqual([
    200,
    { grant_type: 'refresh_token', refresh_token: 'r1' },
  ]);
  const renewed = sessionOf(answer);
  expect(renewed).not.toBe('');
  await provider.filter.clock.advance(250_000);
  expect((await come(provider, renewed)).answer.status).toBe(200);
  expect(Object.fromEntries(form!)).toMatchObject({ refresh_token: 'r2' });
});

test.each<[string, CallAnswer]>([
  ['refuses', { status: 400, body: '{"error":"invalid_grant"}' }],
  ['gives no token', { body: '{}' }],
  [
    'speaks of somebody else',
    {
      body: JSON.stringify({
        access_token: 'at2',
        id_token: makeToken(SIGNER, { iss: ISSUER, aud: 'shop', sub: 'eve', iat: NOW, exp: NOW + 9000 }),
      }),
    },
  ],
])('a provider that %s when a session is refreshed ends it', async (_name, tokens) => {
  const { provider, cookie } = await loggedIn();
  provider.tokens = () => tokens;
  await provider.filter.clock.advance(250_000);
  const { answer, upstream } = await come(provider, cookie);
  expect([answer.status, answer.details, upstream]).toEqual([401, 'oidc_login_required', null]);
});

test.each<[string, CallAnswer]>([
  ['fails', { status: 502 }],
  ['is away', { fail: 'unavailable' }],
])(
  'while the provider %s a session counts until its access token ends, and then nobody is let in',
  async (_name, tokens) => {
    const { provider, cookie } = await loggedIn();
    provider.tokens = () => tokens;
    await provider.filter.clock.advance(250_000);
    expect((await come(provider, cookie)).answer.status).toBe(200);
    await provider.filter.clock.advance(60_000);
    const { answer, upstream } = await come(provider, cookie);
    expect([answer.status, answer.details, upstream]).toEqual([503, 'oidc_unavailable', null]);
  },
);

test('sessions and logins of another client or provider count for nothing, though the secret and the names are the same', async () => {
  const { provider, cookie } = await loggedIn();
  const same = await provider.filter.exchange({ request: { headers: { cookie } } });
  expect(same.upstream).not.toBeNull();
  const { location, cookie: login } = await begin(provider.filter);
  for (const [config, about] of [
    [{ clientId: 'admin' }, ABOUT],
    [{ issuer: 'https://other.test' }, { ...ABOUT, issuer: 'https://other.test' }],
  ] as const) {
    const other = await open(config, about);
    const { answer, upstream } = await other.filter.exchange({ request: { headers: { cookie } } });
    expect([answer.status, upstream]).toEqual([401, null]);
    const path = `/oauth2/callback?code=abc&state=${location.searchParams.get('state')!}`;
    const back = await other.filter.exchange({ request: { path, headers: { ...page, cookie: login } } });
    expect(back.answer.details).toBe('oidc_login_unknown');
  }
});

test.each([
  ['//evil.test/a', '/'],
  ['/\\evil.test', '/'],
  ['/a\\b', '/'],
  ['/%09/evil.test', '/%09/evil.test'],
  ['/a?b=//evil.test', '/a?b=//evil.test'],
  ['/;@evil.test', '/;@evil.test'],
  [`/${'a'.repeat(2047)}`, `/${'a'.repeat(2047)}`],
  // Its cookie would be none.
  [`/${'a'.repeat(2048)}`, '/'],
])('a login that began at %s ends at %s, on this host', async (path, expected) => {
  const provider = await open();
  const { answer } = await provider.filter.exchange({ request: { path, headers: page } });
  const state = new URL(answer.headers['location']!).searchParams.get('state')!;
  expect(answer.headers['set-cookie']!.length).toBeLessThan(4096);
  const cookie = answer.headers['set-cookie']!.split(';')[0]!;
  const nonce = new URL(answer.headers['location']!).searchParams.get('nonce');
  const now = Math.floor(provider.filter.clock.now / 1000);
  const id_token = makeToken(SIGNER, { iss: ISSUER, aud: 'shop', sub: 'a', iat: now, exp: now + 60, nonce });
  provider.tokens = () => ({ body: JSON.stringify({ access_token: 'at', token_type: 'Bearer', id_token }) });
  const callback = (more: string, jar: string): Promise<Exchange> =>
    provider.filter.exchange({
      request: { path: `/oauth2/callback?code=c&state=${more}`, headers: { ...page, cookie: jar } },
    });
  // The cookie of another browser, two of one name, and a name that only begins alike are none.
  const [name, value] = [cookie.slice(0, cookie.indexOf('=')), cookie.slice(cookie.indexOf('=') + 1)];
  for (const jar of ['a=b', `${name}x=${value}`, `${cookie}; ${cookie}`, `${name}=${value.slice(4)}`])
    expect((await callback(state, jar)).answer.details, jar).toBe('oidc_login_unknown');
  expect((await callback(`${state}&state=${state}`, cookie)).answer.details).toBe('oidc_login_unknown');
  expect((await callback(`${state.slice(0, 8)}x`, cookie)).answer.details).toBe('oidc_login_unknown');
  const done = await settled(provider.filter, await callback(state, cookie));
  expect([done.answer.status, done.answer.headers['location']]).toEqual([302, expected]);
});

test('a session ends with its lifetime, whatever the provider says', async () => {
  const provider = await open({ session: { lifetime: '10m' } });
  const { answer } = await finish(provider, { exp: NOW + 90_000 }, undefined, { expires_in: 90_000 });
  await provider.filter.clock.advance(590_000);
  expect((await come(provider, sessionOf(answer))).answer.status).toBe(200);
  await provider.filter.clock.advance(11_000);
  expect((await come(provider, sessionOf(answer))).answer.status).toBe(401);
});

test.each<[string, object, RegExp]>([
  ['no secret for cookies', { cookieSecrets: [] }, /at least one/],
  ['a short secret for cookies', { cookieSecrets: ['short'] }, /32 bytes/],
  ['no secret of the client', { clientSecret: undefined }, /required/],
  ['a secret of a public client', { clientAuth: 'none' }, /no "clientSecret"/],
  ['an issuer that is no URL', { issuer: 'id.test' }, /URL/],
  ['an origin with a path', { origin: 'https://app.test/a' }, /scheme and a host/],
  ['a path that is none', { redirectPath: 'callback' }, /must be a path/],
])('refuses a configuration with %s', async (_name, config, message) => {
  await expect(openFilter(MODULE, { config: { ...BASE, ...config }, upstreams: ['id'] })).rejects.toThrow(
    message,
  );
});
