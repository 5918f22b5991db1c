/** What is written is as large as it was said to be, lies where it was asked for, and reads back the same. */
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { HeaderBlock, MessageKind, STATUS_INDEX } from '../../src/runtime/http/headers.ts';
import { Framing, NEED_MORE, REFUSED } from '../../src/runtime/http/parse.ts';
import {
  headBound,
  lastChunkSize,
  requestHeadSize,
  responseHeadSize,
  writeLastChunk,
  writeRequestHead,
  writeResponseHead,
} from '../../src/runtime/http/write.ts';
import { field, readHead } from '../support/head.ts';
import { answerText, limits, requestText } from './message-arbitraries.ts';

const usual = process.env['WEIR_SLOW'] === '1' ? 50_000 : 2000;
const numRuns = Number(process.env['FUZZ_RUNS'] ?? usual);
vi.setConfig({ testTimeout: 300_000 });

const bytes = fc.string({ unit: fc.nat(255).map((c) => String.fromCharCode(c)), maxLength: 60 });
const names = fc.oneof(
  bytes,
  fc.constantFrom(
    'host',
    'Content-Length',
    'connection',
    'x-a',
    'Upgrade',
    'transfer-encoding',
    ':path',
    ':status',
  ),
);
const edit = fc.tuple(fc.constantFrom('append', 'set', 'remove', 'replace'), names, bytes, fc.nat(20));
const edits = fc.array(edit, { maxLength: 8 });
const framings = fc.constantFrom(Framing.None, Framing.Length, Framing.Chunked, Framing.UntilClose);
const upgrades = fc.constantFrom(null, null, Buffer.from('websocket'));

function apply(block: HeaderBlock, changes: [string, string, string, number][]): void {
  for (const [what, name, value, at] of changes) {
    if (what === 'append') block.appendText(name, value);
    else if (what === 'replace') block.replaceText(name, value);
    else if (at >= block.count) continue;
    else if (what === 'set') block.setValueText(at, value);
    else block.removeAt(at);
  }
}

/** Runs a size and a write function and checks that they agree and that nothing around was touched. */
function written(
  block: HeaderBlock,
  size: number,
  at: number,
  write: (out: Buffer, at: number) => number,
): string {
  const out = Buffer.alloc(at + size + 64, 0xaa);
  expect(write(out, at)).toBe(at + size);
  expect(out.subarray(0, at).every((byte) => byte === 0xaa)).toBe(true);
  expect(out.subarray(at + size).every((byte) => byte === 0xaa)).toBe(true);
  return out.toString('latin1', at, at + size);
}

test('a request head, whatever a filter did to it', () => {
  const property = fc.property(
    requestText,
    limits,
    edits,
    framings,
    upgrades,
    fc.maxSafeNat(),
    fc.nat(32),
    (text, some, changes, framing, upgrade, length, at) => {
      const head = readHead(text, { limits: some });
      if (head.end === NEED_MORE || head.end === REFUSED) return;
      apply(head.block, changes);
      const size = requestHeadSize(head.block, framing, length, upgrade);
      const out = written(head.block, size, at, (to, from) =>
        writeRequestHead(head.block, framing, length, to, from, upgrade),
      );
      expect(headBound(head.block, upgrade)).toBeGreaterThanOrEqual(size);
      // However wild the edits: one head, no line more or less than there are fields.
      expect(out.indexOf('\r\n\r\n')).toBe(out.length - 4);
      expect(out.replace(/\r\n/g, '')).not.toMatch(/[\r\n\0]/);
    },
  );
  fc.assert(property, { numRuns });
});

test('the head of an answer, whatever a filter did to it', () => {
  const property = fc.property(
    answerText,
    edits,
    framings,
    upgrades,
    fc.maxSafeNat(),
    fc.boolean(),
    fc.constantFrom(0 as const, 1 as const),
    fc.nat(32),
    (text, changes, framing, upgrade, length, keepAlive, minor, at) => {
      const { end, block } = readHead(text, { kind: 'answer' });
      if (end === NEED_MORE || end === REFUSED) return;
      apply(block, changes);
      const size = responseHeadSize(block, framing, length, keepAlive, minor, upgrade);
      const out = written(block, size, at, (to, from) =>
        writeResponseHead(block, framing, length, keepAlive, to, from, minor, upgrade),
      );
      expect(headBound(block, upgrade)).toBeGreaterThanOrEqual(size);
      expect(out.indexOf('\r\n\r\n')).toBe(out.length - 4);
      expect(out.replace(/\r\n/g, '')).not.toMatch(/[\r\n\0]/);
    },
  );
  fc.assert(property, { numRuns });
});

test('trailers', () => {
  const property = fc.property(edits, fc.nat(32), (changes, at) => {
    const block = new HeaderBlock(0);
    block.reset(MessageKind.Trailers);
    apply(block, changes);
    const out = written(block, lastChunkSize(block), at, (to, from) => writeLastChunk(block, to, from));
    expect(out.startsWith('0\r\n') && out.endsWith('\r\n\r\n')).toBe(true);
  });
  fc.assert(property, { numRuns });
});

test('reading what was written and writing it again changes no byte: requests', () => {
  const property = fc.property(requestText, limits, (text, some) => {
    const first = readHead(text, { limits: some });
    if (first.end === NEED_MORE || first.end === REFUSED || field(first, ':authority') === '') return;
    const write = (head: typeof first): string => {
      const framing =
        head.framing === 'chunked'
          ? Framing.Chunked
          : head.framing === 'length'
            ? Framing.Length
            : Framing.None;
      const size = requestHeadSize(head.block, framing, head.contentLength);
      return written(head.block, size, 0, (to, from) =>
        writeRequestHead(head.block, framing, head.contentLength, to, from),
      );
    };
    const once = write(first);
    const second = readHead(once, {
      limits: { ...some, headBytes: 60 * 1024, fieldBytes: 16 * 1024, fields: 100, targetBytes: 16 * 1024 },
    });
    expect(second.reason).toBe('');
    expect(write(second)).toBe(once);
    const endToEnd = (fields: [string, string][]) => fields.filter(([name]) => name !== 'content-length');
    expect(endToEnd(second.fields)).toEqual(endToEnd(first.fields));
    expect([second.framing, second.contentLength]).toEqual([first.framing, first.contentLength]);
  });
  fc.assert(property, { numRuns });
});

test('reading what was written and writing it again changes no byte: answers', () => {
  const property = fc.property(answerText, (text) => {
    const first = readHead(text, { kind: 'answer' });
    if (first.end === NEED_MORE || first.end === REFUSED || first.status < 200) return;
    const write = (head: typeof first): string => {
      const framing = {
        none: Framing.None,
        length: Framing.Length,
        chunked: Framing.Chunked,
        'until-close': Framing.UntilClose,
      }[head.framing];
      const size = responseHeadSize(head.block, framing, head.contentLength, head.keepAlive);
      return written(head.block, size, 0, (to, from) =>
        writeResponseHead(head.block, framing, head.contentLength, head.keepAlive, to, from),
      );
    };
    const once = write(first);
    const second = readHead(once, { kind: 'answer' });
    expect(second.reason).toBe('');
    expect(write(second)).toBe(once);
    expect(second.block.get(':status')).toBe(
      first.block.spans[STATUS_INDEX] === undefined ? '' : String(first.status),
    );
  });
  fc.assert(property, { numRuns });
});
