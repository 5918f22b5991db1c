import { expect, test } from 'vitest';
import { openBuiltIn, refusalOf } from '../support/filter.ts';

type Fields = Record<string, string>;

interface Seen {
  readonly answer: Record<string, string | undefined>;
  readonly upstream: Record<string, string | undefined>;
  readonly nonce: string | undefined;
}

async function exchange(
  config: object,
  {
    request = {},
    response = {},
    scheme = 'https',
  }: { request?: Fields; response?: Fields; scheme?: 'http' | 'https' } = {},
): Promise<Seen> {
  const filter = await openBuiltIn('security-headers', config);
  const seen = await filter.exchange({
    request: { scheme, headers: request },
    response: { headers: { server: 'nginx', 'x-powered-by': 'PHP', ...response } },
  });
  const nonce = seen.property('csp.nonce');
  const result = { answer: seen.answer.headers, upstream: seen.upstream!.headers, nonce };
  await filter.close();
  return result;
}

test('without a configuration only what tells about the server is taken out', async () => {
  const { answer } = await exchange({}, { response: { etag: '"a"' } });
  expect(answer).toEqual({ etag: '"a"' });
});

test('the strict preset sets its ten fields', async () => {
  const { answer } = await exchange({ preset: 'strict' });
  expect(answer).toMatchObject({
    'strict-transport-security': 'max-age=63072000; includeSubDomains',
    'content-security-policy':
      "default-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
    'cross-origin-resource-policy': 'same-origin',
    'x-permitted-cross-domain-policies': 'none',
  });
  expect(answer['permissions-policy']).toContain('camera=(), geolocation=()');
  expect(answer['server']).toBeUndefined();
  expect(answer['x-powered-by']).toBeUndefined();
});

test('a field that is set here takes the place of the preset’s, and one that is left out is not there', async () => {
  const { answer } = await exchange({
    preset: 'strict',
    omit: ['cross-origin-embedder-policy'],
    frameOptions: 'SAMEORIGIN',
  });
  expect(answer['x-frame-options']).toBe('SAMEORIGIN');
  expect(answer['cross-origin-embedder-policy']).toBeUndefined();
});

test('Strict-Transport-Security is for answers with TLS alone, unless TLS ended in front', async () => {
  const field = 'strict-transport-security';
  const hsts = { maxAge: '365d', preload: true };
  expect((await exchange({ hsts })).answer[field]).toBe('max-age=31536000; includeSubDomains; preload');
  expect((await exchange({ hsts }, { scheme: 'http' })).answer[field]).toBeUndefined();
  expect((await exchange({ preset: 'strict' }, { scheme: 'http' })).answer[field]).toBeUndefined();
  const always = { maxAge: '1h', includeSubDomains: false, always: true };
  expect((await exchange({ hsts: always }, { scheme: 'http' })).answer[field]).toBe('max-age=3600');
});

test('what the upstream has set stays, unless weir is told to decide', async () => {
  const response = { 'content-security-policy': 'sandbox', 'x-frame-options': 'SAMEORIGIN' };
  const kept = await exchange({ preset: 'strict' }, { response });
  expect(kept.answer).toMatchObject(response);
  const replaced = await exchange({ preset: 'strict', override: true }, { response });
  expect(replaced.answer['x-frame-options']).toBe('DENY');
  expect(replaced.answer['content-security-policy']).toContain("default-src 'self'");
});

const NONCE = {
  contentSecurityPolicy: { directives: ["script-src 'self' ${nonce}", "style-src ${nonce} 'self'"] },
  contentSecurityPolicyReportOnly: { directives: ["default-src 'none'", 'script-src ${nonce}'] },
  nonceHeader: 'X-CSP-Nonce',
};

test('the nonce is the same in both policies, for the upstream and for filters behind', async () => {
  const { answer, upstream, nonce } = await exchange(NONCE);
  expect(nonce).toMatch(/^[A-Za-z0-9+/]{22}==$/);
  expect(answer['content-security-policy']).toBe(
    `script-src 'self' 'nonce-${nonce}'; style-src 'nonce-${nonce}' 'self'`,
  );
  expect(answer['content-security-policy-report-only']).toBe(
    `default-src 'none'; script-src 'nonce-${nonce}'`,
  );
  expect(upstream['x-csp-nonce']).toBe(nonce);
});

test('each request has a nonce of its own, also where an object serves several', async () => {
  const filter = await openBuiltIn('security-headers', NONCE);
  const policies = new Set<string | undefined>();
  for (let i = 0; i < 20; i++)
    policies.add((await filter.exchange({})).answer.headers['content-security-policy']);
  expect(policies.size).toBe(20);
});

test('a nonce that a client sends goes nowhere, in whatever spelling', async () => {
  const { upstream, nonce } = await exchange(NONCE, {
    request: { 'x-csp-nonce': 'mine', x_csp_nonce: 'mine' },
  });
  expect(upstream['x-csp-nonce']).toBe(nonce);
  expect(upstream['x_csp_nonce']).toBeUndefined();
});

test('features and endpoints are written as structured fields', async () => {
  const { answer } = await exchange({
    permissionsPolicy: { camera: [], geolocation: ['self', 'https://maps.test'], fullscreen: ['*'] },
    reportingEndpoints: { csp: 'https://r.test/csp', default: 'https://r.test/all?a=b' },
  });
  expect(answer['permissions-policy']).toBe(
    'camera=(), geolocation=(self "https://maps.test"), fullscreen=(*)',
  );
  expect(answer['reporting-endpoints']).toBe('csp="https://r.test/csp", default="https://r.test/all?a=b"');
});

test.each<[string, object, string]>([
  ['a policy without directives', { contentSecurityPolicy: { directives: [] } }, 'at least one directive'],
  [
    'two directives in one string',
    { contentSecurityPolicy: { directives: ["default-src 'self'; script-src 'self'"] } },
    'without semicolon',
  ],
  [
    'a line break in a directive',
    { contentSecurityPolicy: { directives: ['default-src \r\nx: y'] } },
    'expected a directive',
  ],
  [
    'a directive that browsers would not look at',
    { contentSecurityPolicy: { directives: ["script-src 'self'", "script-src 'none'"] } },
    'there already',
  ],
  ['a nonce for nobody', { preset: 'strict', nonceHeader: 'x-nonce' }, 'no directive has ${nonce}'],
  ['a preload that the lists refuse', { hsts: { preload: true, maxAge: '30d' } }, 'at least a year'],
  ['a field that the preset does not have', { preset: 'strict', omit: ['etag'] }, 'no field of the preset'],
  ['omit without a preset', { omit: ['x-frame-options'] }, 'there is none'],
  ['a quote in an origin', { permissionsPolicy: { camera: ['https://a"b'] } }, 'expected self'],
  ['an endpoint without TLS', { reportingEndpoints: { csp: 'http://r.test' } }, 'begins with https://'],
  ['an unknown word', { referrerPolicy: 'never' }, 'referrerPolicy'],
])('refuses %s, and says so', async (_name, config, said) => {
  expect((await refusalOf('security-headers', config)).join('\n')).toContain(said);
});
