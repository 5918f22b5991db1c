import { beforeAll, describe, expect, test } from 'vitest';
import type { Recording } from '../../src/replay/recording.ts';
import { compare, filtersOf, instancesOf } from '../../src/replay/report.ts';
import { guard, KEY } from '../support/recorded-chain.ts';
import { sha256Of } from '../support/scenario.ts';
import { FILTERS, moduleOf, recordChain } from './chain.ts';

const REQUESTS = 200;

describe('a recording of a real chain under load in two workers', { timeout: 120_000 }, () => {
  let recording: Recording;
  beforeAll(async () => {
    ({ recording } = await recordChain(REQUESTS, '&secrets=keep'));
  }, 120_000);

  test('replays identically against the modules it was recorded from', async () => {
    expect(filtersOf(recording).sort()).toEqual(FILTERS.map((name) => `shop/chain#${name}`).sort());
    for (const filter of FILTERS) {
      const report = await compare(recording, filter, await moduleOf(filter));
      expect(report.groups).toEqual([]);
      expect(report, filter).toMatchObject({ different: 0, undecided: 0, equal: 0 });
      expect(report.identical).toBe(report.requests);
      expect(report.recordedDigest).toBe(report.digest);
    }
  });

  test('shows what a changed filter does differently, and nothing else', async () => {
    const report = await compare(recording, 'guard', await guard('hello'));
    const { groups, requests, different } = report;
    expect(groups).toHaveLength(1);
    expect(groups[0]).toMatchObject({
      subject: 'response header x-greeting',
      was: '"hi"',
      is: '"hello"',
      variants: 1,
    });
    expect(groups[0]!.requests).toBe(different);
    // Those that were refused have no such answer.
    expect(different).toBeGreaterThan(requests / 2);
    expect(report.identical).toBe(requests - different);
  });
});

describe('a recording without its secrets', { timeout: 120_000 }, () => {
  test('has none of them, and replays all the same: hashes that it knows are replaced, too', async () => {
    const { recording, text } = await recordChain(60);
    expect(recording.header.secrets).toBe('redacted');
    expect(text).not.toContain(KEY);
    expect(text).not.toContain(sha256Of(Buffer.from(KEY)));
    expect(text).not.toContain('token-7-abcdefgh');
    for (const filter of FILTERS) {
      const report = await compare(recording, filter, await moduleOf(filter));
      expect(report, filter).toMatchObject({ different: 0, undecided: 0, groups: [], undecidedGroups: [] });
      expect(report.identical + report.equal).toBe(report.requests);
    }
    // That the key is the right one is what it is about.
    const [key] = instancesOf(recording, 'key');
    const consumers = key!.callbacks.flatMap(({ calls }) =>
      calls.filter(({ call }) => call === 'proxy_set_property'),
    );
    expect(consumers.length).toBeGreaterThan(10);
  });
});
