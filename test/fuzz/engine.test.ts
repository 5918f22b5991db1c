import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { Dice } from '../support/dice.ts';
import { scriptedGuest } from '../support/scripted-guest.ts';
import { driveEngine } from './engine.ts';

/** WEIR_SEED=n,m runs these seeds instead. */
const SEEDS = (process.env['WEIR_SEED'] ?? '1').split(',').map(Number);
const CONFIGURATIONS = Number(process.env['WEIR_CONFIGURATIONS'] ?? 25);

test.each(SEEDS)(
  'random configurations answer random requests, seed %i',
  async (seed) => {
    const bytes = await scriptedGuest();
    const digest = createHash('sha256').update(bytes).digest('hex');
    const statuses = await driveEngine(new Dice(seed), CONFIGURATIONS, 40, { digest, bytes });
    // Which there are besides is up to the order of what happens at the same time.
    expect(statuses.get(200)).toBeGreaterThan(0);
    expect(statuses.size).toBeGreaterThan(5);
  },
  120_000,
);
