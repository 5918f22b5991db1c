import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const filter = await openFilter(`${import.meta.dirname}/index.ts`);

test('tells what the host knows', async () => {
  const { upstream } = await filter.exchange({
    properties: {
      'source.address': '10.0.0.7:1234',
      'destination.port': { int: 8443 },
      'connection.mtls': true,
    },
  });
  expect(upstream?.headers).toMatchObject({
    'x-client': '10.0.0.7',
    'x-listener-port': '8443',
    'x-client-kind': 'machine',
  });
  expect(upstream?.headers).not.toHaveProperty('x-route-owner');
});

test('takes an address of IPv6 as well', async () => {
  const { upstream } = await filter.exchange({ properties: { 'source.address': '[::1]:1234' } });
  expect(upstream?.headers).toMatchObject({ 'x-client': '[::1]', 'x-client-kind': 'person' });
});
