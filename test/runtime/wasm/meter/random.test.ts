import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AGAIN_UNITS } from '../../../../src/runtime/wasm/meter/emit.ts';
import { compare } from '../../../support/meter-differential.ts';
import { randomModule } from '../../../support/random-module.ts';

describe('a module does the same with the meter in it', () => {
  test('whatever it does: results, traps, exceptions, memory and globals', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1 }), fc.constantFrom(AGAIN_UNITS, 100, 1000, 100_000), (seed, slice) => {
        compare(randomModule(seed), seed, slice);
      }),
      { numRuns: 100 },
    );
  });

  test('the modules are worth it: most return, some trap, all kinds of instructions are there', () => {
    const seen = Array.from({ length: 40 }, (_, i) => compare(randomModule(i + 1), i, 100)).flat();
    const trapped = seen.filter((each) => each.includes('Error')).length;
    expect(trapped).toBeGreaterThan(seen.length * 0.02);
    expect(trapped).toBeLessThan(seen.length * 0.6);
  });
});
