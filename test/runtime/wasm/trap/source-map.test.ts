import { describe, expect, test } from 'vitest';
import { SourceMap } from '../../../../src/runtime/wasm/trap/source-map.ts';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** ECMA-426: the sign in the lowest bit, then five bits a digit, lowest first. */
function vlq(value: number): string {
  let rest = value < 0 ? -value * 2 + 1 : value * 2;
  let text = '';
  do {
    const digit = rest % 32;
    rest = Math.floor(rest / 32);
    text += DIGITS[rest > 0 ? digit + 32 : digit]!;
  } while (rest > 0);
  return text;
}

const segment = (...fields: number[]) => fields.map(vlq).join('');
const map = (mappings: string, sources = ['a.ts', 'b.ts']) =>
  SourceMap.parse(JSON.stringify({ version: 3, sources, mappings }));

describe('a source map', () => {
  // Offset 100: a.ts 10:4; 120: b.ts 8:0; 130: nowhere; 100000: a.ts 9:2. Fields are differences, from 0.
  const mappings = [
    segment(100, 0, 9, 3),
    segment(20, 1, -2, -3),
    segment(10),
    segment(99_870, -1, 1, 1),
  ].join(',');

  test.each([
    [99, null],
    [100, { file: 'a.ts', line: 10, column: 4 }],
    [119, { file: 'a.ts', line: 10, column: 4 }],
    [120, { file: 'b.ts', line: 8, column: 1 }],
    [130, null],
    [99_999, null],
    [100_000, { file: 'a.ts', line: 9, column: 2 }],
    [2 ** 31, { file: 'a.ts', line: 9, column: 2 }],
  ])('offset %d comes from %j', (offset, place) => {
    expect(map(mappings)!.find(offset)).toEqual(place);
  });

  test('an empty one knows nothing', () => {
    expect(map('')!.find(0)).toBeNull();
  });

  test('a name in a segment is passed over', () => {
    expect(map(segment(1, 0, 2, 3, 7))!.find(1)).toEqual({ file: 'a.ts', line: 3, column: 4 });
  });

  test('a source that is not listed is no place', () => {
    expect(map(segment(1, 5, 2, 3))!.find(1)).toBeNull();
  });

  test.each([
    ['no JSON', '{'],
    ['null', 'null'],
    ['a list', '[]'],
    ['no mappings', '{"sources":[]}'],
    ['sources that are no list', '{"sources":{},"mappings":""}'],
    ['another letter', JSON.stringify({ sources: [], mappings: 'A!' })],
    ['a number that does not end', JSON.stringify({ sources: [], mappings: 'ggggggggg' })],
    ['a number cut off by a comma', JSON.stringify({ sources: [], mappings: 'g,A' })],
    ['two fields', JSON.stringify({ sources: ['a'], mappings: 'AA' })],
    ['six fields', JSON.stringify({ sources: ['a'], mappings: 'AAAAAA' })],
    ['offsets that run backwards', JSON.stringify({ sources: ['a'], mappings: 'IAAA,DAAA' })],
  ])('%s is none', (_, text) => {
    expect(SourceMap.parse(text)).toBeNull();
  });
});
