import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const config = {
  tiers: [
    { name: 'free', requests: 2 },
    { name: 'paid', requests: 3 },
  ],
};
const filter = await openFilter(`${import.meta.dirname}/index.ts`, { config });
const status = async (consumer: string, tier: string) =>
  (await filter.exchange({ request: { headers: { 'x-consumer': consumer, 'x-tier': tier } } })).answer.status;

test('each consumer has the rate of its tier', async () => {
  expect([await status('a', 'free'), await status('a', 'free'), await status('a', 'free')]).toEqual([
    200, 200, 429,
  ]);
  expect(await status('b', 'free')).toBe(200);
  for (const expected of [200, 200, 200, 429]) expect(await status('c', 'paid')).toBe(expected);
  // A tier that nobody knows is the first one.
  for (const expected of [200, 200, 429]) expect(await status('d', 'gold')).toBe(expected);
});

test('tells what is left, and lets go on after a while', async () => {
  const send = () => filter.exchange({ request: { headers: { 'x-consumer': 'e' } } });
  expect((await send()).answer.headers['x-remaining']).toBe('1');
  await send();
  expect((await send()).answer).toMatchObject({ status: 429, details: 'tier_limit' });
  await filter.clock.advance(60_000);
  expect((await send()).answer.status).toBe(200);
});

test('needs a tier', async () => {
  await expect(openFilter(`${import.meta.dirname}/index.ts`, { config: {} })).rejects.toThrow();
});
