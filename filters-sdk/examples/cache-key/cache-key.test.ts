import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const config = { ignore: ['utm_', 'fbclid='], vary: ['accept-language'] };
const filter = await openFilter(`${import.meta.dirname}/index.ts`, { config });
const key = async (path: string, request: object = {}) => {
  const { upstream } = await filter.exchange({ request: { path, ...request } });
  return upstream?.headers['x-cache-key'];
};

test.each([
  ['/a', 'GET example.test/a accept-language='],
  ['/a?', 'GET example.test/a accept-language='],
  ['/a?b=2&a=1', 'GET example.test/a?a=1&b=2 accept-language='],
  ['/a?utm_source=x&b=2&fbclid=y&&a=1', 'GET example.test/a?a=1&b=2 accept-language='],
  ['/a?a=2&a=10&a', 'GET example.test/a?a&a=10&a=2 accept-language='],
])('%s: %s', async (path, expected) => {
  expect(await key(path)).toBe(expected);
});

test('puts in the fields that make a difference', async () => {
  expect(await key('/', { headers: { 'accept-language': 'de' } })).toBe(
    'GET example.test/ accept-language=de',
  );
});

test('gives none to what no cache may answer, whatever the client says', async () => {
  expect(await key('/', { method: 'POST', headers: { 'x-cache-key': 'mine' } })).toBeUndefined();
  const many = Array.from({ length: 33 }, (_, i) => `p${i}`).join('&');
  expect(await key(`/?${many}`, { headers: { 'x-cache-key': 'mine' } })).toBeUndefined();
});
