import { defineConfig } from 'vitest/config';

// The first test of a file compiles the filter, which may take seconds.
export default defineConfig({ test: { testTimeout: 30_000, hookTimeout: 30_000 } });
