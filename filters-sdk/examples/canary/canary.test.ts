import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const open = (permille: number) => openFilter(`${import.meta.dirname}/index.ts`, { config: { permille } });
const users = Array.from({ length: 500 }, (_, i) => `user-${i}`);

async function canaries(permille: number): Promise<string[]> {
  const filter = await open(permille);
  const found = [];
  for (const user of users) {
    const { upstream } = await filter.exchange({
      request: { headers: { 'x-user': user, 'x-version': 'canary' } },
    });
    if (upstream?.headers['x-version'] === 'canary') found.push(user);
  }
  return found;
}

test('sends a share of the users, always the same ones, and a larger share only adds some', async () => {
  const few = await canaries(100);
  const more = await canaries(300);
  expect(few.length).toBeGreaterThan(20);
  expect(few.length).toBeLessThan(90);
  expect(await canaries(100)).toEqual(few);
  expect(more).toEqual(expect.arrayContaining(few));
  expect(await canaries(0)).toEqual([]);
  expect(await canaries(1000)).toEqual(users);
});

test('sends who is nobody to the stable version, and says so', async () => {
  const filter = await open(999);
  const { upstream, answer } = await filter.exchange({ request: { headers: { 'x-version': 'canary' } } });
  expect(upstream?.headers['x-version']).toBe('stable');
  expect(answer.headers['x-version']).toBe('stable');
});
