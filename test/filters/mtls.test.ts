import { describe, expect, test } from 'vitest';
import type { Filter, PropertyValue } from '../../filters-sdk/testing/testing.d.ts';
import { pairs } from '../support/pairs.ts';
import { linesOf, openBuiltIn, refusalOf } from '../support/filter.ts';

const DIGEST = 'ab'.repeat(32);
const IDENTITIES = [
  { name: 'build', spiffe: 'spiffe://acme.example/ns/*/sa/build', plan: 'gold' },
  { name: 'shop', spiffe: 'spiffe://acme.example/shop/**' },
  { name: 'exact', spiffe: 'spiffe://acme.example/one' },
  { name: 'root', spiffe: 'spiffe://other.example' },
  { name: 'partner', dns: 'Gateway.Partner.example' },
  { name: 'legacy', subject: 'CN=legacy,O=Acme\\, Inc' },
  { name: 'console', sha256: DIGEST.toUpperCase() },
  { name: 'old', dns: 'old.example', notAfter: '2020-01-01T00:00:00Z' },
];

const start = (config: object = {}): Promise<Filter> =>
  openBuiltIn('mtls', { identities: IDENTITIES, ...config });

interface Shown {
  readonly uri?: string;
  readonly dns?: string;
  readonly subject?: string;
  readonly digest?: string;
  readonly mtls?: boolean;
}

function propertiesOf({ uri, dns, subject, digest, mtls = true }: Shown): Record<string, PropertyValue> {
  return {
    'connection.mtls': mtls,
    ...(uri === undefined ? {} : { 'connection.uri_san_peer_certificate': uri }),
    ...(dns === undefined ? {} : { 'connection.dns_san_peer_certificate': dns }),
    ...(subject === undefined ? {} : { 'connection.subject_peer_certificate': subject }),
    ...(digest === undefined ? {} : { 'connection.sha256_peer_certificate_digest': digest }),
  };
}

async function verdict(filter: Filter, shown: Shown, xfcc: readonly string[] = []): Promise<string> {
  const headers = xfcc.map((value) => ['x-forwarded-client-cert', value] as const);
  const exchange = await filter.exchange({ request: { headers }, properties: propertiesOf(shown) });
  const { answer, upstream } = exchange;
  return upstream === null
    ? `${answer.status} ${answer.details}`
    : String(exchange.property('consumer.name'));
}

/** A list of names as hosts hand it over. */
const list = (...names: string[]): Uint8Array =>
  pairs(...names.map((name) => [name, ''] as [string, string]));

const UNKNOWN = '403 mtls_unknown';

describe('mtls, by the certificate of the connection', () => {
  test.each<[Shown, string]>([
    [{ uri: 'spiffe://acme.example/ns/a/sa/build' }, 'build'],
    [{ uri: 'spiffe://acme.example/ns/a/b/sa/build' }, UNKNOWN],
    [{ uri: 'spiffe://acme.example/ns//sa/build' }, UNKNOWN],
    [{ uri: 'spiffe://acme.example/ns/a/sa/build/x' }, UNKNOWN],
    [{ uri: 'spiffe://acme.example/ns/a/sa/builder' }, UNKNOWN],
    [{ uri: 'spiffe://acme.example/ns/a/sa' }, UNKNOWN],
    [{ uri: 'spiffe://acme.example.evil/ns/a/sa/build' }, UNKNOWN],
    [{ uri: 'spiffe://evil/acme.example/ns/a/sa/build' }, UNKNOWN],
    [{ uri: 'https://acme.example/ns/a/sa/build' }, UNKNOWN],
    [{ uri: 'spiffe://acme.example/shop/a' }, 'shop'],
    [{ uri: 'spiffe://acme.example/shop/a/b/c' }, 'shop'],
    [{ uri: 'spiffe://acme.example/shop' }, UNKNOWN],
    [{ uri: 'spiffe://acme.example/shop/' }, UNKNOWN],
    [{ uri: 'spiffe://acme.example/shop//a' }, UNKNOWN],
    [{ uri: 'spiffe://acme.example/shop/a//b' }, UNKNOWN],
    [{ uri: 'spiffe://acme.example/shopping/a' }, UNKNOWN],
    [{ uri: 'spiffe://acme.example/one' }, 'exact'],
    [{ uri: 'spiffe://acme.example/one/two' }, UNKNOWN],
    [{ uri: 'SPIFFE://acme.example/one' }, UNKNOWN],
    [{ uri: 'spiffe://other.example' }, 'root'],
    [{ dns: 'gateway.partner.example' }, 'partner'],
    [{ dns: 'GATEWAY.partner.EXAMPLE' }, 'partner'],
    [{ dns: 'a.gateway.partner.example' }, UNKNOWN],
    [{ subject: 'CN=legacy,O=Acme\\, Inc' }, 'legacy'],
    [{ subject: 'CN=legacy,O=Acme' }, UNKNOWN],
    [{ digest: DIGEST }, 'console'],
    [{ digest: 'cd'.repeat(32) }, UNKNOWN],
    [{ dns: 'old.example' }, UNKNOWN],
    [{}, UNKNOWN],
    // Several parts of one certificate may lead to the same one, and to none beside, but not to two.
    [{ dns: 'other.example', digest: DIGEST }, 'console'],
    [{ dns: 'gateway.partner.example', digest: DIGEST }, '403 mtls_ambiguous'],
    // One that was not verified is none.
    [{ digest: DIGEST, mtls: false }, '403 mtls_missing'],
  ])('%j: %s', async (shown, expected) => {
    expect(await verdict(await start(), shown)).toBe(expected);
  });

  test.each<[string, Record<string, PropertyValue>, string]>([
    ['the second DNS name', { dns: list('other.example', 'gateway.partner.example') }, 'partner'],
    ['the third URI', { uri: list('a:b', 'spiffe://evil/one', 'spiffe://acme.example/one') }, 'exact'],
    [
      'names of two',
      { dns: list('gateway.partner.example'), uri: list('spiffe://other.example') },
      '403 mtls_ambiguous',
    ],
    [
      'two names of one',
      { uri: list('spiffe://acme.example/shop/a', 'spiffe://acme.example/shop/b') },
      'shop',
    ],
    [
      'a name with another in it',
      { uri: list('a\0spiffe://other.example', 'b,spiffe://other.example') },
      UNKNOWN,
    ],
    ['no name', { uri: list(), dns: list() }, UNKNOWN],
  ])('looks at all names, where the host tells them: %s', async (_what, names, expected) => {
    const filter = await start();
    const exchange = await filter.exchange({
      properties: {
        'connection.mtls': true,
        // The first of them says nothing then.
        'connection.uri_san_peer_certificate': 'spiffe://acme.example/shop/x',
        ...Object.fromEntries(
          ['uri', 'dns'].map((kind) => [`connection.${kind}_sans_peer_certificate`, names[kind] ?? list()]),
        ),
      },
    });
    const { answer, upstream } = exchange;
    const got = upstream === null ? `${answer.status} ${answer.details}` : exchange.property('consumer.name');
    expect(got).toBe(expected);
  });

  test('tells who it is, and takes out what came under that name; the field of a proxy counts for nothing', async () => {
    const filter = await start({ consumerHeader: 'x-consumer' });
    const exchange = await filter.exchange({
      request: {
        headers: { 'X-Consumer': 'root', x_consumer: 'root', 'x-forwarded-client-cert': `Hash=${DIGEST}` },
      },
      properties: propertiesOf({ uri: 'spiffe://acme.example/ns/a/sa/build' }),
    });
    expect(linesOf(exchange.upstream!)).toEqual([
      `x-forwarded-client-cert: Hash=${DIGEST}`,
      'x-consumer: build',
    ]);
    expect(exchange.property('consumer.plan')).toBe('gold');
  });

  test('an empty list admits nobody', async () => {
    expect(await verdict(await start({ identities: [] }), { digest: DIGEST })).toBe(UNKNOWN);
  });

  test.each([
    [{ identities: undefined }, '"identities" is required'],
    [{ identities: [{ name: 'a' }] }, 'expected one of "dns", "uri", "spiffe", "subject" and "sha256"'],
    [{ identities: [{ name: 'a', dns: 'a', uri: 'b' }] }, 'expected one of'],
    [{ identities: [{ name: 'a', dns: '' }] }, 'identities[0].dns: is empty'],
    [{ identities: [{ name: 'a', spiffe: 'spiffe://*/a' }] }, 'expected spiffe://'],
    [{ identities: [{ name: 'a', spiffe: 'spiffe://a/b*' }] }, 'expected spiffe://'],
    [{ identities: [{ name: 'a', spiffe: 'spiffe://a/**/b' }] }, 'expected spiffe://'],
    [{ identities: [{ name: 'a', spiffe: 'spiffe://a/' }] }, 'expected spiffe://'],
    [{ identities: [{ name: 'a', spiffe: 'https://a/b' }] }, 'expected spiffe://'],
    [
      {
        identities: [
          { name: 'a', dns: 'A' },
          { name: 'b', dns: 'a' },
        ],
      },
      'this one stands in the list already',
    ],
    [{ forwarded: 17 }, 'forwarded: expected a whole number from 0 to 16'],
    [{ consumerLabel: {} }, 'consumerLabel: unknown field'],
  ])('refuses %j', async (config, message) => {
    expect((await refusalOf('mtls', { identities: IDENTITIES, ...config })).join('\n')).toContain(message);
  });
});

describe('mtls, by X-Forwarded-Client-Cert', () => {
  const PARTNER = 'By=spiffe://edge;Hash=00;DNS=x.example;DNS=gateway.partner.example';
  const SHOP = 'Hash=11;URI=spiffe://acme.example/shop/a';
  test.each<[number, string[], string]>([
    [1, [PARTNER], 'partner'],
    [1, [SHOP, PARTNER], 'partner'],
    [2, [SHOP, PARTNER], 'shop'],
    [2, [`${SHOP},${PARTNER}`], 'shop'],
    [3, [`${SHOP},${PARTNER}`], '403 mtls_missing'],
    [1, [], '403 mtls_missing'],
    [1, ['Subject="CN=legacy,O=Acme\\\\, Inc";Hash=1'], 'legacy'],
    [1, ['Subject="CN=x;URI=spiffe://acme.example/one,DNS=gateway.partner.example"'], UNKNOWN],
    [1, ['uri=spiffe://acme.example/one'], 'exact'],
    [1, ['URI="spiffe://acme.example/one"'], 'exact'],
    [1, [`Hash=${DIGEST};URI=spiffe://acme.example/one`], '403 mtls_ambiguous'],
    [1, ['By=spiffe://acme.example/one'], UNKNOWN],
    [1, [''], '403 mtls_missing'],
    [1, [',,'], UNKNOWN],
    [1, ['"'], '403 mtls_missing'],
    // What a client sent before the element that a trusted proxy appended.
    [
      1,
      ['URI=spiffe://acme.example/one;Subject="', 'Hash=1;Subject="CN=eve";URI=spiffe://evil'],
      '403 mtls_missing',
    ],
    [1, ['URI=spiffe://acme.example/one;Subject="\\', 'Hash=1;Subject="CN=eve"'], '403 mtls_missing'],
    [1, ['URI=spiffe://acme.example/one;Subject="', 'Hash=1;Subject="CN=\\"\\""'], '403 mtls_missing'],
    [1, ['URI=spiffe://acme.example/one;"', 'Hash=1;Subject="CN=eve"'], '403 mtls_missing'],
    [1, ['URI=spiffe://acme.example/one;Subject="a"b"', 'Hash=1;Subject="CN=eve"'], '403 mtls_missing'],
    [1, ['URI=spiffe://acme.example/one', 'Hash=1;Subject="CN=eve"'], UNKNOWN],
    [1, ['Subject="CN=\\"x\\",\\\\" ;URI=spiffe://acme.example/one'], 'exact'],
  ])('element %i of %j: %s', async (forwarded, fields, expected) => {
    const filter = await start({ forwarded });
    // The connection's own certificate is not what is asked for.
    expect(await verdict(filter, { digest: DIGEST }, fields)).toBe(expected);
  });
});
