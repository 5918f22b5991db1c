import { expect, test } from 'vitest';
import { processMilliseconds } from '../../src/supervisor/process-time.ts';
import { TIMED } from '../support/timing.ts';

test('CPU time of a process grows by what it works, and is unknown of one that is not there', TIMED, () => {
  const before = processMilliseconds(process.pid)!;
  const { user, system } = process.cpuUsage();
  expect(Math.abs((user + system) / 1000 - before)).toBeLessThan(200);
  const until = performance.now() + 60;
  while (performance.now() < until);
  expect(processMilliseconds(process.pid)!).toBeGreaterThan(before);
  expect(processMilliseconds(2 ** 22 + 1)).toBeNull();
});
