import { describe, expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { runScript } from '../../support/bare-run.ts';
import { BareStream } from '../../support/bare-stream.ts';

const pairs = (...fields: [string, string][]): Uint8Array => {
  const sizes = fields.flatMap(([name, value]) => [name.length, value.length]);
  const head = new Uint8Array(Uint32Array.from([fields.length, ...sizes]).buffer);
  return Buffer.concat([
    head,
    Buffer.from(fields.map(([name, value]) => `${name}\0${value}\0`).join(''), 'latin1'),
  ]);
};

const streamWith = (...fields: [string, string][]): BareStream => {
  const stream = new BareStream();
  stream.request(fields);
  return stream;
};

describe('reading', () => {
  test('the first value of a field, whatever the case of its name', async () => {
    const stream = streamWith(['Accept', 'a/b'], ['X-Empty', ''], ['accept', 'c/d']);
    const run = await runScript(
      (s) =>
        s
          .call('proxy_get_header_map_value', 0, s.text('aCCept'), s.out(0), s.out(1))
          .call('proxy_get_header_map_value', 0, s.text('x-empty'), s.out(2), s.out(3))
          .call('proxy_get_header_map_value', 0, s.text('missing'), s.out(4), s.out(5)),
      { stream },
    );
    expect(run.results(3)).toEqual([Status.Ok, Status.Ok, Status.NotFound]);
    expect(run.given(0)).toBe('a/b');
    // No block of no bytes: some allocators trap on it.
    expect([run.word(2), run.word(3)]).toEqual([0, 0]);
  });

  test('bytes that are no text pass unchanged', async () => {
    const stream = streamWith(['x-bytes', '\x80\xff']);
    const run = await runScript(
      (s) => s.call('proxy_get_header_map_value', 0, s.text('x-bytes'), s.out(0), s.out(1)),
      { stream },
    );
    expect(run.given()).toBe('\x80\xff');
  });

  test('0.1.0 reads a missing field as an empty one', async () => {
    const run = await runScript(
      (s) => s.call('proxy_get_header_map_value', 0, s.text('missing'), s.out(0), s.out(1)),
      { abi: '0.1.0' },
    );
    expect(run.results(1)).toEqual([Status.Ok]);
    expect([run.word(0), run.word(1)]).toEqual([0, 0]);
  });

  test('host stands for :authority', async () => {
    const run = await runScript((s) =>
      s.call('proxy_get_header_map_value', 0, s.text('Host'), s.out(0), s.out(1)),
    );
    expect(run.given()).toBe('example.test');
  });

  test('a map that this phase does not have is BadArgument, once in the log', async () => {
    const run = await runScript((s) =>
      s
        .call('proxy_get_header_map_value', 2, s.text('a'), s.out(0), s.out(1))
        .call('proxy_get_header_map_value', 8, s.text('a'), s.out(0), s.out(1))
        .call('proxy_get_header_map_value', 2, s.text('a'), s.out(0), s.out(1)),
    );
    expect(run.results(3)).toEqual([Status.BadArgument, Status.BadArgument, Status.BadArgument]);
    expect(run.host.messages.filter((line) => line.includes('map 2 is not there'))).toHaveLength(1);
  });

  test('all pairs: pseudo-headers first, names in lower case, byte for byte', async () => {
    const run = await runScript((s) => s.call('proxy_get_header_map_pairs', 0, s.out(0), s.out(1)), {
      stream: streamWith(['X-A', '1']),
    });
    expect(run.given()).toBe(
      Buffer.from(
        pairs(
          [':method', 'GET'],
          [':path', '/'],
          [':authority', 'example.test'],
          [':scheme', 'http'],
          ['x-a', '1'],
        ),
      ).toString('latin1'),
    );
  });

  test('a map that is not there has a count of zero: an empty buffer traps some SDKs', async () => {
    const run = await runScript((s) => s.call('proxy_get_header_map_pairs', 3, s.out(0), s.out(1)));
    expect(run.results(1)).toEqual([Status.Ok]);
    expect(run.given()).toBe('\0\0\0\0');
  });

  test('the size of a map is that of its names and values', async () => {
    const stream = new BareStream();
    stream.request();
    stream.requestTrailers([
      ['abc', 'de'],
      ['f', ''],
    ]);
    const run = await runScript((s) => s.call('proxy_get_header_map_size', 1, s.out(0)), { stream });
    expect(run.word(0)).toBe(6);
  });

  test('1100 fields are handed over whole', async () => {
    const stream = streamWith(...Array.from({ length: 1100 }, (_, i): [string, string] => [`n${i}`, 'v']));
    const run = await runScript((s) => s.call('proxy_get_header_map_pairs', 0, s.out(0), s.out(1)), {
      stream,
    });
    expect(run.results(1)).toEqual([Status.Ok]);
    expect(Buffer.from(run.given(), 'latin1').readUInt32LE(0)).toBe(1104);
  });
});

describe('writing', () => {
  test('add appends, replace leaves one, remove takes all', async () => {
    const stream = streamWith(['a', '1'], ['b', '1'], ['b', '2'], ['c', '1'], ['C', '2']);
    const run = await runScript(
      (s) =>
        s
          .call('proxy_add_header_map_value', 0, s.text('A'), s.text('2'))
          .call('proxy_replace_header_map_value', 0, s.text('b'), s.text('3'))
          .call('proxy_remove_header_map_value', 0, s.text('c'))
          .call('proxy_remove_header_map_value', 0, s.text('not-there'))
          .call('proxy_replace_header_map_value', 0, s.text('d'), s.text(' x\t')),
      { stream },
    );
    expect(run.results(5)).toEqual([0, 0, 0, 0, 0]);
    expect(stream.headerMap(0)!.entries().slice(4)).toEqual([
      ['a', '1'],
      ['b', '3'],
      ['a', '2'],
      ['d', 'x'],
    ]);
  });

  test.each([
    // name, value, because
    ['bad name', 'v', 'a space is no token byte'],
    ['', 'v', 'a name has at least one byte'],
    ['x:y', 'v', 'a colon ends a name'],
    ['x', 'a\r\nb: c', 'a line break would start another field'],
    ['x', 'a\0b', 'values hold no control byte'],
    [':nope', 'v', 'there is no such pseudo-header'],
    [':path', 'items', 'a path starts with a slash'],
    [':path', '/a b', 'a target holds no space'],
    [':path', '/a#b', 'a target holds no fragment'],
    [':path', '', 'a target is not empty'],
    [':method', 'GE T', 'a method is a token'],
    [':method', '', 'a method is not empty'],
    [':authority', 'user@host', 'an authority holds no user information'],
    [':scheme', 'ftp', 'only http and https are served'],
    ['content-length', '1, 1', 'a length is digits'],
    ['content_length', '1', 'some servers read it as framing'],
    ['transfer_encoding', 'chunked', 'some servers read it as framing'],
  ])('%j: %j is refused (%s)', async (name, value, _because) => {
    const run = await runScript((s) =>
      s.call('proxy_replace_header_map_value', 0, s.text(name), s.text(value)),
    );
    expect(run.results(1)).toEqual([Status.BadArgument]);
    expect(run.stream.headerMap(0)!.count).toBe(4);
  });

  test.each([
    'transfer-encoding',
    'connection',
    'keep-alive',
    'upgrade',
    'te',
    'trailer',
    'proxy-connection',
  ])('%s is accepted and not written', async (name) => {
    const run = await runScript((s) => s.call('proxy_add_header_map_value', 0, s.text(name), s.text('x')));
    expect(run.results(1)).toEqual([Status.Ok]);
    expect(run.stream.headerMap(0)!.get(name)).toBeUndefined();
  });

  test('content-length can be removed and set, and is never there twice', async () => {
    const stream = streamWith(['content-length', '5']);
    const run = await runScript(
      (s) =>
        s
          .call('proxy_add_header_map_value', 0, s.text('content-length'), s.text('7'))
          .call('proxy_remove_header_map_value', 0, s.text('content-length'))
          .call('proxy_add_header_map_value', 0, s.text('Content-Length'), s.text('9')),
      { stream },
    );
    expect(run.results(3)).toEqual([0, 0, 0]);
    expect(stream.headerMap(0)!.entries().slice(4)).toEqual([['content-length', '9']]);
  });

  test('pseudo-headers are replaced in place, host too; they are neither added nor removed', async () => {
    const run = await runScript((s) =>
      s
        .call('proxy_replace_header_map_value', 0, s.text(':path'), s.text('/b?c'))
        .call('proxy_replace_header_map_value', 0, s.text('host'), s.text('other.test'))
        .call('proxy_add_header_map_value', 0, s.text(':path'), s.text('/c'))
        .call('proxy_remove_header_map_value', 0, s.text(':path')),
    );
    expect(run.results(4)).toEqual([Status.Ok, Status.Ok, Status.BadArgument, Status.BadArgument]);
    expect(run.stream.headerMap(0)!.entries()).toEqual([
      [':method', 'GET'],
      [':path', '/b?c'],
      [':authority', 'other.test'],
      [':scheme', 'http'],
    ]);
  });

  test.each([
    ['503', Status.Ok],
    ['101', Status.BadArgument],
    ['20', Status.BadArgument],
    ['abc', Status.BadArgument],
    ['600', Status.BadArgument],
  ])('status %s in a response answers %i', async (status, expected) => {
    const stream = new BareStream();
    stream.request();
    stream.response();
    const run = await runScript(
      (s) => s.call('proxy_replace_header_map_value', 2, s.text(':status'), s.text(status)),
      { stream },
    );
    expect(run.results(1)).toEqual([expected]);
    expect(stream.headerMap(2)!.valueText(0)).toBe(expected === Status.Ok ? status : '200');
  });

  test('a message that was sent on is not changed', async () => {
    const stream = streamWith();
    stream.release(0);
    const run = await runScript(
      (s) =>
        s
          .call('proxy_add_header_map_value', 0, s.text('a'), s.text('b'))
          .call('proxy_remove_header_map_value', 0, s.text('a'))
          .call('proxy_set_header_map_pairs', 0, s.text(pairs(['a', 'b']))),
      { stream },
    );
    expect(run.results(3)).toEqual([2, 2, 2]);
    expect(stream.headerMap(0)!.count).toBe(4);
  });

  test('trailers take no pseudo-header and no framing', async () => {
    const stream = streamWith();
    stream.requestTrailers([]);
    const run = await runScript(
      (s) =>
        s
          .call('proxy_add_header_map_value', 1, s.text(':path'), s.text('/'))
          .call('proxy_add_header_map_value', 1, s.text('content-length'), s.text('1'))
          .call('proxy_add_header_map_value', 1, s.text('grpc-status'), s.text('0')),
      { stream },
    );
    expect(run.results(3)).toEqual([Status.BadArgument, Status.Ok, Status.Ok]);
    expect(stream.headerMap(1)!.entries()).toEqual([['grpc-status', '0']]);
  });

  test('a map has a bounded number of fields', async () => {
    const stream = streamWith(...Array.from({ length: 1020 }, (_, i): [string, string] => [`n${i}`, 'v']));
    const run = await runScript((s) => s.call('proxy_add_header_map_value', 0, s.text('a'), s.text('b')), {
      stream,
    });
    expect(run.results(1)).toEqual([Status.BadArgument]);
  });
});

describe('replacing a whole map', () => {
  test('the list becomes the map; pseudo-headers that it leaves out stay', async () => {
    const stream = streamWith(['a', '1'], ['b', '2']);
    const list = pairs([':path', '/new'], ['B', '3'], ['c', ''], ['b', '4']);
    const run = await runScript((s) => s.call('proxy_set_header_map_pairs', 0, s.text(list)), { stream });
    expect(run.results(1)).toEqual([Status.Ok]);
    expect(stream.headerMap(0)!.entries()).toEqual([
      [':method', 'GET'],
      [':path', '/new'],
      [':authority', 'example.test'],
      [':scheme', 'http'],
      ['b', '3'],
      ['c', ''],
      ['b', '4'],
    ]);
  });

  test.each([
    ['no byte', new Uint8Array(0)],
    ['one zero byte', Uint8Array.of(0)],
    ['a count of zero', new Uint8Array(4)],
  ])('%s is the empty map', async (_name, bytes) => {
    const stream = streamWith(['a', '1']);
    const run = await runScript((s) => s.call('proxy_set_header_map_pairs', 0, s.text(bytes)), { stream });
    expect(run.results(1)).toEqual([Status.Ok]);
    expect(stream.headerMap(0)!.count).toBe(4);
  });

  const whole = pairs(['a', 'b']);
  test.each([
    ['a byte too many', Uint8Array.from([...whole, 0])],
    ['a byte too few', whole.subarray(0, whole.length - 1)],
    ['no NUL after the name', whole.map((byte, i) => (i === 13 ? 1 : byte))],
    ['a name that is longer than the list', whole.map((byte, i) => (i === 7 ? 0xff : byte))],
    ['a count of 2^32 - 1', whole.map((byte, i) => (i < 4 ? 0xff : byte))],
    ['1025 pairs', pairs(...Array.from({ length: 1025 }, (): [string, string] => ['', '']))],
    ['a name that is no token', pairs(['ok', '1'], ['not ok', '2'])],
    ['a value with a line break', pairs(['a', '1\n2'])],
  ])('%s is refused and changes nothing', async (_name, bytes) => {
    const stream = streamWith(['a', '1']);
    const run = await runScript((s) => s.call('proxy_set_header_map_pairs', 0, s.text(bytes)), { stream });
    expect(run.results(1)).toEqual([Status.BadArgument]);
    expect(stream.headerMap(0)!.entries().slice(4)).toEqual([['a', '1']]);
  });
});
