import { expect, test } from 'vitest';
import { openFilter, type Exchange } from '@weir/filters-sdk/testing';

const filter = await openFilter(`${import.meta.dirname}/index.ts`, { config: { slowerThan: '100ms' } });
const lines = (exchange: Exchange) => exchange.logs.map(({ message }) => JSON.parse(message) as object);

test('says nothing of a request that was quick and right', async () => {
  expect(lines(await filter.exchange({ response: { status: 404 } }))).toEqual([]);
});

test('logs one that failed', async () => {
  const exchange = await filter.exchange({
    request: { method: 'POST', path: '/a', headers: { 'x-request-id': 'a"b\\c\t' } },
    response: { status: 503 },
  });
  expect(lines(exchange)).toEqual([
    { code: 503, ms: 0, method: 'POST', path: '/a', id: 'a"b\\c\t', details: 'via_upstream' },
  ]);
});

test('logs one that was slow', async () => {
  const stream = filter.stream();
  stream.requestHeaders({}, true);
  await filter.clock.advance(150);
  stream.responseHeaders({}, true);
  expect(lines(stream)).toMatchObject([{ code: 200, ms: 150, path: '/' }]);
});
