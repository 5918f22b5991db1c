import { expect, test } from 'vitest';
import { expectAgreement } from '../rehearsal/agreement.ts';

test('10 000 explanations agree with a running weir', async () => {
  const statuses = await expectAgreement(10_000, 7);
  expect([...statuses.values()].reduce((sum, count) => sum + count)).toBe(10_000);
});
