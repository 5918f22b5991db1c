import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFilter, type Filter } from '@weir/filters-sdk/testing';

let filter: Filter;
beforeAll(async () => {
  filter = await openFilter('src/index.ts', { config: { ignore: ['gclid'], vary: ['accept-language'] } });
});
afterAll(() => filter.close());

const keyOf = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
  const { upstream } = await filter.exchange({
    request: { method, path, authority: 'Shop.Example', headers },
  });
  return upstream?.headers['x-cache-key'];
};

test('is the same however the parameters are sorted', async () => {
  expect(await keyOf('/list?b=2&a=1')).toBe('shop.example/list?a=1&b=2 accept-language=');
  expect(await keyOf('/list?a=1&b=2')).toBe(await keyOf('/list?b=2&a=1'));
  expect(await keyOf('/list?a=1&a=2')).not.toBe(await keyOf('/list?a=2'));
});

test('leaves out what makes no difference', async () => {
  expect(await keyOf('/list?utm_source=mail&gclid=1')).toBe(await keyOf('/list'));
});

test('holds the fields that do, and none can pass for another', async () => {
  const german = await keyOf('/', { 'accept-language': 'de' });
  expect(german).toBe('shop.example/ accept-language=de');
  expect(await keyOf('/', { 'accept-language': 'a b' })).not.toBe(
    await keyOf('/', { 'accept-language': 'a+b' }),
  );
});

test('is there for GET and HEAD alone, and never what the client says', async () => {
  expect(await keyOf('/', { 'x-cache-key': 'mine' }, 'POST')).toBeUndefined();
  expect(await keyOf('/', { 'x-cache-key': 'mine' })).toBe('shop.example/ accept-language=');
});

test('there is none for a query of any size', async () => {
  const query = Array.from({ length: 65 }, (_, i) => `p${i}=1`).join('&');
  expect(await keyOf(`/?${query}`)).toBeUndefined();
});
