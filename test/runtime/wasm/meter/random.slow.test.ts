import fc from 'fast-check';
import { test } from 'vitest';
import { AGAIN_UNITS } from '../../../../src/runtime/wasm/meter/emit.ts';
import { compare } from '../../../support/meter-differential.ts';
import { randomModule } from '../../../support/random-module.ts';

test('thousands of modules, larger ones too, do the same with the meter in them', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1 }),
      fc.constantFrom(AGAIN_UNITS, 100, 1000, 100_000),
      fc.constantFrom(4, 8, 16),
      (seed, slice, statements) =>
        void compare(randomModule(seed, { statements, functions: 8 }), seed, slice),
    ),
    { numRuns: 1500 },
  );
});
