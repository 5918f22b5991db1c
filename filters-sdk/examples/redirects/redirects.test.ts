import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const open = (config: object) => openFilter(`${import.meta.dirname}/index.ts`, { config });
const redirects = [
  { from: '/old', to: '/new' },
  { from: '/shop', to: 'https://shop.example.com/', status: 302 },
];

test('sends clients on, and leaves other paths alone', async () => {
  const filter = await open({ redirects });
  const to = async (path: string) => {
    const { answer } = await filter.exchange({ request: { path } });
    return [answer.status, answer.headers['location']];
  };
  expect(await to('/old?a=1')).toEqual([308, '/new']);
  expect(await to('/shop')).toEqual([302, 'https://shop.example.com/']);
  expect(await to('/older')).toEqual([200, undefined]);
});

test.each([
  [{}, /redirects/],
  [{ redirects: [] }, /redirects/],
  [{ redirects: [{ from: 'old', to: '/' }] }, /redirects\[0\]\.from/],
  [{ redirects: [{ from: '/', to: '/', status: 200 }] }, /redirects\[0\]\.status/],
  [{ redirects, more: 1 }, /more/],
])('refuses %j', async (config, fault) => {
  await expect(open(config)).rejects.toThrow(fault);
});
