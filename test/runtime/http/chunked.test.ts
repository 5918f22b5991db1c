import { describe, expect, test } from 'vitest';
import { ChunkedReader } from '../../../src/runtime/http/chunked.ts';
import { MessageKind } from '../../../src/runtime/http/headers.ts';
import { DEFAULT_LISTENER_LIMITS, type ListenerLimits } from '../../../src/runtime/snapshot.ts';
import { everyByte } from '../../support/head.ts';

interface Options {
  limits?: Partial<ListenerLimits>;
  cuts?: readonly number[];
  kind?: MessageKind;
}

function read(text: string, options: Options = {}) {
  const reader = new ChunkedReader();
  reader.reset({ ...DEFAULT_LISTENER_LIMITS, ...options.limits }, options.kind);
  let data = '';
  let start = 0;
  let end = 0;
  for (const cut of [...(options.cuts ?? []), text.length]) {
    const piece = Buffer.from(`..${text.slice(start, cut)}..`, 'latin1');
    const consumed = reader.read(piece, 2, piece.length - 2);
    data += piece.toString('latin1', reader.dataStart, reader.dataEnd);
    end = start + consumed - 2;
    if (reader.done || reader.refusal !== 0) break;
    start = cut;
  }
  const trailers = reader.trailers?.entries() ?? null;
  return { data, end, done: reader.done, refusal: reader.refusal, reason: reader.refusalReason, trailers };
}

const END = '0\r\n\r\n';

describe('a chunked body', () => {
  test.each([
    [`5\r\nhello\r\n${END}`, 'hello'],
    [`5\r\nhello\r\n6\r\n world\r\n${END}`, 'hello world'],
    [END, ''],
    [`a\r\n0123456789\r\nA\r\n0123456789\r\n${END}`, '01234567890123456789'],
    [`0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n`, 'hello'],
    [`4\r\n\r\n\r\n\r\n${END}`, '\r\n\r\n'],
    [`1\r\n\0\r\n1\r\n\xff\r\n${END}`, '\0\xff'],
  ])('%j holds %j', (text, data) => {
    expect(read(`${text}GET /`)).toMatchObject({ data, done: true, end: text.length, trailers: null });
    expect(read(text, { cuts: everyByte(text) })).toMatchObject({ data, done: true, end: text.length });
  });

  test('is one run of decoded data for each piece, in the buffer it came in', () => {
    const reader = new ChunkedReader();
    reader.reset(DEFAULT_LISTENER_LIMITS);
    const buffer = Buffer.from('3\r\nabc\r\n2;x=y\r\nde\r\n4\r\nfghi\r\n');
    expect(reader.read(buffer, 0, buffer.length)).toBe(buffer.length);
    expect([reader.dataStart, reader.dataEnd]).toEqual([3, 12]);
    expect(buffer.toString('latin1', 3, 12)).toBe('abcdefghi');
  });

  test('leaves what follows its end alone', () => {
    const reader = new ChunkedReader();
    reader.reset(DEFAULT_LISTENER_LIMITS);
    const buffer = Buffer.from(`3\r\nabc\r\n3\r\ndef\r\n${END}GET / HTTP/1.1`);
    const end = reader.read(buffer, 0, buffer.length);
    expect(buffer.toString('latin1', end)).toBe('GET / HTTP/1.1');
    expect(reader.read(buffer, end, buffer.length)).toBe(end);
    expect(reader.dataStart).toBe(reader.dataEnd);
  });

  test('may be larger than any buffer: sizes are counted up to 2^53-1', () => {
    const reader = new ChunkedReader();
    reader.reset(DEFAULT_LISTENER_LIMITS);
    const buffer = Buffer.from('001fffffffffffff\r\nabc');
    expect(reader.read(buffer, 0, buffer.length)).toBe(buffer.length);
    expect(reader.refusal).toBe(0);
    expect(reader.dataEnd - reader.dataStart).toBe(3);
    const more = Buffer.alloc(1 << 20, 0x0d);
    expect(reader.read(more, 0, more.length)).toBe(more.length);
    expect(reader.dataEnd).toBe(more.length);
  });

  test.each([
    ['\r\n', 'bad chunk size'],
    ['g', 'bad chunk size'],
    ['-1\r\n', 'bad chunk size'],
    ['+1\r\n', 'bad chunk size'],
    [' 5\r\n', 'bad chunk size'],
    ['0x5\r\n', 'bad chunk extension'],
    ['5 \r\n', 'bad chunk extension'],
    ['5\t\r\n', 'bad chunk extension'],
    ['5g\r\n', 'bad chunk extension'],
    ['5,5\r\n', 'bad chunk extension'],
    ['0020000000000000', 'chunk size too large'],
    ['ffffffffffffffff', 'chunk size too large'],
    ['00000000000000005', 'chunk size too large'],
    ['5\n', 'bare lf'],
    ['5;a\n', 'bare lf'],
    ['5\r5', 'bare cr'],
    ['5\r\nhello5', 'chunk longer than its size'],
    ['5\r\nhello\n', 'chunk longer than its size'],
    ['5\r\nhello\r5', 'bare cr'],
    ['5\r\nhello\r\n\r\n', 'bad chunk size'],
    ['0\r\n\n', 'bare lf'],
    ['0\r\n\rx', 'bare cr'],
  ])('%j is refused: %s', (text, reason) => {
    for (const cuts of [[], everyByte(text)]) {
      expect(read(text, { cuts })).toMatchObject({ done: false, refusal: 400, reason });
    }
    expect(read(text, { kind: MessageKind.Response })).toMatchObject({ refusal: 502, reason });
  });

  test('reports data that came before a fault', () => {
    expect(read('5\r\nhello\r\nx')).toMatchObject({ data: 'hello', refusal: 400 });
  });
});

describe('chunk extensions', () => {
  test.each([
    ';a',
    ';a=b',
    ';a="b"',
    ';a=""',
    ';a=b;c',
    ';a="b";c=d',
    ' ; a = b ; c',
    '\t;\ta\t=\t"b"\t;c',
    ';a="\\"\\\\;\\\x80"',
    ';a=" \t\x80;,="',
    ';!#=1',
  ])('%j are read over', (extensions) => {
    const text = `5${extensions}\r\nhello\r\n0${extensions}\r\n\r\n`;
    for (const cuts of [[], everyByte(text)])
      expect(read(text, { cuts })).toMatchObject({ data: 'hello', done: true });
  });

  test.each([
    ';',
    ';;',
    '; ',
    ';a ',
    ';a=',
    ';a= ',
    ';a=b ',
    ';a="b" ',
    ';a=b c',
    ';a="b"c',
    ';a "b"',
    ';=b',
    ';a=b=c',
    ';"a"=b',
    ';a="b',
    ';a="\\',
    ';a=(',
    ';a\x80',
    ';a="\0"',
    ';a="\\\0"',
    ' a',
    ',a',
  ])('%j are refused', (extensions) => {
    const text = `5${extensions}\r\nhello\r\n${END}`;
    for (const cuts of [[], everyByte(text)]) expect(read(text, { cuts }).refusal).toBe(400);
  });

  test('of one line have 256 bytes at most', () => {
    expect(read(`1;${'a'.repeat(255)}\r\nx\r\n${END}`).done).toBe(true);
    expect(read(`1;${'a'.repeat(256)}`)).toMatchObject({ refusal: 400, reason: 'chunk extensions too long' });
  });

  test('of a message have 16 KiB at most, or twice the data', () => {
    const line = (size: number): string =>
      `${size.toString(16)};${'a'.repeat(255)}\r\n${'x'.repeat(size)}\r\n`;
    expect(read(`${line(1).repeat(64)}${END}`).done).toBe(true);
    expect(read(`${line(1).repeat(65)}${END}`).refusal).toBe(400);
    expect(read(`${line(200).repeat(300)}${END}`).done).toBe(true);
    expect(read(`${line(64).repeat(65)}${END}`).refusal).toBe(400);
  });
});

describe('trailers', () => {
  test('are fields like others, in order', () => {
    const text = `1\r\nx\r\n0\r\nX-Sum: 7\r\ngrpc-status:0\r\nX-Sum: \t8 \r\n\r\n`;
    const trailers = [
      ['x-sum', '7'],
      ['grpc-status', '0'],
      ['x-sum', '8'],
    ];
    for (const cuts of [[], everyByte(text)]) {
      expect(read(`${text}GET`, { cuts })).toMatchObject({
        data: 'x',
        done: true,
        end: text.length,
        trailers,
      });
    }
  });

  test.each([
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'Host: a',
    'Connection: close',
    'Keep-Alive: 1',
    'TE: x',
    'Trailer: x',
    'Upgrade: x',
    'Authorization: x',
    'Proxy-Authorization: x',
    'Proxy-Authenticate: x',
    'WWW-Authenticate: x',
    'Cookie: x',
    'Set-Cookie: x',
    'Content-Type: x',
    'Content-Encoding: x',
    'Content-Range: x',
    'Cache-Control: x',
    'Expect: x',
    'Range: x',
    'If-Match: x',
    'Max-Forwards: 1',
    'X-Forwarded-For: 1',
    'Forwarded: x',
    'X-Request-Id: 1',
    'Date: x',
    'Location: x',
    'Vary: x',
    'Access-Control-Allow-Origin: *',
  ])('%s is never taken from them', (line) => {
    expect(read(`0\r\n${line}\r\n\r\n`)).toMatchObject({ done: true, trailers: null });
    expect(read(`0\r\n${line.toUpperCase()}\r\nX: y\r\n\r\n`).trailers).toEqual([['x', 'y']]);
  });

  test.each([
    'X : y',
    ': y',
    'X',
    ' X: y',
    'X: y\r\n z: a',
    'X: y\n',
    'X: \0',
    'X\x80: y',
    'content_length: 5',
    'X_Y: z',
    'X: y\rz',
  ])('%j in them is refused', (line) => {
    const text = `0\r\n${line}\r\n\r\n`;
    for (const cuts of [[], everyByte(text)])
      expect(read(text, { cuts })).toMatchObject({ done: false, refusal: 400 });
  });

  test('follow the policy for underscores, in requests', () => {
    const text = '0\r\nX_Y: z\r\nA: b\r\n\r\n';
    expect(read(text, { limits: { underscores: 'drop' } }).trailers).toEqual([['a', 'b']]);
    expect(read(text, { limits: { underscores: 'allow' } }).trailers).toHaveLength(2);
    expect(read(text, { kind: MessageKind.Response }).trailers).toHaveLength(2);
    expect(read('0\r\ncontent_length: 5\r\n\r\n', { limits: { underscores: 'drop' } }).refusal).toBe(400);
  });

  test('are limited like a head', () => {
    const text = '0\r\nAb: cd\r\nE: f\r\n\r\n';
    const size = text.length - 3;
    for (const cuts of [[], everyByte(text)]) {
      expect(read(text, { cuts, limits: { fields: 2, fieldBytes: 6, headBytes: size } }).done).toBe(true);
      expect(read(text, { cuts, limits: { fields: 1 } }).refusal).toBe(431);
      expect(read(text, { cuts, limits: { fieldBytes: 5 } }).refusal).toBe(431);
      expect(read(text, { cuts, limits: { headBytes: size - 1 } }).refusal).toBe(431);
    }
  });

  test('of one message do not show up in the next', () => {
    const reader = new ChunkedReader();
    for (const [text, count] of [
      ['0\r\nX: y\r\n\r\n', 1],
      [END, 0],
      ['0\r\nA: b\r\nC: d\r\n\r\n', 2],
    ] as const) {
      reader.reset(DEFAULT_LISTENER_LIMITS);
      const buffer = Buffer.from(text);
      expect(reader.read(buffer, 0, buffer.length)).toBe(buffer.length);
      expect(reader.trailers?.count ?? 0).toBe(count);
    }
  });
});
