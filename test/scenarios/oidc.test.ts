// Logging in with a real provider, through a real weir with two workers.
import { beforeAll, describe, expect, test } from 'vitest';
import { Browser } from '../support/browser.ts';
import { edge } from '../support/edge.ts';
import { FakeUpstream, reply } from '../support/fake-upstream.ts';
import { IdentityProvider } from '../support/oidc-provider.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';

const NAME = '__Host-weir-session';
const SECRETS = ['the first secret for cookies, 32 bytes', 'another secret for cookies, 32 bytes'];

interface Shop {
  readonly weir: Weir;
  readonly port: number;
  readonly upstream: FakeUpstream;
  readonly provider: IdentityProvider;
  /** Replaces the configuration of the filter. */
  configure(config: object): Promise<void>;
}

async function start(config: object = {}, accessToken?: number): Promise<Shop> {
  const port = await freePort();
  const upstream = await FakeUpstream.start({ behaviour: reply(200, [], 'through') });
  const provider = await IdentityProvider.start({
    redirectUri: 'http://app.test/oauth2/callback',
    afterLogout: 'http://app.test/bye',
    ...(accessToken === undefined ? {} : { accessToken }),
  });
  const files = (more: object): string => `
${edge({ port, upstreamPort: upstream.port, upstream: 'app' })}---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: id}
spec: {endpoints: {static: [{address: 127.0.0.1, port: ${new URL(provider.issuer).port}}]}}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: all}
spec:
  targetRefs: [{kind: HTTPRoute, name: all}]
  filters:
  - name: login
    use: oidc
    callouts: [{name: id}]
    config: ${JSON.stringify({
      issuer: provider.issuer,
      upstream: 'id',
      clientId: 'sh:op',
      clientSecret: 'the secret of the shop',
      cookieSecrets: SECRETS.slice(0, 1),
      afterLogout: '/bye',
      claimsToHeaders: [{ claim: 'sub', header: 'x-user' }],
      consumerClaim: 'sub',
      ...config,
      ...more,
    })}
  - {name: tell, use: headers, config: {request: {set: {x-consumer: '\${consumer.name}'}}}}
`;
  const weir = await Weir.start({ files: { 'all.yaml': files({}) }, workers: 2 });
  return { weir, port, upstream, provider, configure: async (more) => weir.write('all.yaml', files(more)) };
}

describe('a login', () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await start();
  }, 60_000);

  test('leads the browser to the provider and back to where it wanted to go; the upstream learns who it is and sees no session', async () => {
    const browser = new Browser(shop.port);
    browser.jar('app.test').set('theme', 'dark');
    const page = await browser.logIn('http://app.test/orders?id=7', 'mira');
    expect([page.url.href, page.status, page.text]).toEqual(['http://app.test/orders?id=7', 200, 'through']);
    const seen = shop.upstream.requests.at(-1)!;
    expect([seen.target, seen.header('x-user'), seen.header('x-consumer'), seen.header('cookie')]).toEqual([
      '/orders?id=7',
      'mira',
      'mira',
      'theme=dark',
    ]);
    // The next request needs no provider, on whatever worker it comes.
    const grants = shop.provider.grants.length;
    for (let i = 0; i < 10; i++) expect((await browser.once(new URL('http://app.test/'))).status).toBe(200);
    expect(shop.provider.grants).toHaveLength(grants);
    expect([...browser.jar('app.test').keys()].sort()).toEqual([NAME, 'theme']);
  });

  test('asks with PKCE, a state and a nonce that are new each time; programs get 401', async () => {
    const asked = async (): Promise<URLSearchParams> => {
      const page = await new Browser(shop.port).once(new URL('http://app.test/a'));
      expect(page.status).toBe(302);
      expect(page.header('cache-control')).toBe('no-store');
      return new URL(page.header('location')!).searchParams;
    };
    const [one, two] = [await asked(), await asked()];
    expect(one.get('code_challenge_method')).toBe('S256');
    expect(one.get('redirect_uri')).toBe('http://app.test/oauth2/callback');
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect(one.get(name)!.length).toBeGreaterThanOrEqual(22);
      expect(one.get(name)).not.toBe(two.get(name));
    }
    for (const fields of [['Accept: application/json'], ['Accept: text/html', 'Sec-Fetch-Mode: cors'], []])
      expect((await new Browser(shop.port).once(new URL('http://app.test/a'), fields)).status).toBe(401);
  });

  test('that another browser began, that nobody began, or that was finished before is none', async () => {
    const victim = new Browser(shop.port);
    const attacker = new Browser(shop.port);
    const begun = await attacker.once(new URL('http://app.test/'));
    // The attacker logs in, and has the victim open the last address.
    const stop = { done: false };
    const original = attacker.once.bind(attacker);
    let last = '';
    attacker.once = async (url, fields, form) => {
      if (url.pathname === '/oauth2/callback' && !stop.done) {
        last = url.href;
        return { url, status: 200, text: '', header: () => undefined };
      }
      return original(url, fields, form);
    };
    await attacker.logIn(begun.header('location')!, 'eve');
    expect(last).toContain('code=');
    expect((await victim.once(new URL(last))).status).toBe(400);
    expect(victim.jar('app.test').has(NAME)).toBe(false);
    for (const query of ['', '?code=x', '?code=x&state=y', '?state=y&state=y&code=x'])
      expect((await victim.once(new URL(`http://app.test/oauth2/callback${query}`))).status).toBe(400);
    stop.done = true;
    const kept = new Map(attacker.jar('app.test'));
    expect((await attacker.once(new URL(last))).status).toBe(302);
    expect(attacker.jar('app.test').has(NAME)).toBe(true);
    expect((await attacker.once(new URL(last))).status).toBe(400);
    // With the login's cookie put back the provider knows the code as used.
    for (const [name, value] of kept) attacker.jar('app.test').set(name, value);
    expect((await attacker.once(new URL(last))).status).toBe(403);
  });

  test('gives a session in which nothing can be changed', async () => {
    const browser = new Browser(shop.port);
    await browser.logIn('http://app.test/', 'mira');
    const jar = browser.jar('app.test');
    const good = jar.get(NAME)!;
    const half = Math.floor(good.length / 2);
    const bad = [
      good.slice(0, -4),
      `${good.slice(0, half)}${good[half] === 'A' ? 'B' : 'A'}${good.slice(half + 1)}`,
      good.replace('1.', '2.'),
      `1.${good}`,
      '',
      '1.',
    ];
    for (const value of bad) {
      jar.set(NAME, value);
      expect((await browser.once(new URL('http://app.test/'), ['Accept: application/json'])).status).toBe(
        401,
      );
    }
    jar.set(NAME, good);
    expect((await browser.once(new URL('http://app.test/'))).status).toBe(200);
    // The cookie of a login under way is no session.
    const other = new Browser(shop.port);
    await other.once(new URL('http://app.test/'));
    jar.set(NAME, `1.${[...other.jar('app.test').values()][0]!}`);
    expect((await browser.once(new URL('http://app.test/'), ['Accept: application/json'])).status).toBe(401);
  });

  test('ends with a logout here and at the provider', async () => {
    const browser = new Browser(shop.port);
    await browser.logIn('http://app.test/', 'mira');
    const cross = await browser.once(new URL('http://app.test/oauth2/logout'), [
      'Sec-Fetch-Site: cross-site',
    ]);
    expect(cross.status).toBe(403);
    const page = await browser.once(new URL('http://app.test/oauth2/logout'));
    expect(page.status).toBe(302);
    expect([...browser.jar('app.test').keys()]).toEqual([]);
    const end = new URL(page.header('location')!);
    expect(end.origin + end.pathname).toBe(`${shop.provider.issuer}/session/end`);
    expect(end.searchParams.get('post_logout_redirect_uri')).toBe('http://app.test/bye');
    expect((await browser.open(end.href)).status).toBe(200);
  });
});

test('tokens that end are refreshed once for all requests of a session, over all workers', async () => {
  const shop = await start({ session: { refreshBefore: '58s' } }, 60);
  const browser = new Browser(shop.port);
  await browser.logIn('http://app.test/', 'mira');
  const before = browser.jar('app.test').get(NAME)!;
  await expect
    .poll(
      async () => {
        await browser.once(new URL('http://app.test/'));
        return shop.provider.grants.filter((grant) => grant === 'refresh_token').length;
      },
      { interval: 200 },
    )
    .toBe(1);
  expect(browser.jar('app.test').get(NAME)).not.toBe(before);

  // Many at once, with the session as it was before.
  shop.provider.delayMs = 300;
  const old = browser.jar('app.test').get(NAME)!;
  const tabs = Array.from({ length: 20 }, () => {
    const tab = new Browser(shop.port);
    tab.jar('app.test').set(NAME, old);
    return tab;
  });
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const pages = await Promise.all(tabs.map((tab) => tab.once(new URL('http://app.test/'))));
  expect(pages.map(({ status }) => status)).toEqual(pages.map(() => 200));
  expect(shop.provider.grants.filter((grant) => grant === 'refresh_token')).toHaveLength(2);
  const renewed = new Set(tabs.map((tab) => tab.jar('app.test').get(NAME)));
  expect(renewed.size).toBe(1);
  expect(renewed.has(old)).toBe(false);
}, 60_000);

test('secrets of cookies change without a logout; sessions go on while the provider is away, logins do not', async () => {
  const shop = await start();
  const browser = new Browser(shop.port);
  await browser.logIn('http://app.test/', 'mira');
  const status = async (who: Browser): Promise<number> =>
    (await who.once(new URL('http://app.test/'))).status;
  await shop.configure({ cookieSecrets: [SECRETS[1], SECRETS[0]], realm: undefined, scopes: ['profile'] });
  await expect
    .poll(async () => (await new Browser(shop.port).once(new URL('http://app.test/'))).header('location'))
    .toContain('profile');
  expect(await status(browser)).toBe(200);
  shop.provider.stop();
  expect(await status(browser)).toBe(200);
  await shop.configure({ cookieSecrets: [SECRETS[1]], timeout: '300ms' });
  await expect.poll(() => status(browser)).toBe(503);
}, 60_000);
