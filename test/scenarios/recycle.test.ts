import { expect, test } from 'vitest';
import { recycle } from '../support/recycling.ts';

test('10 000 requests with another instance every 100 leave one instance and no failure', async () => {
  const { failures, instances, guestBytes, starts } = await recycle(10_000);
  expect(failures).toEqual([]);
  // One serves on until its successor is there.
  expect(starts).toBeGreaterThan(80);
  expect(starts).toBeLessThanOrEqual(102);
  expect([instances, guestBytes]).toEqual([1, 16 * 65_536]);
});
