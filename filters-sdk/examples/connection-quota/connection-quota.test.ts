import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const filter = await openFilter(`${import.meta.dirname}/index.ts`, { config: { bytes: 10 } });

test('passes what is within the quota, and logs it', () => {
  const connection = filter.tcp({ properties: { 'source.address': '10.0.0.7:1234' } });
  connection.fromClient('12345');
  connection.fromUpstream('abc');
  connection.close();
  expect(Buffer.from(connection.toUpstream).toString()).toBe('12345');
  expect(Buffer.from(connection.toClient).toString()).toBe('abc');
  expect(connection.logs.map(({ message }) => message)).toContain('10.0.0.7 sent 5, received 3');
});

test('closes a connection that goes beyond, and passes nothing of that on', () => {
  const connection = filter.tcp();
  connection.fromClient('12345');
  connection.fromUpstream('abcdef');
  expect(connection.state).toBe('closed');
  expect(Buffer.from(connection.toClient).toString()).toBe('');
  expect(filter.metric('connections_over_quota_total')).toBe(1);
});
