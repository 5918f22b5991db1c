import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFilter, type Filter } from '@weir/filters-sdk/testing';

let filter: Filter;
beforeAll(async () => {
  filter = await openFilter('src/index.ts');
});
afterAll(() => filter.close());

const total = (method: string, statusClass: string) =>
  filter.metric(`my_filter_requests_total{method="${method}",class="${statusClass}"}`);

test('counts by method and by class of the status', async () => {
  await filter.exchange({ request: { method: 'GET' }, response: { status: 204 } });
  await filter.exchange({ request: { method: 'GET' }, response: { status: 200 } });
  await filter.exchange({ request: { method: 'POST' }, response: { status: 503 } });
  expect(total('GET', '2xx')).toBe(2);
  expect(total('POST', '5xx')).toBe(1);
});

test('a client cannot make new series', async () => {
  await filter.exchange({ request: { method: 'BREW' } });
  expect(total('BREW', '2xx')).toBeUndefined();
  expect(total('other', '2xx')).toBe(1);
});

test('measures how long each request takes', async () => {
  const before = filter.histogram('my_filter_duration_ms')?.values.length ?? 0;
  await filter.exchange();
  expect(filter.histogram('my_filter_duration_ms')?.values).toHaveLength(before + 1);
});

test('counts for themselves the methods that the configuration names', async () => {
  const other = await openFilter('src/index.ts', { config: { methods: ['BREW'] } });
  await other.exchange({ request: { method: 'BREW' } });
  await other.exchange({ request: { method: 'GET' } });
  expect(other.metric('my_filter_requests_total{method="BREW",class="2xx"}')).toBe(1);
  expect(other.metric('my_filter_requests_total{method="other",class="2xx"}')).toBe(1);
  await other.close();
});
