import { describe, expect, test } from 'vitest';
import { Wants } from '../../src/runtime/wasm/abi.ts';
import type { Exchange, Filter } from '../../filters-sdk/testing/testing.d.ts';
import { linesOf, openBuiltIn, refusalOf, wantsOf } from '../support/filter.ts';

type Fields = readonly (readonly [name: string, value: string])[];

const APP = 'https://app.example.com';
const start = (config: object = {}): Promise<Filter> => openBuiltIn('cors', { origins: [APP], ...config });

/** What a preflight with these fields gets. */
const asked = async (filter: Filter, headers: Fields): Promise<Exchange> =>
  filter.exchange({ request: { method: 'OPTIONS', headers } });

/** The fields of what the upstream answers, as the client gets them. */
const answered = async (filter: Filter, origin: string | null, headers: Fields = []): Promise<string[]> => {
  const request = origin === null ? {} : { headers: { origin } };
  return linesOf((await filter.exchange({ request, response: { headers } })).answer);
};

const preflight = (origin: string, method: string, headers?: string): Fields => [
  ['origin', origin],
  ['access-control-request-method', method],
  ...(headers === undefined ? [] : [['access-control-request-headers', headers] as const]),
];
const PREFLIGHT_VARY = 'vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers';

describe('preflights', () => {
  test('sees heads alone', async () => {
    expect(await wantsOf('cors')).toBe(Wants.RequestHeaders | Wants.ResponseHeaders);
  });

  test('are answered, and never go upstream', async () => {
    const filter = await start({ methods: ['GET', 'PUT'], headers: ['X-A', 'content-type'], maxAge: '10m' });
    const { answer, upstream } = await asked(filter, preflight(APP, 'PUT', 'content-type, x-a'));
    expect(upstream).toBeNull();
    expect(answer).toMatchObject({ status: 204, from: 'filter', details: 'cors_preflight', body: '' });
    expect(linesOf(answer)).toEqual([
      PREFLIGHT_VARY,
      `access-control-allow-origin: ${APP}`,
      'access-control-allow-methods: GET, PUT',
      'access-control-allow-headers: x-a, content-type',
      'access-control-max-age: 600',
    ]);
  });

  test.each([
    ['another origin', preflight('https://evil.example', 'GET')],
    ['another port', preflight(`${APP}:8443`, 'GET')],
    ['another scheme', preflight('http://app.example.com', 'GET')],
    ['a longer host', preflight(`${APP}.evil.example`, 'GET')],
    ['the origin null', preflight('null', 'GET')],
    ['another method', preflight(APP, 'DELETE')],
    ['a method in another case', preflight(APP, 'get')],
    ['another header', preflight(APP, 'GET', 'x-a, x-b')],
    ['two origins', [...preflight(APP, 'GET'), ['origin', APP]] as Fields],
  ])('say nothing at all about %s', async (_what, fields) => {
    const { answer, upstream } = await asked(await start({ headers: ['x-a'] }), fields);
    expect(upstream).toBeNull();
    expect([answer.status, ...linesOf(answer)]).toEqual([204, PREFLIGHT_VARY]);
  });

  test('with a star for everything are the same for all', async () => {
    const filter = await start({ origins: ['*'], methods: ['*'], headers: ['*'] });
    const { answer } = await asked(filter, preflight('https://any.example', 'PATCH', 'authorization'));
    expect(linesOf(answer)).toEqual([
      'access-control-allow-origin: *',
      'access-control-allow-methods: *',
      'access-control-allow-headers: authorization',
    ]);
  });

  test('with credentials name what was asked for in place of a star', async () => {
    const filter = await start({ credentials: true, methods: ['*'], headers: ['*'] });
    const { answer } = await asked(filter, preflight(APP, 'PATCH', 'x-a'));
    expect(linesOf(answer).slice(1)).toEqual([
      `access-control-allow-origin: ${APP}`,
      'access-control-allow-credentials: true',
      'access-control-allow-methods: PATCH',
      'access-control-allow-headers: x-a',
    ]);
  });

  test('may have the status 200', async () => {
    const filter = await start({ preflightStatus: 200 });
    expect((await asked(filter, preflight(APP, 'GET'))).answer.status).toBe(200);
  });

  test('let a private network in only where they ask and it is configured', async () => {
    const asks: Fields = [...preflight(APP, 'GET'), ['access-control-request-private-network', 'true']];
    const allow = 'access-control-allow-private-network: true';
    const filter = await start({ privateNetwork: true });
    expect(linesOf((await asked(filter, asks)).answer)).toContain(allow);
    expect(linesOf((await asked(filter, preflight(APP, 'GET'))).answer)).not.toContain(allow);
    expect(linesOf((await asked(await start(), asks)).answer)).not.toContain(allow);
  });

  test('without the field that makes them preflights go upstream', async () => {
    expect((await asked(await start(), [['origin', APP]])).upstream).not.toBeNull();
  });
});

describe('answers', () => {
  test('are marked for an allowed origin, whatever the upstream says', async () => {
    const filter = await start({ credentials: true, exposeHeaders: ['X-Total', 'etag'] });
    const fields = await answered(filter, APP, [
      ['vary', 'Accept'],
      ['access-control-allow-origin', '*'],
    ]);
    expect(fields.sort()).toEqual([
      'access-control-allow-credentials: true',
      `access-control-allow-origin: ${APP}`,
      'access-control-expose-headers: x-total, etag',
      'vary: Accept',
      'vary: Origin',
    ]);
  });

  test('have no mark for another origin, not even the upstream’s', async () => {
    const filter = await start();
    const fields = await answered(filter, 'https://evil.example', [
      ['access-control-allow-origin', '*'],
      ['access-control-allow-credentials', 'true'],
      ['access-control-expose-headers', 'x'],
    ]);
    expect(fields).toEqual(['vary: Origin']);
  });

  test('vary by origin also where the request has none', async () => {
    expect(await answered(await start(), null)).toEqual(['vary: Origin']);
    expect(await answered(await start({ origins: ['*'] }), null)).toEqual([]);
  });

  test('have a star where any origin is allowed', async () => {
    const filter = await start({ origins: ['*'] });
    expect(await answered(filter, 'https://any.example')).toEqual(['access-control-allow-origin: *']);
  });

  test('of streams that share an object one after the other do not mix', async () => {
    const filter = await start();
    expect(await answered(filter, APP)).toHaveLength(2);
    expect(await answered(filter, null)).toEqual(['vary: Origin']);
  });

  test.each([
    ['https://a.example.com', true],
    ['https://a.b.example.com', true],
    ['https://example.com', false],
    ['https://.example.com', false],
    ['https://a..example.com', false],
    ['https://aexample.com', false],
    ['https://a.example.com.evil.test', false],
    ['https://evil.test/.example.com', false],
    ['https://evil.test?.example.com', false],
    ['https://evil.test:1.example.com', false],
    ['https://u@a.example.com', false],
    ['https://A.example.com', false],
    ['http://a.example.com', false],
    ['https://a.example.com:443', false],
  ])('https://*.example.com allows %s: %s', async (origin, allowed) => {
    const filter = await start({ origins: ['https://*.Example.com'] });
    const fields = await answered(filter, origin);
    expect(fields.includes(`access-control-allow-origin: ${origin}`)).toBe(allowed);
  });
});

test.each([
  [{ origins: [] }, '"origins" must name at least one'],
  [{ origins: ['app.example.com'] }, 'origins[0]: expected an origin such as "https://app.example.com"'],
  [{ origins: [`${APP}/`] }, 'origins[0]: expected an origin such as "https://app.example.com"'],
  [{ origins: ['https://*'] }, 'origins[0]: expected an origin such as "https://app.example.com"'],
  [{ origins: ['https://*.*.com'] }, 'origins[0]: expected an origin such as "https://app.example.com"'],
  [
    { origins: ['https://a*.example.com'] },
    'origins[0]: expected an origin such as "https://app.example.com"',
  ],
  [
    { origins: ['*'], credentials: true },
    'origins: "*" cannot be combined with credentials: list the origins',
  ],
  [{ origins: ['null'], credentials: true }, 'origins: "null" cannot be combined with credentials'],
  [{ credentials: true, exposeHeaders: ['*'] }, '"*" means nothing to browsers when credentials are on'],
  [{ methods: ['GET POST'] }, 'methods[0]: expected a method'],
  [{ headers: ['a:b'] }, 'headers[0]: expected the name of a field'],
  [{ maxAge: '25h' }, 'maxAge: expected from 0 to 86400000 ms'],
  [{ preflightStatus: 202 }, 'preflightStatus: expected 204 or 200'],
])('refuses %j', async (config, message) => {
  expect((await refusalOf('cors', { origins: [APP], ...config })).join('\n')).toContain(message);
});
