import { describe, expect, test } from 'vitest';
import { parseText } from '../../src/control/parse.ts';

const codes = (text: string) => parseText('x.yaml', text).diagnostics.map((diagnostic) => diagnostic.code);
const places = (text: string) =>
  parseText('x.yaml', text).diagnostics.map(({ line, column, length }) => [line, column, length]);

describe('documents', () => {
  test.each([
    ['', 0],
    ['# only a comment\n', 0],
    ['---\n---\n', 0],
    ['a: 1\n---\nb: 2\n...\n---\nc: 3\n', 3],
    ['\ufeffa: 1\n', 1],
  ])('%j holds %i documents', (text, count) => {
    const { documents, diagnostics } = parseText('x.yaml', text);
    expect(diagnostics).toEqual([]);
    expect(documents).toHaveLength(count);
  });

  test('the items of a List are documents with places of their own', () => {
    const { documents } = parseText(
      'x.yaml',
      'apiVersion: v1\nkind: List\nitems:\n- kind: A\n- kind: B\n  x: 1\n',
    );
    expect(documents.map((document) => document.value)).toEqual([{ kind: 'A' }, { kind: 'B', x: 1 }]);
    expect(documents[1]!.place(['x'])).toMatchObject({ line: 6, column: 6 });
  });

  test('a fault in one document leaves the others readable', () => {
    const { documents, diagnostics } = parseText('x.yaml', 'a: 1\n---\nb: [\n---\nc: 3\n');
    expect(diagnostics.length).toBeGreaterThan(0);
    expect(documents.map((document) => document.value)).toContainEqual({ c: 3 });
  });

  test('keys and words are text, as in YAML 1.2', () => {
    const { documents } = parseText('x.yaml', 'on: yes\n8080: no\n__proto__: {a: 1}\n');
    const value = documents[0]!.value as Record<string, unknown>;
    expect(value['on']).toBe('yes');
    expect(value['8080']).toBe('no');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value)).toContain('__proto__');
  });
});

describe('refusals', () => {
  test.each([
    ['a key that is written twice', 'a: 1\nb: 2\na: 3\n', 'WEIR1002', [3, 1, 1]],
    ['a tab as indentation', 'a:\n\t- b\n', 'WEIR1001', [2, 1, 1]],
    ['an unknown tag', 'a: !secret b\n', 'WEIR1001', [1, 4, 7]],
    ['an unknown alias', 'a: *nowhere\n', 'WEIR1001', [1, 4, 8]],
    ['an alias inside of its anchor', 'a: &x [*x]\n', 'WEIR1004', [1, 8, 2]],
    ['a key that is a list', '? [a]\n: b\n', 'WEIR1001', [1, 3, 1]],
  ] as const)('%s', (_what, text, code, place) => {
    expect(codes(text)).toEqual([code]);
    expect(places(text)).toEqual([place]);
  });

  test.each([
    ['brackets', '['.repeat(100_000)],
    ['closed brackets', '['.repeat(5000) + ']'.repeat(5000)],
    ['braces', '{a: '.repeat(5000)],
    ['lists', '- '.repeat(5000) + 'x'],
    ['mappings', Array.from({ length: 500 }, (_, i) => `${' '.repeat(i)}a:\n`).join('')],
    ['questions', '? '.repeat(5000)],
  ])('%s nested beyond 64 levels end the reading, not the process', (_what, text) => {
    expect(codes(text)).toEqual(['WEIR1005']);
  });

  test('64 levels are read', () => {
    expect(codes('['.repeat(62) + ']'.repeat(62))).toEqual([]);
  });

  test('more than 100 aliases', () => {
    const aliases = (count: number) => `a: &a 1\nb: [${Array<string>(count).fill('*a').join(', ')}]\n`;
    expect(codes(aliases(100))).toEqual([]);
    expect(codes(aliases(101))).toEqual(['WEIR1004']);
  });

  test('few aliases that expand to much', () => {
    const level = (name: string, of: string) =>
      `${name}: &${name} [${Array<string>(9).fill(of).join(', ')}]\n`;
    const bomb = level('a', 'x') + level('b', '*a') + level('c', '*b') + level('d', '*c') + level('e', '*d');
    expect(codes(bomb)).toEqual(['WEIR1004']);
  });
});

test.each([
  ['a fault in its line', 'kind: Secret\nstringData:\n  tls.key: hush: hush\n'],
  [
    'a PEM block that is not indented',
    'kind: Secret\nstringData:\n  tls.key: |\n-----BEGIN PRIVATE KEY-----\nhush\n',
  ],
  ['an unclosed quote', 'a: 1\n---\nkind: "Secret"\nstringData: {tls.key: "hush}\n'],
])('lines of a Secret are not shown: %s', (_what, text) => {
  const { diagnostics } = parseText('x.yaml', text);
  expect(diagnostics.length).toBeGreaterThan(0);
  expect(JSON.stringify(diagnostics)).not.toContain('hush');
});
