import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Program, ROOT } from '../support/process.ts';
import { Unread } from '../support/unread.ts';

const BIN = join(ROOT, 'bin/weir');
const POLICIES = join(ROOT, 'policies/canary');

test.each([
  ['schema', ['schema'], 0],
  ['help', ['--help'], 0],
  ['a right configuration', ['check', POLICIES], 0],
  ['a wrong one', ['check', join(ROOT, 'package.json')], 1],
  ['tests of policies', ['test', POLICIES], 0],
  ['a report on a module', ['filter', 'inspect', join(ROOT, 'dist/filters/cors.wasm')], 0],
])('where nobody reads, a command ends quietly and as it would have: %s', async (_what, args, status) => {
  expect(await new Unread([BIN, ...args]).exited).toEqual({ code: status, stderr: '' });
});

test('an output that cannot be written for another reason is told of', async () => {
  const program = new Program('sh', ['-c', 'exec "$0" "$1" schema > /dev/full', process.execPath, BIN]);
  expect((await program.exited).code).toBe(70);
  expect(program.stderr).toMatch(/^error: cannot write to standard output: ENOSPC.*\n$/);
});
