import { expect, test } from 'vitest';
import { CrashLoop } from '../../../src/runtime/wasm/crash-loop.ts';

/** Delays after traps at these times, each of an instance that had lived 10 ms. */
function delays(times: readonly number[], eager = false): number[] {
  const loop = new CrashLoop();
  return times.map((now) => loop.trap(now, 10, eager));
}

test('the first replacement comes at once, the next after a second, doubling, and the fifth trap trips', () => {
  expect(delays([0, 10, 1020, 3030, 7040])).toEqual([0, 1000, 2000, 4000, 60_000]);
});

test('with something better to go back to there is no wait before the breaker trips', () => {
  expect(delays([0, 10, 20, 30, 40], true)).toEqual([0, 0, 0, 0, 60_000]);
});

test('traps that lie further apart than its window do not trip it', () => {
  const loop = new CrashLoop();
  for (const now of [0, 20_000, 40_000, 60_000, 80_000]) expect(loop.trap(now, 20_000)).toBeLessThan(60_000);
  expect(loop.isTripped(80_000)).toBe(false);
});

test('an instance that served for a minute begins anew', () => {
  const loop = new CrashLoop();
  expect([loop.trap(0, 10), loop.trap(5, 5), loop.trap(70_000, 65_000)]).toEqual([0, 1000, 0]);
});
