import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Filter } from '@weir/filters-sdk/testing';
import { openBuiltIn } from '../../support/filter.ts';
import { ARGUMENTS, REQUESTS, type AttackRequest } from './attacks.ts';
import { BENIGN, BENIGN_OF_DEVELOPERS, BENIGN_REQUESTS } from './benign.ts';
import { HELD_OUT_ATTACKS, HELD_OUT_BENIGN } from './held-out.ts';
import { RULES, SUSPICIONS } from './rule-cases.ts';

const USUAL: [string, string][] = [
  ['user-agent', 'Mozilla/5.0'],
  ['accept', '*/*'],
];

export const openWaf = (config: object = {}): Promise<Filter> =>
  openBuiltIn('waf', { body: {}, ...config }, { bodyWhileHeld: true });

async function judge(filter: Filter, { method, path, headers = [], body }: AttackRequest): Promise<string> {
  const given = new Set(headers.map(([name]) => name));
  const exchange = await filter.exchange({
    request: {
      method: method ?? 'GET',
      path: path ?? '/',
      authority: 'shop.test',
      headers: [
        ...USUAL.filter(([name]) => !given.has(name)),
        ...headers.map(([n, v]) => [n, v] as [string, string]),
      ],
      ...(body === undefined ? {} : { body }),
    },
  });
  const rules = exchange.property('waf.rules') ?? '';
  return exchange.answer.status === 200 ? `passes ${rules}` : `${exchange.answer.details} ${rules}`;
}

const inQuery = (value: string): AttackRequest => ({ path: `/a?q=${encodeURIComponent(value)}` });
const inForm = (value: string): AttackRequest => ({
  method: 'POST',
  headers: [['content-type', 'application/x-www-form-urlencoded']],
  body: `q=${encodeURIComponent(value)}`,
});
const inJson = (value: string): AttackRequest => ({
  method: 'POST',
  headers: [['content-type', 'application/json']],
  body: JSON.stringify({ deep: [{ q: value }] }),
});

async function misses(filter: Filter, requests: readonly AttackRequest[]): Promise<string[]> {
  const missed: string[] = [];
  for (const request of requests)
    if ((await judge(filter, request)).startsWith('passes')) missed.push(JSON.stringify(request));
  return missed;
}

let one: Filter;
let two: Filter;
beforeAll(async () => {
  one = await openWaf();
  two = await openWaf({ paranoia: 2 });
}, 120_000);
afterAll(async () => {
  await one.close();
  await two.close();
});

/** What is no attack of itself, but adds to the score of one. */
const DETAILS: AttackRequest[] = [
  { path: '/?a=50%' },
  {
    headers: [
      ['content-type', 'text/plain'],
      ['content-type', 'text/html'],
    ],
  },
  { path: `/?${'a&'.repeat(300)}` },
];
const ATTACKS = Object.values(ARGUMENTS).flat();

test('the corpora are large enough to say something', () => {
  expect(ATTACKS.length + REQUESTS.length).toBeGreaterThanOrEqual(150);
  expect(BENIGN.length + BENIGN_REQUESTS.length).toBeGreaterThanOrEqual(150);
});

test.each(Object.keys(ARGUMENTS))('finds attacks of the class %s in the query', async (name) => {
  expect(await misses(one, ARGUMENTS[name]!.map(inQuery))).toEqual([]);
});

test('every rule finds something in these corpora', async () => {
  const folder = new URL('../../../src/filters/waf/rules/', import.meta.url);
  const sources = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'));
  const rules = sources.flatMap((text) =>
    [...text.matchAll(/new Rule\(\s*'([a-z]+\/[a-z-]+)'/g)].map(([, id]) => id!),
  );
  expect(rules.length).toBeGreaterThan(70);
  const elsewhere = new Set([...RULES, ...SUSPICIONS].map(({ rule }) => rule));
  const found = new Set<string>();
  const filter = await openWaf({ paranoia: 2, threshold: 1000 });
  const all = [...ATTACKS.map(inQuery), ...REQUESTS, ...DETAILS];
  for (const request of all)
    for (const rule of (await judge(filter, request)).split(' ').at(-1)!.split(',')) found.add(rule);
  await filter.close();
  // Others are in rules.test.ts, and these for decisions.test.ts: what is missing, another host, and a value larger than any here.
  expect(rules.filter((rule) => !found.has(rule) && !elsewhere.has(rule))).toEqual([
    'protocol/no-user-agent',
    'protocol/no-accept',
    'protocol/address-as-host',
    'protocol/too-complex',
  ]);
});

test('finds the same in forms and in JSON', async () => {
  expect(await misses(one, ATTACKS.map(inForm))).toEqual([]);
  expect(await misses(one, ATTACKS.map(inJson))).toEqual([]);
});

test('finds attacks in heads, paths, names and bodies', async () => {
  expect(await misses(one, REQUESTS)).toEqual([]);
});

describe('what is none', () => {
  async function refused(filter: Filter, requests: readonly AttackRequest[]): Promise<string[]> {
    const found: string[] = [];
    for (const request of requests) {
      const verdict = await judge(filter, request);
      if (!verdict.startsWith('passes')) found.push(`${JSON.stringify(request)} ${verdict}`);
    }
    return found;
  }

  test('passes in arguments, at the first level', async () => {
    expect(await refused(one, BENIGN.map(inQuery))).toEqual([]);
    expect(await refused(one, BENIGN.map(inJson))).toEqual([]);
    expect(await refused(one, BENIGN_OF_DEVELOPERS.map(inJson))).toEqual([]);
    expect(await refused(one, BENIGN_OF_DEVELOPERS.map(inForm))).toEqual([]);
  });

  test('passes as whole requests', async () => {
    expect(await refused(one, BENIGN_REQUESTS)).toEqual([]);
  });

  test('passes mostly at the second level', async () => {
    const found = await refused(two, BENIGN.map(inQuery));
    expect(found.length / BENIGN.length).toBeLessThanOrEqual(0.05);
  });

  test('and of what the rules were not made with, the rates that the README states hold', async () => {
    const missed = await misses(one, HELD_OUT_ATTACKS.map(inQuery));
    const wrong = await refused(one, HELD_OUT_BENIGN.map(inQuery));
    expect(1 - missed.length / HELD_OUT_ATTACKS.length).toBeGreaterThanOrEqual(0.95);
    expect(wrong.length / HELD_OUT_BENIGN.length).toBeLessThanOrEqual(0.06);
  });
});
