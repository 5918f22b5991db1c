// Question: what do looking at, changing and writing the fields of a request cost?
// Fixture: the parsed head of reader.bench.ts, 479 bytes and 10 fields. Report: ns and bytes allocated a call.
import { strictEqual } from 'node:assert';
import { bench, do_not_optimize, run } from 'mitata';
import { HeaderBlock, MessageKind } from '../../src/runtime/http/headers.ts';
import { Framing, HeadReader } from '../../src/runtime/http/parse.ts';
import { requestHeadSize, writeRequestHead } from '../../src/runtime/http/write.ts';
import { DEFAULT_LISTENER_LIMITS } from '../../src/runtime/snapshot.ts';
import { REQUEST_HEAD } from './request-head.ts';

const block = new HeaderBlock();
const reader = new HeadReader();
reader.begin(block, MessageKind.Request, DEFAULT_LISTENER_LIMITS);
strictEqual(reader.read(REQUEST_HEAD, 0, REQUEST_HEAD.length), REQUEST_HEAD.length);

const out = Buffer.allocUnsafeSlow(4096);
const last = Buffer.from('x-trace');
const missing = Buffer.from('x-other');
const value = Buffer.from('another value');

const write = (): number => writeRequestHead(block, Framing.None, 0, out, 0);
const size = write();
strictEqual(size, requestHeadSize(block, Framing.None, 0));
// Accept to X-Trace as they came, without Connection.
strictEqual(size, REQUEST_HEAD.length - 'Connection: keep-alive\r\n'.length);

function edit(): void {
  block.checkpoint();
  block.replace(last, 0, last.length, value, 0, value.length);
  block.append(missing, 0, missing.length, value, 0, value.length);
  block.rollback();
}
edit();
strictEqual(write(), size);

bench('HeaderBlock.indexOf/last of 8', () => do_not_optimize(block.indexOf(last))).gc('inner');
bench('HeaderBlock.indexOf/missing', () => do_not_optimize(block.indexOf(missing))).gc('inner');
bench('HeaderBlock/checkpoint, two edits, rollback', () => do_not_optimize(edit())).gc('inner');
bench('requestHeadSize', () => do_not_optimize(requestHeadSize(block, Framing.None, 0))).gc('inner');
bench('writeRequestHead', () => do_not_optimize(write())).gc('inner');

await run();
