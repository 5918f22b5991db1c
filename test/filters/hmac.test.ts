import { constants, createHash, createHmac, generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { createSigner, httpbis, type SigningKey } from 'http-message-signatures';
import { describe, expect, test } from 'vitest';
import { everySplit, openFilter, type Exchange, type Filter } from '@weir/filters-sdk/testing';
import { ROOT } from '../support/process.ts';

const MODULE = `${ROOT}dist/filters/hmac.wasm`;
const SECRET = 'a-secret-of-thirty-two-bytes-at-least';
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5) / 1000;

interface Message {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

const ORDER: Message = {
  method: 'POST',
  path: '/orders?id=7&q=a%20b',
  headers: { 'content-type': 'application/json' },
  body: '{"pieces": 3}',
};

async function open(config: object, now: number = NOW): Promise<Filter> {
  return openFilter(MODULE, {
    config,
    capabilities: ['default', 'secrets'],
    clock: now * 1000,
    bodyWhileHeld: true,
  });
}

const shared = { keys: [{ id: 'shop', secret: SECRET, name: 'mira' }] };

interface Signing {
  readonly signer?: SigningKey;
  readonly secret?: string;
  readonly id?: string;
  readonly fields?: string[];
  readonly created?: number;
  readonly more?: Record<string, unknown>;
  readonly name?: string;
}

/** The message with the fields that a library of others signs it with. */
async function signed(message: Message, signing: Signing = {}): Promise<Message> {
  const { secret = SECRET, id = 'shop', created = NOW, more = {}, name } = signing;
  const { headers } = await httpbis.signMessage(
    {
      key: signing.signer ?? createSigner(secret, 'hmac-sha256', id),
      fields: signing.fields ?? ['@method', '@authority', '@path', '@query'],
      ...(name === undefined ? {} : { name }),
      paramValues: { created: new Date(created * 1000), ...more },
      params: ['created', 'keyid', 'alg', ...Object.keys(more)],
    },
    { method: message.method, url: `http://example.test${message.path}`, headers: message.headers },
  );
  return {
    ...message,
    headers: Object.fromEntries(Object.entries(headers).map(([n, v]) => [n.toLowerCase(), String(v)])),
  };
}

const send = (filter: Filter, message: Message): Promise<Exchange> => filter.exchange({ request: message });

async function verdict(filter: Filter, message: Message): Promise<string> {
  const { answer, upstream } = await send(filter, message);
  expect(upstream === null).toBe(answer.status !== 200);
  return answer.status === 200 ? 'passes' : answer.details;
}

describe('vectors of RFC 9421, appendix B', () => {
  const request: Message = {
    method: 'POST',
    path: '/foo?param=Value&Pet=dog',
    headers: {
      date: 'Tue, 20 Apr 2021 02:07:55 GMT',
      'content-type': 'application/json',
      'content-digest':
        'sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:',
      'content-length': '18',
    },
    body: '{"hello": "world"}',
  };
  const at = 1618884473;
  const exchange = async (config: object, message: Message): Promise<Exchange> =>
    (await open({ components: ['@authority'], ...config }, at)).exchange({
      request: { ...message, authority: 'example.com' },
    });

  test('B.2.5, a shared secret', async () => {
    const keys = [
      {
        id: 'test-shared-secret',
        secretBase64:
          'uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==',
      },
    ];
    const headers = {
      ...request.headers,
      'signature-input': `sig-b25=("date" "@authority" "content-type");created=${at};keyid="test-shared-secret"`,
      signature: 'sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:',
    };
    expect((await exchange({ keys }, { ...request, headers })).answer.status).toBe(200);
    const later = { ...headers, date: 'Tue, 20 Apr 2021 02:07:56 GMT' };
    expect((await exchange({ keys }, { ...request, headers: later })).answer.details).toBe('hmac_invalid');
  });

  test('B.2.6, Ed25519', async () => {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs' };
    const headers = {
      ...request.headers,
      'signature-input': `sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=${at};keyid="test-key-ed25519"`,
      signature:
        'sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:',
    };
    const keys = [{ id: 'test-key-ed25519', algorithm: 'ed25519', jwk }];
    expect((await exchange({ keys }, { ...request, headers })).answer.status).toBe(200);
    expect((await exchange({ keys }, { ...request, method: 'PUT', headers })).answer.details).toBe(
      'hmac_invalid',
    );
  });
});

test('a request that a library of others signed passes and names its consumer', async () => {
  const filter = await open({ ...shared, consumerHeader: 'x-consumer' });
  const message = await signed(ORDER);
  const exchange = await send(filter, {
    ...message,
    headers: { ...message.headers, 'x-consumer': 'root', x_consumer: 'root' },
  });
  const { upstream } = exchange;
  expect(upstream!.headers['x-consumer']).toBe('mira');
  expect(exchange.property('consumer.name')).toBe('mira');
  expect(Object.keys(upstream!.headers)).not.toContain('x_consumer');
});

test('every algorithm with its own key, and none with the key of another', async () => {
  const pairs = {
    ed25519: generateKeyPairSync('ed25519'),
    'ecdsa-p256-sha256': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    'ecdsa-p384-sha384': generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    'rsa-pss-sha512': generateKeyPairSync('rsa', { modulusLength: 2048 }),
    'rsa-v1_5-sha256': generateKeyPairSync('rsa', { modulusLength: 2048 }),
  } as const;
  for (const [alg, { publicKey, privateKey }] of Object.entries(pairs)) {
    const filter = await open({
      keys: [{ id: 'shop', algorithm: alg, jwk: publicKey.export({ format: 'jwk' }) }],
    });
    // The library's own salt is not as long as section 3.3.1 says.
    const pss = { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 };
    const signer: SigningKey =
      alg === 'rsa-pss-sha512'
        ? { id: 'shop', alg, sign: async (data) => sign('sha512', data, pss) }
        : createSigner(privateKey, alg, 'shop');
    expect([alg, await verdict(filter, await signed(ORDER, { signer }))]).toEqual([alg, 'passes']);
    expect(await verdict(filter, await signed(ORDER))).toBe('hmac_invalid');
  }
});

test('no bit of what is covered, of the signature or of its parameters can change', async () => {
  const filter = await open(shared);
  const message = await signed(ORDER);
  expect(await verdict(filter, message)).toBe('passes');
  const { signature, 'signature-input': input } = message.headers as Record<string, string>;
  const changed: Message[] = [
    { ...message, method: 'PUT' },
    { ...message, path: '/orders?id=8&q=a%20b' },
    { ...message, path: '/Orders?id=7&q=a%20b' },
    {
      ...message,
      headers: { ...message.headers, signature: signature!.replace(/:./, ':A').replace(/:AA/, ':BA') },
    },
    {
      ...message,
      headers: {
        ...message.headers,
        'signature-input': input!.replace(`created=${NOW}`, `created=${NOW - 1}`),
      },
    },
  ];
  for (const one of changed) expect(await verdict(filter, one)).toBe('hmac_invalid');
});

test('a signature must cover what is asked for, come in its time, and say whose it is', async () => {
  const filter = await open(shared);
  const cases: [Signing, string][] = [
    [{ fields: ['@method', '@path', '@query'] }, 'hmac_invalid'],
    [{ fields: [] }, 'hmac_invalid'],
    [{ id: 'nobody' }, 'hmac_invalid'],
    [{ created: NOW - 331 }, 'hmac_expired'],
    [{ created: NOW - 329 }, 'passes'],
    [{ created: NOW + 31 }, 'hmac_expired'],
    [{ created: NOW + 29 }, 'passes'],
    [{ more: { expires: new Date((NOW - 31) * 1000) } }, 'hmac_expired'],
    [{ more: { expires: new Date((NOW + 5) * 1000) } }, 'passes'],
    [{ secret: 'another-secret-of-thirty-two-bytes-too' }, 'hmac_invalid'],
  ];
  for (const [signing, expected] of cases)
    expect([signing, await verdict(filter, await signed(ORDER, signing))]).toEqual([signing, expected]);
  expect(await verdict(filter, ORDER)).toBe('hmac_missing');
});

test('a field that is signed comes in no other spelling beside', async () => {
  const filter = await open({ ...shared, components: ['@method', 'x-role'] });
  const message = await signed(
    { ...ORDER, headers: { 'x-role': 'user' } },
    { fields: ['@method', 'x-role'] },
  );
  expect(await verdict(filter, message)).toBe('passes');
  for (const name of ['x_role', 'x.role', 'X_ROLE']) {
    const more = { ...message, headers: { ...message.headers, [name]: 'admin' } };
    expect(await verdict(filter, more), name).toBe('hmac_invalid');
  }
  // Names that are longer, or others, are nobody's business.
  const other = { ...message, headers: { ...message.headers, 'x-roles': 'admin' } };
  expect(await verdict(filter, other)).toBe('passes');
});

test('a key tells its plan and labels, and counts until it ends', async () => {
  const key = { id: 'shop', secret: SECRET, name: 'mira', plan: 'gold', labels: { app: 'a' } };
  const filter = await open({ keys: [{ ...key, notAfter: '2026-01-02T03:04:05Z' }] });
  const exchange = await send(filter, await signed(ORDER));
  expect(['name', 'plan', 'labels.app'].map((name) => exchange.property(`consumer.${name}`))).toEqual([
    'mira',
    'gold',
    'a',
  ]);
  await filter.clock.advance(1000);
  expect(await verdict(filter, await signed(ORDER))).toBe('hmac_expired');
  expect(await verdict(filter, await signed(ORDER, { secret: 'x'.repeat(32) }))).toBe('hmac_invalid');
  // Nobody is admitted where there is nobody.
  expect(await verdict(await open({ keys: [] }), await signed(ORDER))).toBe('hmac_invalid');
});

test('a signature is of one label, one request and one time', async () => {
  const filter = await open(shared);
  const message = await signed(ORDER);
  const change = (fields: Record<string, string>, path = ORDER.path): Promise<string> =>
    verdict(filter, { ...message, path, headers: { ...message.headers, ...fields } });
  const { 'signature-input': input = '', signature = '' } = message.headers;
  expect(await change({})).toBe('passes');
  for (const [what, answer] of [
    ['the label twice', change({ 'signature-input': `${input}, ${input}` })],
    ['the signature twice', change({ signature: `${signature}, ${signature}` })],
    ['another label', change({ 'signature-input': input.replace(/^[a-z0-9]+=/, 'other=') })],
    ['created later', change({ 'signature-input': input.replace(/created=\d+/, `created=${NOW + 1}`) })],
    ['created twice', change({ 'signature-input': `${input};created=${NOW}` })],
    ['no time', change({ 'signature-input': input.replace(/;created=\d+/, '') })],
    ['another key', change({ 'signature-input': input.replace('keyid="shop"', 'keyid="shop "') })],
    ['one parameter more', change({ 'signature-input': `${input};x="1"` })],
    ['one component more', change({ 'signature-input': input.replace('")', '" "content-type")') })],
    ['another path', change({}, '/orders/7?id=7&q=a%20b')],
    ['another query', change({}, '/orders?id=7&q=a%20b&admin=1')],
  ] as const)
    expect([what, await answer]).toEqual([what, 'hmac_invalid']);
});

test('a nonce counts once, also where it is not required', async () => {
  const filter = await open({ ...shared, nonceRequired: true });
  expect(await verdict(filter, await signed(ORDER))).toBe('hmac_invalid');
  const message = await signed(ORDER, { more: { nonce: 'n-1' } });
  expect(await verdict(filter, message)).toBe('passes');
  expect(await verdict(filter, message)).toBe('hmac_replayed');
  expect(await verdict(filter, await signed(ORDER, { more: { nonce: 'n-2' } }))).toBe('passes');
  // As long as it could pass for a fresh one; then its time is over.
  await filter.clock.advance(329_000);
  expect(await verdict(filter, message)).toBe('hmac_replayed');
  await filter.clock.advance(2_000);
  expect(await verdict(filter, message)).toBe('hmac_expired');
});

test('of several signatures one that counts is enough, by label and tag where those are named', async () => {
  const good = await signed(ORDER, { name: 'ours', more: { tag: 'shop' } });
  const other = await signed(ORDER, { name: 'theirs', id: 'other', secret: 'x'.repeat(32) });
  const both = (first: Message, second: Message): Message => ({
    ...ORDER,
    headers: {
      ...ORDER.headers,
      'signature-input': `${first.headers['signature-input']!}, ${second.headers['signature-input']!}`,
      signature: `${first.headers['signature']!}, ${second.headers['signature']!}`,
    },
  });
  for (const message of [both(good, other), both(other, good)]) {
    expect(await verdict(await open(shared), message)).toBe('passes');
    expect(await verdict(await open({ ...shared, label: 'ours', tag: 'shop' }), message)).toBe('passes');
    expect(await verdict(await open({ ...shared, label: 'theirs' }), message)).toBe('hmac_invalid');
    expect(await verdict(await open({ ...shared, tag: 'bank' }), message)).toBe('hmac_invalid');
  }
  expect(await verdict(await open(shared), both(good, good))).toBe('hmac_invalid');
});

describe('a body', () => {
  const digest = (algorithm: 'sha256' | 'sha512', body: string): string =>
    `sha-${algorithm.slice(3)}=:${createHash(algorithm).update(body).digest('base64')}:`;
  const fields = ['@method', '@authority', '@path', '@query', 'content-digest'];
  const withDigest = async (value: string, body = ORDER.body!): Promise<Message> => ({
    ...(await signed({ ...ORDER, headers: { ...ORDER.headers, 'content-digest': value } }, { fields })),
    body,
  });
  const config = { ...shared, body: { maxBytes: 100 } };

  test('must be the one that was signed, by SHA-256, SHA-512 or both', async () => {
    const filter = await open(config);
    const [short, long] = [digest('sha256', ORDER.body!), digest('sha512', ORDER.body!)];
    for (const value of [short, long, `${short}, ${long}`])
      expect(await verdict(filter, await withDigest(value))).toBe('passes');
    for (const value of [short, long, `${short}, ${long}`])
      expect(await verdict(filter, await withDigest(value, '{"pieces": 9}'))).toBe('hmac_digest');
    expect(await verdict(filter, await withDigest(`${short}, ${digest('sha512', 'x')}`))).toBe('hmac_digest');
    expect(await verdict(filter, await withDigest('md5=:AAAA:'))).toBe('hmac_digest');
    expect(await verdict(filter, await signed(ORDER))).toBe('hmac_invalid');
  });

  test('may come in any pieces, and goes on as it came', async () => {
    const filter = await open(config);
    const message = await withDigest(digest('sha512', ORDER.body!));
    for (const body of everySplit(ORDER.body!)) {
      const { upstream } = await filter.exchange({ request: { ...message, body } });
      expect(upstream!.body).toBe(ORDER.body);
    }
  });

  test('that is larger than what is looked at is refused', async () => {
    const body = 'x'.repeat(101);
    expect(await verdict(await open(config), await withDigest(digest('sha256', body), body))).toBe(
      'hmac_body_too_large',
    );
  });

  test('digests are those of node:crypto at every length around a block', async () => {
    const filter = await open({ ...shared, body: { maxBytes: 1000 } });
    for (const size of [1, 55, 56, 63, 64, 65, 111, 112, 119, 127, 128, 129, 255, 256, 257]) {
      const body = 'y'.repeat(size);
      for (const algorithm of ['sha256', 'sha512'] as const)
        expect([size, await verdict(filter, await withDigest(digest(algorithm, body), body))]).toEqual([
          size,
          'passes',
        ]);
    }
  });
});

test('a parameter of the query is covered alone, and only where there is one of its name', async () => {
  const filter = await open({ ...shared, components: ['@method'] });
  const identifier = '"@query-param";name="q"';
  const params = `("@method" ${identifier});created=${NOW};keyid="shop"`;
  const base = `"@method": GET\n${identifier}: a%20b\n"@signature-params": ${params}`;
  const signature = createHmac('sha256', SECRET).update(base).digest('base64');
  const headers = { 'signature-input': `s=${params}`, signature: `s=:${signature}:` };
  const ask = (path: string): Promise<string> => verdict(filter, { method: 'GET', path, headers });
  expect(await ask('/?q=a%20b')).toBe('passes');
  expect(await ask('/?x=1&%71=a+b')).toBe('passes');
  expect(await ask('/?q=a%20c')).toBe('hmac_invalid');
  expect(await ask('/?q=a%20b&q=a%20b')).toBe('hmac_invalid');
  expect(await ask('/')).toBe('hmac_invalid');
});

test('whatever stands in the fields, nobody passes without a signature', async () => {
  const filter = await open(shared);
  const message = await signed(ORDER);
  const { signature, 'signature-input': input } = message.headers as Record<string, string>;
  const mangled = (text: string): fc.Arbitrary<string> =>
    fc
      .tuple(fc.nat(text.length), fc.nat(6), fc.string({ unit: fc.constantFrom(...'";=(),:@ ab0*\\') }))
      .map(([at, cut, insert]) => text.slice(0, at) + insert + text.slice(at + cut));
  await fc.assert(
    fc.asyncProperty(
      mangled(input!),
      fc.oneof(fc.constant(signature!), mangled(signature!)),
      async (i, s) => {
        const headers = { ...message.headers, 'signature-input': i.trim(), signature: s.trim() };
        fc.pre(headers['signature-input'] !== input || headers.signature !== signature);
        const { answer } = await send(filter, { ...message, headers });
        // What is left may be the same signature beside another: the one that was made is still there then.
        if (answer.status === 200) expect(i).toContain(input!.slice(input!.indexOf('=')));
        else expect(answer.status).toBe(401);
      },
    ),
    { numRuns: 1000 },
  );
});

test.each<[string, unknown, RegExp]>([
  ['no keys', { components: ['@path'] }, /"keys" is required/],
  ['a short secret', { keys: [{ id: 'a', secret: 'short' }] }, /32 bytes/],
  ['a private key', { keys: [{ id: 'a', algorithm: 'ed25519', jwk: { kty: 'OKP', d: 'x' } }] }, /public key/],
  [
    'an id twice',
    {
      keys: [
        { id: 'a', secret: SECRET },
        { id: 'a', secret: SECRET },
      ],
    },
    /another key/,
  ],
  ['an unknown component', { ...shared, components: ['@nothing'] }, /expected the name/],
])('refuses a configuration with %s', async (_name, config, message) => {
  await expect(openFilter(MODULE, { config })).rejects.toThrow(message);
});
