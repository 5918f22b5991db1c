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
    for (const status of [200, 403, 404, 500, 503]) expect(statuses.get(status) ?? 0).toBeGreaterThan(0);
  },
  120_000,
);
