// Keys of a provider that change, and a provider that fails, under load: nobody is wrongly refused, nobody wrongly let in.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { makeSigner, makeToken, type Signer } from '../filters/jwt/tokens.ts';
import { atEnd } from '../support/cleanup.ts';
import { edge } from '../support/edge.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { Load } from '../support/load.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';

const CACHE_MS = 2000;

const policy = (port: number, upstreamPort: number, providerPort: number): string => `
${edge({ port, upstreamPort })}---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: id}
spec: {endpoints: {static: [{address: 127.0.0.1, port: ${providerPort}}]}}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: tokens}
spec:
  targetRefs: [{kind: HTTPRoute, name: all}]
  filters:
  - name: token
    use: jwt
    callouts: [{name: id}]
    config:
      providers:
      - name: id
        issuer: https://id.test
        audiences: [shop]
        jwks: {uri: 'http://id.test/jwks', upstream: id, cache: ${CACHE_MS / 1000}s, staleIfError: 1m, timeout: 4s}
`;

type Mood = 'well' | 'error' | 'garbage' | 'silent';

test('keys change, and their provider fails in every way: 0 wrong refusals, 0 wrong admissions', async () => {
  const upstream = await FakeUpstream.start({ discard: true });
  let published: Signer[] = [];
  let mood: Mood = 'well';
  let asked = 0;
  const provider = createServer((_request, response: ServerResponse) => {
    asked++;
    if (mood === 'silent') return;
    if (mood === 'error') response.statusCode = 500;
    response.setHeader('content-type', 'application/json');
    response.end(
      mood === 'garbage' ? '{"keys": [' : JSON.stringify({ keys: published.map(({ jwk }) => jwk) }),
    );
  });
  const providerPort = await freePort();
  const listen = (): Promise<void> => new Promise((done) => provider.listen(providerPort, '127.0.0.1', done));
  const hush = (): Promise<unknown> => {
    provider.closeAllConnections();
    return new Promise((done) => provider.close(done));
  };
  await listen();
  expect((provider.address() as AddressInfo).port).toBe(providerPort);
  atEnd(() => provider.closeAllConnections());

  const [a, b, c] = ['a', 'b', 'c'].map((kid) => makeSigner('ES256', kid)) as [Signer, Signer, Signer];
  const exp = Math.floor(Date.now() / 1000) + 3600;
  // So many of each that none is in a cache of verified tokens when it comes.
  const tokensOf = (signer: Signer): string[] =>
    Array.from({ length: 400 }, (_, i) =>
      makeToken(signer, { iss: 'https://id.test', aud: 'shop', sub: `u${i}`, exp }),
    );
  const [ofA, ofB, ofC] = [tokensOf(a), tokensOf(b), tokensOf(c)];
  published = [a];

  const port = await freePort();
  const weir = await Weir.start({
    files: { 'all.yaml': policy(port, upstream.port, providerPort) },
    workers: 2,
  });
  const request = (token: string): string => getRequest('/', 'h', `Authorization: Bearer ${token}`);
  const statusOf = async (token: string): Promise<number> =>
    (await exchange({ port }, getRequest('/', 'h', `Authorization: Bearer ${token}`, 'Connection: close')))
      .status;

  /** Tokens that are good now, one after the other, for so long. */
  const under = async (
    tokens: readonly string[],
    milliseconds: number,
    meanwhile?: () => unknown,
  ): Promise<void> => {
    const load = new Load({
      port,
      connections: 8,
      durationMs: milliseconds,
      request: (n) => request(tokens[n % tokens.length]!),
      check: ({ status }) => (status === 200 ? null : `status ${status}`),
    });
    await meanwhile?.();
    const { ok, failures } = await load.done;
    expect(Object.fromEntries(failures)).toEqual({});
    expect(ok).toBeGreaterThan(100);
  };

  await under(ofA, 2000);
  // A second key is published, and used at once: a token with it has the set fetched again.
  published = [a, b];
  await under([...ofA, ...ofB], 3000);
  // The first one is withdrawn.
  published = [b];
  await under(ofB, CACHE_MS + 2000);
  const statusesOf = async (tokens: readonly string[]): Promise<number[]> => [
    ...new Set(await Promise.all(tokens.map(statusOf))),
  ];
  // A worker that stood still may have yet to fetch the set.
  await expect.poll(() => statusesOf(ofA.slice(0, 50))).toEqual([401]);

  // Longer than the set is kept for, in each way that a provider can fail.
  for (const bad of ['error', 'garbage', 'silent'] as const) {
    const before = asked;
    await under(ofB, CACHE_MS + 2500, () => (mood = bad));
    expect(asked, `asked while its provider was in the mood ${bad}`).toBeGreaterThan(before);
    mood = 'well';
    await under(ofB, 1500);
  }
  await under(ofB, CACHE_MS + 2500, hush);
  // A key that was never published is good for nothing, while the provider is away as well.
  expect(await statusesOf(ofC.slice(0, 20))).not.toContain(200);

  // It comes back with another key. Each worker asks it for itself, the later the longer it has failed.
  published = [b, c];
  await listen();
  await expect.poll(() => statusesOf(ofC.slice(0, 20)), { timeout: 40_000 }).toEqual([200]);
  await under([...ofB, ...ofC], 3000);
  expect(await statusesOf(ofA.slice(50, 100))).toEqual([401]);
  await weir.stop();
}, 180_000);
