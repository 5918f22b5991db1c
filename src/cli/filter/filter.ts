import type { Command } from 'commander';
import { registerBench } from './bench.ts';
import { registerBuild } from './build.ts';
import { registerInspect } from './inspect.ts';
import { registerNew } from './new.ts';
import { registerTest } from './test.ts';
import { registerKeygen } from './keygen.ts';
import { registerPull } from './pull.ts';
import { registerPush } from './push.ts';
import { registerSign } from './sign.ts';
import { registerVerify } from './verify.ts';

/** `weir filter …`: everything about one filter, from its first line to its release. One file a verb. */
export function registerFilter(program: Command): void {
  const filter = program.command('filter').description('write, build and ship filters');
  registerNew(filter);
  registerBuild(filter);
  registerInspect(filter);
  registerTest(filter);
  registerBench(filter);
  registerKeygen(filter);
  registerSign(filter);
  registerVerify(filter);
  registerPush(filter);
  registerPull(filter);
}
