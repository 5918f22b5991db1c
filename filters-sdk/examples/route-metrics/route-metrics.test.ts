import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const filter = await openFilter(`${import.meta.dirname}/index.ts`);
const count = (method: string, kind: string) =>
  filter.metric(`requests_total{method="${method}",class="${kind}"}`);

test('counts by method and class, and measures answers', async () => {
  await filter.exchange({ response: { body: ['12345', '67890'] } });
  await filter.exchange({ request: { method: 'POST' }, response: { status: 503, body: 'x' } });
  await filter.exchange({ request: { method: 'BREW' } });
  expect([count('GET', '2xx'), count('POST', '5xx'), count('other', '2xx')]).toEqual([1, 1, 1]);
  expect(count('GET', '4xx')).toBe(0);
  expect(filter.histogram('answer_bytes')?.values).toEqual([10, 1, 0]);
});

test('knows how many run', () => {
  const stream = filter.stream();
  stream.requestHeaders({}, true);
  expect(filter.metric('requests_in_flight')).toBe(1);
  stream.disconnect();
  expect(filter.metric('requests_in_flight')).toBe(0);
});
