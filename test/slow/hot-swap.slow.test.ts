import { expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { median, swapUnderLoad } from '../support/swaps.ts';

const MIB = 1024 * 1024;

test('200 modules and 200 policies are swapped within a minute under 64 connections', async () => {
  const upstream = await FakeUpstream.start({ discard: true });
  const report = await swapUnderLoad({ upstream, connections: 64, swaps: 200, everyMs: 150, workers: 2 });
  const { result, before, middle, after } = report;
  process.stdout.write(
    `${result.ok} answers in ${Math.round(report.tookMs / 1000)} s; live after ${Math.round(median(report.liveMs))} ms ` +
      `(median), ${Math.round(Math.max(...report.liveMs))} ms (most); resident ` +
      `${Math.round(before.residentBytes / MIB)} → ${Math.round(middle.residentBytes / MIB)} → ` +
      `${Math.round(after.residentBytes / MIB)} MiB\n`,
  );
  expect([...result.failures]).toEqual([]);
  expect(report.rejected).toBe(0);
  expect(report.applied).toBe(401);
  expect(after.instances).toBe(before.instances);
  expect(after.guestBytes).toBe(before.guestBytes);
  expect(after.snapshots).toBe(2);
  // Two workers. The first half warms them up; the second adds nothing that stays.
  expect(after.residentBytes - middle.residentBytes).toBeLessThan(48 * MIB);
});
