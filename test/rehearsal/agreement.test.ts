import { expect, test } from 'vitest';
import { expectAgreement } from './agreement.ts';
import { SHOP, TOWN } from './scenes.ts';

test.each([
  [SHOP, [200, 204, 401, 404, 400]],
  [TOWN, [200, 301, 400, 401, 403, 404, 429]],
])('an explanation says what a running weir does: route, upstream, decision, head', async (scene, wanted) => {
  const statuses = await expectAgreement(scene, 400, 20_261_125);
  // The requests are worth it: some pass, some are refused by a filter or a policy, some find no route.
  for (const status of wanted) expect([status, statuses.get(status) ?? 0]).not.toEqual([status, 0]);
});
