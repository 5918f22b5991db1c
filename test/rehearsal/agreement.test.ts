import { expect, test } from 'vitest';
import { expectAgreement } from './agreement.ts';

test('an explanation says what a running weir does: route, upstream, decision, head', async () => {
  const statuses = await expectAgreement(400, 20_261_125);
  // The requests are worth it: some pass, some are refused by a filter, some find no route.
  for (const status of [200, 204, 401, 404, 400]) expect(statuses.get(status) ?? 0).toBeGreaterThan(0);
});
