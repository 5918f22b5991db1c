import { fileURLToPath } from 'node:url';

const SOURCES = {
  worker: '../worker/main.ts',
  'canary-thread': '../control/canary-thread.ts',
  'tests-thread': '../rehearsal/tests-thread.ts',
  'compile-thread': '../cli/dev/compile-thread.ts',
} as const;

/** What a process or thread of weir is started with: a file of `dist`, or of `src` where weir runs from there. */
export function entryOf(name: keyof typeof SOURCES): URL {
  const runsFromSource = import.meta.url.endsWith('.ts');
  return new URL(runsFromSource ? SOURCES[name] : `./${name}.js`, import.meta.url);
}

export function entryPathOf(name: keyof typeof SOURCES): string {
  return fileURLToPath(entryOf(name));
}
