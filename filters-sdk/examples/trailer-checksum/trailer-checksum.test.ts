import { expect, test } from 'vitest';
import { openFilter, type RequestSpec } from '@weir/filters-sdk/testing';

const filter = await openFilter(`${import.meta.dirname}/index.ts`);

function post(body: string[], checksum: string): RequestSpec {
  return { method: 'POST', body, trailers: { 'x-crc32': checksum } };
}

test('passes a body with its own checksum', async () => {
  const exchange = await filter.exchange({ request: post(['1234', '56789'], 'cbf43926') });
  expect(exchange.upstream).toMatchObject({ body: '123456789', trailers: { 'x-crc32': 'cbf43926' } });
});

test('stops a body with another one before any of it goes upstream', async () => {
  const exchange = await filter.exchange({ request: post(['1234', '56780'], 'cbf43926') });
  expect(exchange.upstream).toBeNull();
  expect(exchange.answer).toMatchObject({ status: 400, details: 'bad_checksum' });
});

test('gives an answer a checksum, and does not hold it', async () => {
  const exchange = await filter.exchange({
    request: { headers: { te: 'trailers' } },
    response: { body: ['1234', '56789'] },
  });
  expect(exchange.answer.trailers).toEqual({ 'x-crc32': 'cbf43926' });
  expect(exchange.pauses).toEqual([]);
});
