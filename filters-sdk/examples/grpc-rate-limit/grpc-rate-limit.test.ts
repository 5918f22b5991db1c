import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const filter = await openFilter(`${import.meta.dirname}/index.ts`, {
  config: { upstream: 'limits', domain: 'app' },
  upstreams: ['limits'],
});
const request = { headers: { 'x-user': 'ann' } };

test('asks with the domain and a descriptor, and passes what is OK', async () => {
  filter.onGrpc('limits', () => ({ messages: [Uint8Array.of(8, 1)] }));
  const exchange = await filter.exchange({ request });
  expect(exchange.answer.status).toBe(200);
  const [call] = exchange.grpcCalls;
  expect(call).toMatchObject({
    service: 'envoy.service.ratelimit.v3.RateLimitService',
    method: 'ShouldRateLimit',
  });
  expect(Buffer.from(call!.messages[0]!).toString('latin1')).toBe(
    '\n\x03app\x12\x0f\n\r\n\x06x-user\x12\x03ann',
  );
});

test('refuses what is over the limit', async () => {
  filter.onGrpc('limits', () => ({ messages: [Uint8Array.of(8, 2)] }));
  const exchange = await filter.exchange({ request });
  expect(exchange.answer).toMatchObject({ status: 429, details: 'over_limit' });
  expect(exchange.upstream).toBeNull();
});

test('passes all when the service fails, and says so', async () => {
  filter.onGrpc('limits', () => ({ status: 14, message: 'gone' }));
  const exchange = await filter.exchange({ request });
  expect(exchange.answer.status).toBe(200);
  expect(exchange.logs.map(({ message }) => message)).toContain('rate limit service: 14 gone');
});

test('asks for nobody without the field', async () => {
  expect((await filter.exchange()).grpcCalls).toEqual([]);
});
