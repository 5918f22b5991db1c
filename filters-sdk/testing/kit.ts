import { readCoverage, startCoverage } from './coverage.ts';
import { bytesOf } from './fields.ts';
import { startFilter } from './kit-filter.ts';
import { live, openLive } from './live-filter.ts';
import type { Filter, FilterOptions } from './testing.d.ts';

export { live, readCoverage, startCoverage };

export function openFilter(module: string | Uint8Array, options: FilterOptions = {}): Promise<Filter> {
  return live ? openLive(module, options) : startFilter(module, options, null);
}

export function everySplit(body: string | Uint8Array): Uint8Array[][] {
  const bytes = bytesOf(body);
  const plans: Uint8Array[][] = [[bytes]];
  for (let at = 1; at < bytes.length; at++) plans.push([bytes.subarray(0, at), bytes.subarray(at)]);
  if (bytes.length > 2) plans.push(Array.from(bytes, (byte) => Uint8Array.of(byte)));
  return plans;
}

// What is exported here is what `testing.d.ts` tells of.
({ openFilter, everySplit, live, readCoverage, startCoverage }) satisfies typeof import('./testing.d.ts');
