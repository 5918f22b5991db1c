import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LinearRegex, REGEX_START, regexFault } from '../../src/runtime/regex.ts';
import { spent } from '../support/timing.ts';

const matches = (pattern: string, text: string): boolean => {
  const bytes = Buffer.from(text, 'utf8');
  return new LinearRegex(pattern).matches(bytes, 0, bytes.length);
};

/** A pattern with its meaning: where in `text` it may end if it begins at `at`. */
interface Meaning {
  readonly source: string;
  readonly ends: (text: string, at: number) => Set<number>;
}

/** Remembers, so that nesting does not multiply the work. */
function meaning(source: string, ends: Meaning['ends']): Meaning {
  const known = new Map<string, Set<number>>();
  return {
    source,
    ends: (text, at) => {
      const key = `${at} ${text}`;
      const found = known.get(key) ?? ends(text, at);
      known.set(key, found);
      return found;
    },
  };
}

const one = (source: string, holds: (char: string) => boolean): Meaning => ({
  source,
  ends: (text, at) => new Set(at < text.length && holds(text[at]!) ? [at + 1] : []),
});

const after = (from: Set<number>, item: Meaning, text: string): Set<number> =>
  new Set([...from].flatMap((at) => [...item.ends(text, at)]));

const row = (items: readonly Meaning[]): Meaning => ({
  source: items.map(({ source }) => source).join(''),
  ends: (text, at) => items.reduce((from, item) => after(from, item, text), new Set([at])),
});

const either = (rows: readonly Meaning[]): Meaning =>
  meaning(
    `(${rows.map(({ source }) => source).join('|')})`,
    (text, at) => new Set(rows.flatMap((each) => [...each.ends(text, at)])),
  );

const repeat = (item: Meaning, quantifier: string, min: number, max: number): Meaning =>
  meaning(item.source + quantifier, (text, at) => {
    let from = new Set([at]);
    const found = new Set(min === 0 ? from : []);
    // More rounds than the text has places reach nothing that fewer do not.
    for (let round = 1; round <= Math.min(max, min + text.length + 1); round++) {
      from = after(from, item, text);
      if (round >= min) for (const to of from) found.add(to);
    }
    return found;
  });

const QUANTIFIERS: Readonly<Record<string, readonly [min: number, max: number]>> = {
  '': [1, 1],
  '*': [0, Infinity],
  '*?': [0, Infinity],
  '+': [1, Infinity],
  '?': [0, 1],
  '{2}': [2, 2],
  '{1,2}': [1, 2],
  '{0,}': [0, Infinity],
};

// JavaScript's own engine cannot judge these: it needs minutes for some of them.
const { pattern } = fc.letrec<{ pattern: Meaning; atom: Meaning; repeated: Meaning }>((tie) => ({
  atom: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom('a', 'b', 'c', '/').map((letter) => one(letter, (char) => char === letter)),
    fc.constantFrom<Meaning>(
      one('.', () => true),
      one('[ab]', (char) => 'ab'.includes(char)),
      one('[^a/]', (char) => !'a/'.includes(char)),
      one('\\w', (char) => char !== '/'),
      one('\\d', (char) => char === '1'),
      { source: '(^)', ends: (_, at) => new Set(at === 0 ? [0] : []) },
      { source: '($)', ends: (text, at) => new Set(at === text.length ? [at] : []) },
    ),
    tie('pattern'),
  ),
  repeated: fc
    .tuple(tie('atom'), fc.constantFrom('', '', '', ...Object.keys(QUANTIFIERS)))
    .map(([atom, quantifier]) => repeat(atom, quantifier, ...QUANTIFIERS[quantifier]!)),
  pattern: fc
    .array(fc.array(tie('repeated'), { maxLength: 3 }).map(row), { minLength: 1, maxLength: 2 })
    .map(either),
}));

const text = fc
  .array(fc.constantFrom('a', 'b', 'c', '/', '1'), { maxLength: 8 })
  .map((parts) => parts.join(''));

describe('LinearRegex', () => {
  test.each([
    // pattern, matching, not matching
    ['', [''], ['a']],
    ['abc', ['abc'], ['ab', 'abcd', 'xabc', 'ABC']],
    ['/v[0-9]+/.*', ['/v1/', '/v12/a/b'], ['/v/', '/v1', 'x/v1/']],
    ['a|bc|', ['a', 'bc', ''], ['b', 'abc']],
    ['(?:a|b)*c', ['c', 'ababc'], ['ab', 'abcc']],
    ['^/a$', ['/a'], ['/a/', ' /a']],
    ['(^a|b)c', ['ac', 'bc'], ['abc']],
    ['a^b', [], ['ab', 'a^b']],
    ['a$|ab', ['a', 'ab'], ['abb']],
    ['a{2}', ['aa'], ['a', 'aaa']],
    ['a{2,}', ['aa', 'aaaaa'], ['a']],
    ['a{1,3}', ['a', 'aaa'], ['', 'aaaa']],
    ['a{0}', [''], ['a']],
    ['(ab){2,3}?c', ['ababc', 'abababc'], ['abc']],
    ['[a-c_-]+', ['a_-c'], ['d', '']],
    ['[^/]+', ['abc', 'é'], ['a/b', '']],
    ['\\d\\w\\s', ['1a ', '9_\t'], ['aa ', '1-x']],
    ['\\D\\W\\S', ['a-x'], ['1-x', 'aax']],
    ['[\\d.]+', ['1.2'], ['1a']],
    ['\\.\\*\\/\\-', ['.*/-'], ['a*/-']],
    ['\\x41\\t', ['A\t'], ['x41\t']],
    ['(?i)/aBc[x-z]', ['/AbCY', '/abcx'], ['/abca']],
    ['(?P<id>\\d+)(?<x>a)', ['12a'], ['a']],
    ['é+', ['é', 'éé'], ['e', 'Ã']],
    ['.', ['a', '\t'], ['', '\n', 'ab']],
    ['((a*)*)*b', ['b', 'aab'], ['a']],
    ['\\Aab\\z', ['ab'], ['abc']],
  ] as const)('%s', (pattern, yes, no) => {
    for (const text of yes) expect([text, matches(pattern, text)]).toEqual([text, true]);
    for (const text of no) expect([text, matches(pattern, text)]).toEqual([text, false]);
  });

  test.each([
    ['(a)\\1', 'back-references are not offered: they have no linear-time match at offset 3'],
    ['\\k<a>', 'back-references are not offered: they have no linear-time match at offset 0'],
    ['(?=a)b', 'look-ahead and look-behind are not offered: they have no linear-time match at offset 2'],
    ['(?<!a)b', 'look-ahead and look-behind are not offered: they have no linear-time match at offset 2'],
    ['(?#a)', 'unknown kind of group at offset 2'],
    ['(?i:a)', 'of the flags only "(?i)" at the very beginning is offered at offset 2'],
    ['a(?i)b', 'of the flags only "(?i)" at the very beginning is offered at offset 3'],
    ['/users/{id}', '"{" begins a repetition like {2} or {2,5}; write "\\{" for the character at offset 7'],
    ['a{2,1}', 'the second count is smaller than the first at offset 1'],
    ['a{9999}', 'more than 1000 repetitions at offset 1'],
    ['(a{1000}){1000}', 'the pattern needs more than 2000 steps: use smaller repetitions at offset 0'],
    ['a**', 'a repetition of a repetition at offset 2'],
    ['*a', 'nothing to repeat before "*" at offset 0'],
    ['a)', '")" without "(" at offset 1'],
    ['(a', '")" is missing at offset 2'],
    ['[a', '"]" is missing at offset 0'],
    ['[z-a]', 'a range must go from a smaller character to a larger one at offset 4'],
    ['[é]', 'a class takes ASCII characters only at offset 1'],
    ['[[:alpha:]]', 'named classes are not offered at offset 1'],
    ['[]', 'an empty class; write "\\]" for the character at offset 1'],
    ['\\p{L}', 'unknown escape "\\p" at offset 0'],
    ['\\bword', 'word boundaries are not offered at offset 0'],
    ['a\\', '"\\" at the end at offset 1'],
    ['\\xZZ', '"\\x" takes two hexadecimal digits at offset 0'],
    ['('.repeat(200), 'more than 100 groups inside each other at offset 101'],
  ])('refuses %s', (pattern, fault) => {
    expect(regexFault(pattern)).toBe(fault);
  });

  test.each(['/v1/.*', '(a+)+', '[\\w-]+', '(?i)x'])('has no fault with %s', (pattern) => {
    expect(regexFault(pattern)).toBe(null);
  });

  test('agrees with a slow, obvious matcher on random patterns and texts', () => {
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 10 }), ({ source, ends }, texts) => {
        const regex = new LinearRegex(source);
        for (const given of texts) {
          const bytes = Buffer.from(given);
          const expected = ends(given, 0).has(given.length);
          expect([source, given, regex.matches(bytes, 0, bytes.length)]).toEqual([source, given, expected]);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('stays right when there are more states than it keeps', () => {
    // The state must remember the last 11 letters: 2048 states.
    const source = '(a|b)*a(a|b){10}';
    const regex = new LinearRegex(source);
    const other = new RegExp(`^(?:${source})$`);
    let seed = 1;
    for (let i = 0; i < 300; i++) {
      const text = Array.from({ length: 40 }, () =>
        (seed = (seed * 48_271) % 2_147_483_647) & 64 ? 'a' : 'b',
      ).join('');
      const bytes = Buffer.from(text);
      expect(regex.matches(bytes, 0, bytes.length)).toBe(other.test(text));
    }
  });

  test('can be fed in pieces', () => {
    const regex = new LinearRegex('ab,cd');
    let state = regex.feed(REGEX_START, Buffer.from('xab'), 1, 3);
    state = regex.feedByte(state, 0x2c);
    expect(regex.accepts(state)).toBe(false);
    expect(regex.accepts(regex.feed(state, Buffer.from('cd'), 0, 2))).toBe(true);
  });

  test.each(['(a+)+b', '(a|a)*b', '.*a.*a.*a.*a.*b', '(a{0,20}){0,20}b'])(
    'a text of 16 KiB that makes a backtracking engine hang takes no time with %s',
    (pattern) => {
      const regex = new LinearRegex(pattern);
      const bytes = Buffer.alloc(16 * 1024, 'a');
      expect(spent(() => expect(regex.matches(bytes, 0, bytes.length)).toBe(false))).toBeLessThan(1000);
    },
  );
});
