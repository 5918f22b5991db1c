import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const filter = await openFilter(`${import.meta.dirname}/index.ts`, { config: { most: 2 } });
const begin = (tenant: string) => {
  const stream = filter.stream();
  stream.requestHeaders({ headers: { 'x-tenant': tenant } }, true);
  return stream;
};

test('lets two of a tenant run at a time', async () => {
  const [first, second] = [begin('a'), begin('a')];
  const third = begin('a');
  expect(third.answer).toMatchObject({ status: 429, details: 'in_flight' });
  expect(begin('b').state).not.toBe('answered');

  first.responseHeaders({}, true);
  expect(first.answer.status).toBe(200);
  const fourth = begin('a');
  expect(fourth.state).not.toBe('answered');

  // A client that leaves gives its place back as well.
  second.disconnect();
  fourth.disconnect();
  expect(filter.shared.get('in-flight a')).toBe('\0\0\0\0');
});
