import { expect, test } from 'vitest';
import { expectAgreement } from '../rehearsal/agreement.ts';
import { SHOP, TOWN } from '../rehearsal/scenes.ts';

test.each([SHOP, TOWN])('10 000 explanations agree with a running weir on $file', async (scene) => {
  const statuses = await expectAgreement(scene, 10_000, 7);
  expect([...statuses.values()].reduce((sum, count) => sum + count)).toBe(10_000);
});
