import { describe, expect, test } from 'vitest';
import { Wants } from '../../src/runtime/wasm/abi.ts';
import { FilterRun } from '../support/filter.ts';
import { ArrayStream } from '../support/wasm-stream.ts';

const start = (config: unknown): Promise<FilterRun> => FilterRun.start('headers', config);

describe('headers', () => {
  test('never sees a body, trailers or the end of a stream', async () => {
    expect((await start({})).plugin.wants).toBe(Wants.RequestHeaders | Wants.ResponseHeaders);
  });

  test('renames, removes, sets and adds, in this order', async () => {
    const filter = await start({
      request: {
        add: { 'x-list': ['3', '4'], 'x-new': 'n' },
        set: { 'X-Team': 'payments', 'x-list': '2' },
        remove: ['X-Internal', 'x-absent'],
        rename: { 'x-old': 'x-renamed', 'x-none': 'x-kept' },
      },
    });
    const { action, fields } = filter.request([
      ['x-team', 'a'],
      ['x-team', 'b'],
      ['x-internal', '1'],
      ['x-old', 'one'],
      ['x-list', '1'],
      ['x-old', 'two'],
      ['x-renamed', 'forged'],
      ['x-kept', 'stays'],
    ]);
    expect(action).toBe(0);
    expect([...fields].sort()).toEqual([
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
    const filter = await start({ response: { remove: ['server'], set: { 'x-frame-options': 'DENY' } } });
    expect(
      filter.request().respond([
        ['server', 'x'],
        ['x-frame-options', 'ALLOW'],
      ]),
    ).toEqual(['x-frame-options: DENY']);
  });

  test('fills in variables; what is not there is empty', async () => {
    const filter = await start({
      request: {
        set: {
          'x-all': '${request.method} ${request.host}${request.path} (${request.url_path}|${request.query})',
          'x-user': 'user=${request.headers.X-User};${consumer.name}.',
          'x-source': '${source.address} ${source.port} ${connection.id} ${connection.mtls}',
          'x-price': '5$$ $ $x',
        },
      },
    });
    const stream = new ArrayStream();
    stream.attributes.set('request\0headers\0x-user', { type: 'string', value: 'ann,bob' });
    stream.attributes.set('source\0address', { type: 'string', value: '10.0.0.7:4711' });
    stream.attributes.set('source\0port', { type: 'int', value: 4711n });
    stream.attributes.set('connection\0id', { type: 'uint', value: 42n });
    stream.attributes.set('connection\0mtls', { type: 'bool', value: false });
    expect(
      filter.request(
        [
          [':path', '/a/b?c=d'],
          [':authority', 'h.test'],
        ],
        stream,
      ).fields,
    ).toEqual([
      'x-all: GET h.test/a/b?c=d (/a/b|c=d)',
      'x-user: user=ann,bob;.',
      'x-source: 10.0.0.7 4711 42 false',
      'x-price: 5$ $ $x',
    ]);
  });

  test.each([
    ['10.0.0.7:80', '10.0.0.7'],
    ['[2001:db8::1]:80', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['/run/a.sock', '/run/a.sock'],
  ])('the address of %s is %s', async (address, expected) => {
    const filter = await start({ request: { set: { 'x-source': '${source.address}' } } });
    const stream = new ArrayStream();
    stream.attributes.set('source\0address', { type: 'string', value: address });
    expect(filter.request([], stream).fields).toEqual([`x-source: ${expected}`]);
  });

  test('leaves no forged field behind where the host refuses the value', async () => {
    const filter = await start({ request: { set: { 'x-subject': '${consumer.subject}' } } });
    const stream = new ArrayStream();
    stream.attributes.set('consumer.subject', { type: 'string', value: 'CN=a\r\nx-admin: 1' });
    expect(filter.request([['x-subject', 'forged']], stream).fields).toEqual([]);
  });

  test('sets the path and the authority', async () => {
    const filter = await start({
      request: { set: { ':path': '/v2${request.path}', ':authority': 'b.test' } },
    });
    const { stream, path } = filter.request([[':path', '/a?b']]);
    expect(path).toBe('/v2/a?b');
    expect(stream.headerMap(0)!.get(':authority')).toBe('b.test');
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
    expect(await FilterRun.refusal('headers', config)).toEqual([message]);
  });

  test('tells all faults at once', async () => {
    expect(await FilterRun.refusal('headers', { request: { x: 1, remove: 'a' }, response: 3 })).toEqual([
      '1:28: request.remove: expected an array',
      '1:44: response: expected an object',
      '1:17: request.x: unknown field',
    ]);
  });
});
