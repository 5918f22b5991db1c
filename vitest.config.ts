import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// `*.slow.test.ts` (scenarios under load, fuzzing, soak), `*.abi.test.ts` (plugins built by other compilers) and
// `*.envoy.test.ts` (beside a real Envoy) run only when asked for: `npm run test:slow`, `test:abi`, `test:envoy`.
const wants = (project: string): boolean =>
  process.env['WEIR_PROJECT'] === project || process.argv.some((argument) => argument.includes(project));

// Most of the longer tests wait for processes, so two at a time pay even where vitest would run one.
const maxWorkers = Math.max(2, availableParallelism() - 1);

const shared = {
  setupFiles: ['test/support/setup.ts'],
  pool: 'forks' as const,
  // What is waited for comes in milliseconds, on a machine that has the time for it.
  expect: { poll: { timeout: 15_000, interval: 20 } },
};

export default defineConfig({
  test: {
    maxWorkers,
    projects: [
      {
        test: {
          ...shared,
          name: 'default',
          include: ['test/**/*.test.ts', 'filters-sdk/testing/**/*.test.ts'],
          exclude: ['**/*.{slow,abi,envoy,spec}.test.ts', '**/node_modules/**'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      // Examples of the SDK compile their filters: tests share their processes, so that it is not loaded for each.
      {
        test: {
          ...shared,
          name: 'examples',
          include: ['filters-sdk/examples/**/*.test.ts'],
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      // All of the ABI: what the default tests have of it, and plugins of four languages.
      ...(wants('abi')
        ? [
            {
              test: {
                ...shared,
                name: 'abi',
                include: [
                  'test/**/*.abi.test.ts',
                  'test/conformance/abi-*.test.ts',
                  'test/runtime/wasm/**/*.test.ts',
                ],
                exclude: ['**/*.slow.test.ts', '**/node_modules/**'],
                globalSetup: ['test/languages/setup.ts'],
                testTimeout: 60_000,
                hookTimeout: 60_000,
              },
            },
          ]
        : []),
      ...(wants('envoy')
        ? [
            {
              test: {
                ...shared,
                name: 'envoy',
                include: ['test/**/*.envoy.test.ts'],
                globalSetup: ['test/languages/setup.ts', 'test/envoy/setup.ts'],
                testTimeout: 60_000,
                hookTimeout: 120_000,
              },
            },
          ]
        : []),
      // What others made to be tested with: WebAssembly's test suite, with and without the meter, and Wycheproof's vectors.
      ...(wants('spec')
        ? [
            {
              test: {
                ...shared,
                name: 'spec',
                include: ['test/spec/*.spec.test.ts'],
                globalSetup: ['test/spec/testsuite.ts', 'test/spec/wycheproof.ts'],
                testTimeout: 60_000,
                hookTimeout: 30_000,
              },
            },
          ]
        : []),
      ...(wants('slow')
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
