// The parser takes what graphql-js takes, and finds in it what a plain walk over its tree finds.
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Filter } from '@weir/filters-sdk/testing';
import { documents, measured, mutations, parsed, sound, soup } from './documents.ts';
import { open, post, WIDE } from './kit.ts';

/** `FUZZ_RUNS` sets how many documents are looked at, in place of a number that takes a second. */
const runs = (usual: number): number => Number(process.env['FUZZ_RUNS'] ?? usual);

let filter: Filter;
beforeAll(async () => {
  filter = await open({ ...WIDE, costs: { multipliers: ['first', 'b'] } });
});

async function codeOf(text: string): Promise<string> {
  const { answer, logs } = await filter.exchange({ request: post({ query: text }) });
  if (answer.from === 'weir')
    throw new Error(`${answer.details}: ${JSON.stringify(logs).slice(0, 800)} ${text.slice(0, 3000)}`);
  if (answer.status === 200) return 'passes';
  return (answer.json() as { errors: { extensions: { code: string } }[] }).errors[0]!.extensions.code;
}

async function compare(text: string): Promise<boolean> {
  const isRight = parsed(text) !== null;
  const code = await codeOf(text);
  expect([text, code !== 'GRAPHQL_PARSE_FAILED', code]).toEqual([text, isRight, code]);
  return isRight;
}

describe('the parser agrees with graphql-js about', () => {
  test.each([
    ['documents that are right', documents, runs(150), 1],
    ['documents with a little changed', mutations, runs(400), 0.05],
    ['pieces of documents in any order', soup, runs(500), 0],
  ] as const)('%s', async (_name, arbitrary, numRuns, least) => {
    let right = 0;
    await fc.assert(
      fc.asyncProperty(arbitrary, async (text) => {
        if (await compare(text)) right++;
      }),
      { numRuns },
    );
    expect(right / numRuns).toBeGreaterThanOrEqual(least * 0.99);
  });

  test.each([
    '',
    ' ',
    '#only a comment',
    '{}',
    '{a',
    '{a}}',
    '{a(b:)}',
    '{a()}',
    '{a(b: $c)}',
    'query($a: Int = $b) {a}',
    'query() {a}',
    'query($a: [Int!]! = [1] @d(x: 1)) {a}',
    'query Q @a(b: "c") {a}',
    'query on {a}',
    'fragment on on A {a}',
    'fragment a on on {a}',
    'fragment a {a}',
    '{...on}',
    '{...on on}',
    '{... on A {a}}',
    '{...{a}}',
    '{... @a {a}}',
    '{...a @b(c: 1)}',
    '{a:b:c}',
    '{a: b}',
    '{true}',
    '{a(true: true)}',
    '{a(b: {c: [1 2, $d]})}',
    '{a(b: 01)}',
    '{a(b: 1.)}',
    '{a(b: .1)}',
    '{a(b: 1.1.1)}',
    '{a(b: 1x)}',
    '{a(b: 1_)}',
    '{a(b: -)}',
    '{a(b: 1e)}',
    '{a(b: "\n")}',
    '{a(b: "\\x")}',
    '{a(b: "\\u{1F600}")}',
    '{a(b: "\\u{000000041}")}',
    '{a(b: """\\""" """)}',
    '{a(b: """"""")}',
    'type A {a: Int}',
    '"d" query Q {a}',
    'extend type A {a: Int}',
    'Query {a}',
    '\ufeff{a}',
    '{a\u0000}',
    '{a#\u0000\n}',
    '{a\u00a0}',
    '{é}',
  ])('%j', async (text) => {
    await compare(text);
  });
});

test('depth, aliases and cost are those of a walk over the tree with every fragment put in place', async () => {
  let checked = 0;
  await fc.assert(
    fc.asyncProperty(fc.oneof({ weight: 4, arbitrary: sound }, documents), async (text) => {
      const expected = measured(parsed(text)!, ['first', 'b']);
      const exchange = await filter.exchange({ request: post({ query: text }) });
      if (expected === null) {
        expect([text, exchange.answer.status]).toEqual([text, 400]);
        return;
      }
      // Beyond what can be allowed.
      if (/_LIMIT/.test(exchange.answer.body)) return;
      checked++;
      const found = ['depth', 'aliases', 'cost'].map((name) => Number(exchange.property(`graphql.${name}`)));
      expect([text, ...found]).toEqual([text, expected.depth, expected.aliases, expected.cost]);
    }),
    { numRuns: runs(250) },
  );
  expect(checked).toBeGreaterThan(runs(250) / 4);
});

test('tokens are counted as graphql-js counts them', async () => {
  await fc.assert(
    fc.asyncProperty(documents, fc.integer({ min: 1, max: 120 }), async (text, most) => {
      const limited = await limitedTo(most);
      const { answer } = await limited.exchange({ request: post({ query: text }) });
      const isFew = parsed(text, most) !== null;
      expect([text, most, answer.body.includes('TOKEN_LIMIT')]).toEqual([text, most, !isFew]);
    }),
    { numRuns: runs(60) },
  );
});

const byTokens = new Map<number, Promise<Filter>>();
function limitedTo(most: number): Promise<Filter> {
  let known = byTokens.get(most);
  if (known === undefined)
    byTokens.set(most, (known = open({ ...WIDE, limits: { ...WIDE.limits, tokens: most } })));
  return known;
}
