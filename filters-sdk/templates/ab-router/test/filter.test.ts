import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const open = (share: number) =>
  openFilter('src/index.ts', { config: { share, days: 1 }, capabilities: ['default', 'secrets'] });

test('gives a new client a variant, and tells it by a cookie', async () => {
  const filter = await open(100);
  const { answer, upstream } = await filter.exchange({
    response: { headers: { 'set-cookie': 'session=1' } },
  });
  expect(upstream?.headers['x-variant']).toBe('b');
  expect(answer.headers['x-variant']).toBe('b');
  const cookies = answer.fields.filter(([name]) => name === 'set-cookie').map(([, value]) => value);
  expect(cookies).toEqual(['session=1', 'variant=b; Path=/; HttpOnly; SameSite=Lax; Max-Age=86400']);
  await filter.close();
});

test('keeps a client where it is', async () => {
  const filter = await open(1);
  for (const variant of ['a', 'b']) {
    const headers = { cookie: `theme=dark; variant=${variant}` };
    const { answer, upstream } = await filter.exchange({ request: { headers } });
    expect(upstream?.headers['x-variant']).toBe(variant === 'b' ? 'b' : undefined);
    expect(answer.headers['set-cookie']).toBeUndefined();
  }
  await filter.close();
});

test('believes neither the header of a client nor a cookie that says something else', async () => {
  const filter = await open(0);
  const headers = { 'x-variant': 'b', cookie: 'variant=c; xvariant=b' };
  const { answer, upstream } = await filter.exchange({ request: { headers } });
  expect(upstream?.headers['x-variant']).toBeUndefined();
  expect(answer.headers['x-variant']).toBe('a');
  await filter.close();
});

test('draws as often as the share says', async () => {
  const filter = await open(25);
  let drawn = 0;
  for (let i = 0; i < 400; i++) if ((await filter.exchange()).answer.headers['x-variant'] === 'b') drawn++;
  // 100 are expected; 50 and 150 are more than five standard deviations away.
  expect(drawn).toBeGreaterThan(50);
  expect(drawn).toBeLessThan(150);
  await filter.close();
});
