import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, run } from '../support/process.ts';

const weir = (...args: string[]): ReturnType<typeof run> =>
  run(process.execPath, [join(ROOT, 'bin/weir'), ...args]);

test.each([['--help'], ['filter --help'], ['quota --help']])('%s fits 80 columns', async (args) => {
  const { stdout, code } = await weir(...args.split(' '));
  expect(code).toBe(0);
  // Examples are lines to copy, and stay whole.
  const [commands = ''] = /^Commands:\n(?: {2}.*\n)+/m.exec(stdout) ?? [];
  expect(commands).toMatch(/^ {2}\S+ {2,}\S/m);
  expect(Math.max(...commands.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
});

test('a mistake names the help of the command that it was made with', async () => {
  const { stderr, code } = await weir('quota', 'top-up', 'calls');
  expect(code).toBe(2);
  expect(stderr).toContain('(weir quota top-up --help lists what there is)');
});

test('without the filter that it is about, weir tap asks nobody', async () => {
  const { stderr, code } = await weir('tap');
  expect([code, stderr]).toEqual([2, expect.stringContaining("required option '--filter <name>'")]);
});

test('a file that cannot be written is named with the reason', async () => {
  const { stderr, code } = await weir('schema', '--output', join(ROOT, 'README.md', 'x.json'));
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: \S+README\.md\/x\.json: a part of the path is no folder \(ENOTDIR\)\n$/);
});
