import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const filter = await openFilter(`${import.meta.dirname}/index.ts`);

test('puts the fields on an answer and takes out what tells about the server', async () => {
  const { answer } = await filter.exchange({
    response: { headers: { server: 'nginx', 'x-powered-by': 'PHP' } },
  });
  expect(answer.headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'strict-transport-security': 'max-age=63072000; includeSubDomains',
    'content-security-policy': "default-src 'self'",
  });
  expect(answer.headers).not.toHaveProperty('server');
  expect(answer.headers).not.toHaveProperty('x-powered-by');
});

test('leaves a policy of the application alone', async () => {
  const { answer } = await filter.exchange({
    response: { headers: { 'content-security-policy': 'sandbox' } },
  });
  expect(answer.headers['content-security-policy']).toBe('sandbox');
});
