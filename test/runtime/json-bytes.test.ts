import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JSON_EXPANSION, writeDecimal, writeJsonBytes, writeJsonText } from '../../src/runtime/json-bytes.ts';

function written(write: (out: Buffer, at: number) => number): string {
  const out = Buffer.alloc(4096, '.');
  const end = write(out, 1);
  expect(out[end]).toBe('.'.charCodeAt(0));
  return out.toString('utf8', 1, end);
}

const json = (bytes: Buffer): string => written((out, at) => writeJsonBytes(bytes, 0, bytes.length, out, at));

describe('writeJsonBytes', () => {
  test.each([
    [Buffer.from('plain /path?x=1'), '"plain /path?x=1"'],
    [Buffer.from('"\\'), '"\\"\\\\"'],
    [Buffer.from('\r\n\t\0'), '"\\u000d\\u000a\\u0009\\u0000"'],
    [Buffer.from([0x7f]), '"\\u007f"'],
    [Buffer.from('é € 😀'), '"é € 😀"'],
    // Not UTF-8: each byte that does not fit is one U+FFFD.
    [Buffer.from([0xff, 0x61]), '"\ufffda"'],
    [Buffer.from([0xc0, 0x80]), '"\ufffd\ufffd"'],
    [Buffer.from([0xed, 0xa0, 0x80]), '"\ufffd\ufffd\ufffd"'],
    [Buffer.from([0xf5, 0x80, 0x80, 0x80]), '"\ufffd\ufffd\ufffd\ufffd"'],
    [Buffer.from([0xe2, 0x82]), '"\ufffd\ufffd"'],
    [Buffer.from([0xe2, 0x22]), '"\ufffd\\""'],
  ])('%j', (bytes, expected) => {
    expect(json(bytes)).toBe(expected);
  });

  test('any bytes give JSON, and well-formed text comes back as it was', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.string({ unit: 'binary', maxLength: 60 }),
        (bytes, text) => {
          const given = Buffer.from(bytes);
          expect(typeof JSON.parse(json(given))).toBe('string');
          expect(Buffer.byteLength(json(given))).toBeLessThanOrEqual(JSON_EXPANSION * given.length + 2);
          const encoded = Buffer.from(text, 'utf8');
          expect(JSON.parse(json(encoded))).toBe(encoded.toString('utf8'));
          expect(JSON.parse(written((out, at) => writeJsonText(text, out, at)))).toBe(
            encoded.toString('utf8'),
          );
        },
      ),
    );
  });
});

test('writeDecimal writes whole numbers up to 2^53 - 1', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      expect(written((out, at) => writeDecimal(value, out, at))).toBe(String(value));
    }),
  );
  for (const value of [0, 9, 10, 99, 100, Number.MAX_SAFE_INTEGER]) {
    expect(written((out, at) => writeDecimal(value, out, at))).toBe(String(value));
  }
});
