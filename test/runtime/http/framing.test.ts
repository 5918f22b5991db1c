import { describe, expect, test } from 'vitest';
import { MethodId, REFUSED } from '../../../src/runtime/http/parse.ts';
import { field, readHead, request } from '../../support/head.ts';

const answer = (status: number, ...lines: string[]): string =>
  [`HTTP/1.1 ${status} X`, ...lines, '', ''].join('\r\n');

describe('the body of a request', () => {
  test('is not there without a framing field', () => {
    expect(readHead(request())).toMatchObject({ framing: 'none', contentLength: -1 });
    expect(readHead('POST / HTTP/1.0\r\n\r\n')).toMatchObject({ framing: 'none' });
  });

  test.each([
    ['0', 0],
    ['5', 5],
    ['0005', 5],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    [`${'0'.repeat(40)}7`, 7],
  ])('has the length %s', (value, length) => {
    const head = readHead(request(`Content-Length: ${value}`));
    expect(head).toMatchObject({ framing: 'length', contentLength: length });
    expect(field(head, 'content-length')).toBe(value);
  });

  test.each([
    '',
    '+5',
    '-5',
    '5,5',
    '5, 5',
    '5 5',
    '5;',
    '0x5',
    '5.0',
    '1e3',
    '9007199254740992',
    '9'.repeat(30),
    '५',
    'five',
    '5\xa0',
  ])('of Content-Length %j is refused', (value) => {
    expect(readHead(request(`Content-Length: ${value}`))).toMatchObject({ end: REFUSED, refusal: 400 });
  });

  test('with two Content-Length lines is refused, equal or not', () => {
    for (const second of ['5', '6', '05']) {
      expect(readHead(request('Content-Length: 5', `content-length: ${second}`)).refusal).toBe(400);
    }
  });

  test.each(['chunked', 'Chunked', 'CHUNKED', ' chunked\t'])('is chunked with %j', (value) => {
    const head = readHead(request(`Transfer-Encoding: ${value}`));
    expect(head).toMatchObject({ framing: 'chunked', contentLength: -1 });
    expect(field(head, 'transfer-encoding')).toBeUndefined();
  });

  test.each([
    ['gzip', 501],
    ['gzip, chunked', 501],
    ['identity', 501],
    ['xchunked', 501],
    ['chunkedx', 501],
    ['"chunked"', 501],
    ['chunked;q=1', 501],
    ['\x80chunked', 501],
    ['', 400],
    [',', 400],
    [', chunked', 400],
    ['chunked,', 400],
    ['chunked, chunked', 400],
    ['chunked, gzip', 400],
    ['chunked chunked', 400],
  ])('with Transfer-Encoding %j is refused with %i', (value, status) => {
    expect(readHead(request(`Transfer-Encoding: ${value}`))).toMatchObject({ end: REFUSED, refusal: status });
  });

  test('with two Transfer-Encoding lines is refused', () => {
    expect(readHead(request('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')).refusal).toBe(400);
    expect(readHead(request('Transfer-Encoding: chunked', 'Transfer-Encoding: identity')).refusal).toBe(400);
  });

  test('with both framing fields is refused, in either order', () => {
    const reason = 'transfer-encoding with content-length';
    expect(readHead(request('Transfer-Encoding: chunked', 'Content-Length: 5'))).toMatchObject({
      refusal: 400,
      reason,
    });
    expect(readHead(request('Content-Length: 0', 'Transfer-Encoding: chunked'))).toMatchObject({
      refusal: 400,
      reason,
    });
  });

  test('is never chunked in HTTP/1.0', () => {
    const head = readHead('POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n');
    expect(head).toMatchObject({ end: REFUSED, refusal: 400 });
  });
});

describe('the body of an answer', () => {
  test.each([
    ['Content-Length: 5', 'length', true],
    ['Transfer-Encoding: chunked', 'chunked', true],
    ['X: y', 'until-close', false],
  ] as const)('with %s: %s, connection kept: %s', (line, framing, keepAlive) => {
    expect(readHead(answer(200, line), { kind: 'answer' })).toMatchObject({
      framing,
      keepAlive,
      status: 200,
    });
  });

  test.each([100, 101, 103, 199, 204, 304])('is not there with %i, whatever the fields say', (status) => {
    for (const line of ['Content-Length: 5', 'Transfer-Encoding: chunked', 'X: y']) {
      expect(readHead(answer(status, line), { kind: 'answer' })).toMatchObject({
        framing: 'none',
        keepAlive: true,
      });
    }
  });

  test('is not there in the answer to HEAD, whose length stays visible', () => {
    const head = readHead(answer(200, 'Content-Length: 5'), { kind: 'answer', requestMethod: MethodId.Head });
    expect(head).toMatchObject({ framing: 'none', contentLength: 5, keepAlive: true });
    expect(field(head, 'content-length')).toBe('5');
  });

  test('may state the same length twice, not two lengths', () => {
    const head = readHead(answer(200, 'Content-Length: 5', 'Content-Length: 5'), { kind: 'answer' });
    expect(head.fields.filter(([name]) => name === 'content-length')).toHaveLength(1);
    expect(readHead(answer(200, 'Content-Length: 5', 'Content-Length: 6'), { kind: 'answer' }).refusal).toBe(
      502,
    );
  });

  test.each([
    ['Content-Length: 5\r\nTransfer-Encoding: chunked'],
    ['Content-Length: x'],
    ['Content-Length: 5, 5'],
    ['Transfer-Encoding: gzip'],
    ['Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'],
    ['X : y'],
    ['X: y\n'],
    [' X: y'],
  ])('with %j is refused with 502', (lines) => {
    for (const status of [200, 204]) {
      expect(readHead(answer(status, lines), { kind: 'answer' })).toMatchObject({
        end: REFUSED,
        refusal: 502,
      });
    }
  });

  test('is never chunked in HTTP/1.0', () => {
    const text = 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(readHead(text, { kind: 'answer' }).refusal).toBe(502);
  });
});

describe('a status line', () => {
  test.each([
    ['HTTP/1.1 200 OK', 200, 1],
    ['HTTP/1.0 404 Not Found', 404, 0],
    ['HTTP/1.1 200 ', 200, 1],
    ['HTTP/1.1 200', 200, 1],
    ['HTTP/1.1 599 \xe4\t"', 599, 1],
    ['HTTP/1.1 100 Continue', 100, 1],
  ])('%j', (line, status, minorVersion) => {
    expect(readHead(`${line}\r\n\r\n`, { kind: 'answer' })).toMatchObject({ status, minorVersion });
    expect(field(readHead(`${line}\r\n\r\n`, { kind: 'answer' }), ':status')).toBe(String(status));
  });

  test.each([
    'HTTP/1.1  200 OK',
    'HTTP/1.1\t200 OK',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 099 X',
    'HTTP/1.1 600 X',
    'HTTP/1.1 abc X',
    'HTTP/1.1 200\tOK',
    'HTTP/1.1 200 O\0K',
    'HTTP/1.1 200 OK\x7f',
    'HTTP/1.2 200 OK',
    'HTTP/2.0 200 OK',
    'http/1.1 200 OK',
    'HTTP/1.1',
    'ICY 200 OK',
    '\r\nHTTP/1.1 200 OK',
    ' HTTP/1.1 200 OK',
    'HTTP/1.1 200 OK\n',
    'HTTP/1.1 200 OK\rX',
  ])('%j is refused with 502', (line) => {
    expect(readHead(`${line}\r\n\r\n`, { kind: 'answer' })).toMatchObject({ end: REFUSED, refusal: 502 });
  });
});
