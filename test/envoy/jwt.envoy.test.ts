// The filter jwt in Envoy, which has no `weir.verify_jws`: docs/adr/0195-token-signatures-elsewhere.md.
import { beforeAll, describe, expect, test } from 'vitest';
import { ALGORITHMS, base64url, makeSigner, makeToken, type Signer } from '../filters/jwt/tokens.ts';
import type { Place } from '../languages/subject.ts';
import { reply } from '../support/fake-upstream.ts';
import { values } from '../support/message.ts';
import { ROOT } from '../support/process.ts';
import { getRequest } from '../support/raw-client.ts';
import { Both } from './both.ts';

const SIGNERS = ALGORITHMS.map((algorithm) => makeSigner(algorithm));
const IN_AN_HOUR = Math.floor(Date.now() / 1000) + 3600;
const CLAIMS = { iss: 'https://id.test', aud: 'shop', sub: 'mira', exp: IN_AN_HOUR };

function jwt(jwks: object): object {
  const claimsToHeaders = [{ claim: 'sub', header: 'x-user' }];
  return {
    providers: [{ name: 'id', issuer: 'https://id.test', audiences: ['shop'], jwks, claimsToHeaders }],
  };
}

const place = (name: string, config: object, ...callouts: string[]): Place => ({
  name,
  filters: [
    {
      file: `${ROOT}dist/filters/jwt.wasm`,
      builtIn: 'jwt',
      rootId: '',
      configuration: JSON.stringify(config),
      callouts,
    },
  ],
});

const PLACES = [
  place('jwt', jwt({ keys: SIGNERS.map(({ jwk }) => jwk) })),
  place('jwt-fetched', jwt({ uri: 'http://id.test/jwks', upstream: 'authz' }), 'authz'),
];

describe('the filter jwt, in Envoy as in weir', () => {
  let both: Both;
  beforeAll(async () => {
    both = await Both.start({ places: PLACES });
  }, 120_000);

  const bearer = (token: string): string => getRequest('/', 'plugin.test', `Authorization: Bearer ${token}`);

  test.each(SIGNERS.map((signer) => [signer.algorithm, signer] as const))(
    'tokens of %s',
    async (algorithm, signer) => {
      const token = makeToken(signer, CLAIMS);
      const [weir, envoy] = await both.each({ role: 'jwt', send: bearer(token) });
      expect(values(weir.upstream[0]!.fields, 'x-user')).toEqual(['mira']);
      // Its function for signatures has no PSS and no EdDSA: docs/host-differences.md.
      if (/^(RS|ES)/.test(algorithm)) expect(values(envoy.upstream[0]!.fields, 'x-user')).toEqual(['mira']);
      else expect([envoy.answer.status, envoy.upstream]).toEqual([401, []]);

      const [head, , signature] = token.split('.') as [string, string, string];
      const forged = [head, base64url({ ...CLAIMS, sub: 'root' }), signature].join('.');
      const stranger = makeToken(makeSigner(algorithm), CLAIMS);
      const expired = makeToken(signer, { ...CLAIMS, exp: IN_AN_HOUR - 7200 });
      for (const wrong of [forged, stranger, expired, `${head}.${base64url(CLAIMS)}.`]) {
        const seen = await both.each({ role: 'jwt', send: bearer(wrong) });
        expect(seen.map(({ answer, upstream }) => [answer.status, upstream])).toEqual([
          [401, []],
          [401, []],
        ]);
      }
    },
  );

  test('a token that is missing, or right, is told of in the same words', async () => {
    expect(
      (await both.compare({ role: 'jwt', send: getRequest('/', 'plugin.test') })).answer.header(
        'www-authenticate',
      ),
    ).toBe('Bearer realm="api"');
    const right = makeToken(
      SIGNERS.find(({ algorithm }) => algorithm === 'ES256')!,
      CLAIMS,
    );
    const seen = await both.compare({ role: 'jwt', send: bearer(right) });
    expect(values(seen.upstream[0]!.fields, 'x-user')).toEqual(['mira']);
  });

  test('keys that the provider publishes', async () => {
    const [signer, stranger] = [makeSigner('ES256', 'one'), makeSigner('ES256', 'one')];
    const authz = reply(200, [['content-type', 'application/json']], JSON.stringify({ keys: [signer.jwk] }));
    for (const subject of [both.weir, both.envoy]) subject.authz.behaviour = authz;
    const ask = async (by: Signer): Promise<number[]> => {
      const seen = await both.each({ role: 'jwt-fetched', send: bearer(makeToken(by, CLAIMS)), authz });
      return seen.map(({ answer }) => answer.status);
    };
    await expect.poll(() => ask(signer)).toEqual([200, 200]);
    expect(await ask(stranger)).toEqual([401, 401]);
  });
});
