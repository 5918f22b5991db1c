/**
 * The readers against a second, slow, obvious one: whatever the bytes, both accept or both refuse, with the
 * same status and the same fields; however the bytes are cut, the outcome is the same. `FUZZ_RUNS` sets the
 * number of messages; a failure prints its seed.
 */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { ChunkedReader } from '../../src/runtime/http/chunked.ts';
import { HeaderBlock, MessageKind, Pseudo } from '../../src/runtime/http/headers.ts';
import { MethodId, NEED_MORE, REFUSED } from '../../src/runtime/http/parse.ts';
import { normalisePath } from '../../src/runtime/http/path.ts';
import { DEFAULT_LISTENER_LIMITS, type ListenerLimits } from '../../src/runtime/snapshot.ts';
import { type HeadOptions, everyByte, readHead } from '../support/head.ts';
import {
  Incomplete,
  Refused,
  normaliseSlowly,
  readChunkedSlowly,
  readHeadSlowly,
} from '../support/slow-reader.ts';
import { answerText, chunkedText, cuts, limits, pathText, requestText } from './message-arbitraries.ts';

const usual = process.env['WEIR_SLOW'] === '1' ? 50_000 : 3000;
const numRuns = Number(process.env['FUZZ_RUNS'] ?? usual);
vi.setConfig({ testTimeout: 300_000 });

const defaults = (some: Partial<ListenerLimits>): ListenerLimits => ({ ...DEFAULT_LISTENER_LIMITS, ...some });
const scaled = (text: string, where: number[]): number[] =>
  where.map((part) => Math.floor(part * text.length)).sort((a, b) => a - b);

/** What both readers say about a head, in a form that can be compared. */
function fastly(text: string, options: HeadOptions) {
  const { block: _block, method: _method, reason: _reason, ...head } = readHead(text, options);
  if (head.end === REFUSED) return { refused: head.refusal };
  if (head.end === NEED_MORE) return 'incomplete';
  const { refusal: _refusal, ...rest } = head;
  return rest;
}

function slowly(
  text: string,
  { kind = 'request', limits: some = {}, secure = false, requestMethod }: HeadOptions,
) {
  return outcome(() =>
    readHeadSlowly(text, {
      kind,
      limits: defaults(some),
      secure,
      requestMethod: requestMethod === MethodId.Head ? 'HEAD' : 'GET',
    }),
  );
}

function outcome<T>(read: () => T): T | { refused: number } | 'incomplete' {
  try {
    return read();
  } catch (error) {
    if (error instanceof Refused) return { refused: error.status };
    if (error instanceof Incomplete) return 'incomplete';
    throw error;
  }
}

function chunkedFastly(
  text: string,
  some: Partial<ListenerLimits>,
  where: readonly number[],
  kind: MessageKind,
) {
  const reader = new ChunkedReader();
  reader.reset(defaults(some), kind);
  let data = '';
  let start = 0;
  for (const cut of [...where, text.length]) {
    const piece = Buffer.from(`..${text.slice(start, cut)}..`, 'latin1');
    const next = reader.read(piece, 2, piece.length - 2);
    data += piece.toString('latin1', reader.dataStart, reader.dataEnd);
    if (reader.refusal !== 0) return { refused: reader.refusal };
    if (reader.done) return { end: start + next - 2, data, trailers: reader.trailers?.entries() ?? [] };
    expect(next).toBe(piece.length - 2);
    start = cut;
  }
  return 'incomplete';
}

describe('the head reader agrees with the slow one', () => {
  test('about requests', () => {
    const property = fc.property(requestText, limits, fc.boolean(), (text, some, secure) => {
      const options: HeadOptions = { limits: some, secure };
      expect(fastly(text, options)).toEqual(slowly(text, options));
    });
    fc.assert(property, { numRuns });
  });

  test('about answers', () => {
    const property = fc.property(answerText, limits, fc.boolean(), (text, some, toHead) => {
      const options: HeadOptions = { kind: 'answer', limits: some };
      if (toHead) options.requestMethod = MethodId.Head;
      expect(fastly(text, options)).toEqual(slowly(text, options));
    });
    fc.assert(property, { numRuns });
  });

  test('about any bytes at all', () => {
    const soup = fc.string({ unit: fc.nat(255).map((c) => String.fromCharCode(c)) });
    const property = fc.property(
      soup,
      fc.constantFrom('request' as const, 'answer' as const),
      (text, kind) => {
        expect(fastly(text, { kind })).toEqual(slowly(text, { kind }));
      },
    );
    fc.assert(property, { numRuns: Math.ceil(numRuns / 3) });
  });
});

describe('however a head is cut, the outcome is the same', () => {
  test('at a few places, or between all bytes', () => {
    const property = fc.property(requestText, answerText, limits, cuts, (asked, answered, some, where) => {
      for (const [kind, text] of [
        ['request', asked],
        ['answer', answered],
      ] as const) {
        const whole = fastly(text, { kind, limits: some });
        expect(fastly(text, { kind, limits: some, cuts: scaled(text, where) })).toEqual(whole);
        expect(fastly(text, { kind, limits: some, cuts: everyByte(text) })).toEqual(whole);
      }
    });
    fc.assert(property, { numRuns: Math.ceil(numRuns / 3) });
  });

  test('at every single place', () => {
    const text =
      '\r\nPOST http://B.example:80/a?b HTTP/1.1\r\nHost: A.example\r\nConnection: close, x-a\r\nX-A: 1\r\n' +
      'Accept:  x \r\nContent-Length: 5\r\nExpect: 100-continue\r\nTE: trailers\r\n\r\nhello';
    const whole = fastly(text, {});
    expect(whole).toMatchObject({ end: text.length - 5, contentLength: 5, expectContinue: true });
    for (const cut of everyByte(text)) expect(fastly(text, { cuts: [cut] })).toEqual(whole);
  });
});

describe('the chunked reader agrees with the slow one', () => {
  const kinds = fc.constantFrom(MessageKind.Request, MessageKind.Response);

  test('however the body is cut', () => {
    const property = fc.property(chunkedText, limits, cuts, kinds, (text, some, where, kind) => {
      const name = kind === MessageKind.Request ? 'request' : 'answer';
      let expected = outcome(() => readChunkedSlowly(text, defaults(some), name));
      // The slow reader gives the status of a request; for an answer every fault is 502.
      if (typeof expected === 'object' && 'refused' in expected && name === 'answer')
        expected = { refused: 502 };
      for (const at of [[], scaled(text, where), everyByte(text)]) {
        expect(chunkedFastly(text, some, at, kind)).toEqual(expected);
      }
    });
    fc.assert(property, { numRuns });
  });
});

test('a path has the normal form that the slow reader gives it, and keeps it', () => {
  const property = fc.property(pathText, limits, (path, policy) => {
    const block = new HeaderBlock();
    block.reset(MessageKind.Request);
    // As received: `setValue` would replace the bytes that a target must not have.
    const at = block.appendReceived(Buffer.from(path, 'latin1'), 0, path.length);
    block.spans[4 * Pseudo.Path + 2] = at;
    block.spans[4 * Pseudo.Path + 3] = at + path.length;
    const normal = (): string | null =>
      normalisePath(block, defaults(policy)) === 0 ? block.get(':path')! : null;
    const expected = normaliseSlowly(path, defaults(policy));
    expect(normal()).toBe(expected);
    // Normalising again changes nothing, save where decoding left an escape or a backslash's slash to be seen.
    if (expected !== null && !/%[0-9a-f]{2}/i.test(expected)) expect(normal()).toBe(expected);
  });
  fc.assert(property, { numRuns });
});
