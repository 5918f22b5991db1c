import type { Command } from 'commander';
import { registerNamed, type Loaders } from '../commands.ts';

const VERBS: Loaders = {
  new: async () => (await import('./new.ts')).registerNew,
  build: async () => (await import('./build.ts')).registerBuild,
  inspect: async () => (await import('./inspect.ts')).registerInspect,
  test: async () => (await import('./test.ts')).registerTest,
  bench: async () => (await import('./bench.ts')).registerBench,
  keygen: async () => (await import('./keygen.ts')).registerKeygen,
  sign: async () => (await import('./sign.ts')).registerSign,
  verify: async () => (await import('./verify.ts')).registerVerify,
  push: async () => (await import('./push.ts')).registerPush,
  pull: async () => (await import('./pull.ts')).registerPull,
};

/** `weir filter …`: everything about one filter, from its first line to its release. One file a verb. */
export async function registerFilter(program: Command, args: readonly string[]): Promise<void> {
  const filter = program.command('filter').description('write, build and ship filters');
  await registerNamed(filter, VERBS, args);
}
