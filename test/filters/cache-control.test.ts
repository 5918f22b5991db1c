import { expect, test } from 'vitest';
import { openBuiltIn, refusalOf } from '../support/filter.ts';

type Fields = [string, string][];

interface Message {
  readonly method?: string;
  readonly path?: string;
  readonly request?: Fields;
  readonly status?: number;
  readonly response?: Fields;
}

/** Fields of the answer that are about caching. */
async function told(rules: object[], message: Message = {}): Promise<Record<string, string>> {
  const filter = await openBuiltIn('cache-control', { rules });
  const { answer } = await filter.exchange({
    request: { method: message.method ?? 'GET', path: message.path ?? '/', headers: message.request ?? [] },
    response: { status: message.status ?? 200, headers: message.response ?? [] },
  });
  await filter.close();
  return answer.headers as Record<string, string>;
}

const PUBLIC = { cacheControl: { visibility: 'public', maxAge: '1h' } };
const SAID = 'public, max-age=3600';

test('writes all directives, in seconds', async () => {
  const cacheControl = {
    visibility: 'public',
    noCache: true,
    maxAge: '10s',
    sMaxAge: '1d',
    mustRevalidate: true,
    immutable: true,
    noTransform: true,
    staleWhileRevalidate: '1m30s',
    staleIfError: '1h',
  };
  expect((await told([{ cacheControl }]))['cache-control']).toBe(
    'public, no-cache, max-age=10, s-maxage=86400, must-revalidate, immutable, no-transform, stale-while-revalidate=90, stale-if-error=3600',
  );
  expect((await told([{ cacheControl: { noStore: true } }]))['cache-control']).toBe('no-store');
});

test('fields for certain caches stand beside it', async () => {
  const targeted = { 'Surrogate-Control': { maxAge: '1h' }, 'cdn-cache-control': { noStore: true } };
  expect(await told([{ ...PUBLIC, targeted }])).toMatchObject({
    'cache-control': SAID,
    'surrogate-control': 'max-age=3600',
    'cdn-cache-control': 'no-store',
  });
});

test.each<[what: string, rule: object, message: Message, fits: boolean]>([
  ['a path', { paths: ['/a'] }, { path: '/a?b=/c' }, true],
  ['what is below it', { paths: ['/a'] }, { path: '/a/b' }, true],
  ['a path that begins so', { paths: ['/a'] }, { path: '/ab' }, false],
  ['an extension', { extensions: ['css'] }, { path: '/x/a.min.CSS?v=1' }, true],
  ['an extension of a folder', { extensions: ['css'] }, { path: '/x.css/a' }, false],
  ['an extension in the query', { extensions: ['css'] }, { path: '/a?b=c.css' }, false],
  [
    'a content type',
    { contentTypes: ['text/css'] },
    { response: [['content-type', 'Text/CSS; charset=utf-8']] },
    true,
  ],
  ['a family of them', { contentTypes: ['image/*'] }, { response: [['content-type', 'image/png']] }, true],
  ['another type', { contentTypes: ['image/*'] }, { response: [['content-type', 'imagex/png']] }, false],
  ['an answer without a type', { contentTypes: ['image/*'] }, {}, false],
  ['an error', {}, { status: 500 }, false],
  ['not found', {}, { status: 404 }, false],
  ['not modified', {}, { status: 304 }, true],
  ['a status that is listed', { statuses: [404, '5xx'] }, { status: 404 }, true],
  ['a class that is listed', { statuses: [404, '5xx'] }, { status: 503 }, true],
  ['a status that is not', { statuses: [404, '5xx'] }, { status: 200 }, false],
  ['HEAD', {}, { method: 'HEAD' }, true],
  ['POST', {}, { method: 'POST' }, false],
  ['two that must both hold', { paths: ['/a'], extensions: ['css'] }, { path: '/a/b.js' }, false],
])('is for %s, or not', async (_what, rule, message, fits) => {
  expect((await told([{ ...rule, ...PUBLIC }], message))['cache-control']).toBe(fits ? SAID : undefined);
});

test('the first rule that fits counts, and no other', async () => {
  const rules = [
    { paths: ['/a'], contentTypes: ['image/*'], cacheControl: { maxAge: '1s' } },
    { paths: ['/a'], cacheControl: { maxAge: '2s' }, vary: ['x-a'] },
    { cacheControl: { maxAge: '3s' }, vary: ['x-b'] },
  ];
  expect(await told(rules, { path: '/a' })).toMatchObject({ 'cache-control': 'max-age=2', vary: 'x-a' });
  expect((await told(rules, { path: '/b' }))['cache-control']).toBe('max-age=3');
});

test('what the upstream says stays, unless weir is told to decide', async () => {
  const response: Fields = [
    ['cache-control', 'no-store'],
    ['expires', '0'],
    ['pragma', 'no-cache'],
  ];
  expect(await told([PUBLIC], { response })).toMatchObject({ 'cache-control': 'no-store', expires: '0' });
  expect((await told([PUBLIC], { response: [['expires', '0']] }))['cache-control']).toBeUndefined();
  const decided = await told([{ ...PUBLIC, override: true }], { response });
  expect(decided).toMatchObject({ 'cache-control': SAID });
  expect(decided['expires'] ?? decided['pragma']).toBeUndefined();
});

test('what sets a cookie is not made public; or the cookie is taken out of it', async () => {
  const response: Fields = [['set-cookie', 'session=secret']];
  expect(await told([PUBLIC], { response })).toEqual({ 'set-cookie': 'session=secret' });
  const stripped = await told([{ ...PUBLIC, removeSetCookie: true }], { response });
  expect([stripped['cache-control'], stripped['set-cookie']]).toEqual([SAID, undefined]);
  const mine = await told([{ cacheControl: { visibility: 'private', maxAge: '1h' } }], { response });
  expect(mine).toMatchObject({ 'cache-control': 'private, max-age=3600', 'set-cookie': 'session=secret' });
});

test('a cookie is not taken out of an answer whose own word stands', async () => {
  const response: Fields = [
    ['set-cookie', 'session=secret'],
    ['cache-control', 'private'],
  ];
  expect(await told([{ ...PUBLIC, removeSetCookie: true }], { response })).toEqual(
    Object.fromEntries(response),
  );
});

test('answers to requests with Authorization are not made public, unless told so', async () => {
  const request: Fields = [['authorization', 'Bearer x']];
  expect((await told([PUBLIC], { request }))['cache-control']).toBeUndefined();
  expect((await told([{ ...PUBLIC, authorized: true }], { request }))['cache-control']).toBe(SAID);
  expect((await told([{ cacheControl: { noStore: true } }], { request }))['cache-control']).toBe('no-store');
});

test('Vary gets what it does not have yet', async () => {
  const rule = { vary: ['Accept-Encoding', 'x-a'] };
  const response: Fields = [['vary', 'origin, accept-encoding']];
  expect((await told([rule], { response }))['vary']).toBe('origin, accept-encoding, x-a');
  expect((await told([rule], { response: [['vary', '*']] }))['vary']).toBe('*');
});

test.each<[string, object, string]>([
  ['no rules', { rules: [] }, '1 to 64'],
  ['a rule that says nothing', { rules: [{ paths: ['/a'] }] }, 'needs "cacheControl"'],
  ['directives that are none', { rules: [{ cacheControl: {} }] }, 'at least one directive'],
  [
    'what must not be stored and is public',
    { rules: [{ cacheControl: { noStore: true, visibility: 'public' } }] },
    'not public',
  ],
  [
    'what is private and for shared caches',
    { rules: [{ cacheControl: { visibility: 'private', sMaxAge: '1s' } }] },
    'shared caches',
  ],
  [
    'cookies taken out of what is private',
    { rules: [{ cacheControl: { visibility: 'private' }, removeSetCookie: true }] },
    'nothing here lets them',
  ],
  ['a status that is none', { rules: [{ ...PUBLIC, statuses: [99] }] }, 'expected a status'],
  ['more than a year', { rules: [{ cacheControl: { maxAge: '366d' } }] }, 'maxAge'],
])('refuses %s, and says so', async (_what, config, said) => {
  expect((await refusalOf('cache-control', config)).join('\n')).toContain(said);
});
