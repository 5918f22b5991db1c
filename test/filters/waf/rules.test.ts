import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Filter } from '@weir/filters-sdk/testing';
import { openBuiltIn } from '../../support/filter.ts';
import { RULES, SUSPICIONS, type RuleCase } from './rule-cases.ts';

let first: Filter;
let second: Filter;
beforeAll(async () => {
  first = await openBuiltIn('waf', { threshold: 1000 });
  second = await openBuiltIn('waf', { threshold: 1000, paranoia: 2 });
}, 120_000);
afterAll(async () => {
  await first.close();
  await second.close();
});

const NAMED = /^([\w.]+)=(.+)$/s;
/** Rules for which the name of an argument counts. */
const BY_NAME = ['rfi/parameter', 'python/lookup', 'protocol/method-override'];

async function found(filter: Filter, rule: string, value: string): Promise<boolean> {
  const named = BY_NAME.includes(rule) ? NAMED.exec(value) : null;
  const [name, text] = named === null ? ['q', value] : [named[1]!, named[2]!];
  const exchange = await filter.exchange({
    request: {
      method: 'GET',
      path: `/a?${name}=${encodeURIComponent(text)}`,
      authority: 'shop.test',
      headers: [
        ['user-agent', 'Mozilla/5.0'],
        ['accept', '*/*'],
      ],
    },
  });
  return (exchange.property('waf.rules') ?? '').split(',').includes(rule);
}

async function check(filter: Filter, { rule, finds, passes }: RuleCase): Promise<void> {
  const missed: string[] = [];
  const wrong: string[] = [];
  for (const value of finds) if (!(await found(filter, rule, value))) missed.push(value);
  for (const value of passes) if (await found(filter, rule, value)) wrong.push(value);
  expect({ missed, wrong }).toEqual({ missed: [], wrong: [] });
}

test.each(RULES)('$rule finds what it is for, however it is written, and not what is close to it', (one) =>
  check(first, one),
);

test.each(SUSPICIONS)('$rule finds it at the second level alone', async (one) => {
  await check(second, one);
  for (const value of one.finds) expect(await found(first, one.rule, value)).toBe(false);
});
