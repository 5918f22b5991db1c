import { describe, expect, test } from 'vitest';
import { Wants } from '../../src/runtime/wasm/abi.ts';
import { FilterRun } from '../support/filter.ts';
import type { Fields } from '../support/wasm-stream.ts';

const APP = 'https://app.example.com';
const start = (config: object = {}): Promise<FilterRun> =>
  FilterRun.start('cors', { origins: [APP], ...config });

const preflight = (origin: string, method: string, headers?: string): Fields => [
  [':method', 'OPTIONS'],
  ['origin', origin],
  ['access-control-request-method', method],
  ...(headers === undefined ? [] : [['access-control-request-headers', headers] as const]),
];
const PREFLIGHT_VARY = 'vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers';

describe('preflights', () => {
  test('sees heads alone', async () => {
    expect((await start()).plugin.wants).toBe(Wants.RequestHeaders | Wants.ResponseHeaders);
  });

  test('are answered, and never go upstream', async () => {
    const filter = await start({ methods: ['GET', 'PUT'], headers: ['X-A', 'content-type'], maxAge: '10m' });
    const { action, reply } = filter.request(preflight(APP, 'PUT', 'content-type, x-a'));
    expect(action).toBe(4);
    expect(reply).toEqual({
      status: 204,
      details: 'cors_preflight',
      body: '',
      headers: [
        PREFLIGHT_VARY,
        `access-control-allow-origin: ${APP}`,
        'access-control-allow-methods: GET, PUT',
        'access-control-allow-headers: x-a, content-type',
        'access-control-max-age: 600',
      ],
    });
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
    const { reply } = (await start({ headers: ['x-a'] })).request(fields);
    expect(reply).toMatchObject({ status: 204, headers: [PREFLIGHT_VARY] });
  });

  test('with a star for everything are the same for all', async () => {
    const filter = await start({ origins: ['*'], methods: ['*'], headers: ['*'] });
    expect(filter.request(preflight('https://any.example', 'PATCH', 'authorization')).reply?.headers).toEqual(
      [
        'access-control-allow-origin: *',
        'access-control-allow-methods: *',
        'access-control-allow-headers: authorization',
      ],
    );
  });

  test('with credentials name what was asked for in place of a star', async () => {
    const filter = await start({ credentials: true, methods: ['*'], headers: ['*'] });
    expect(filter.request(preflight(APP, 'PATCH', 'x-a')).reply?.headers.slice(1)).toEqual([
      `access-control-allow-origin: ${APP}`,
      'access-control-allow-credentials: true',
      'access-control-allow-methods: PATCH',
      'access-control-allow-headers: x-a',
    ]);
  });

  test('may have the status 200', async () => {
    expect((await start({ preflightStatus: 200 })).request(preflight(APP, 'GET')).reply?.status).toBe(200);
  });

  test('let a private network in only where they ask and it is configured', async () => {
    const asked: Fields = [...preflight(APP, 'GET'), ['access-control-request-private-network', 'true']];
    const allow = 'access-control-allow-private-network: true';
    const filter = await start({ privateNetwork: true });
    expect(filter.request(asked).reply?.headers).toContain(allow);
    expect(filter.request(preflight(APP, 'GET')).reply?.headers).not.toContain(allow);
    expect((await start()).request(asked).reply?.headers).not.toContain(allow);
  });

  test('are not touched a second time as answers', async () => {
    expect((await start()).request(preflight(APP, 'GET')).respond()).toEqual([]);
  });

  test('without the field that makes them preflights go upstream', async () => {
    expect(
      (await start()).request([
        [':method', 'OPTIONS'],
        ['origin', APP],
      ]).action,
    ).toBe(0);
  });
});

describe('answers', () => {
  test('are marked for an allowed origin, whatever the upstream says', async () => {
    const filter = await start({ credentials: true, exposeHeaders: ['X-Total', 'etag'] });
    const fields = filter.request([['origin', APP]]).respond([
      ['vary', 'Accept'],
      ['access-control-allow-origin', '*'],
    ]);
    expect([...fields].sort()).toEqual([
      'access-control-allow-credentials: true',
      `access-control-allow-origin: ${APP}`,
      'access-control-expose-headers: x-total, etag',
      'vary: Accept',
      'vary: Origin',
    ]);
  });

  test('have no mark for another origin, not even the upstream’s', async () => {
    const filter = await start();
    const fields = filter.request([['origin', 'https://evil.example']]).respond([
      ['access-control-allow-origin', '*'],
      ['access-control-allow-credentials', 'true'],
      ['access-control-expose-headers', 'x'],
    ]);
    expect(fields).toEqual(['vary: Origin']);
  });

  test('vary by origin also where the request has none', async () => {
    expect((await start()).request().respond()).toEqual(['vary: Origin']);
    expect((await start({ origins: ['*'] })).request().respond()).toEqual([]);
  });

  test('have a star where any origin is allowed', async () => {
    const filter = await start({ origins: ['*'] });
    expect(filter.request([['origin', 'https://any.example']]).respond()).toEqual([
      'access-control-allow-origin: *',
    ]);
  });

  test('of streams that share an object one after the other do not mix', async () => {
    const filter = await start();
    const first = filter.request([['origin', APP]]);
    first.respond();
    first.context.finish();
    expect(filter.request().respond()).toEqual(['vary: Origin']);
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
    const fields = filter.request([['origin', origin]]).respond();
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
  [{ origins: ['*'], credentials: true }, 'origin "*" cannot be combined with credentials: list the origins'],
  [{ credentials: true, exposeHeaders: ['*'] }, '"*" means nothing to browsers when credentials are on'],
  [{ methods: ['GET POST'] }, 'methods[0]: expected a method'],
  [{ headers: ['a:b'] }, 'headers[0]: expected the name of a field'],
  [{ maxAge: '25h' }, 'maxAge: expected from 0 to 86400000 ms'],
  [{ preflightStatus: 202 }, 'preflightStatus: expected 204 or 200'],
])('refuses %j', async (config, message) => {
  expect((await FilterRun.refusal('cors', { origins: [APP], ...config })).join('\n')).toContain(message);
});
