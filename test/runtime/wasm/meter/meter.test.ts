import { beforeEach, expect, test, vi } from 'vitest';
import { fuelSpeed } from '../../../../src/runtime/wasm/meter/calibrate.ts';
import { Meter } from '../../../../src/runtime/wasm/meter/meter.ts';

const passed = vi.hoisted(() => ({ wallMs: 0, cpuMs: 0 }));

vi.mock(import('../../../../src/runtime/wasm/meter/clock.ts'), async (original) => {
  const { milliseconds } = await original();
  // The calibration needs a clock that runs.
  return {
    milliseconds: () => (passed.wallMs === 0 ? milliseconds() : 1e9 + passed.wallMs),
    cpuMilliseconds: () => passed.cpuMs,
  };
});

const BUDGET_MS = 10;

/** A meter with a guest that has used `usedMs` of fuel, at the calibration's speed, when it asks for more. */
function meterAfter(usedMs: number): Meter {
  const meter = new Meter({ perCallMs: BUDGET_MS, perRequestMs: 100, perStartMs: 1000, frames: 100 });
  let fuel = 0;
  meter.attach(
    {
      left: () => fuel,
      frames: () => 1,
      reset: (units: number) => void (fuel = units),
      refill: (units: number) => void (fuel += units),
      charge: (units: number) => void (fuel -= units),
      table: { set: () => undefined },
      bind: () => undefined,
    } as unknown as WebAssembly.Exports,
    '',
  );
  passed.wallMs = 1;
  meter.begin(null);
  // The first slice is over: from here on the clocks count.
  fuel = 0;
  expect(meter.more()).toBe(true);
  fuel -= Math.ceil(usedMs * fuelSpeed());
  return meter;
}

beforeEach(() => {
  fuelSpeed();
  passed.wallMs = passed.cpuMs = 0;
});

test('a guest that has had its budget by both clocks, and used fuel for it, is stopped', () => {
  const meter = meterAfter(BUDGET_MS);
  passed.wallMs = passed.cpuMs = BUDGET_MS + 2;
  expect(meter.more()).toBe(false);
  expect(meter.exhausted).toBe('call');
});

test('slow code is stopped too, where it may take that long for its fuel', () => {
  const meter = meterAfter(BUDGET_MS / 15);
  passed.wallMs = passed.cpuMs = BUDGET_MS + 2;
  expect(meter.more()).toBe(false);
});

test('a guest is not stopped for CPU time of other threads of the process', () => {
  const meter = meterAfter(BUDGET_MS / 20);
  passed.wallMs = passed.cpuMs = BUDGET_MS + 2;
  expect(meter.more()).toBe(true);
  expect(meter.exhausted).toBeNull();
});

test('a guest is not stopped for time that the process did not get', () => {
  const meter = meterAfter(BUDGET_MS);
  passed.wallMs = BUDGET_MS + 2;
  passed.cpuMs = BUDGET_MS / 2;
  expect(meter.more()).toBe(true);
});

test('ten times its budget by the clock stops it, whatever the machine did', () => {
  const meter = meterAfter(BUDGET_MS / 20);
  passed.wallMs = BUDGET_MS * 10 + 2;
  expect(meter.more()).toBe(false);
  expect(meter.exhausted).toBe('call');
});
