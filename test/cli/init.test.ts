import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { ROOT, run } from '../support/process.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-init-'));
  onTestFinished(() => rm(folder, { recursive: true }));
});

const weir = (...args: string[]): ReturnType<typeof run> =>
  run(process.execPath, [join(ROOT, 'bin/weir'), ...args], { cwd: folder });

test.each([
  [[], 'public-api'],
  [['--zero-trust'], 'internal-services'],
  [['new/edge', '--policy', 'canary'], 'canary'],
  [['edge', '--policy', 'validated-api'], 'validated-api'],
])('init %j writes a policy that does what its tests say, which leave nothing out', async (args, policy) => {
  const written = await weir('init', ...args);
  expect([written.code, written.stderr]).toEqual([0, '']);
  expect(written.stdout).toContain(`the policy ${policy}`);
  const target = args[0]?.startsWith('-') === false ? args[0] : 'policies';
  expect((await readdir(join(folder, target))).sort()).toEqual(
    (await readdir(join(ROOT, 'policies', policy))).sort(),
  );
  expect((await weir('check', target, '--strict')).code).toBe(0);
  const tested = await weir('test', target, '--strict');
  expect([tested.code, tested.stdout]).toEqual([0, expect.stringMatching(/^\d+ passed, 0 failed$/m)]);
  if (args.length > 0) return;
  const [, next = ''] = /^ {2}weir (explain .*)$/m.exec(written.stdout) ?? [];
  const explained = await run('sh', ['-c', `"$0" "$1" ${next}`, process.execPath, join(ROOT, 'bin/weir')], {
    cwd: folder,
  });
  expect([explained.code, explained.stdout]).toEqual([0, expect.stringMatching(/^route {5}default\//m)]);
});

test('init touches nothing that is there, and helps with names', async () => {
  await writeFile(join(folder, 'policy.yaml'), 'mine');
  const taken = await weir('init', '.');
  expect([taken.code, taken.stderr]).toEqual([
    1,
    expect.stringContaining('policy.yaml already; nothing was written'),
  ]);
  expect(await readFile(join(folder, 'policy.yaml'), 'utf8')).toBe('mine');
  expect(await readdir(folder)).toEqual(['policy.yaml']);
  const nowhere = await weir('init', '/proc/weir/policies');
  expect([nowhere.code, nowhere.stderr]).toEqual([1, expect.stringMatching(/^error: \/proc\/weir: .*\n$/)]);
  const wrong = await weir('init', '--policy', 'canari');
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('did you mean "canary"')]);
  expect((await weir('init', '--policy', 'list')).stdout).toMatch(/^ {2}canary +\S/m);
  expect((await weir('init', '--zero-trust', '--policy', 'canary')).code).toBe(2);
});
