import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const config = { retryAfter: 60, open: ['/health'], pass: 'team' };
const filter = await openFilter(`${import.meta.dirname}/index.ts`, { config });

test('answers in place of the upstream', async () => {
  const { answer, upstream } = await filter.exchange({ request: { path: '/orders' } });
  expect(upstream).toBeNull();
  expect(answer).toMatchObject({ status: 503, details: 'maintenance' });
  expect(answer.headers).toMatchObject({ 'retry-after': '60', 'content-type': 'application/problem+json' });
  expect(answer.json()).toMatchObject({ status: 503 });
});

test.each([
  ['/health', {}, 200],
  ['/', { 'x-maintenance-pass': 'team' }, 200],
  ['/', { 'x-maintenance-pass': 'teal' }, 503],
  ['/', { 'x-maintenance-pass': '' }, 503],
])('%s %o: %i', async (path, headers, status) => {
  expect((await filter.exchange({ request: { path, headers } })).answer.status).toBe(status);
});

test('tells what is wrong with a configuration', async () => {
  const refused = openFilter(`${import.meta.dirname}/index.ts`, { config: { retryAfter: 0, opne: [] } });
  await expect(refused).rejects.toThrow(
    /retryAfter: expected a whole number from 1[\s\S]*opne: unknown field/,
  );
});
