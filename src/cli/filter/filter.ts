import type { Command } from 'commander';
import { registerBuild } from './build.ts';

/** `weir filter …`: everything about one filter, from its first line to its release. One file a verb. */
export function registerFilter(program: Command): void {
  const filter = program.command('filter').description('write, build and ship filters');
  registerBuild(filter);
}
