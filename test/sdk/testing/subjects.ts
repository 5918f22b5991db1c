// What the kit and a proxy with sockets are both put through.
import { generateKeyPairSync, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { CallAnswer, RequestSpec, ResponseSpec } from '../../../filters-sdk/testing/testing.d.ts';
import { makeSigner, makeToken, CLAIMS } from '../../filters/jwt/tokens.ts';
import { exampleFile } from '../../support/examples.ts';
import { filterBytes } from '../../support/filter.ts';
import { pluginBytes } from '../../support/plugin.ts';

export interface Case {
  readonly title: string;
  readonly request?: RequestSpec;
  readonly response?: ResponseSpec;
}

/** What is known of a call on either side. */
export interface SeenCall {
  readonly upstream: string;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Subject {
  readonly name: string;
  readonly bytes: () => Uint8Array | Promise<Uint8Array>;
  readonly config?: unknown;
  readonly capabilities?: readonly string[];
  readonly bodyWhileHeld?: boolean;
  /** Of the upstreams that it calls; null: closed without an answer. */
  readonly calls?: Readonly<
    Record<string, (call: SeenCall) => Exclude<CallAnswer, { fail: string } | null> | null>
  >;
  /** It calls in its tick, not for a request. */
  readonly callsByItself?: boolean;
  readonly cases: readonly Case[];
}

const ORIGIN = 'https://shop.test';
const HTML = { 'content-type': 'text/html' };
/** In seconds: tokens hold now, by the clock of the proxy. */
const NOW = Math.floor(Date.now() / 1000);
const SIGNER = makeSigner('ES256');
const PARTNER = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const tokenOf = (claims: object): string =>
  makeToken(SIGNER, { ...CLAIMS, iat: NOW - 10, exp: NOW + 3600, ...claims });
const bearer = (token: string): RequestSpec => ({ headers: { authorization: `Bearer ${token}` } });
const webhook = (body: string[], signed: string): RequestSpec => ({
  method: 'POST',
  headers: { 'x-signature': sign('sha256', Buffer.from(signed), PARTNER.privateKey).toString('base64') },
  body,
});

function example(name: string): () => Promise<Uint8Array> {
  return async () => readFile(await exampleFile(name));
}

export const SUBJECTS: readonly Subject[] = [
  {
    name: 'headers',
    bytes: () => filterBytes('headers'),
    config: {
      request: { set: { 'x-set': 'a' }, add: { 'x-many': 'b' }, remove: ['x-gone'] },
      response: { set: { 'x-answer': 'c' }, remove: ['x-secret'] },
    },
    cases: [
      {
        title: 'fields set, added, removed, both ways',
        request: { path: '/a?b=c', headers: { 'X-Many': ['1', '2'], 'x-gone': 'x', 'x-kept': 'é' } },
        response: { status: 404, headers: { 'x-secret': '1', 'x-other': '2' }, body: 'not here' },
      },
      { title: 'an answer without a body', response: { status: 204, headers: { 'x-secret': '1' } } },
      { title: 'HEAD', request: { method: 'HEAD' }, response: { headers: { 'content-length': '5' } } },
    ],
  },
  {
    name: 'cors',
    bytes: () => filterBytes('cors'),
    config: { origins: [ORIGIN], methods: ['GET', 'PUT'], headers: ['x-a'], maxAge: '1h' },
    cases: [
      {
        title: 'a request from the origin',
        request: { headers: { origin: ORIGIN } },
        response: { body: 'ok' },
      },
      { title: 'another origin', request: { headers: { origin: 'https://evil.test' } } },
      {
        title: 'a preflight',
        request: {
          method: 'OPTIONS',
          headers: { origin: ORIGIN, 'access-control-request-method': 'PUT' },
        },
      },
    ],
  },
  {
    name: 'api-key',
    bytes: () => filterBytes('api-key'),
    config: { from: [{ header: 'x-api-key' }], keys: [{ name: 'ann', key: 'secret' }] },
    cases: [
      { title: 'no key', request: { method: 'POST', body: 'hello' } },
      { title: 'a wrong key', request: { headers: { 'x-api-key': 'no' } } },
      { title: 'the key', request: { headers: { 'x-api-key': 'secret' } }, response: { body: 'in' } },
    ],
  },
  {
    name: 'rate-limit',
    bytes: () => filterBytes('rate-limit'),
    config: { limit: { requests: 2, per: '1h' }, scope: 'node' },
    cases: [{ title: 'the first' }, { title: 'the second' }, { title: 'one too many' }],
  },
  {
    name: 'sdk-kit',
    bytes: () => pluginBytes('sdk-kit'),
    cases: [
      {
        title: 'bodies that are changed, whole',
        request: { method: 'POST', path: '/bytes', body: 'hello' },
        response: { body: 'answer' },
      },
      {
        title: 'bodies that are changed, in pieces',
        request: { method: 'POST', path: '/bytes', body: ['hel', 'lo'] },
        response: { body: ['one'] },
      },
      {
        title: 'trailers both ways',
        request: { method: 'POST', path: '/bytes', body: ['hello'], trailers: { 'x-sum': '1' } },
        response: { body: ['answer'], trailers: { 'x-end': '2' } },
      },
      { title: 'a reply of the filter', request: { path: '/reply' } },
      { title: 'a reply to a request with a body', request: { method: 'PUT', path: '/reply', body: 'x' } },
      { title: 'all fields replaced', request: { path: '/replace', headers: { 'x-a': '1' } } },
      { title: 'a trap', request: { path: '/abort', headers: { accept: 'text/plain' } } },
    ],
  },
  {
    name: 'jwt',
    bytes: () => filterBytes('jwt'),
    capabilities: ['default', 'secrets'],
    config: {
      providers: [
        {
          name: 'id',
          issuer: CLAIMS.iss,
          audiences: [CLAIMS.aud],
          jwks: { keys: [SIGNER.jwk] },
          claimsToHeaders: [{ claim: 'sub', header: 'x-user' }],
        },
      ],
    },
    cases: [
      { title: 'a token', request: bearer(tokenOf({})), response: { body: 'in' } },
      { title: 'the same again', request: bearer(tokenOf({})) },
      { title: 'a token for others', request: bearer(tokenOf({ aud: 'other' })) },
      { title: 'one that is over', request: bearer(tokenOf({ exp: NOW - 3600 })) },
      { title: 'none', request: { method: 'POST', body: ['a', 'b'], headers: { 'x-user': 'root' } } },
    ],
  },
  {
    name: 'jwt, keys over HTTP',
    bytes: () => filterBytes('jwt'),
    capabilities: ['default', 'secrets'],
    config: {
      providers: [{ name: 'id', issuer: CLAIMS.iss, jwks: { uri: 'http://id.test/jwks', upstream: 'id' } }],
    },
    calls: {
      id: () => ({
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ keys: [SIGNER.jwk] }),
      }),
    },
    callsByItself: true,
    cases: [
      { title: 'a token', request: bearer(tokenOf({})), response: { body: 'in' } },
      { title: 'of another key', request: bearer(makeToken(makeSigner('ES256', 'other'))) },
    ],
  },
  {
    name: 'ext-authz',
    bytes: () => filterBytes('ext-authz'),
    capabilities: ['default', 'secrets'],
    bodyWhileHeld: true,
    config: { http: { upstream: 'auth', pathPrefix: '/check' } },
    calls: {
      auth: ({ path, headers }) => {
        if (path === '/check/broken') return null;
        const allowed = headers['authorization'] === 'let me in';
        return allowed ? {} : { status: 403, headers: { 'x-why': 'no' }, body: 'not you' };
      },
    },
    cases: [
      {
        title: 'somebody known',
        request: { method: 'PUT', path: '/a?b=c', headers: { authorization: 'let me in' }, body: 'x' },
        response: { body: 'in' },
      },
      { title: 'nobody', request: { path: '/a' } },
      {
        title: 'a service that hangs up',
        request: { path: '/broken', headers: { authorization: 'let me in' } },
      },
    ],
  },
  {
    name: 'example token-introspection',
    bytes: example('token-introspection'),
    capabilities: ['default', 'secrets'],
    config: { upstream: 'identity', remember: '1h' },
    calls: {
      identity: ({ body }) => {
        if (body === 'token=broken') return null;
        if (body === 'token=odd') return { status: 500 };
        return { body: body === 'token=good' ? '{"active":true,"sub":"ann"}' : '{"active":false}' };
      },
    },
    cases: [
      ...['good', 'good', 'bad', 'broken', 'odd'].map((token) => ({ title: token, request: bearer(token) })),
      {
        title: 'with a body that waits',
        request: { ...bearer('bad'), method: 'POST', body: ['one', 'two'] },
      },
      { title: 'none' },
    ],
  },
  {
    name: 'example enrich',
    bytes: example('enrich'),
    config: { users: 'users', plans: 'plans' },
    calls: {
      users: ({ path }) => ({
        status: path === '/eve' ? 404 : 200,
        headers: { 'x-name': `name of ${path}` },
      }),
      plans: ({ path }) => (path === '/bob' ? null : { headers: { 'x-plan': 'paid' } }),
    },
    cases: ['ann', 'bob', 'eve', '../é?a=b'].map((user) => ({
      title: user,
      request: { headers: { 'x-user': user, 'x-plan': 'root' }, method: 'POST', body: 'kept meanwhile' },
      response: { body: 'answer' },
    })),
  },
  {
    name: 'example replace-text',
    bytes: example('replace-text'),
    config: { find: 'abab', replacement: '[x]' },
    cases: [
      { title: 'whole', response: { headers: HTML, body: 'one ababab two' } },
      { title: 'in pieces', response: { headers: HTML, body: ['one a', 'ba', 'b two ', 'aba'] } },
      { title: 'another type', response: { headers: { 'content-type': 'image/png' }, body: 'abab' } },
      { title: 'nothing', response: { headers: HTML } },
    ],
  },
  {
    name: 'example compress',
    bytes: example('compress'),
    config: { least: 10 },
    cases: [
      {
        title: 'an answer',
        request: { headers: { 'accept-encoding': 'deflate' } },
        response: {
          headers: { ...HTML, 'content-length': '200', etag: '"a"' },
          body: 'all of it '.repeat(20),
        },
      },
      {
        title: 'one to HEAD',
        request: { method: 'HEAD', headers: { 'accept-encoding': 'deflate' } },
        response: { headers: { ...HTML, 'content-length': '200' } },
      },
    ],
  },
  {
    name: 'example redact-json',
    bytes: example('redact-json'),
    config: { members: ['password'] },
    cases: [
      {
        title: 'a secret across two pieces',
        response: {
          headers: { 'content-type': 'application/json' },
          body: ['{"user":"ann","pass', 'word":"secret"}'],
        },
      },
      {
        title: 'no JSON',
        response: { headers: { 'content-type': 'application/json' }, body: '{"password"' },
      },
    ],
  },
  {
    name: 'example trailer-checksum',
    bytes: example('trailer-checksum'),
    cases: [
      {
        title: 'the right sum',
        request: { method: 'POST', body: ['1234', '56789'], trailers: { 'x-crc32': 'cbf43926' } },
      },
      {
        title: 'a wrong sum',
        request: {
          method: 'POST',
          headers: { te: 'trailers' },
          body: ['1234', '56780'],
          trailers: { 'x-crc32': 'cbf43926' },
        },
      },
      {
        title: 'an answer that gets one',
        request: { headers: { te: 'trailers' } },
        response: { body: ['1234', '56789'], trailers: { 'x-more': '1' } },
      },
    ],
  },
  {
    name: 'example signed-webhook',
    bytes: example('signed-webhook'),
    config: { publicKey: PARTNER.publicKey.export({ type: 'spki', format: 'der' }).toString('base64') },
    cases: [
      { title: 'signed', request: webhook(['{"a"', ':1}'], '{"a":1}') },
      { title: 'changed', request: webhook(['{"a"', ':2}'], '{"a":1}') },
      { title: 'without a signature', request: { method: 'POST', body: 'x' } },
      { title: 'without anything' },
    ],
  },
  {
    name: 'example redirects',
    bytes: example('redirects'),
    config: { redirects: [{ from: '/old', to: '/new' }] },
    cases: [
      { title: 'an old path', request: { method: 'POST', path: '/old?a=1', body: ['a', 'b'] } },
      { title: 'another one', request: { path: '/older' }, response: { body: 'here' } },
    ],
  },
  {
    name: 'example maintenance',
    bytes: example('maintenance'),
    config: { retryAfter: 60, open: ['/health'], pass: 'team' },
    cases: [
      { title: 'closed', request: { path: '/orders' } },
      { title: 'open', request: { path: '/health' }, response: { body: 'well' } },
    ],
  },
  {
    name: 'example cache-key',
    bytes: example('cache-key'),
    config: { ignore: ['utm_'], vary: ['accept-language'] },
    cases: [
      {
        title: 'sorted',
        request: { path: '/a?utm_source=x&b=2&&a=1', headers: { 'accept-language': 'de' } },
      },
      { title: 'none', request: { method: 'POST', headers: { 'x-cache-key': 'mine' } } },
    ],
  },
];
