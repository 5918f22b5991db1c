import { describe, expect, test } from 'vitest';
import { Wants } from '../../src/runtime/wasm/abi.ts';
import type { PropertyValue } from '../../filters-sdk/testing/testing.d.ts';
import { linesOf, openBuiltIn, refusalOf, wantsOf } from '../support/filter.ts';

type List = readonly (readonly [name: string, value: string])[];

/** The fields of a request as the upstream gets them. */
async function sent(
  config: unknown,
  headers: List = [],
  properties: Readonly<Record<string, PropertyValue>> = {},
  path = '/',
): Promise<string[]> {
  const filter = await openBuiltIn('headers', config);
  const { upstream } = await filter.exchange({ request: { path, authority: 'h.test', headers }, properties });
  return linesOf(upstream!);
}

describe('headers', () => {
  test('never sees a body, trailers or the end of a stream', async () => {
    expect(await wantsOf('headers')).toBe(Wants.RequestHeaders | Wants.ResponseHeaders);
  });

  test('renames, removes, sets and adds, in this order', async () => {
    const config = {
      request: {
        add: { 'x-list': ['3', '4'], 'x-new': 'n' },
        set: { 'X-Team': 'payments', 'x-list': '2' },
        remove: ['X-Internal', 'x-absent'],
        rename: { 'x-old': 'x-renamed', 'x-none': 'x-kept' },
      },
    };
    const fields = await sent(config, [
      ['x-team', 'a'],
      ['x-team', 'b'],
      ['x-internal', '1'],
      ['x-old', 'one'],
      ['x-list', '1'],
      ['x-old', 'two'],
      ['x-renamed', 'forged'],
      ['x-kept', 'stays'],
    ]);
    expect(fields.sort()).toEqual([
      'x-kept: stays',
      'x-list: 2',
      'x-list: 3',
      'x-list: 4',
      'x-new: n',
      'x-renamed: one',
      'x-renamed: two',
      'x-team: payments',
    ]);
  });

  test('changes answers', async () => {
    const filter = await openBuiltIn('headers', {
      response: { remove: ['server'], set: { 'x-frame-options': 'DENY' } },
    });
    const { responseChanges, answer } = await filter.exchange({
      response: { headers: { server: 'x', 'x-frame-options': 'ALLOW' } },
    });
    expect(linesOf(answer)).toEqual(['x-frame-options: DENY']);
    expect(responseChanges).toEqual(['- server: x', '- x-frame-options: ALLOW', '+ x-frame-options: DENY']);
  });

  test('fills in variables; what is not there is empty', async () => {
    const config = {
      request: {
        set: {
          'x-all': '${request.method} ${request.host}${request.path} (${request.url_path}|${request.query})',
          'x-user': 'user=${request.headers.X-User};${consumer.name}.',
          'x-source': '${source.address} ${source.port} ${connection.id} ${connection.mtls}',
          'x-price': '5$$ $ $x',
        },
      },
    };
    const users: List = [
      ['x-user', 'ann'],
      ['x-user', 'bob'],
    ];
    const properties = { 'source.address': '10.0.0.7:4711', 'source.port': { int: 4711 } };
    expect(await sent(config, users, properties, '/a/b?c=d')).toEqual([
      'x-user: user=ann,bob;.',
      'x-all: GET h.test/a/b?c=d (/a/b|c=d)',
      'x-source: 10.0.0.7 4711 1 false',
      'x-price: 5$ $ $x',
    ]);
  });

  test.each([
    ['10.0.0.7:80', '10.0.0.7'],
    ['[2001:db8::1]:80', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['/run/a.sock', '/run/a.sock'],
  ])('the address of %s is %s', async (address, expected) => {
    const config = { request: { set: { 'x-source': '${source.address}' } } };
    expect(await sent(config, [], { 'source.address': address })).toEqual([`x-source: ${expected}`]);
  });

  test('leaves no forged field behind where the host refuses the value', async () => {
    const config = { request: { set: { 'x-subject': '${consumer.subject}' } } };
    const properties = { 'consumer.subject': 'CN=a\r\nx-admin: 1' };
    expect(await sent(config, [['x-subject', 'forged']], properties)).toEqual([]);
  });

  test('sets the path and the authority', async () => {
    const filter = await openBuiltIn('headers', {
      request: { set: { ':path': '/v2${request.path}', ':authority': 'b.test' } },
    });
    const { upstream } = await filter.exchange({ request: { path: '/a?b' } });
    expect(upstream).toMatchObject({ path: '/v2/a?b', authority: 'b.test' });
  });

  test.each([
    ['{"request":', '1:12: expected a value'],
    [{ reqest: {} }, '1:11: reqest: unknown field'],
    [{ request: { set: { a: 1 } } }, '1:24: request.set.a: expected a string'],
    [
      { request: { set: { 'a b': '' } } },
      '1:26: request.set.a b: not the name of a field that filters may change',
    ],
    [
      { request: { remove: ['Host'] } },
      '1:23: request.remove[0]: not the name of a field that filters may change',
    ],
    [
      { response: { set: { ':status': '1' } } },
      '1:31: response.set.:status: not the name of a field that filters may change',
    ],
    [
      { request: { add: { ':path': '/' } } },
      '1:28: request.add.:path: not the name of a field that filters may change',
    ],
    [
      { request: { set: { a: '${request.pth}' } } },
      '1:24: request.set.a: unknown variable request.pth; a dollar sign is written $$',
    ],
    [{ request: { set: { a: '${request.path' } } }, '1:24: request.set.a: expected } after ${'],
    [{ request: { set: { a: 'b\nc' } } }, '1:24: request.set.a: not a field value'],
  ])('refuses %j', async (config, message) => {
    expect(await refusalOf('headers', config)).toEqual([message]);
  });

  test('tells all faults at once', async () => {
    expect(await refusalOf('headers', { request: { x: 1, remove: 'a' }, response: 3 })).toEqual([
      '1:28: request.remove: expected an array',
      '1:44: response: expected an object',
      '1:17: request.x: unknown field',
    ]);
  });
});
