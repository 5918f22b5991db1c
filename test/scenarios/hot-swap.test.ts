import { expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { TIMED } from '../support/timing.ts';
import { median, swapUnderLoad } from '../support/swaps.ts';

// The long form is hot-swap.slow.test.ts.
test(
  '12 modules and 12 policies are swapped under 64 connections without a failed or mis-versioned answer',
  { ...TIMED, timeout: 60_000 },
  async () => {
    const upstream = await FakeUpstream.start({ discard: true });
    const report = await swapUnderLoad({ upstream, connections: 64, swaps: 12, everyMs: 0, workers: 2 });
    expect([...report.result.failures]).toEqual([]);
    expect(report.result.ok).toBeGreaterThan(500);
    expect(report.rejected).toBe(0);
    expect(report.applied).toBe(25);
    expect(report.after.instances).toBe(report.before.instances);
    expect(report.after.guestBytes).toBe(report.before.guestBytes);
    expect(report.after.snapshots).toBe(2);
    expect(median(report.liveMs)).toBeLessThan(1000);
  },
);
