import { describe, expect, test } from 'vitest';
import { MethodId, NEED_MORE, REFUSED } from '../../../src/runtime/http/parse.ts';
import { everyByte, field, readHead } from '../../support/head.ts';

const HOST = 'Host: a.example\r\n\r\n';

describe('a request line', () => {
  test.each([
    ['GET / HTTP/1.1', MethodId.Get, '/'],
    ['HEAD /a HTTP/1.1', MethodId.Head, '/a'],
    ['POST /a?b=c HTTP/1.1', MethodId.Post, '/a?b=c'],
    ['PUT /a HTTP/1.1', MethodId.Put, '/a'],
    ['DELETE /a HTTP/1.1', MethodId.Delete, '/a'],
    ['OPTIONS * HTTP/1.1', MethodId.Options, '*'],
    ['TRACE / HTTP/1.1', MethodId.Trace, '/'],
    ['PATCH / HTTP/1.0', MethodId.Patch, '/'],
    ['get / HTTP/1.1', MethodId.Other, '/'],
    ['M-SEARCH / HTTP/1.1', MethodId.Other, '/'],
    ["!#$%&'*+.^_`|~Az09- / HTTP/1.1", MethodId.Other, '/'],
    [`${'M'.repeat(32)} / HTTP/1.1`, MethodId.Other, '/'],
    ['GET /\x80\xff|{}<>"\\^` HTTP/1.1', MethodId.Get, '/\x80\xff|{}<>"\\^`'],
  ])('%j is read', (line, method, path) => {
    const head = readHead(`${line}\r\n${HOST}`);
    expect(head.end).toBe(line.length + 2 + HOST.length);
    expect(head.method).toBe(method);
    expect(field(head, ':method')).toBe(line.split(' ')[0]);
    expect(field(head, ':path')).toBe(path);
  });

  test.each([
    [' GET / HTTP/1.1', 400, 'bad byte in method'],
    ['GET  / HTTP/1.1', 400, 'bad request target'],
    ['GET\t/ HTTP/1.1', 400, 'bad byte in method'],
    ['GE\x80T / HTTP/1.1', 400, 'bad byte in method'],
    ['GET: / HTTP/1.1', 400, 'bad byte in method'],
    ['GET /  HTTP/1.1', 400, 'bad http version'],
    ['GET /a b HTTP/1.1', 400, 'bad http version'],
    ['GET / HTTP/1.1 ', 400, 'bad http version'],
    ['GET / HTTP/1.1\t', 400, 'bad http version'],
    [`${'M'.repeat(33)} / HTTP/1.1`, 400, 'method too long'],
    ['GET /\t HTTP/1.1', 400, 'bad byte in request target'],
    ['GET /\0 HTTP/1.1', 400, 'bad byte in request target'],
    ['GET /\x7f HTTP/1.1', 400, 'bad byte in request target'],
    ['GET /a#b HTTP/1.1', 400, 'fragment in request target'],
    ['GET #b HTTP/1.1', 400, 'bad request target'],
    ['GET /', 400, 'missing http version'],
    ['GET / ', 400, 'bad http version'],
    ['GET', 400, 'bad byte in method'],
    ['GET / HTTP/0.9', 505, 'unsupported http version'],
    ['GET / HTTP/1.2', 505, 'unsupported http version'],
    ['GET / HTTP/2.0', 505, 'unsupported http version'],
    ['GET / HTTP/3', 505, 'unsupported http version'],
    ['GET / HTTP/1.10', 400, 'bad http version'],
    ['GET / HTTP/11.1', 400, 'bad http version'],
    ['GET / HTTP/1', 400, 'bad http version'],
    ['GET / HTTP/1.', 400, 'bad http version'],
    ['GET / HTTP/1,1', 400, 'bad http version'],
    ['GET / HTTP/+1.1', 400, 'bad http version'],
    ['GET / http/1.1', 400, 'bad http version'],
    ['GET / HTTPS/1.1', 400, 'bad http version'],
    ['GET / ICE/1.0', 400, 'bad http version'],
    ['GET * HTTP/1.1', 400, 'bad request target'],
    ['OPTIONS ** HTTP/1.1', 400, 'bad request target'],
    ['OPTIONS *?a HTTP/1.1', 400, 'bad request target'],
    ['GET a.example HTTP/1.1', 400, 'bad request target'],
    ['GET a/b HTTP/1.1', 400, 'bad request target'],
    ['GET ?a HTTP/1.1', 400, 'bad request target'],
    ['GET host:80 HTTP/1.1', 400, 'bad request target'],
    ['CONNECT a.example:443 HTTP/1.1', 501, 'connect is not supported'],
    ['CONNECT / HTTP/1.1', 501, 'connect is not supported'],
  ])('%j is refused with %i', (line, status, reason) => {
    const head = readHead(`${line}\r\n${HOST}`);
    expect([head.end, head.refusal, head.reason]).toEqual([REFUSED, status, reason]);
    expect(readHead(`${line}\r\n${HOST}`, { cuts: everyByte(line) })).toMatchObject({
      end: REFUSED,
      refusal: status,
      reason,
    });
  });

  test.each(['GET /\n', 'GET\n', '\n', 'GET / HTTP/1.1\n', 'GET / HTTP/1.1\r\r', '\r\r', '\rG'])(
    '%j is refused: lines end with CRLF only',
    (text) => {
      expect(readHead(text)).toMatchObject({ end: REFUSED, refusal: 400 });
    },
  );

  test.each([
    ['\0', 'the first byte starts no method'],
    ['\x16', 'a TLS handshake'],
    ['GET /\0', 'no byte of the line need follow'],
    ['GET / HTTP/2', 'the version is known to be another'],
    ['GET x', 'no scheme starts so'],
    ['GET / HTTP/1.1\r\nHost: a\n', 'a bare LF'],
    ['GET / HTTP/1.1\r\nHost: a\0', 'a NUL in a value'],
    ['GET / HTTP/1.1\r\n ', 'a folded line'],
    ['GET / HTTP/1.1\r\nHost ', 'a space before the colon'],
  ])('%j is refused before the line is whole (%s)', (text) => {
    expect(readHead(text).end).toBe(REFUSED);
    expect(readHead(text.slice(0, -1)).end).toBe(NEED_MORE);
  });

  test('the connection is told which method was refused', () => {
    expect(readHead(`CONNECT a.example:443 HTTP/1.1\r\n${HOST}`).method).toBe(MethodId.Connect);
  });

  test('up to four empty lines before it are skipped', () => {
    const line = `GET / HTTP/1.1\r\n${HOST}`;
    expect(readHead(`${'\r\n'.repeat(4)}${line}`).end).toBe(8 + line.length);
    expect(readHead(`${'\r\n'.repeat(5)}${line}`)).toMatchObject({ end: REFUSED, refusal: 400 });
    expect(readHead('\r\n'.repeat(4), { cuts: everyByte('\r\n'.repeat(4)) }).end).toBe(NEED_MORE);
  });

  test('a target over its limit is 414, as soon as the limit is passed', () => {
    const limits = { targetBytes: 10 };
    expect(readHead(`GET /23456789x HTTP/1.1\r\n${HOST}`, { limits }).reason).toBe('');
    expect(readHead(`GET /23456789xy`, { limits })).toMatchObject({ end: REFUSED, refusal: 414 });
    expect(readHead(`GET /23456789x`, { limits }).end).toBe(NEED_MORE);
  });
});

describe('an absolute target', () => {
  test.each([
    ['http://b.example/x?y', 'b.example', '/x?y'],
    ['HTTP://B.Example/X', 'b.example', '/X'],
    ['https://b.example/x', 'b.example', '/x'],
    ['http://b.example', 'b.example', '/'],
    ['http://b.example?y=1', 'b.example', '/?y=1'],
    ['http://b.example:80/', 'b.example', '/'],
    ['https://b.example:443/', 'b.example', '/'],
    ['http://b.example:443/', 'b.example:443', '/'],
    ['http://b.example.:8080/', 'b.example:8080', '/'],
    ['http://[2001:DB8::1]:8080/', '[2001:db8::1]:8080', '/'],
    ['http://b.example//x', 'b.example', '//x'],
  ])('%s replaces Host: %s, path %s', (target, authority, path) => {
    const head = readHead(`GET ${target} HTTP/1.1\r\nHost: other.example\r\n\r\n`);
    expect(field(head, ':authority')).toBe(authority);
    expect(field(head, ':path')).toBe(path);
    expect(field(head, ':scheme')).toBe('http');
  });

  test('of OPTIONS without path and query means the server (RFC 9112, section 3.2.4)', () => {
    expect(field(readHead(`OPTIONS http://b.example HTTP/1.1\r\n${HOST}`), ':path')).toBe('*');
    expect(field(readHead(`OPTIONS http://b.example/ HTTP/1.1\r\n${HOST}`), ':path')).toBe('/');
    expect(field(readHead(`OPTIONS http://b.example?a HTTP/1.1\r\n${HOST}`), ':path')).toBe('/?a');
  });

  test.each([
    'ftp://b.example/',
    'http:/b.example/',
    'http:b.example',
    'http:///x',
    'http://',
    'http://?x',
    'http://user@b.example/',
    'http://user:secret@b.example/',
    'http://b.example:0/',
    'http://b.example:65536/',
    'http://b.example:/',
    'http://b.example:8o/',
    'http://b..example/',
    'http://b%2eexample/',
    'http://[::1/',
    'http://b.example\\@c.example/',
    'hhttp://b.example/',
  ])('%s is refused', (target) => {
    expect(readHead(`GET ${target} HTTP/1.1\r\n${HOST}`)).toMatchObject({ end: REFUSED, refusal: 400 });
  });

  test('Host beside it must still be there, once, and well-formed', () => {
    expect(readHead('GET http://b.example/ HTTP/1.1\r\n\r\n').refusal).toBe(400);
    expect(readHead('GET http://b.example/ HTTP/1.1\r\nHost: a b\r\n\r\n').refusal).toBe(400);
  });
});

test.each([1, 80])(
  'a head larger than the room that a block begins with is read whole: in %d fields',
  (count) => {
    const fields = Array.from({ length: count }, (_, i): [string, string] => [
      `x-${i}`,
      `${i}`.repeat(6000 / count),
    ]);
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const text = `GET /large HTTP/1.1\r\nHost: a.example\r\n${lines}\r\n`;
    for (const cuts of [[], [10], [1000, 3000], [text.length - 1]]) {
      const head = readHead(text, { cuts });
      expect(head.end).toBe(text.length);
      expect([field(head, ':method'), field(head, ':path')]).toEqual(['GET', '/large']);
      expect(head.fields.filter(([name]) => name.startsWith('x-'))).toEqual(fields);
    }
  },
);
