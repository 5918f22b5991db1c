import { expect, test } from 'vitest';
import { recycle } from '../support/recycling.ts';

test('10 000 requests with another instance at least every 100 leave one instance and no failure', async () => {
  const { failures, instances, guestBytes, starts } = await recycle(10_000);
  expect(failures).toEqual([]);
  expect(starts).toBeGreaterThan(90);
  expect(starts).toBeLessThanOrEqual(10_000 / 80 + 2);
  expect([instances, guestBytes]).toEqual([1, 16 * 65_536]);
});
