import { createHmac, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Filter } from '../../../filters-sdk/testing/testing.d.ts';
import { linesOf, openBuiltIn } from '../../support/filter.ts';
import { attacksOn } from './attacks.ts';
import { ALGORITHMS, base64url, CLAIMS, makeSigner, makeToken, NOW, type Signer } from './tokens.ts';

const signers = new Map(ALGORITHMS.map((algorithm) => [algorithm, makeSigner(algorithm)]));
const es = signers.get('ES256')!;
const rs = signers.get('RS256')!;

const start = (provider: object = {}, config: object = {}): Promise<Filter> =>
  openBuiltIn('jwt', {
    providers: [
      {
        name: 'id',
        issuer: 'https://id.test',
        audiences: ['shop'],
        jwks: { keys: [...signers.values()].map(({ jwk }) => jwk) },
        ...provider,
      },
    ],
    ...config,
  });

type Fields = readonly (readonly [name: string, value: string])[];

const bearer = (token: string): Fields => [['authorization', `Bearer ${token}`]];

/** `admitted`, or the status and the details of what the filter answers. */
async function asked(filter: Filter, headers: Fields): Promise<string> {
  const { answer, upstream } = await filter.exchange({ request: { headers } });
  return upstream === null ? `${answer.status} ${answer.details}` : 'admitted';
}

/** The fields of an admitted request. */
const sent = async (filter: Filter, headers: Fields): Promise<string[]> =>
  linesOf((await filter.exchange({ request: { headers } })).upstream!);

describe('a right token', () => {
  test.each(ALGORITHMS)('of %s is admitted, the first time and from the cache', async (algorithm) => {
    const filter = await start();
    const token = makeToken(signers.get(algorithm)!);
    expect(await asked(filter, bearer(token))).toBe('admitted');
    expect(await asked(filter, bearer(token))).toBe('admitted');
  });

  test('tells claims to the upstream, and takes out what came under those names', async () => {
    const filter = await start({
      claimsToHeaders: [
        { claim: 'sub', header: 'x-user' },
        { claim: ['realm', 'roles'], header: 'x-roles' },
        { claim: 'level', header: 'x-level' },
        { claim: 'none', header: 'x-none' },
      ],
      consumerClaim: 'sub',
    });
    const token = makeToken(es, { ...CLAIMS, realm: { roles: ['a', 'b'] }, level: 2.5 });
    const headers = [...bearer(token), ['x-user', 'root'], ['X_User', 'root'], ['x-none', 'root']] as const;
    const exchange = await filter.exchange({ request: { headers } });
    expect(linesOf(exchange.upstream!)).toEqual([
      `authorization: Bearer ${token}`,
      'x-user: u1',
      'x-roles: a,b',
      'x-level: 2.5',
    ]);
    expect(exchange.property('consumer.name')).toBe('u1');
  });
});

describe('consumers', () => {
  const issuer = 'https://id.test';
  const consumers = [
    { name: 'acme', issuer, claim: 'org', equals: 'acme', plan: 'gold' },
    { name: 'beta', issuer, claim: ['realm', 'groups'], equals: 'beta' },
    { name: 'acme', issuer, claim: ['realm', 'groups'], equals: 'acme' },
    { name: 'old', issuer, claim: 'org', equals: 'old', notAfter: '2023-11-14T22:13:19Z' },
    { name: 'other', issuer: 'https://other.test', claim: 'org', equals: 'other' },
  ];
  const send = async (claims: object, config: object = { consumers }) => {
    const filter = await start({ consumerClaim: 'sub' }, config);
    const token = makeToken(es, { ...CLAIMS, ...claims });
    // The second time from the cache.
    const answers: string[] = [];
    for (let i = 0; i < 2; i++) {
      const exchange = await filter.exchange({ request: { headers: bearer(token) } });
      const { status, details } = exchange.answer;
      const told = ['name', 'plan'].map((each) => exchange.property(`consumer.${each}`) ?? '');
      answers.push(exchange.upstream === null ? `${status} ${details}` : told.join(' ').trim());
    }
    expect(answers[0]).toBe(answers[1]);
    return answers[0];
  };

  test.each([
    ['a claim that is a text', { org: 'acme' }, 'acme gold'],
    ['a list with a value of one', { realm: { groups: ['x', 'beta'] } }, 'beta'],
    ['two claims of the same one', { org: 'acme', realm: { groups: ['acme'] } }, 'acme'],
    ['claims of two', { org: 'acme', realm: { groups: ['beta'] } }, '403 jwt_no_consumer'],
    ['a list with values of two', { realm: { groups: ['acme', 'beta'] } }, '403 jwt_no_consumer'],
    ['another value', { org: 'acme2' }, '403 jwt_no_consumer'],
    ['another case', { org: 'ACME' }, '403 jwt_no_consumer'],
    ['a number', { org: 7 }, '403 jwt_no_consumer'],
    ['none of the claims', {}, '403 jwt_no_consumer'],
    ['an entry whose time is over', { org: 'old' }, '403 jwt_no_consumer'],
    ['an entry of another issuer', { org: 'other' }, '403 jwt_no_consumer'],
  ])('%s', async (_, claims, expected) => {
    expect(await send(claims)).toBe(expected);
  });

  test('an empty list admits nobody, and none at all asks for nobody', async () => {
    expect(await send({ org: 'acme' }, { consumers: [] })).toBe('403 jwt_no_consumer');
    expect(await send({ org: 'acme' }, {})).toBe('u1');
  });

  test('an entry that ends takes the token that was remembered with it', async () => {
    const notAfter = new Date((NOW + 1) * 1000).toISOString();
    const filter = await start(
      {},
      { consumers: [{ name: 'a', issuer, claim: 'sub', equals: 'u1', notAfter }] },
    );
    const token = makeToken(es);
    expect(await asked(filter, bearer(token))).toBe('admitted');
    await filter.clock.advance(1001);
    expect(await asked(filter, bearer(token))).toBe('403 jwt_no_consumer');
  });
});

const verdict = async (token: string, provider: object = {}): Promise<string> =>
  asked(await start(provider), bearer(token));

const INVALID = '401 jwt_invalid';

const claims = (more: object): object => ({ ...CLAIMS, ...more });

describe('a token is refused', () => {
  const token = makeToken(es);

  test.each(attacksOn(es))('%s', async (_, bad) => {
    expect(await verdict(bad)).toBe(INVALID);
  });

  test('of more than 8 KiB', async () => {
    expect(await verdict(makeToken(es, claims({ pad: 'x'.repeat(8192) })))).toBe(INVALID);
  });

  test.each(['HS256', 'HS384', 'HS512'])('of %s, made with a public key as the secret', async (alg) => {
    const input = `${base64url({ alg, kid: 'RS256' })}.${base64url(CLAIMS)}`;
    for (const secret of [JSON.stringify(rs.jwk), String(rs.jwk['n'])]) {
      const mac = createHmac(`sha${alg.slice(2)}`, secret)
        .update(input)
        .digest();
      expect(await verdict(`${input}.${base64url(mac)}`)).toBe(INVALID);
    }
  });

  test('of an algorithm that its provider is not known for', async () => {
    expect(await verdict(token, { algorithms: ['RS256'] })).toBe(INVALID);
    expect(await verdict(makeToken(rs), { algorithms: ['RS256'] })).toBe('admitted');
  });

  test('of a key that does not fit the algorithm, whatever the key set says', async () => {
    const { kid, jwk } = rs;
    const keys = [{ ...jwk, alg: 'ES256', kid }];
    expect(await verdict(makeToken(es, CLAIMS, { kid }), { jwks: { keys } })).toBe(INVALID);
    const p384 = { ...signers.get('ES384')!.jwk, alg: 'ES256', kid: 'x' };
    const crossed = makeToken({ ...signers.get('ES384')!, algorithm: 'ES256', kid: 'x' });
    expect(await verdict(crossed, { jwks: { keys: [p384] } })).toBe(INVALID);
  });

  test('of a key of RSA that is too short', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const short: Signer = {
      algorithm: 'RS256',
      kid: 's',
      privateKey,
      jwk: { ...publicKey.export({ format: 'jwk' }), kid: 's' },
    };
    expect(await verdict(makeToken(short), { jwks: { keys: [short.jwk] } })).toBe(INVALID);
  });

  test('that expired, or begins later, beyond the skew; 401 says so only where the signature is right', async () => {
    const skew = { clockSkew: '10s' };
    for (const late of [{ exp: NOW - 11 }, { nbf: NOW + 11 }, { iat: NOW + 11 }])
      expect(await verdict(makeToken(es, claims(late)), skew)).toBe('401 jwt_expired');
    for (const near of [{ exp: NOW - 9 }, { nbf: NOW + 9 }, { iat: NOW + 9 }])
      expect(await verdict(makeToken(es, claims(near)), skew)).toBe('admitted');
    const forged = makeToken(es, claims({ exp: NOW - 11 })).slice(0, -20) + base64url(Buffer.alloc(15, 7));
    expect(await verdict(forged, skew)).toBe(INVALID);
  });

  test.each([
    ['at+jwt', 'admitted'],
    ['AT+JWT', 'admitted'],
    ['application/at+jwt', 'admitted'],
    ['JWT', INVALID],
    ['logout+jwt', INVALID],
    ['at+jwt ', INVALID],
    ['application/', INVALID],
    ['application/application/at+jwt', INVALID],
    [['at+jwt'], INVALID],
    [undefined, INVALID],
  ])('of the kind %j, where others are asked for: %s', async (typ, expected) => {
    for (const types of [['at+jwt'], ['a', 'application/at+jwt']])
      expect(await verdict(makeToken(es, CLAIMS, { typ }), { types })).toBe(expected);
    expect(await verdict(makeToken(es, CLAIMS, { typ }))).toBe('admitted');
  });

  test('from the cache as well, once its time is over', async () => {
    const filter = await start({ clockSkew: '0s' });
    const soon = makeToken(es, claims({ exp: NOW + 5 }));
    expect(await asked(filter, bearer(soon))).toBe('admitted');
    await filter.clock.advance(5000);
    expect(await asked(filter, bearer(soon))).toBe('401 jwt_expired');
  });
});

describe('what else comes with a request', () => {
  const token = makeToken(es);

  test('no token: 401 with a challenge without an error, or admitted where none is required', async () => {
    const filter = await start({}, { realm: 'shop' });
    const { answer } = await filter.exchange();
    expect(answer.status).toBe(401);
    expect(linesOf(answer)).toContain('www-authenticate: Bearer realm="shop"');
    expect(await asked(filter, [['authorization', 'Basic dTpw']])).toBe('401 jwt_missing');
    const open = await start({ claimsToHeaders: [{ claim: 'sub', header: 'x-user' }] }, { required: false });
    expect(await sent(open, [['x-user', 'root']])).toEqual([]);
  });

  test('a bad token is refused where none is required, too', async () => {
    const open = await start({}, { required: false });
    const { answer } = await open.exchange({ request: { headers: bearer('x') } });
    expect(linesOf(answer)).toContain('www-authenticate: Bearer realm="api", error="invalid_token"');
    // What a server behind could take for a token is one.
    for (const value of [`Bearer\t${token}x`, 'Bearer', 'BEARER  ', `Bearer,${token}`, `Bearer="${token}"`])
      expect(await asked(open, [['authorization', value]]), value).toBe(INVALID);
    expect(await asked(open, [['authorization', `Bearer\t${token}`]])).toBe('admitted');
  });

  test('two tokens are refused, though each is right', async () => {
    const filter = await start(
      {},
      { from: [{ header: 'authorization', scheme: 'Bearer' }, { cookie: 'session' }] },
    );
    expect(await asked(filter, [...bearer(token), ...bearer(token)])).toBe(INVALID);
    expect(await asked(filter, [...bearer(token), ['cookie', `session=${token}`]])).toBe(INVALID);
    for (const cookies of [
      [`session=${token}; session=${token}`],
      [`session=${token}`, `a=b; session=${token}`],
      [`session=x; session=${token}`],
    ]) {
      const fields = cookies.map((value) => ['cookie', value] as const);
      expect(await asked(filter, fields)).toBe(INVALID);
    }
    expect(await asked(filter, [['cookie', `a=b; session="${token}"`]])).toBe('admitted');
  });

  test('a token is taken out where the configuration says so', async () => {
    const filter = await start({}, { stripCredential: true });
    expect(await sent(filter, [...bearer(token), ['accept', '*/*']])).toEqual(['accept: */*']);
  });

  test('a claim that is not fit for a header is left out, and what came from outside with it', async () => {
    const filter = await start({ claimsToHeaders: [{ claim: 'sub', header: 'x-user' }] });
    const token = makeToken(es, claims({ sub: 'a\r\nx: y' }));
    const fields = await sent(filter, [...bearer(token), ['x-user', 'root']]);
    expect(fields.filter((field) => field.startsWith('x-'))).toEqual([]);
  });
});
