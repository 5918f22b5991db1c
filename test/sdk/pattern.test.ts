import fc from 'fast-check';
import { expect, test } from 'vitest';
import { patternTable } from '../../filters-sdk/cli/pattern.mjs';
import { LinearRegex } from '../../src/runtime/regex.ts';

/** Runs a table as its layout says, which is what assembly/configuration.ts does in a module. */
function matches(table: readonly number[], text: string): boolean {
  const u16 = (at: number): number => table[at]! | (table[at + 1]! << 8);
  const [states, ranges] = [u16(0), u16(2)];
  const list = Array.from({ length: ranges }, (_, i) => [table[4 + 2 * i]!, table[5 + 2 * i]!] as const);
  const classes = Math.max(...list.map(([, of]) => of)) + 1;
  const accepting = 4 + 2 * ranges;
  let state = 1;
  for (const byte of Buffer.from(text)) {
    const at = state * classes + list.find(([last]) => last >= byte)![1];
    state = states > 256 ? u16(accepting + states + 2 * at) : table[accepting + states + at]!;
  }
  return table[accepting + state] === 1;
}

const PATTERNS = [
  '[a-z]+',
  'a{2,4}',
  'a{300}|b',
  '(?:ab|cd)*x?',
  '[^a-c]{1,2}',
  '.',
  '\\s*\\w+',
  '[\\s\\d]\\S',
  'é|b',
  '[\\u0000-\\u0020\\x7f]',
  '\\d{3}-\\D',
  '(a|b)*abb',
  '',
  'a|',
  '[ !#-\\[\\]-~]{1,64}',
  '(https?://(\\*\\.)?[^\\s/?#@*]+|\\*)',
  '\\$\\{[^}]*\\}',
];

test.each(PATTERNS)('%j means what it means to JavaScript and to weir', (pattern) => {
  const table = patternTable(pattern);
  const byJavaScript = new RegExp(`^(?:${pattern})$`, 'u');
  const byWeir = new LinearRegex(`^(?:${pattern})$`, true);
  const piece = fc.constantFrom(
    ...['a', 'b', 'c', 'd', 'x', 'aa', 'ab', 'abb', 'é', 'ü', '€', '😀', ' ', '\n', '\t', '\u007f', '\u0001'],
    ...['1', '123-', '-', '/', '*', '.', '?', 'http://', '${', '}', '"', '\\', 'a'.repeat(300)],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const text = pieces.join('');
      const bytes = Buffer.from(text);
      const expected = byJavaScript.test(text);
      expect(matches(table, text)).toBe(expected);
      expect(byWeir.matches(bytes, 0, bytes.length)).toBe(expected);
    }),
    { numRuns: 400 },
  );
});

test('what JavaScript takes by the character, beyond ASCII too', () => {
  const table = patternTable(
    '[α-ω]{2}[^\\u{1F600}-\\u{1F64F}]?'.replace(/\\u\{(\w+)\}/g, (_, hex: string) =>
      String.fromCodePoint(parseInt(hex, 16)),
    ),
  );
  expect(matches(table, 'αω')).toBe(true);
  expect(matches(table, 'αω€')).toBe(true);
  expect(matches(table, 'αω😀')).toBe(false);
  expect(matches(table, 'αA')).toBe(false);
});

test.each([
  ['^a', 'leave out "^"'],
  ['a$', 'leave out "$"'],
  ['(?=a)', 'only groups'],
  ['(?<n>a)', 'only groups'],
  ['(a)\\1', '"\\1" is not offered'],
  ['\\ba', '"\\b" is not offered'],
  ['\\p{L}', '"\\p" is not offered'],
  ['a(', '")" is missing'],
  ['a)', '")" without "("'],
  ['[a', '"]" is missing'],
  ['[]', 'an empty class'],
  ['[b-a]', 'from a smaller'],
  ['a**', 'a repetition of a repetition'],
  ['*', '"*" stands alone'],
  ['a{2,1}', 'smaller than the first'],
  ['a{1,9999}', 'more than 1000'],
  ['(.{1000}){1000}', 'too large'],
])('refuses %j', (pattern, message) => {
  expect(() => patternTable(pattern)).toThrow(message);
});
