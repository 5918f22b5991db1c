import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFilter, type Filter } from '@weir/filters-sdk/testing';

let filter: Filter;
beforeAll(async () => {
  filter = await openFilter('src/index.ts', { config: { servedBy: 'edge-1' } });
});
afterAll(() => filter.close());

test('tells the upstream the tenant, by the first label of the host', async () => {
  const { upstream } = await filter.exchange({ request: { authority: 'acme.example.com' } });
  expect(upstream?.headers['x-tenant']).toBe('acme');
});

test('believes nothing that the client says of its tenant', async () => {
  const spoofed = { authority: 'acme.example.com', headers: { 'x-tenant': 'other' } };
  expect((await filter.exchange({ request: spoofed })).upstream?.headers['x-tenant']).toBe('acme');
  const nameless = { authority: 'localhost', headers: { 'x-tenant': 'other' } };
  expect((await filter.exchange({ request: nameless })).upstream?.headers['x-tenant']).toBeUndefined();
});

test('takes what the server says of itself out of the answer, and says who served it', async () => {
  const { answer } = await filter.exchange({
    response: { headers: { server: 'x/1.2', 'x-powered-by': 'y' } },
  });
  expect(answer.headers['server']).toBeUndefined();
  expect(answer.headers['x-powered-by']).toBeUndefined();
  expect(answer.headers['x-served-by']).toBe('edge-1');
});

test('refuses a configuration with a field that it does not know, or an empty value', async () => {
  await expect(openFilter('src/index.ts', { config: { servedby: 'edge-1' } })).rejects.toThrow(/servedby/);
  await expect(openFilter('src/index.ts', { config: { servedBy: '' } })).rejects.toThrow(/servedBy/);
});
