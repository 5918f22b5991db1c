import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { exampleFile, exampleNames } from '../support/examples.ts';
import { LoadedFilter } from '../support/example-load.ts';
import { EXAMPLE_LOADS } from './example-loads.ts';

/** Until then tables have grown to what the load needs. */
const WARM_UP = 100_000;

/** Every example through so many requests. */
export function exampleMemoryTests(requests: number): void {
  test.each(exampleNames)(
    `%s needs no more memory after ${requests} requests`,
    { timeout: 600_000 },
    async (name) => {
      const load = EXAMPLE_LOADS[name]!;
      const filter = await LoadedFilter.start(await readFile(await exampleFile(name)), load);
      const count = requests / (load.oneOf ?? 1);
      await filter.run(WARM_UP / (load.oneOf ?? 1));
      const before = filter.heapBytes;
      const from = performance.now();
      await filter.run(count);
      const each = ((performance.now() - from) * 1000) / count;
      process.stdout.write(
        `${name}: ${before / 1024} KiB before, ${filter.heapBytes / 1024} KiB after ${count} requests ` +
          `and ${filter.calls} calls, ${each.toFixed(1)} µs each with the host\n`,
      );
      expect(filter.heapBytes).toBe(before);
      await filter.stop();
    },
  );
}
