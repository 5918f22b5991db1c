import { openFilter } from '@weir/filters-sdk/testing';
import { expect } from 'vitest';

/** What the filter of docs/authoring/porting.md does, in whatever language it was written. */
export async function expectTeam(file: string): Promise<void> {
  // Modules of Go need more than a module that says nothing has.
  const filter = await openFilter(file, { config: 'payments', limits: { memoryBytes: 64 << 20 } });
  const passed = await filter.exchange({
    request: { headers: { 'x-token': 't' } },
    response: { body: 'ok' },
  });
  expect(passed.answer).toMatchObject({ status: 200, body: 'ok', headers: { 'x-team': 'payments' } });
  const refused = await filter.exchange();
  expect(refused.upstream).toBeNull();
  expect(refused.answer).toMatchObject({ status: 401, body: 'who is it?\n' });
  expect(refused.answer.headers['x-team']).toBe('payments');
  await filter.close();
}
