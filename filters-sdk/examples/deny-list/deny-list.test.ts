import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const open = () =>
  openFilter(`${import.meta.dirname}/index.ts`, {
    config: { upstream: 'lists', every: '10s' },
    upstreams: { lists: [{ body: 'eve\n  mallory \n\n' }, { status: 500 }, { body: 'eve' }] },
  });

test('refuses who is on the list, once there is one', async () => {
  const filter = await open();
  const status = async (...users: string[]) =>
    (await filter.exchange({ request: { headers: { 'x-user': users } } })).answer.status;
  expect(await status('eve')).toBe(200);
  await filter.clock.advance(10);
  expect(filter.logs.map(({ message }) => message)).toContain('deny list: 2 entries');
  expect(await status('eve')).toBe(403);
  expect(await status('ann', 'mallory')).toBe(403);
  expect(await status('ann')).toBe(200);

  await filter.clock.advance(10_000);
  expect(filter.logs.map(({ message }) => message)).toContain('deny list: 500, the one before stays');
  expect(await status('mallory')).toBe(403);
  await filter.clock.advance(10_000);
  expect(await status('mallory')).toBe(200);
  expect(filter.calls.map(({ path }) => path)).toEqual(['/deny-list', '/deny-list', '/deny-list']);
});
