import { afterAll, beforeAll, expect, test } from 'vitest';
import { everySplit, openFilter, type Filter } from '@weir/filters-sdk/testing';

const config = { find: 'http://internal', replacement: 'https://www', contentType: 'text/html' };

let filter: Filter;
beforeAll(async () => {
  filter = await openFilter('src/index.ts', { config });
});
afterAll(() => filter.close());

const page = (body: string | Uint8Array[], headers: Record<string, string> = {}) =>
  filter.exchange({ response: { headers: { 'content-type': 'text/html', ...headers }, body } });

test('replaces every occurrence', async () => {
  const { answer } = await page('<a href="http://internal/a"><a href="http://internal/b">');
  expect(answer.body).toBe('<a href="https://www/a"><a href="https://www/b">');
});

test('finds the text however the body is cut', async () => {
  for (const pieces of everySplit('to http://internal/ and on')) {
    expect((await page(pieces)).answer.body).toBe('to https://www/ and on');
  }
});

test('sends no length and no tag of the old body', async () => {
  const { answer } = await page('http://internal', { etag: '"old"', 'content-length': '15' });
  expect(answer.headers['etag']).toBeUndefined();
  expect(answer.headers['content-length'] ?? '11').toBe('11');
});

test('leaves other types and compressed bodies alone', async () => {
  const json = await page('http://internal', { 'content-type': 'application/json' });
  expect(json.answer.body).toBe('http://internal');
  const packed = await page('http://internal', { 'content-encoding': 'gzip' });
  expect(packed.answer.body).toBe('http://internal');
});

test('refuses a configuration without a text to look for', async () => {
  await expect(openFilter('src/index.ts', { config: {} })).rejects.toThrow(/find/);
  await expect(openFilter('src/index.ts', { config: { find: '' } })).rejects.toThrow(/find/);
});
