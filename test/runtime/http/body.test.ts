import { describe, expect, test } from 'vitest';
import { BodyBuffer } from '../../../src/runtime/http/body.ts';

function body(text: string): BodyBuffer {
  const buffer = new BodyBuffer();
  append(buffer, text);
  return buffer;
}
const append = (buffer: BodyBuffer, text: string): void =>
  buffer.append(Buffer.from(`..${text}..`, 'latin1'), 2, 2 + text.length);
const splice = (buffer: BodyBuffer, start: number, size: number, text: string): void =>
  buffer.splice(start, size, Buffer.from(`..${text}..`, 'latin1'), 2, 2 + text.length);
const text = (buffer: BodyBuffer): string => buffer.view().toString('latin1');

describe('BodyBuffer', () => {
  test('appends', () => {
    const buffer = body('abc');
    append(buffer, 'x'.repeat(100_000));
    append(buffer, '');
    expect(text(buffer)).toBe(`abc${'x'.repeat(100_000)}`);
  });

  test.each([
    [0, 0, 'X', 'Xabcdef'],
    [0, 6, 'X', 'X'],
    [2, 2, '', 'abef'],
    [2, 2, 'long text', 'ablong textef'],
    [6, 0, 'X', 'abcdefX'],
    [99, 5, 'X', 'abcdefX'],
    [4, 99, 'X', 'abcdX'],
    [0, 2 ** 32 - 1, '', ''],
    [1, 1, 'B', 'aBcdef'],
  ])('puts text at %i in the place of %i bytes', (start, size, replacement, expected) => {
    const buffer = body('abcdef');
    splice(buffer, start, size, replacement);
    expect(text(buffer)).toBe(expected);
    const guarded = body('abcdef');
    guarded.checkpoint();
    splice(guarded, start, size, replacement);
    expect(text(guarded)).toBe(expected);
    guarded.rollback();
    expect(text(guarded)).toBe('abcdef');
  });

  test('brings back what was there before any number of edits', () => {
    const buffer = body('abcdef');
    for (let round = 0; round < 3; round++) {
      buffer.checkpoint();
      append(buffer, 'ghi');
      splice(buffer, 1, 3, 'other');
      splice(buffer, 0, 0, 'x'.repeat(1000));
      buffer.clear();
      append(buffer, 'again');
      buffer.rollback();
      expect(text(buffer)).toBe('abcdef');
    }
  });

  test('brings back what was there before a clear and an append', () => {
    const buffer = body('abcdef');
    buffer.checkpoint();
    buffer.clear();
    append(buffer, 'xy');
    buffer.rollback();
    expect(text(buffer)).toBe('abcdef');
  });

  test('keeps what was committed', () => {
    const buffer = body('abcdef');
    for (const [expected, replacement] of [
      ['Xbcdef', 'X'],
      ['Ybcdef', 'Y'],
    ] as const) {
      buffer.checkpoint();
      splice(buffer, 0, 1, replacement);
      buffer.commit();
      expect(text(buffer)).toBe(expected);
      buffer.rollback();
      expect(text(buffer)).toBe(expected);
    }
  });

  test('that grows by little is seldom moved', () => {
    const buffer = body('');
    let moved = 0;
    for (let i = 0; i < 1000; i++) {
      moved += buffer.costOfSplice(buffer.length, 0, 100);
      splice(buffer, buffer.length, 0, 'x'.repeat(100));
    }
    expect(buffer.length).toBe(100_000);
    expect(moved).toBeLessThan(6 * buffer.length);
  });

  test('tells beforehand what a splice moves', () => {
    const buffer = body('x'.repeat(1000));
    splice(buffer, 1000, 0, '12345');
    expect(buffer.costOfSplice(0, 0, 1)).toBe(1005);
    expect(buffer.costOfSplice(1000, 0, 1)).toBe(5);
    expect(buffer.costOfSplice(10, 7, 7)).toBe(0);
    expect(buffer.costOfSplice(10, 1, 0)).toBe(994);
    buffer.checkpoint();
    expect(buffer.costOfSplice(10, 1, 0)).toBe(3 * 1004);
    splice(buffer, 10, 1, '');
    expect(buffer.costOfSplice(10, 1, 0)).toBe(993);
  });

  test('gives memory of a large body back when it is cleared', () => {
    const buffer = body('x'.repeat(1 << 20));
    buffer.clear();
    expect(buffer.bytes.length).toBeLessThanOrEqual(64 * 1024);
    expect(buffer.length).toBe(0);
  });
});
