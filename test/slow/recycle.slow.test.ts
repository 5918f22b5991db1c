import { expect, test } from 'vitest';
import { recycle } from '../support/recycling.ts';

const MIB = 1024 * 1024;

test('1 000 000 requests with another instance every 100 leave heap and instances as they were', async () => {
  const { failures, instances, guestBytes, starts, residentBytes, heapBytes, tookMs } =
    await recycle(1_000_000);
  const mib = (bytes: readonly number[]): string => bytes.map((each) => Math.round(each / MIB)).join(' ');
  process.stdout.write(
    `1 000 000 requests in ${Math.round(tookMs / 1000)} s; resident ${mib(residentBytes)} MiB; heap ${mib(heapBytes)} MiB\n`,
  );
  expect(failures).toEqual([]);
  expect(starts).toBeGreaterThan(10_000);
  expect([instances, guestBytes]).toEqual([1, 16 * 65_536]);
  // The first fifth warms the worker up. Ten thousand instances of 1 MiB would be seen.
  expect(Math.max(...residentBytes.slice(7)) - Math.max(...residentBytes.slice(1, 3))).toBeLessThan(32 * MIB);
  expect(Math.min(...heapBytes.slice(7))).toBeLessThan(Math.max(...heapBytes.slice(1, 3)) + 8 * MIB);
});
