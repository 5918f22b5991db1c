import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFilter, type Filter, type HttpCall } from '@weir/filters-sdk/testing';

const request = { path: '/orders', headers: { authorization: 'Bearer let-me-in', 'x-user': 'root' } };

let filter: Filter;
beforeAll(async () => {
  filter = await openFilter('src/index.ts', {
    config: { upstream: 'auth', timeout: '500ms' },
    upstreams: { auth: () => ({ status: 200, headers: { 'x-user': 'ada' } }) },
    capabilities: ['default', 'secrets'],
  });
});
afterAll(() => filter.close());

test('asks the service with the token and the path, and tells the upstream who it is', async () => {
  let asked: HttpCall | undefined;
  filter.onCall('auth', (call) => {
    asked = call;
    return { status: 200, headers: { 'x-user': 'ada' } };
  });
  const { answer, upstream } = await filter.exchange({ request });
  expect(asked?.path).toBe('/check');
  expect(asked?.headers).toMatchObject({ authorization: 'Bearer let-me-in', 'x-original-path': '/orders' });
  expect(answer.status).toBe(200);
  // What the client said of itself is gone.
  expect(upstream?.headers['x-user']).toBe('ada');
});

test('asks nobody about a request without a token', async () => {
  const { answer, upstream, calls } = await filter.exchange({ request: { path: '/orders' } });
  expect(answer.status).toBe(401);
  expect(upstream).toBeNull();
  expect(calls).toHaveLength(0);
});

test.each([401, 403])('answers %i where the service does', async (status) => {
  filter.onCall('auth', () => ({ status }));
  const { answer, upstream } = await filter.exchange({ request });
  expect(answer.status).toBe(status);
  expect(upstream).toBeNull();
});

test('lets nothing pass where the service fails', async () => {
  for (const failure of [{ status: 500 }, { fail: 'unavailable' as const }]) {
    filter.onCall('auth', () => failure);
    const { answer, upstream } = await filter.exchange({ request });
    expect(answer.status).toBe(503);
    expect(upstream).toBeNull();
  }
});

test('lets nothing pass where the service takes too long', async () => {
  filter.onCall('auth', () => null);
  const exchange = await filter.exchange({ request });
  expect(exchange.state).toBe('waiting');
  await filter.clock.advance(500);
  await exchange.settle();
  expect(exchange.answer.status).toBe(503);
});
