import { afterEach, beforeEach, expect, test } from 'vitest';
import { openFilter, type Filter } from '@weir/filters-sdk/testing';

let filter: Filter;
beforeEach(async () => {
  filter = await openFilter('src/index.ts', { config: { requests: 2, per: '10s' } });
});
afterEach(() => filter.close());

const send = async (key?: string, address = '192.0.2.1:4000') => {
  const headers: Record<string, string> = key === undefined ? {} : { 'x-api-key': key };
  const { answer } = await filter.exchange({
    request: { headers },
    properties: { 'source.address': address },
  });
  return answer;
};

test('says what is left, then refuses and says when to come again', async () => {
  expect((await send('k')).headers['x-ratelimit-remaining']).toBe('1');
  expect((await send('k')).headers['x-ratelimit-remaining']).toBe('0');
  const refused = await send('k');
  expect(refused.status).toBe(429);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
});

test('lets a client in again that waited as long as it was told', async () => {
  await send('k');
  await send('k');
  const seconds = Number((await send('k')).headers['retry-after']);
  await filter.clock.advance(seconds * 1000);
  expect((await send('k')).status).toBe(200);
});

test('counts each key, and each address without the port, for itself', async () => {
  await send('one');
  await send('one');
  expect((await send('two')).status).toBe(200);
  await send(undefined, '192.0.2.7:1');
  await send(undefined, '192.0.2.7:2');
  expect((await send(undefined, '192.0.2.7:3')).status).toBe(429);
  expect((await send(undefined, '192.0.2.8:1')).status).toBe(200);
});
