import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { FilterSchema } from '../../src/control/filter-schema.ts';
import { openBuiltIn } from '../support/filter.ts';

const folder = fileURLToPath(new URL('../../src/filters/', import.meta.url));
const names = readdirSync(folder);
const schemaOf = (name: string) =>
  JSON.parse(readFileSync(join(folder, name, 'schema.json'), 'utf8')) as object;
const validators = new Map<string, ValidateFunction>();

function validate(name: string, config: unknown): boolean {
  let validator = validators.get(name);
  if (validator === undefined) {
    const ajv = new Ajv2020({ strict: true, strictRequired: false });
    // The filter's phase and capabilities, for the control plane.
    ajv.addKeyword('x-weir-phase');
    ajv.addKeyword('x-weir-upstream');
    ajv.addKeyword('x-weir-time-zone');
    ajv.addKeyword('x-weir-body-member');
    ajv.addKeyword('x-weir-capabilities');
    ajv.addKeyword('x-weir-cpu-per-call-ms');
    validator = ajv.compile(schemaOf(name));
    validators.set(name, validator);
  }
  return validator(config);
}

async function starts(name: string, config: unknown): Promise<boolean> {
  return openBuiltIn(name, config).then(
    () => true,
    () => false,
  );
}

/** Every object of a schema, with its path. */
function* parts(value: unknown, path = ''): Generator<[string, Record<string, unknown>]> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield [path, value as Record<string, unknown>];
  for (const [name, part] of Object.entries(value)) yield* parts(part, `${path}/${name}`);
}

describe.each(names)('the schema of %s', (name) => {
  test('can be checked by weir, all patterns of it', () => {
    const { skipped } = FilterSchema.untrusted(schemaOf(name));
    expect(skipped).toEqual([]);
  });

  test('says what each field is for, and refuses unknown ones', () => {
    for (const [path, part] of parts(schemaOf(name))) {
      if (part['type'] === 'object') expect(part, path).toHaveProperty('additionalProperties');
      if (/\/properties\/[^/]+$/.test(path) && part['$ref'] === undefined) {
        expect(part, path).toHaveProperty('description');
      }
    }
  });

  test('accepts what the README shows, and so does the filter', async () => {
    const readme = readFileSync(join(folder, name, 'README.md'), 'utf8');
    const example = /```yaml\n([\s\S]*?)```/
      .exec(readme)![1]!
      .replace(/sha256: [0-9a-f]+…/, `sha256: ${'a'.repeat(64)}`);
    const [{ use, config }] = parse(example) as [{ use: string; config: unknown }];
    expect(use).toBe(name);
    expect(validate(name, config)).toBe(true);
    expect(await starts(name, config)).toBe(true);
  });
});

const KEYS = [{ name: 'a', key: 'b' }];
const JWK = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
const ID = { name: 'id', issuer: 'https://id.test', jwks: { keys: [JWK] } };
const URI = { uri: 'https://id.test/jwks', upstream: 'id' };
const provider = (more: object): object => ({ providers: [{ ...ID, ...more }] });
const FROM = [{ header: 'x-key' }];
const LIMIT = { requests: 1, per: '1s' };
const OF_CLAIM = { name: 'a', issuer: 'https://id.test', claim: 'sub', equals: 'b' };
const APP = 'https://a.test';
const BODY = { body: { maxBytes: 1000 } };
const RULES = { ...BODY, rules: [{ path: '/a' }] };
const SECRET = 'x'.repeat(32);
const SIGNER = { id: 'a', secret: SECRET };
const GRPC = { grpc: { upstream: 'a' } };
const BY_USER = { entries: [{ key: 'user', attribute: 'request.headers.x-user' }] };
const LIMITS = { upstream: 'a', domain: 'shop', descriptors: [BY_USER] };
const LOGIN = {
  issuer: 'https://id.test',
  upstream: 'id',
  clientId: 'a',
  clientSecret: 'b',
  cookieSecrets: [SECRET],
};
const SERVER = { uri: 'https://id.test/i', upstream: 'id', client: { id: 'a', secret: 'b' } };

/** Schema and filter agree: the one speaks with file and line, the other also where no schema is at hand. */
test.each<[string, unknown, boolean]>([
  ['ext-authz', GRPC, true],
  ['ext-authz', {}, false],
  ['ext-authz', { ...GRPC, http: { upstream: 'a' } }, false],
  [
    'ext-authz',
    { http: { upstream: 'a', pathPrefix: '/check', upstreamHeaders: ['x-*'], clientHeaders: [] } },
    true,
  ],
  ['ext-authz', { http: { upstream: 'a', pathPrefix: 'check' } }, false],
  ['ext-authz', { grpc: { upstream: 'a', pathPrefix: '/check' } }, false],
  ['ext-authz', { grpc: { upstream: 'a', timeout: '1s', headers: { 'x-a': '${request.path}' } } }, true],
  ['ext-authz', { grpc: { upstream: 'a', headers: { 'x-a': 1 } } }, false],
  ['ext-authz', { grpc: {} }, false],
  ['ext-authz', { ...GRPC, body: { maxBytes: 1, allowPartial: true, raw: true } }, true],
  ['ext-authz', { ...GRPC, body: {} }, false],
  ['ext-authz', { ...GRPC, body: { maxBytes: 0 } }, false],
  ['ext-authz', { ...GRPC, statusOnError: 503, failOpen: true, tlsSession: true }, true],
  ['ext-authz', { ...GRPC, statusOnError: 200 }, false],
  ['ext-authz', { ...GRPC, contextExtensions: { a: 'b' }, consumer: { header: 'x-user' } }, true],
  ['ext-authz', { ...GRPC, contextExtensions: { a: 1 } }, false],
  ['ext-authz', { ...GRPC, consumer: { header: 'x-user', metadata: 'user' } }, false],
  ['ext-authz', { ...GRPC, allowedHeaders: [1] }, false],
  ['ext-authz', { ...GRPC, ownedHeaders: ['x user'] }, false],
  ['rate-limit-service', LIMITS, true],
  ['rate-limit-service', { ...LIMITS, domain: '' }, false],
  ['rate-limit-service', { ...LIMITS, upstream: undefined }, false],
  ['rate-limit-service', { ...LIMITS, descriptors: [] }, false],
  ['rate-limit-service', { ...LIMITS, descriptors: [{ entries: [] }] }, false],
  ['rate-limit-service', { ...LIMITS, descriptors: [{ entries: [{ key: 'a' }] }] }, false],
  ['rate-limit-service', { ...LIMITS, descriptors: [{ entries: [{ value: 'a', cel: 'b' }] }] }, false],
  ['rate-limit-service', { ...LIMITS, descriptors: [{ entries: [{ key: 'a"', value: 'a' }] }] }, false],
  [
    'rate-limit-service',
    {
      ...LIMITS,
      descriptors: [{ entries: [{ cel: 'request.path', default: 'b' }, { value: 'a' }], cost: 2 }],
    },
    true,
  ],
  ['rate-limit-service', { ...LIMITS, cost: 'request.headers.x-cost', timeout: '1s', xHeaders: true }, true],
  ['rate-limit-service', { ...LIMITS, cost: 0 }, false],
  ['rate-limit-service', { ...LIMITS, cost: 'response.size' }, false],
  ['rate-limit-service', { ...LIMITS, descriptors: [{ entries: [{ attribute: 'request.pth' }] }] }, false],
  ['rate-limit-service', { ...LIMITS, descriptors: [{ entries: [{ attribute: 'response.code' }] }] }, false],
  ['rate-limit-service', { ...LIMITS, descriptors: [{ entries: [{ attribute: 'consumer.plan' }] }] }, true],
  ['rate-limit-service', { ...LIMITS, timeout: 20 }, false],
  ['rate-limit-service', { ...LIMITS, onServiceFailure: 'Allow', headers: false }, true],
  ['rate-limit-service', { ...LIMITS, onServiceFailure: 'allow' }, false],
  [
    'rate-limit-service',
    {
      ...LIMITS,
      onServiceFailure: 'Local',
      descriptors: [{ ...BY_USER, local: { requests: 1, per: '1s', algorithm: 'gcra', burst: 2 } }],
    },
    true,
  ],
  [
    'rate-limit-service',
    { ...LIMITS, onServiceFailure: 'Local', descriptors: [{ ...BY_USER, local: { requests: 1 } }] },
    false,
  ],
  ['webhook', { scheme: 'github', secrets: ['a-secret-of-the-sender'] }, true],
  [
    'webhook',
    { scheme: 'stripe', secrets: ['a-secret-of-the-sender'], tolerance: '1m', maxBytes: 1, consumer: 'a' },
    true,
  ],
  [
    'webhook',
    { scheme: 'plain', secrets: ['a-secret-of-the-sender'], header: 'x-s', prefix: 's=', encoding: 'base64' },
    true,
  ],
  ['webhook', { scheme: 'plain', secrets: ['a-secret-of-the-sender'] }, false],
  [
    'webhook',
    { scheme: 'plain', secrets: ['a-secret-of-the-sender'], header: 'x-s', encoding: 'octal' },
    false,
  ],
  ['webhook', { scheme: 'gitlab', secrets: ['a-secret-of-the-sender'] }, false],
  ['webhook', { scheme: 'github', secrets: ['short'] }, false],
  ['webhook', { scheme: 'github', secrets: [] }, false],
  ['webhook', { scheme: 'github' }, false],
  ['hmac', { keys: [SIGNER] }, true],
  ['hmac', {}, false],
  ['hmac', { keys: [] }, true],
  ['hmac', { keys: [{ ...SIGNER, name: 'a', plan: 'gold', labels: { a: 'b' } }] }, true],
  ['hmac', { keys: [{ ...SIGNER, notAfter: '2027-01-31T00:00:00Z' }] }, true],
  ['hmac', { keys: [{ ...SIGNER, notAfter: 'tomorrow' }] }, false],
  ['hmac', { keys: [{ id: 'a' }] }, false],
  ['hmac', { keys: [{ ...SIGNER, secretBase64: 'eHh4' }] }, false],
  ['hmac', { keys: [{ ...SIGNER, algorithm: 'ed25519' }] }, false],
  ['hmac', { keys: [{ id: 'a', algorithm: 'ed25519', jwk: JWK }] }, true],
  ['hmac', { keys: [{ id: 'a', jwk: JWK }] }, false],
  ['hmac', { keys: [{ id: 'a', algorithm: 'ed25519', jwk: { ...JWK, d: 'x' } }] }, false],
  ['hmac', { keys: [{ ...SIGNER, algorithm: 'hmac-md5' }] }, false],
  ['hmac', { keys: [SIGNER], components: ['@path', 'content-type'], maxAge: '1m', clockSkew: '0s' }, true],
  ['hmac', { keys: [SIGNER], components: ['Content-Type'] }, false],
  ['hmac', { keys: [SIGNER], components: ['@status'] }, false],
  ['hmac', { keys: [SIGNER], body: { maxBytes: 1 }, nonceRequired: true, label: 'a', tag: 'b' }, true],
  ['hmac', { keys: [SIGNER], body: {} }, false],
  ['graphql', BODY, true],
  ['graphql', {}, false],
  ['graphql', { ...BODY, paths: ['/a', '/b/c'], introspection: 'Allow', operations: ['subscription'] }, true],
  ['graphql', { ...BODY, paths: ['a'] }, false],
  ['graphql', { ...BODY, operations: ['read'] }, false],
  ['graphql', { ...BODY, limits: { depth: 100, cost: 1, aliases: 0, rootFields: 1, directives: 0 } }, true],
  ['graphql', { ...BODY, limits: { tokens: 1, batch: 100 } }, true],
  ['graphql', { ...BODY, limits: { depth: 101 } }, false],
  ['graphql', { ...BODY, limits: { fields: 1 } }, false],
  ['graphql', { ...BODY, costs: { default: 0, fields: { a: 5, _b: 0 }, multipliers: [] } }, true],
  ['graphql', { ...BODY, costs: { fields: { a: -1 } } }, false],
  ['graphql', { ...BODY, costs: { fields: { a: '1' } } }, false],
  ['graphql', { ...BODY, costs: { multipliers: [1] } }, false],
  ['graphql', { ...BODY, persisted: { sha256: ['a'.repeat(64)] } }, true],
  ['graphql', { ...BODY, persisted: { sha256: ['a'] } }, false],
  ['graphql', { ...BODY, persisted: { sha256: [] } }, false],
  ['validate', RULES, true],
  ['validate', BODY, false],
  ['validate', { rules: [{ path: '/a' }] }, false],
  ['validate', { ...RULES, body: { maxBytes: 0 } }, false],
  ['validate', { ...RULES, body: { maxBytes: 1, maxDepth: 129 } }, false],
  ['validate', { ...RULES, body: { maxBytes: 1, maxKeys: 65_536, maxStringBytes: 1 } }, true],
  ['validate', { ...BODY, rules: [{ path: 'a' }] }, false],
  ['validate', { ...BODY, rules: [{ path: '/a/{b}/*', methods: ['PUT'], schema: true }] }, true],
  ['validate', { ...BODY, rules: [{ path: '/a', methods: [1] }] }, false],
  ['validate', { ...BODY, rules: [{ path: '/a', contentTypes: ['text/*'], required: false }] }, true],
  ['validate', { ...BODY, rules: [{ path: '/a', schema: { type: 'object' }, other: 1 }] }, false],
  ['validate', { ...RULES, openapi: { file: 'a.yaml' } }, false],
  ['validate', { ...RULES, unknownQueryParameters: 'Deny' }, true],
  ['validate', { ...RULES, response: { mode: 'Log' }, faults: 32, whereMissing: 'Allow' }, true],
  ['validate', { ...RULES, response: { mode: 'Off' } }, false],
  ['validate', { ...RULES, faults: 0 }, false],
  ['csrf', {}, true],
  [
    'csrf',
    { allowedOrigins: [APP, 'http://localhost:8080'], exemptPaths: ['/a'], requireOrigin: true },
    true,
  ],
  ['csrf', { allowedOrigins: ['https://a.test/'] }, false],
  ['csrf', { allowedOrigins: ['https://*.a.test'] }, false],
  ['csrf', { allowedOrigins: ['https://A.test'] }, false],
  ['csrf', { allowedOrigins: ['null'] }, false],
  ['csrf', { exemptPaths: ['a'] }, false],
  ['csrf', { token: { cookie: 'a' } }, true],
  ['csrf', { token: {} }, false],
  ['csrf', { token: { cookie: 'a', header: 'x y' } }, false],
  ['cache-control', { rules: [{ cacheControl: { maxAge: '1d' } }] }, true],
  ['cache-control', {}, false],
  ['cache-control', { rules: [] }, false],
  ['cache-control', { rules: [{ paths: ['/a'] }] }, false],
  ['cache-control', { rules: [{ paths: ['a'], vary: ['b'] }] }, false],
  ['cache-control', { rules: [{ vary: ['b'], statuses: [200, '4xx'], extensions: ['a'] }] }, true],
  ['cache-control', { rules: [{ vary: ['b'], statuses: ['6xx'] }] }, false],
  ['cache-control', { rules: [{ vary: ['b'], statuses: [100] }] }, false],
  ['cache-control', { rules: [{ cacheControl: { maxAge: 'long' } }] }, false],
  ['cache-control', { rules: [{ cacheControl: {} }] }, false],
  ['cache-control', { rules: [{ targeted: { 'cdn-cache-control': { noStore: true } } }] }, true],
  ['cache-control', { rules: [{ targeted: { 'a b': { noStore: true } } }] }, false],
  ['bots', {}, true],
  [
    'bots',
    {
      deny: ['a*'],
      allow: ['b'],
      verified: [{ userAgents: ['c'], addresses: ['192.0.2.0/24', '2001:db8::/32', '192.0.2.1'] }],
      missingUserAgent: 'Deny',
      honeypots: ['/a'],
      robots: 'x',
    },
    true,
  ],
  ['bots', { deny: [''] }, false],
  ['bots', { verified: [{ userAgents: ['c'], addresses: ['example.com'] }] }, false],
  ['bots', { verified: [{ userAgents: ['c'] }] }, false],
  ['bots', { honeypots: ['a'] }, false],
  ['waf', {}, true],
  ['waf', { mode: 'Detect', paranoia: 2, threshold: 10, maxArguments: 10, methods: ['GET'] }, true],
  ['waf', { paranoia: 3 }, false],
  ['waf', { mode: 'Log' }, false],
  ['waf', { body: {} }, true],
  ['waf', { body: { maxBytes: 1, oversize: 'Pass', unreadable: 'Pass', unreadTypes: ['image/*'] } }, true],
  ['waf', { body: { unreadTypes: ['image'] } }, false],
  [
    'waf',
    { exclude: [{ rules: ['sql/*', 'xss/script-tag'], targets: ['args.a', 'path'], paths: ['/a'] }] },
    true,
  ],
  ['waf', { exclude: [{ paths: ['/a'] }] }, false],
  ['waf', { exclude: [{ targets: ['query'] }] }, false],
  ['waf', { exclude: [{ rules: ['sql'] }] }, false],
  ['waf', { rules: [{ name: 'own/a', pattern: 'a', severity: 'notice', targets: ['files'] }] }, true],
  ['waf', { rules: [{ name: 'mine', pattern: 'a' }] }, false],
  ['waf', { rules: [{ name: 'own/a' }] }, false],
  ['security-headers', {}, true],
  ['security-headers', { preset: 'strict', omit: ['x-frame-options'], override: true, remove: [] }, true],
  ['security-headers', { preset: 'strict', omit: ['etag'] }, false],
  ['security-headers', { preset: 'none', hsts: { maxAge: '1d12h', includeSubDomains: false } }, true],
  ['security-headers', { hsts: { maxAge: 'long' } }, false],
  ['security-headers', { contentSecurityPolicy: { directives: [] } }, false],
  ['security-headers', { contentSecurityPolicy: {} }, false],
  [
    'security-headers',
    {
      contentSecurityPolicyReportOnly: {
        directives: ["img-src 'self' https://a.test:8443 data:", 'sandbox'],
      },
      permissionsPolicy: { 'picture-in-picture': ['self', 'https://a.test'], usb: ['*'] },
      reportingEndpoints: { csp: 'https://r.test/a?b' },
    },
    true,
  ],
  ['security-headers', { contentSecurityPolicy: { directives: ["img-src 'self',*"] } }, false],
  ['security-headers', { contentSecurityPolicy: { directives: ["img-src 'self'; a b"] } }, false],
  ['security-headers', { contentSecurityPolicy: { directives: ['Img-src *'] } }, false],
  ['security-headers', { permissionsPolicy: { usb: ['a.test'] } }, false],
  ['security-headers', { reportingEndpoints: { CSP: 'https://r.test' } }, false],
  ['security-headers', { reportingEndpoints: { csp: 'https://r.test/"' } }, false],
  ['security-headers', { referrerPolicy: 'origin', frameOptions: 'DENY', contentTypeOptions: true }, true],
  ['security-headers', { frameOptions: 'deny' }, false],
  ['oidc', LOGIN, true],
  ['oidc', {}, false],
  ['oidc', { ...LOGIN, issuer: 'id.test' }, false],
  ['oidc', { ...LOGIN, clientSecret: undefined }, false],
  ['oidc', { ...LOGIN, clientSecret: undefined, clientAuth: 'none' }, true],
  ['oidc', { ...LOGIN, clientAuth: 'none' }, false],
  ['oidc', { ...LOGIN, clientAuth: 'jwt' }, false],
  ['oidc', { ...LOGIN, cookieSecrets: [] }, false],
  ['oidc', { ...LOGIN, cookieSecrets: ['short'] }, false],
  [
    'oidc',
    { ...LOGIN, cookieSecrets: [SECRET, `${SECRET}y`], scopes: ['email'], hosts: ['a.test:8080'] },
    true,
  ],
  ['oidc', { ...LOGIN, redirectPath: 'back' }, false],
  ['oidc', { ...LOGIN, redirectPath: '/back?x' }, false],
  ['oidc', { ...LOGIN, origin: 'https://app.test' }, true],
  ['oidc', { ...LOGIN, origin: 'https://app.test/a' }, false],
  ['oidc', { ...LOGIN, cookie: { name: 'a_b-1', secure: false, sameSite: 'Strict' } }, true],
  ['oidc', { ...LOGIN, cookie: { name: 'a b' } }, false],
  ['oidc', { ...LOGIN, cookie: { sameSite: 'lax' } }, false],
  [
    'oidc',
    { ...LOGIN, session: { lifetime: '1h', refreshBefore: '30s' }, clockSkew: '1m', timeout: '1s' },
    true,
  ],
  ['oidc', { ...LOGIN, forwardAccessToken: true, consumerClaim: ['a', 'b'] }, true],
  ['introspection', SERVER, true],
  ['introspection', { ...SERVER, uri: undefined }, false],
  ['introspection', { ...SERVER, uri: 'id.test' }, false],
  ['introspection', { ...SERVER, client: undefined }, false],
  ['introspection', { ...SERVER, client: undefined, bearer: 'x' }, true],
  ['introspection', { ...SERVER, bearer: 'x' }, false],
  ['introspection', { ...SERVER, client: { id: 'a' } }, false],
  ['introspection', { ...SERVER, cache: '0s', negativeCache: '1m', clockSkew: '1s', timeout: '100ms' }, true],
  ['introspection', { ...SERVER, scopes: ['a', 'b:c'], audiences: ['x'], issuer: 'y' }, true],
  ['introspection', { ...SERVER, scopes: [1] }, false],
  ['introspection', { ...SERVER, from: [{ cookie: 't' }], required: false, stripCredential: true }, true],
  ['introspection', { ...SERVER, from: [{}] }, false],
  ['jwt', provider({}), true],
  ['jwt', {}, false],
  ['jwt', provider({ types: ['at+jwt'] }), true],
  ['jwt', provider({ types: [] }), false],
  ['jwt', { providers: [] }, false],
  ['jwt', provider({ name: undefined }), false],
  ['jwt', provider({ issuer: undefined }), false],
  ['jwt', provider({ jwks: undefined }), false],
  ['jwt', provider({ jwks: { keys: [] } }), false],
  ['jwt', provider({ jwks: URI }), true],
  ['jwt', provider({ jwks: { ...URI, cache: '1h', staleIfError: '7d', timeout: '1s' } }), true],
  ['jwt', provider({ jwks: { uri: 'https://id.test/jwks' } }), false],
  ['jwt', provider({ jwks: { ...URI, uri: 'ftp://id.test' } }), false],
  ['jwt', provider({ jwks: { ...URI, keys: [JWK] } }), false],
  ['jwt', provider({ jwks: { keys: [JWK], cache: '1h' } }), false],
  ['jwt', provider({ algorithms: ['ES256'], audiences: ['a'], clockSkew: '1m', requireExpiry: false }), true],
  ['jwt', provider({ algorithms: ['HS256'] }), false],
  ['jwt', provider({ algorithms: ['none'] }), false],
  ['jwt', provider({ audiences: [1] }), false],
  ['jwt', provider({ clockSkew: 30 }), false],
  ['jwt', provider({ claimsToHeaders: [{ claim: ['a', 'b'], header: 'X-A' }] }), true],
  ['jwt', provider({ claimsToHeaders: [{ claim: [], header: 'x-a' }] }), false],
  ['jwt', provider({ claimsToHeaders: [{ claim: 'a', header: 'x a' }] }), false],
  ['jwt', provider({ claimsToHeaders: [{ claim: 'a' }] }), false],
  ['jwt', provider({ consumerClaim: 7 }), false],
  ['jwt', { ...provider({}), from: [{ header: 'x-token' }, { cookie: 'token' }] }, true],
  ['jwt', { ...provider({}), from: [{ cookie: 'token', scheme: 'Bearer' }] }, false],
  ['jwt', { ...provider({}), from: [{}] }, false],
  ['jwt', { ...provider({}), requird: false }, false],
  ['jwt', { ...provider({}), consumers: [] }, true],
  ['jwt', { ...provider({}), consumers: [OF_CLAIM] }, true],
  ['jwt', { ...provider({}), consumers: [{ ...OF_CLAIM, plan: 'gold', labels: { a: 'b' } }] }, true],
  ['jwt', { ...provider({}), consumers: [{ ...OF_CLAIM, claim: [] }] }, false],
  ['jwt', { ...provider({}), consumers: [{ ...OF_CLAIM, equals: undefined }] }, false],
  ['jwt', { ...provider({}), consumers: [{ ...OF_CLAIM, name: ' a' }] }, false],
  ['jwt', { ...provider({}), consumers: [{ ...OF_CLAIM, notAfter: '2027-01-31' }] }, false],
  ['transform', {}, true],
  ['transform', { request: [{}], response: [{ when: { statuses: [404, '5xx'] } }] }, true],
  ['transform', { request: {} }, false],
  ['transform', { request: [{ when: { statuses: [404] } }] }, false],
  ['transform', { response: [{ when: { statuses: ['6xx'] } }] }, false],
  ['transform', { response: [{ when: { statuses: [100] } }] }, false],
  ['transform', { request: [{ when: { paths: ['a'] } }] }, false],
  ['transform', { request: [{ when: { contentTypes: ['*/*', 'text/*', 'application/*+json'] } }] }, true],
  ['transform', { request: [{ when: { contentTypes: ['*/*json'] } }] }, false],
  ['transform', { request: [{ when: { contentTypes: ['json'] } }] }, false],
  ['transform', { request: [{ path: { pattern: '/{a}' } }] }, false],
  ['transform', { request: [{ path: { pattern: '/{a}', to: '/b?{a}' } }] }, false],
  ['transform', { request: [{ query: { add: { a: ['b', 'c'] }, set: { ä: '${request.path}' } } }] }, true],
  ['transform', { request: [{ query: { add: { a: [1] } } }] }, false],
  ['transform', { request: [{ cookies: { add: { a: 'b' } } }] }, false],
  ['transform', { request: [{ cookies: { set: { 'a b': 'c' } } }] }, false],
  ['transform', { response: [{ cookies: { attributes: [{ sameSite: 'None' }] } }] }, false],
  ['transform', { response: [{ cookies: { attributes: [{ sameSite: 'None', secure: true }] } }] }, true],
  ['transform', { response: [{ cookies: { attributes: [{ domain: '', path: '/a' }] } }] }, true],
  ['transform', { response: [{ cookies: { attributes: [{ path: 'a;b' }] } }] }, false],
  ['transform', { request: [{ body: {} }] }, false],
  ['transform', { request: [{ body: { merge: null } }] }, true],
  ['transform', { request: [{ body: { merge: 1, requestIdentity: true } }] }, false],
  [
    'transform',
    { response: [{ body: { merge: 1, requestIdentity: false, maxBytes: '64Ki', maxDepth: 9 } }] },
    true,
  ],
  ['transform', { response: [{ body: { merge: 1, maxBytes: 2e6 } }] }, false],
  ['transform', { response: [{ body: { merge: 1, maxDepth: 257 } }] }, false],
  ['transform', { request: [{ body: { convert: 'FormToJson' } }] }, true],
  ['transform', { request: [{ body: { convert: 'FormToJson', onInvalid: 'Pass' } }] }, false],
  ['transform', { request: [{ body: { convert: 'JsonToForm', onOverflow: 'Pass' } }] }, false],
  [
    'transform',
    {
      request: [
        {
          body: {
            redact: [
              { at: ['/a'], drop: true },
              { at: [''], replace: null },
            ],
          },
        },
      ],
    },
    true,
  ],
  ['transform', { request: [{ body: { redact: [{ at: ['/a'], drop: true, keepLast: 1 }] } }] }, false],
  ['transform', { request: [{ body: { redact: [{ at: [], drop: true }] } }] }, false],
  ['transform', { request: [{ body: { redact: [{ at: ['a'], drop: true }] } }] }, false],
  ['transform', { request: [{ body: { redact: [{ at: ['/a'], keepLast: 17 }] } }] }, false],
  [
    'transform',
    { request: [{ body: { patch: [{ op: 'copy', from: '', path: '/a~0' }], testStatus: 409 } }] },
    true,
  ],
  ['transform', { request: [{ body: { patch: [{ op: 'remove', path: '' }] } }] }, false],
  ['transform', { request: [{ body: { patch: [{ op: 'remove', path: '/a', value: 1 }] } }] }, false],
  ['transform', { request: [{ body: { patch: [{ op: 'move', path: '/a' }] } }] }, false],
  ['transform', { request: [{ body: { patch: [{ op: 'mov', path: '/a', from: '/b' }] } }] }, false],
  ['transform', { request: [{ body: { patch: [{ op: 'add', path: '/a~', value: 1 }] } }] }, false],
  ['transform', { request: [{ body: { patch: [{ op: 'add', path: '/a' }] } }] }, false],
  [
    'transform',
    { request: [{ body: { patch: [{ op: 'add', path: '/a', value: 1 }], testStatus: 200 } }] },
    false,
  ],
  ['headers', {}, true],
  ['headers', { request: { set: { ':path': '/a', 'X-A': '' } } }, true],
  ['headers', { request: { set: { 'x-a': 'a b\tc' } } }, true],
  ['headers', { request: { set: { 'x-a': 'é€' } } }, true],
  ['headers', { request: { set: { 'x-a': ' a' } } }, false],
  ['headers', { request: { set: { 'x-a': 'a ' } } }, false],
  ['headers', { request: { set: { 'x-a': 'a\u007f' } } }, false],
  ['headers', { request: { set: { 'x-a': 'a\nb' } } }, false],
  ['headers', { request: { set: { 'a b': '' } } }, false],
  ['headers', { request: { set: { ':method': 'GET' } } }, false],
  ['headers', { response: { set: { ':path': '/' } } }, false],
  ['headers', { request: { remove: ['Transfer-ENCODING'] } }, false],
  ['headers', { request: { rename: { a: 'host' } } }, false],
  ['headers', { request: { add: { a: ['b', 'c'] } } }, true],
  ['headers', { request: { add: { a: 1 } } }, false],
  ['headers', { requests: {} }, false],
  ['basic', { users: [] }, true],
  ['basic', {}, false],
  ['basic', { users: [{ username: 'a', password: 'b' }] }, true],
  ['basic', { users: [{ username: 'a', sha256: 'A'.repeat(64), plan: 'gold', labels: { a: 'b' } }] }, true],
  ['basic', { users: [{ username: 'a', sha256: 'A'.repeat(63) }] }, false],
  ['basic', { users: [{ username: 'a', password: 'b', sha256: 'A'.repeat(64) }] }, false],
  ['basic', { users: [{ username: 'a' }] }, false],
  ['basic', { users: [{ username: 'a:b', password: 'b' }] }, false],
  ['basic', { users: [{ username: '', password: 'b' }] }, false],
  ['basic', { users: [{ username: 'a', password: '' }] }, false],
  ['basic', { users: [{ username: 'a', hash: '$2y$10$abc' }] }, false],
  ['basic', { users: [{ username: 'a', password: 'b', name: ' a' }] }, false],
  ['basic', { users: [], consumerHeader: 'a b' }, false],
  ['basic', { users: [], realm: '"' }, false],
  ['api-key', { from: FROM, keys: KEYS }, true],
  ['api-key', { from: FROM }, false],
  ['api-key', { from: FROM, keys: [] }, true],
  ['api-key', { from: FROM, keys: [{ ...KEYS[0], plan: 'gold', labels: { app: 'a' } }] }, true],
  ['api-key', { from: FROM, keys: [{ ...KEYS[0], notAfter: '2027-01-31T00:00:00Z' }] }, true],
  ['api-key', { from: FROM, keys: [{ ...KEYS[0], notAfter: '2027-01-31T00:00:00+01:00' }] }, false],
  ['api-key', { from: FROM, keys: [{ ...KEYS[0], labels: { app: 1 } }] }, false],
  ['api-key', { from: [], keys: KEYS }, false],
  ['api-key', { from: [{ header: 'a', query: 'b' }], keys: KEYS }, false],
  ['api-key', { from: [{ query: 'a', scheme: 'b' }], keys: KEYS }, false],
  ['api-key', { from: [{ header: 'a b' }], keys: KEYS }, false],
  ['api-key', { from: FROM, keys: [{ name: 'a', key: 'b', sha256: 'c' }] }, false],
  ['api-key', { from: FROM, keys: [{ name: '', key: 'b' }] }, false],
  ['api-key', { from: FROM, keys: [{ name: 'a', sha256: 'A'.repeat(64) }] }, true],
  ['api-key', { from: FROM, keys: [{ name: 'a', sha256: 'g'.repeat(64) }] }, false],
  ['api-key', { from: FROM, keys: KEYS, realm: '"' }, false],
  ['api-key', { from: FROM, keys: [{ name: 'a', key: 'k'.repeat(1025) }] }, false],
  ['rate-limit', { limit: LIMIT }, true],
  ['rate-limit', { limit: { requests: 0, per: '1s' } }, false],
  ['rate-limit', { limit: { requests: 1, per: '1' } }, false],
  ['rate-limit', { limit: { requests: 1, per: '1m1h' } }, false],
  ['rate-limit', { limit: LIMIT, key: ['source.address', 'request.headers.x', { constant: 'a' }] }, true],
  ['rate-limit', { limit: LIMIT, key: ['source.adress'] }, false],
  ['rate-limit', { limit: LIMIT, key: ['response.code'] }, false],
  ['rate-limit', { limit: LIMIT, key: ['request.headers.'] }, false],
  ['rate-limit', { limit: LIMIT, key: ['request.headers.a b'] }, false],
  ['rate-limit', { limit: LIMIT, scope: 'cluster' }, true],
  ['rate-limit', { limit: LIMIT, scope: 'world' }, false],
  ['rate-limit', { limit: LIMIT, name: '' }, false],
  ['rate-limit', { plan: 'gold', plans: { gold: { limits: [{ limit: LIMIT, cost: 2 }] } } }, true],
  ['rate-limit', { plan: 'from-consumer', plans: { a: { limits: [] } }, withoutPlan: 'a' }, true],
  ['rate-limit', { plan: 'from-consumer', plans: { a: { limits: [{ limit: LIMIT, key: [] }] } } }, false],
  ['rate-limit', { plan: 'from-consumer', plans: { a: {} } }, false],
  ['rate-limit', { limit: LIMIT, plan: 'from-consumer', plans: {} }, false],
  ['rate-limit', { limit: LIMIT, plans: {} }, false],
  ['quota', { plan: 'gold', plans: { gold: { quotas: [{ name: 'a', limit: 1 }] } } }, true],
  ['quota', { plan: 'gold', plans: { gold: { quotas: [] } }, withoutPlan: 'gold' }, true],
  ['quota', { plan: 'from-consumer', plans: { gold: {} } }, false],
  ['quota', { quotas: [{ name: 'a', limit: 1 }], withoutPlan: 'gold' }, false],
  ['cors', { origins: [APP, '*', 'null', 'https://*.a.test:8443'] }, true],
  ['cors', { origins: ['a.test'] }, false],
  ['cors', { origins: ['https://*a.test'] }, false],
  ['cors', { origins: [`${APP}/`] }, false],
  ['cors', { origins: [APP], methods: ['*'], headers: ['*'] }, true],
  ['cors', { origins: [APP], methods: ['a b'] }, false],
  ['cors', { origins: [APP], preflightStatus: 201 }, false],
  ['cors', { origins: [APP], maxAge: '10' }, false],
])('%s: schema and filter agree about %j: %s', async (name, config, right) => {
  expect(validate(name, config)).toBe(right);
  expect(await starts(name, config)).toBe(right);
});
