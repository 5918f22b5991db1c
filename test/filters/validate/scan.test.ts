// The scan of hostile bodies takes what JSON.parse takes, and nothing else but for what it says of itself.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { open, post, verdict } from './kit.ts';

/** By the rules of the scan, from JSON.parse and a look at the text's names. */
function judge(text: string): 'takes' | 'refuses' {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'refuses';
  }
  return hasLoneSurrogate(value) || membersIn(text) !== countMembers(value) ? 'refuses' : 'takes';
}

const LONE = /\p{Surrogate}/u;

function hasLoneSurrogate(value: unknown): boolean {
  if (typeof value === 'string') return LONE.test(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([name, part]) => LONE.test(name) || hasLoneSurrogate(part));
}

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, part) => sum + countMembers(part), own);
}

/** Of a text that is JSON: what JSON.parse makes one of two, it counts as two. */
function membersIn(text: string): number {
  return [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)].filter(([, colon]) => colon !== undefined).length;
}

const document = fc.json({ maxDepth: 4 });
const PIECES = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '0',
  '1',
  '-',
  '.',
  'e',
  '+',
  'true',
  'null',
  ' ',
  '\n',
  '\t',
  '\u0001',
  '\\u0061',
  '\\ud83d\\ude00',
  '\\ud800',
  'é',
  '😀',
  '"a":',
  '"\\u0061":',
];
const broken = fc
  .tuple(document, fc.nat(), fc.nat(3), fc.constantFrom(...PIECES))
  .map(([text, at, cut, piece]) => {
    const place = at % (text.length + 1);
    return Buffer.from(text.slice(0, place) + piece + text.slice(place + cut)).toString();
  });
const soup = fc.array(fc.constantFrom(...PIECES), { maxLength: 14 }).map((pieces) => pieces.join(''));

test('whatever the text', async () => {
  const filter = await open({
    body: { maxBytes: 1_000_000, maxDepth: 128, maxKeys: 65_536, maxStringBytes: 1_000_000 },
    rules: [{ path: '/orders' }],
  });
  const seen = { takes: 0, refuses: 0 };
  await fc.assert(
    fc.asyncProperty(fc.oneof(document, broken, soup), async (text) => {
      if (text === '') return;
      const expected = judge(text);
      seen[expected]++;
      expect([text, (await verdict(filter, post(text))) === 'passes']).toEqual([text, expected === 'takes']);
    }),
    { numRuns: 1500 },
  );
  expect(Math.min(seen.takes, seen.refuses)).toBeGreaterThan(200);
});

test('keys are told apart however many there are', async () => {
  const filter = await open({ body: { maxBytes: 1_000_000, maxKeys: 50_000 }, rules: [{ path: '/orders' }] });
  const many = Array.from({ length: 40_000 }, (_, i) => `"k${i}":1`);
  expect(await verdict(filter, post(`{${many.join(',')}}`))).toBe('passes');
  expect(await verdict(filter, post(`{${many.join(',')},"k17":1}`))).toBe('validate_body, duplicateKey');
});

test('a name with escapes is told apart as what it says, whatever the body before it had', async () => {
  const filter = await open({ body: { maxBytes: 1000 }, rules: [{ path: '/orders' }] });
  const twice = '{"\\u0061":1,"a":2}';
  expect(await verdict(filter, post(twice))).toBe('validate_body, duplicateKey');
  expect(await verdict(filter, post('{"\\u006c\\u006f\\u006e\\u0067":1}'))).toBe('passes');
  expect(await verdict(filter, post(twice))).toBe('validate_body, duplicateKey');
  // Its last letter would be the name where the lengths of both bodies are confused.
  expect(await verdict(filter, post('{"\\u006cong":1}'))).toBe('passes');
  expect(await verdict(filter, post('{"a\\u0062cde":1,"e":2}'))).toBe('passes');
});
