import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// `*.slow.test.ts` (scenarios under load, fuzzing, soak) run only when asked for: `npm run test:slow`.
const wantSlow =
  process.env['WEIR_SLOW'] === '1' || process.argv.some((argument) => argument.includes('slow'));

// Most of the longer tests wait for processes, so two at a time pay even where vitest would run one.
const maxWorkers = Math.max(2, availableParallelism() - 1);

const shared = { setupFiles: ['test/support/setup.ts'], pool: 'forks' as const };

export default defineConfig({
  test: {
    maxWorkers,
    projects: [
      {
        test: {
          ...shared,
          name: 'default',
          include: ['test/**/*.test.ts', 'filters-sdk/testing/**/*.test.ts'],
          exclude: ['**/*.slow.test.ts', '**/node_modules/**'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      ...(wantSlow
        ? [
            {
              test: {
                ...shared,
                name: 'slow',
                include: ['test/**/*.slow.test.ts'],
                testTimeout: 300_000,
                hookTimeout: 60_000,
                fileParallelism: false,
              },
            },
          ]
        : []),
    ],
  },
});
