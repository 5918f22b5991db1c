import { expect, test } from 'vitest';
import { compare } from '../../src/replay/report.ts';
import { FILTERS, moduleOf, recordChain } from '../replay/chain.ts';
import { guard } from '../support/recorded-chain.ts';

test('10 000 requests of a real chain, recorded under load in two workers, replay identically', async () => {
  const { recording } = await recordChain(10_000, '&secrets=keep');
  for (const filter of FILTERS) {
    const report = await compare(recording, filter, await moduleOf(filter));
    expect(report, filter).toMatchObject({ equal: 0, different: 0, undecided: 0, groups: [] });
    expect(report.identical).toBe(report.requests);
    if (filter === 'key') expect(report.requests).toBe(10_000);
  }
  const changed = await compare(recording, 'guard', await guard('hello'));
  expect(changed.groups).toHaveLength(1);
  expect(changed.groups[0]).toMatchObject({
    subject: 'response header x-greeting',
    was: '"hi"',
    is: '"hello"',
  });
  expect(changed.identical + changed.different).toBe(changed.requests);
});
