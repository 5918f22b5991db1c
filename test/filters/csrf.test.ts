import { expect, test } from 'vitest';
import { openFilter, type Filter } from '@weir/filters-sdk/testing';
import { ROOT } from '../support/process.ts';

const MODULE = `${ROOT}dist/filters/csrf.wasm`;
type Headers = [string, string][];

const open = (config: object = {}): Promise<Filter> =>
  openFilter(MODULE, { config, capabilities: ['default', 'secrets'] });

async function verdict(filter: Filter, headers: Headers, method = 'POST', path = '/a'): Promise<string> {
  const { answer, upstream } = await filter.exchange({
    request: { method, path, authority: 'app.test', headers },
  });
  expect(upstream === null).toBe(answer.status !== 200);
  return answer.status === 200 ? 'passes' : answer.details;
}

const ORIGIN = 'https://admin.test';

test.each<[string, Headers, string]>([
  ['of this origin', [['sec-fetch-site', 'same-origin']], 'passes'],
  ['that somebody typed', [['sec-fetch-site', 'none']], 'passes'],
  ['of another site', [['sec-fetch-site', 'cross-site']], 'csrf_cross_site'],
  ['of another host of the site', [['sec-fetch-site', 'same-site']], 'csrf_cross_site'],
  [
    'of a listed origin',
    [
      ['sec-fetch-site', 'cross-site'],
      ['origin', ORIGIN],
    ],
    'passes',
  ],
  ['of a listed origin without the rest', [['origin', ORIGIN]], 'passes'],
  [
    'that says another site and our host',
    [
      ['sec-fetch-site', 'cross-site'],
      ['origin', 'https://app.test'],
    ],
    'csrf_cross_site',
  ],
  ['of an older browser', [['origin', 'https://app.test']], 'passes'],
  ['of an older browser on another site', [['origin', 'https://evil.test']], 'csrf_cross_site'],
  ['of a host that begins so', [['origin', 'https://app.test.evil.test']], 'csrf_cross_site'],
  ['of another port', [['origin', 'https://app.test:8443']], 'csrf_cross_site'],
  ['of a page without an origin', [['origin', 'null']], 'csrf_cross_site'],
  [
    'with two origins',
    [
      ['origin', ORIGIN],
      ['origin', 'https://evil.test'],
    ],
    'csrf_cross_site',
  ],
  [
    'with two sites',
    [
      ['sec-fetch-site', 'same-origin'],
      ['sec-fetch-site', 'cross-site'],
    ],
    'csrf_cross_site',
  ],
  ['of a program', [['user-agent', 'curl']], 'passes'],
])('a change %s', async (_name, headers, expected) => {
  expect(await verdict(await open({ allowedOrigins: [ORIGIN] }), headers)).toBe(expected);
});

test('only what changes something is looked at, and what opens a WebSocket', async () => {
  const filter = await open();
  const cross: Headers = [['sec-fetch-site', 'cross-site']];
  for (const method of ['GET', 'HEAD', 'OPTIONS'])
    expect(await verdict(filter, cross, method)).toBe('passes');
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'get', 'PURGE'])
    expect(await verdict(filter, cross, method)).toBe('csrf_cross_site');
  expect(await verdict(filter, [...cross, ['upgrade', 'websocket']], 'GET')).toBe('csrf_cross_site');
});

test('paths that are exempt are so with what is below them, and nothing else', async () => {
  const filter = await open({ exemptPaths: ['/hooks', '/in/'] });
  const cross: Headers = [['sec-fetch-site', 'cross-site']];
  for (const path of ['/hooks', '/hooks?a', '/hooks/x', '/in/x'])
    expect(await verdict(filter, cross, 'POST', path)).toBe('passes');
  const odd = [
    '/hooks/..;/a',
    '/hooks/..%2Fa',
    '/hooks/%2e%2e/a',
    '/hooks/..\\a',
    '/hooks//../a',
    '/hooks;/../a',
  ];
  for (const path of ['/hooksx', '/in', '/a?/hooks', '/a/hooks', ...odd])
    expect(await verdict(filter, cross, 'POST', path)).toBe('csrf_cross_site');
});

test('with requireOrigin a program has to say where it comes from', async () => {
  const filter = await open({ requireOrigin: true });
  expect(await verdict(filter, [])).toBe('csrf_cross_site');
  expect(await verdict(filter, [['origin', 'https://app.test']])).toBe('passes');
});

test('the token of a page must be in the cookie and in the field, once each', async () => {
  const filter = await open({ token: { cookie: 'csrf', header: 'X-Token' } });
  const own: [string, string] = ['sec-fetch-site', 'same-origin'];
  const cases: [Headers, string][] = [
    [
      [
        ['cookie', 'a=b; csrf=t1'],
        ['x-token', 't1'],
      ],
      'passes',
    ],
    [
      [
        ['cookie', 'csrf=t1'],
        ['x-token', 't2'],
      ],
      'csrf_token',
    ],
    [[['cookie', 'csrf=t1']], 'csrf_token'],
    [[['x-token', 't1']], 'csrf_token'],
    [
      [
        ['cookie', 'csrf='],
        ['x-token', ''],
      ],
      'csrf_token',
    ],
    [
      [
        ['cookie', 'csrf=t1; csrf=t2'],
        ['x-token', 't2'],
      ],
      'csrf_token',
    ],
    [
      [
        ['cookie', 'csrf=t1'],
        ['x-token', 't1'],
        ['x-token', 't1'],
      ],
      'csrf_token',
    ],
    [
      [
        ['cookie', 'Csrf=t1'],
        ['x-token', 't1'],
      ],
      'csrf_token',
    ],
  ];
  for (const [headers, expected] of cases)
    expect([headers, await verdict(filter, [own, ...headers])]).toEqual([headers, expected]);
  expect(await verdict(filter, [['sec-fetch-site', 'cross-site'], ...cases[0]![0]])).toBe('csrf_cross_site');
});
