import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { expandCapabilities } from '../../../src/runtime/wasm/capabilities.ts';
import { DataPlane } from '../../support/data-plane.ts';
import { delayed, FakeUpstream, reply, type Behaviour } from '../../support/fake-upstream.ts';
import { filterBytes } from '../../support/filter.ts';
import { exchange, getRequest } from '../../support/raw-client.ts';
import { CLAIMS, makeSigner, makeToken, type Signer } from './tokens.ts';

const first = makeSigner('ES256', 'first');
const second = makeSigner('ES256', 'second');

const publish = (...signers: Signer[]): Behaviour =>
  reply(200, [['content-type', 'application/json']], JSON.stringify({ keys: signers.map(({ jwk }) => jwk) }));

/** A token of this moment. */
const tokenOf = (signer: Signer): string => {
  const now = Math.floor(Date.now() / 1000);
  return makeToken(signer, { ...CLAIMS, iat: now, exp: now + 600 });
};

/** A data plane whose filter fetches its keys from `provider`. */
async function start(
  provider: FakeUpstream,
  jwks: object = {},
): Promise<{ ask: (signer: Signer) => Promise<number> }> {
  const upstream = await FakeUpstream.start();
  const bytes = filterBytes('jwt');
  const digest = createHash('sha256').update(bytes).digest('hex');
  const configuration = JSON.stringify({
    providers: [
      {
        name: 'id',
        issuer: 'https://id.test',
        audiences: ['shop'],
        jwks: { uri: 'http://id.test/jwks', upstream: 'id', timeout: '8s', ...jwks },
      },
    ],
  });
  const plane = await DataPlane.start(
    {
      clusters: [{ ports: [upstream.port] }, { ports: [provider.port] }],
      modules: [{ name: 'builtin/jwt', digest, source: 'test.yaml:1:1', memoryBytes: 16 << 20 }],
      plugins: [
        {
          name: 'test/chain#who',
          configuration,
          callouts: [['id', 1]],
          capabilities: expandCapabilities(['default', 'secrets']),
        },
      ],
      chains: [[], [0]],
      rules: [{ chain: 1 }],
    },
    new Map([[digest, bytes]]),
  );
  return {
    ask: async (signer) =>
      (await exchange({ port: plane.port }, getRequest('/', 'a', `Authorization: Bearer ${tokenOf(signer)}`)))
        .status,
  };
}

describe('keys that a provider publishes', () => {
  test('are there for the first request, however late they come', async () => {
    const provider = await FakeUpstream.start({ behaviour: delayed(300, publish(first)) });
    const { ask } = await start(provider);
    expect(await Promise.all([ask(first), ask(first), ask(second)])).toEqual([200, 200, 401]);
    expect(provider.requests[0]).toMatchObject({ method: 'GET', target: '/jwks' });
    expect(provider.requests[0]!.header('host')).toBe('id.test');
  });

  test('are fetched once more for a key that is new, and requests that need it wait', async () => {
    const provider = await FakeUpstream.start({ behaviour: publish(first) });
    const { ask } = await start(provider);
    expect(await ask(first)).toBe(200);
    // So many that their signatures cannot all be checked within the budget of one callback.
    provider.behaviour = delayed(1000, publish(second));
    const statuses = await Promise.all(Array.from({ length: 100 }, () => ask(second)));
    expect(statuses).toEqual(statuses.map(() => 200));
    expect(provider.requests).toHaveLength(2);
    // The first key is no longer published.
    expect(await ask(first)).toBe(401);
    expect(await ask(makeSigner('ES256', 'third'))).toBe(401);
    expect(provider.requests).toHaveLength(2);
  });

  test('stay in use while the provider is away', async () => {
    const provider = await FakeUpstream.start({ behaviour: publish(first) });
    const { ask } = await start(provider, { cache: '1s', staleIfError: '1h' });
    expect(await ask(first)).toBe(200);
    await provider.stop();
    const until = Date.now() + 2500;
    while (Date.now() < until) {
      expect(await ask(first)).toBe(200);
      await sleep(50);
    }
    // Nobody can say whether this one is right.
    expect(await ask(second)).toBe(503);
  });

  test('are dropped when they are too old, and taken again when the provider is back', async () => {
    const provider = await FakeUpstream.start({ behaviour: publish(first) });
    const { ask } = await start(provider, { cache: '1s', staleIfError: '0s' });
    expect(await ask(first)).toBe(200);
    provider.behaviour = reply(500);
    await untilStatus(() => ask(first), 503);
    provider.behaviour = publish(first);
    await untilStatus(() => ask(first), 200);
  });

  test.each<[string, Behaviour]>([
    ['an error', reply(500)],
    ['no JSON', reply(200, [], '<html>')],
    ['a set without keys', reply(200, [], '{"keys":[]}')],
    ['a set of symmetric keys', reply(200, [], '{"keys":[{"kty":"oct","k":"AAAA"}]}')],
    ['more than 256 KiB', reply(200, [], JSON.stringify({ keys: [first.jwk], pad: 'x'.repeat(300_000) }))],
  ])('are none where the answer is %s: 503', async (_, behaviour) => {
    const provider = await FakeUpstream.start({ behaviour });
    const { ask } = await start(provider);
    expect(await ask(first)).toBe(503);
  });
});

async function untilStatus(ask: () => Promise<number>, wanted: number): Promise<void> {
  const until = Date.now() + 10_000;
  while ((await ask()) !== wanted) {
    if (Date.now() > until) throw new Error(`no ${wanted} within 10 s`);
    await sleep(50);
  }
}
