import { describe, expect, test } from 'vitest';
import { HeaderBlock, MessageKind, Pseudo, STATUS_INDEX } from '../../../src/runtime/http/headers.ts';
import { Framing, MethodId } from '../../../src/runtime/http/parse.ts';
import {
  CHUNK_HEAD_BYTES,
  lastChunkSize,
  requestHeadSize,
  responseHeadSize,
  writeChunkHead,
  writeLastChunk,
  writeRequestHead,
  writeResponseHead,
} from '../../../src/runtime/http/write.ts';
import { readHead, request } from '../../support/head.ts';

const WEBSOCKET = Buffer.from('websocket');

function writtenRequest(
  block: HeaderBlock,
  framing: Framing = Framing.None,
  length = 0,
  upgrade: Buffer | null = null,
) {
  const out = Buffer.alloc(requestHeadSize(block, framing, length, upgrade));
  expect(writeRequestHead(block, framing, length, out, 0, upgrade)).toBe(out.length);
  return out.toString('latin1');
}

function writtenAnswer(
  block: HeaderBlock,
  framing: Framing,
  { length = 0, keepAlive = true, minor = 1 as 0 | 1, upgrade = null as Buffer | null } = {},
) {
  const out = Buffer.alloc(responseHeadSize(block, framing, length, keepAlive, minor, upgrade));
  expect(writeResponseHead(block, framing, length, keepAlive, out, 0, minor, upgrade)).toBe(out.length);
  return out.toString('latin1');
}

function answer(status: number | string, ...fields: [string, string][]): HeaderBlock {
  const block = new HeaderBlock();
  block.reset(MessageKind.Response);
  block.setValueText(STATUS_INDEX, String(status));
  for (const [name, value] of fields) block.appendText(name, value);
  return block;
}

describe('a request head', () => {
  test('has Host right after the request line, then the fields as they came', () => {
    const { block } = readHead(request('Accept: */*', 'X-Case: Kept', 'User-Agent: test'));
    expect(writtenRequest(block)).toBe(
      'GET / HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\nX-Case: Kept\r\nUser-Agent: test\r\n\r\n',
    );
  });

  test('has lines in one form, whatever the white space was', () => {
    const { block } = readHead(request('A:1', 'B:   2', 'C:\t3', 'D: 4  ', 'E:', 'F: ', 'G: 5'));
    expect(writtenRequest(block)).toBe(
      'GET / HTTP/1.1\r\nHost: a.example\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: \r\nF: \r\nG: 5\r\n\r\n',
    );
  });

  test('is HTTP/1.1 whatever came in, and has Host even where none came', () => {
    expect(writtenRequest(readHead('GET /x HTTP/1.0\r\n\r\n').block)).toBe(
      'GET /x HTTP/1.1\r\nHost: \r\n\r\n',
    );
  });

  test('is made of the target as it was taken apart', () => {
    const { block } = readHead('GET http://B.example:80?q HTTP/1.1\r\nHost: other\r\n\r\n');
    expect(writtenRequest(block)).toBe('GET /?q HTTP/1.1\r\nHost: b.example\r\n\r\n');
  });

  test('shows every edit', () => {
    const { block } = readHead(request('A: 1', 'B: 2', 'C: 3', 'D: 4'));
    block.setValueText(Pseudo.Path, '/new');
    block.setValueText(Pseudo.Authority, 'b.example');
    block.setValueText(5, 'changed');
    block.removeAt(6);
    block.appendText('E', '5');
    expect(writtenRequest(block)).toBe(
      'GET /new HTTP/1.1\r\nHost: b.example\r\nA: 1\r\nB: changed\r\nD: 4\r\nE: 5\r\n\r\n',
    );
  });

  test.each([
    [Framing.None, ''],
    [Framing.Length, 'Content-Length: 12\r\n'],
    [Framing.Chunked, 'Transfer-Encoding: chunked\r\n'],
  ])('states the framing it is written with (%i), not the one of the fields', (framing, line) => {
    const { block } = readHead(request('Content-Length: 5', 'A: 1'));
    expect(writtenRequest(block, framing, 12)).toBe(
      `GET / HTTP/1.1\r\nHost: a.example\r\nA: 1\r\n${line}\r\n`,
    );
  });

  test.each([
    'Connection',
    'Content-Length',
    'content-length',
    'Host',
    'HTTP2-Settings',
    'Keep-Alive',
    'Proxy-Authenticate',
    'Proxy-Connection',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'TRANSFER-ENCODING',
    'Upgrade',
  ])('never has %s from a filter', (name) => {
    const { block } = readHead(request('A: 1', 'B: 2'));
    block.appendText(name, '1');
    block.appendText('C', '3');
    expect(writtenRequest(block)).toBe('GET / HTTP/1.1\r\nHost: a.example\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n');
  });

  test('asks for an upgrade', () => {
    const { block } = readHead(request('Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Key: x'));
    expect(writtenRequest(block, Framing.None, 0, WEBSOCKET)).toBe(
      'GET / HTTP/1.1\r\nHost: a.example\r\nSec-WebSocket-Key: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
  });

  test.each([0, 9, 10, 99, 100, 2 ** 31, 2 ** 32, 10 ** 15, Number.MAX_SAFE_INTEGER])(
    'states the length %d',
    (length) => {
      const { block } = readHead(request());
      expect(writtenRequest(block, Framing.Length, length)).toContain(`Content-Length: ${length}\r\n`);
    },
  );
});

describe('the head of an answer', () => {
  test.each([
    [200, 'HTTP/1.1 200 OK'],
    [404, 'HTTP/1.1 404 Not Found'],
    [418, 'HTTP/1.1 418 '],
    [599, 'HTTP/1.1 599 '],
    ['20', 'HTTP/1.1 500 Internal Server Error'],
    ['2000', 'HTTP/1.1 500 Internal Server Error'],
    ['099', 'HTTP/1.1 500 Internal Server Error'],
    ['600', 'HTTP/1.1 500 Internal Server Error'],
    ['2x0', 'HTTP/1.1 500 Internal Server Error'],
    ['', 'HTTP/1.1 500 Internal Server Error'],
  ])('with status %s starts %j', (status, line) => {
    expect(writtenAnswer(answer(status), Framing.Length)).toBe(`${line}\r\nContent-Length: 0\r\n\r\n`);
  });

  test.each([
    [Framing.Length, true, 1, 'Content-Length: 7\r\n'],
    [Framing.Length, false, 1, 'Content-Length: 7\r\nConnection: close\r\n'],
    [Framing.Length, true, 0, 'Content-Length: 7\r\nConnection: keep-alive\r\n'],
    [Framing.Length, false, 0, 'Content-Length: 7\r\nConnection: close\r\n'],
    [Framing.Chunked, true, 1, 'Transfer-Encoding: chunked\r\n'],
    [Framing.UntilClose, true, 1, 'Connection: close\r\n'],
    [Framing.UntilClose, true, 0, 'Connection: close\r\n'],
  ] as const)('with framing %i, kept %s, for HTTP/1.%i ends with %j', (framing, keepAlive, minor, lines) => {
    const block = answer(200, ['A', '1'], ['Content-Length', '5'], ['Connection', 'x'], ['B', '2']);
    expect(writtenAnswer(block, framing, { length: 7, keepAlive, minor })).toBe(
      `HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n${lines}\r\n`,
    );
  });

  test.each([
    [200, 'Content-Length: 5\r\n'],
    [304, 'Content-Length: 5\r\n'],
    [204, ''],
    [103, ''],
  ])('without a body, status %i, says of the length: %j', (status, lines) => {
    const block = answer(status, ['Content-Length', '5']);
    expect(writtenAnswer(block, Framing.None)).toMatch(
      new RegExp(`^HTTP/1.1 ${status} [A-Za-z ]+\r\n${lines}\r\n$`),
    );
  });

  test('to HEAD keeps the length that it came with', () => {
    const text = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: 1\r\n\r\n';
    const { block } = readHead(text, { kind: 'answer', requestMethod: MethodId.Head });
    expect(writtenAnswer(block, Framing.None)).toBe(text);
  });

  test('switches protocols', () => {
    const block = answer(101, ['Sec-WebSocket-Accept', 'x']);
    expect(writtenAnswer(block, Framing.None, { upgrade: WEBSOCKET })).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
  });

  test('keeps fields that say nothing in answers', () => {
    expect(writtenAnswer(answer(200, ['Host', 'x']), Framing.Length)).toContain('\r\nHost: x\r\n');
  });
});

describe('chunks', () => {
  test.each([
    [1, '1\r\n'],
    [15, 'f\r\n'],
    [16, '10\r\n'],
    [65535, 'ffff\r\n'],
    [2 ** 32, '100000000\r\n'],
    [Number.MAX_SAFE_INTEGER, '1fffffffffffff\r\n'],
  ])('of %d bytes start with %j, right before the data', (size, line) => {
    const out = Buffer.alloc(CHUNK_HEAD_BYTES + 2, 0x2e);
    const start = writeChunkHead(size, out, CHUNK_HEAD_BYTES);
    expect(out.toString('latin1', start, CHUNK_HEAD_BYTES)).toBe(line);
    expect(out.toString('latin1', CHUNK_HEAD_BYTES)).toBe('..');
  });

  test('end with the last chunk, the trailers and a blank line', () => {
    const trailers = new HeaderBlock();
    trailers.reset(MessageKind.Trailers);
    trailers.appendText('grpc-status', '0');
    trailers.appendText('content-length', '5');
    for (const [block, text] of [
      [null, '0\r\n\r\n'],
      [trailers, '0\r\ngrpc-status: 0\r\n\r\n'],
    ] as const) {
      const out = Buffer.alloc(lastChunkSize(block));
      expect(writeLastChunk(block, out, 0)).toBe(out.length);
      expect(out.toString('latin1')).toBe(text);
    }
  });
});
