/** Configurations with random requests for them: a shop with routes and retries, a town where access is decided in many ways. */
import type { Dice } from '../support/dice.ts';
import { makeSigner, makeToken } from '../filters/jwt/tokens.ts';
import type { Sample, Scene } from './agreement.ts';

type Fields = Sample['headers'];

const HOSTS = [
  'checkout.example.com',
  'Checkout.Example.COM',
  'admin.example.com',
  'x.example.com',
  'example.org',
];
const SEGMENTS = [
  'v1',
  'v1x',
  'old',
  'healthz',
  'beta',
  'cart',
  '%76%31',
  '.',
  '..',
  '%2e%2e',
  '',
  'a%2Fb',
  'ü',
];
const QUERIES = ['', '?user=12', '?user=x', '?user=1&user=x', '?%75ser=7', '?'];
const FIELDS: Fields = [
  ['x-api-key', 'acme-key'],
  ['x-api-key', 'acme-key'],
  ['x-api-key', 'other'],
  ['x-beta', 'yes'],
  ['x-beta', 'no'],
  ['x-internal', '1'],
  ['origin', 'https://app.example.com'],
  ['origin', 'https://other.example.com'],
  ['access-control-request-method', 'GET'],
  ['x-forwarded-for', '6.6.6.6'],
];

export const SHOP: Scene = {
  file: 'shop.yaml',
  place: (text, port, upstreamPort) =>
    text
      .replaceAll('port: 8080', `port: ${port}`)
      .replaceAll(/address: 10\.0\.0\.\d, port: 9001/g, `address: 127.0.0.1, port: ${upstreamPort}`)
      .replace(
        'dns: {name: admin.internal, port: 80}',
        `static: [{address: 127.0.0.1, port: ${upstreamPort}}]`,
      )
      .replace('requests: 2, per: 1m', 'requests: 1000000, per: 1s'),
  draw: drawInShop,
};

function drawInShop(dice: Dice): Sample {
  const segments = Array.from({ length: 1 + dice.below(3) }, () => dice.pick(SEGMENTS));
  const fields = FIELDS.filter(() => dice.chance(0.25));
  return {
    method: dice.pick(['GET', 'GET', 'POST', 'OPTIONS', 'HEAD', 'DELETE']),
    host: dice.chance(0.7) ? HOSTS[0]! : dice.pick(HOSTS),
    target: encodeURI(`/${segments.join('/')}`).replaceAll('%25', '%') + dice.pick(QUERIES),
    headers: fields,
  };
}

const SIGNER = makeSigner('ES256', 'one');
const HOUR = 3600;
const now = Math.floor(Date.now() / 1000);
const claims = (more: object = {}): object => ({
  iss: 'https://id.test',
  aud: 'market',
  sub: 'u1',
  exp: now + 24 * HOUR,
  ...more,
});
const TOKENS = [
  makeToken(SIGNER, claims({ roles: ['trader'] })),
  makeToken(SIGNER, claims({ roles: ['guest'] })),
  makeToken(SIGNER, claims({ roles: ['trader'], exp: now - HOUR })),
  makeToken(SIGNER, claims({ roles: ['trader'], aud: 'hall' })),
  makeToken(makeSigner('ES256', 'one'), claims({ roles: ['trader'] })),
  'a.b.c',
];
const BASIC = ['bob:word-of-bob', 'bob:other', 'eve:word-of-bob', 'nothing'];
const DOORS = [
  [
    '/office',
    '/office/x',
    '/office/vault',
    '/office/%76ault/x',
    '/office/x/../vault',
    '/office?key=key-of-ann',
    '/office/x?debug=1',
    '/office?debug=%31&debug=0',
  ],
  ['/archive/7', '/old/x?a=b', '/people', '/people/x', '/nowhere', '/office;a=b/vault'],
  [
    '/stalls/7',
    '/stalls/7/fish',
    '/stalls/8/fish?q=cod&debug=1',
    '/stalls/8/till',
    '/stalls/8%2Ftill',
    '/graphql',
  ],
];
const OPERATIONS = ['{ a { b } }', '{ a { b { c } } }', '{ a', 'query Q { __typename }'];

/** Requests mostly with what the door that they come to asks for. */
function drawInTown(dice: Dice): Sample {
  const door = dice.pick([0, 0, 1, 2, 2]);
  const target = dice.pick(DOORS[door]!);
  const graph = target === '/graphql' && dice.chance(0.8);
  const headers: (readonly [string, string])[] = [
    ['x-pass', dice.chance(0.2) ? 'busy' : `p${dice.below(4000)}`],
  ];
  if (dice.chance(0.7))
    headers.push(['x-key', dice.pick(['key-of-ann', 'key-of-ann', 'key-of-gone', 'key-of-eve'])]);
  if (dice.chance(0.7) && door === 2) headers.push(['authorization', `Bearer ${dice.pick(TOKENS)}`]);
  if (dice.chance(0.7) && door === 1)
    headers.push(['authorization', `Basic ${Buffer.from(dice.pick(BASIC)).toString('base64')}`]);
  if (dice.chance(0.1)) headers.push(['user-agent-kind', dice.pick(['bot', 'evil-7', 'good, bot', 'good'])]);
  if (dice.chance(0.2)) headers.push(['x-role', dice.pick(['ops', 'ops, dev', 'dev'])]);
  if (dice.chance(0.1)) headers.push(['x_role', 'ops']);
  if (dice.chance(0.2))
    headers.push(['origin', dice.pick(['https://app.test', 'https://evil.test', 'null'])]);
  if (dice.chance(0.2)) headers.push(['sec-fetch-site', dice.pick(['same-origin', 'cross-site', 'none'])]);
  if (graph) headers.push(['content-type', 'application/json']);
  return {
    method: graph ? 'POST' : dice.pick(['GET', 'GET', 'GET', 'POST', 'DELETE', 'PUT', 'HEAD']),
    host: dice.chance(0.05)
      ? 'other.test'
      : door === 2
        ? dice.pick(['a.market.test', 'B.Market.test.'])
        : 'hall.test',
    target,
    headers,
    ...(graph ? { body: JSON.stringify({ query: dice.pick(OPERATIONS) }) } : {}),
  };
}

export const TOWN: Scene = {
  file: 'town.yaml',
  place: (text, port, upstreamPort) =>
    text
      .replaceAll('port: 8080', `port: ${port}`)
      .replaceAll(/address: 10\.0\.0\.\d, port: 9001/g, `address: 127.0.0.1, port: ${upstreamPort}`)
      .replace('JWK', JSON.stringify(SIGNER.jwk)),
  draw: drawInTown,
};
