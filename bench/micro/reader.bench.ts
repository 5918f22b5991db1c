// Question: what does reading the head of a request cost, its copy to the arena included, and how much of it is path work?
// Fixture: 479 bytes, 10 fields, whole head in one read. Report: ns and bytes allocated a call.
import { bench, do_not_optimize, run } from 'mitata';
import { HeaderBlock, MessageKind } from '../../src/runtime/http/headers.ts';
import { HeadReader } from '../../src/runtime/http/parse.ts';
import { normalisePath } from '../../src/runtime/http/path.ts';
import { ChunkedReader } from '../../src/runtime/http/chunked.ts';
import { DEFAULT_LISTENER_LIMITS } from '../../src/runtime/snapshot.ts';
import { REQUEST_HEAD } from './request-head.ts';

// As in the worker: one read buffer, much larger than the head, which lies somewhere inside it.
const buffer = Buffer.allocUnsafeSlow(64 * 1024);
const start = 4096;
const end = start + REQUEST_HEAD.copy(buffer, start);
const block = new HeaderBlock();
const reader = new HeadReader();

function read(): number {
  reader.begin(block, MessageKind.Request, DEFAULT_LISTENER_LIMITS);
  return reader.read(buffer, start, end);
}

const answer = Buffer.from(
  'HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\nContent-Type: text/html; charset=utf-8\r\n' +
    'Content-Length: 1024\r\nConnection: keep-alive\r\nETag: "65a1f3c2-400"\r\nAccept-Ranges: bytes\r\n\r\n',
  'latin1',
);

function readAnswer(): number {
  reader.begin(block, MessageKind.Response, DEFAULT_LISTENER_LIMITS);
  return reader.read(answer, 0, answer.length);
}

const chunked = new ChunkedReader();
const body = Buffer.from(`400\r\n${'x'.repeat(1024)}\r\n0\r\n\r\n`, 'latin1');

function readChunked(): number {
  chunked.reset(DEFAULT_LISTENER_LIMITS);
  return chunked.read(body, 0, body.length);
}

if (read() !== end || block.count !== 4 + 8 || normalisePath(block, DEFAULT_LISTENER_LIMITS) !== 0)
  throw new Error('request');
if (readAnswer() !== answer.length || readChunked() !== body.length || !chunked.done)
  throw new Error('answer');
console.log(`${REQUEST_HEAD.length} bytes`);

bench('HeadReader/479 bytes, 10 fields', () => do_not_optimize(read())).gc('inner');
bench('HeadReader/answer, 7 fields', () => do_not_optimize(readAnswer())).gc('inner');
bench('normalisePath/plain', () => {
  read();
  return do_not_optimize(normalisePath(block, DEFAULT_LISTENER_LIMITS));
}).gc('inner');
bench('ChunkedReader/one chunk of 1 KiB', () => do_not_optimize(readChunked())).gc('inner');

await run();
