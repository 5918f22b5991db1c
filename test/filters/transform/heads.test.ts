import { describe, expect, test } from 'vitest';
import { open } from './open.ts';

describe('the path', () => {
  const moved = async (pattern: string, to: string, path: string): Promise<string | number> => {
    const filter = await open({ request: [{ path: { pattern, to } }] });
    const { upstream, answer } = await filter.exchange({
      request: { path, headers: { 'x-tenant': path.split('tenant=')[1] ?? 'acme/1' } },
    });
    return upstream?.path ?? answer.status;
  };

  test.each([
    ['/v1/users/{id}', '/v2/people/{id}', '/v1/users/5?a=b', '/v2/people/5?a=b'],
    ['/v1/users/{id}', '/v2/people/{id}', '/v1/users/5/x', '/v1/users/5/x'],
    ['/v1/users/{id}', '/v2/people/{id}', '/v1/users/', '/v1/users/'],
    ['/{a}/{b}', '/{b}/-/{a}', '/x/y%2Fz', '/y%2Fz/-/x'],
    ['/v1/{rest...}', '/v2/{rest}', '/v1/a/b/?', '/v2/a/b/?'],
    ['/v1/{rest...}', '/v2/{rest}', '/v1/', '/v2/'],
    ['/v1/{rest...}', '/v2/{rest}', '/v1', '/v2'],
    ['/v1/{rest...}', '/{rest}', '/v1', '/'],
    ['/v1/{rest...}', '/v2/{rest}', '/v10', '/v10'],
    ['/{rest...}', '/base/{rest}', '/', '/base/'],
    ['/', '/index.html', '/', '/index.html'],
    ['/{x}', '/t/${request.headers.x-tenant}/{x}', '/a', '/t/acme%2F1/a'],
    ['/{x}', '/t/${request.headers.x-tenant}/{x}', '/a?tenant=..', 400],
    ['/{x}', '/t/${request.headers.x-none}/{x}', '/a', 400],
  ])('%s to %s makes of %s %s', async (pattern, to, path, expected) => {
    expect(await moved(pattern, to, path)).toBe(expected);
  });

  test.each([
    ['/a/{b', '/c', 'a name in braces'],
    ['/{a...}/b', '/c', 'stands at the end'],
    ['/{a}/{a}', '/c', 'a name of its own'],
    ['/{a}', '/{b}', 'the pattern has no {b}'],
    ['/{a}', '/{a', 'the pattern has no {a'],
    ['/a', '/b?c', 'without query'],
    ['/a', '/${nobody}', 'unknown variable nobody'],
    ['a', '/b', 'expected a path'],
  ])('%s to %s is refused: %s', async (pattern, to, fault) => {
    await expect(open({ request: [{ path: { pattern, to } }] })).rejects.toThrow(fault);
  });
});

describe('the query', () => {
  test.each([
    [{ remove: ['a'] }, '/x?a=1&b=2&a=3&%61=4', '/x?b=2'],
    [{ remove: ['a'] }, '/x?a', '/x'],
    [{ remove: ['a'] }, '/x?b=%2f&c', '/x?b=%2f&c'],
    [{ rename: { a: 'b c' } }, '/x?a=1&b+c=2&a', '/x?b%20c=1&b%20c'],
    [{ rename: { a: 'b' } }, '/x?b=2', '/x?b=2'],
    [{ set: { a: 'x&y=é' } }, '/x?b=1&a=2&c=3&a=4', '/x?b=1&a=x%26y%3D%C3%A9&c=3'],
    [{ set: { a: '${request.method}' } }, '/x', '/x?a=GET'],
    [{ set: { p: '${request.url_path}' } }, '/x', '/x?p=%2Fx'],
    [{ add: { a: ['1', '$$2'] } }, '/x?a=0', '/x?a=0&a=1&a=%242'],
    [
      { rename: { a: 'b' }, remove: ['b'], set: { c: '1' }, add: { c: '2' } },
      '/x?a=1&c=0&c=00',
      '/x?c=1&c=2',
    ],
    [{}, '/x?&&a', '/x?&&a'],
  ])('with %j, %s becomes %s', async (query, path, expected) => {
    const filter = await open({ request: [{ query }] });
    const { upstream } = await filter.exchange({ request: { path } });
    expect(upstream!.path).toBe(expected);
  });
});

describe('cookies of a request', () => {
  const cookies = async (edits: object, ...sent: string[]): Promise<unknown> => {
    const filter = await open({ request: [{ cookies: edits }] });
    const headers = sent.map((value): [string, string] => ['cookie', value]);
    const { upstream } = await filter.exchange({ request: { headers } });
    return upstream!.headers['cookie'];
  };

  test.each<[object, string[], string | undefined]>([
    [{ remove: ['a'] }, ['a=1; b=2', 'a=3; c="4"'], 'b=2; c="4"'],
    [{ remove: ['a'] }, ['a=1'], undefined],
    [{ remove: ['A'] }, ['a=1;  b=2'], 'a=1; b=2'],
    [{ rename: { a: 'b' } }, ['a="1"; b=2; c'], 'b="1"; c'],
    [{ set: { a: 'x;y z' } }, ['b=1; a=2; a=3'], 'b=1; a=x%3By%20z'],
    [{ set: { a: '1' } }, [], 'a=1'],
  ])('with %j, %j become %s', async (edits, sent, expected) => {
    expect(await cookies(edits, ...sent)).toEqual(expected);
  });

  test('are refused where a name is none', async () => {
    await expect(open({ request: [{ cookies: { remove: ['a b'] } }] })).rejects.toThrow('name of a cookie');
  });
});

describe('cookies of an answer', () => {
  const cookies = async (edits: object, ...set: string[]): Promise<unknown> => {
    const filter = await open({ response: [{ cookies: edits }] });
    const headers = set.map((value): [string, string] => ['set-cookie', value]);
    const { answer } = await filter.exchange({ response: { headers } });
    return answer.fields.filter(([name]) => name === 'set-cookie').map(([, value]) => value);
  };
  const SAFE = { secure: true, httpOnly: true, sameSite: 'Lax' };

  test.each<[object, string[], string[]]>([
    [{ attributes: [SAFE] }, ['a=1; Path=/x'], ['a=1; Path=/x; Secure; HttpOnly; SameSite=Lax']],
    [
      { attributes: [SAFE] },
      ['a=1; samesite = none ; SECURE; Max-Age=5;httponly', 'b=2'],
      ['a=1; Max-Age=5; Secure; HttpOnly; SameSite=Lax', 'b=2; Secure; HttpOnly; SameSite=Lax'],
    ],
    [
      { attributes: [{ names: ['a'], domain: 'a.test', path: '' }] },
      ['a=1; domain=old; Path=/x', 'b=2; domain=old'],
      ['a=1; Domain=a.test', 'b=2; domain=old'],
    ],
    [{ remove: ['a'] }, ['a=1', 'b=2'], ['b=2']],
    [{ remove: ['a'] }, ['a=1'], []],
    [{ rename: { a: 'b' } }, ['a=1=2; Secure'], ['b=1=2; Secure']],
    [
      { set: { a: 'x y' }, attributes: [{ names: ['a'], path: '/in', secure: true }] },
      ['a=1; Path=/', 'b'],
      ['b', 'a=x%20y; Path=/in; Secure'],
    ],
  ])('with %j, %j become %j', async (edits, set, expected) => {
    expect(await cookies(edits, ...set)).toEqual(expected);
  });

  test.each([
    [{ sameSite: 'None' }, 'together with secure'],
    [{ secure: false }, 'can be true alone'],
    [{ sameSite: 'lax' }, 'expected one of'],
    [{ domain: 'a;b' }, 'may not stand'],
  ])('with %j are refused: %s', async (attributes, fault) => {
    await expect(open({ response: [{ cookies: { attributes: [attributes] } }] })).rejects.toThrow(fault);
  });
});

describe('the first rule that fits counts', () => {
  const mark = (name: string): object => ({ query: { set: { by: name } } });

  test.each([
    ['GET', '/api/a', 'text/plain', 'get'],
    ['POST', '/api/a', 'Application/Problem+JSON; a=b', 'json'],
    ['POST', '/apis', 'application/json', 'rest'],
    ['POST', '/api', '', 'rest'],
  ])('of %s %s with %s', async (method, path, type, by) => {
    const filter = await open({
      request: [
        { when: { methods: ['GET'], paths: ['/api/'] }, ...mark('get') },
        { when: { paths: ['/api'], contentTypes: ['application/*json'] }, ...mark('json') },
        { ...mark('rest') },
      ],
    });
    const headers = type === '' ? {} : { 'content-type': type };
    const { upstream } = await filter.exchange({ request: { method, path, headers } });
    expect(upstream!.path).toBe(`${path}?by=${by}`);
  });

  test.each([
    ['/old', 200, 'old'],
    ['/b', 404, '4xx'],
    ['/b', 503, '503'],
    ['/b', 500, undefined],
  ])('of answers to %s with %i', async (path, status, by) => {
    const set = (name: string): object => ({ cookies: { set: { by: name } } });
    const filter = await open({
      request: [{ path: { pattern: '/old', to: '/new' } }],
      response: [
        { when: { paths: ['/old'] }, ...set('old') },
        { when: { statuses: ['4xx'] }, ...set('4xx') },
        { when: { statuses: [503, 504] }, ...set('503') },
      ],
    });
    const { answer } = await filter.exchange({ request: { path }, response: { status } });
    expect(answer.headers['set-cookie']).toBe(by === undefined ? undefined : `by=${by}; Path=/`);
  });

  test.each([
    [{ paths: ['api'] }, 'expected a path'],
    [{ contentTypes: ['json'] }, 'expected a media type'],
    [{ contentTypes: ['a/*;*'] }, 'expected a media type'],
    [{ statuses: [200] }, 'unknown field'],
  ])('%j is refused: %s', async (when, fault) => {
    await expect(open({ request: [{ when }] })).rejects.toThrow(fault);
  });
});
