import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

test('what one filter writes the other sends', async () => {
  const writer = await openFilter(`${import.meta.dirname}/index.ts`, { config: { role: 'write' } });
  await writer.exchange();
  expect(writer.logs.map(({ message }) => message)).toContain('journal: a line is lost');

  const sender = await writer.open(`${import.meta.dirname}/index.ts`, {
    config: { role: 'send', upstream: 'archive' },
    upstreams: { archive: () => ({ status: 200 }) },
  });
  await writer.exchange({ request: { method: 'PUT', path: '/a?b' }, response: { status: 201 } });
  await writer.exchange({ request: { path: '/b' }, response: { status: 404 } });
  await sender.clock.advance(0);
  expect(sender.calls.map(({ body }) => body).join('')).toBe('PUT /a?b 201\nGET /b 404\n');
  expect(sender.calls[0]).toMatchObject({ upstream: 'archive', method: 'POST', path: '/journal' });
});
