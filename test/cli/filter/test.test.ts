import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { Program, ROOT, temporaryFolder } from '../../support/process.ts';

let folder: string;
let project: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  mkdirSync(join(folder, 'node_modules/@weir'), { recursive: true });
  symlinkSync(join(ROOT, 'filters-sdk'), join(folder, 'node_modules/@weir/filters-sdk'));
  symlinkSync(join(ROOT, 'node_modules/assemblyscript'), join(folder, 'node_modules/assemblyscript'));
  await weirFilter(['new', 'tenant'], folder);
  project = join(folder, 'tenant');
});

async function weirFilter(args: readonly string[], cwd = project) {
  const program = new Program(join(ROOT, 'bin/weir'), ['filter', ...args], { cwd, env: { NO_COLOR: '1' } });
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

describe('weir filter test', () => {
  test('says how to install vitest where there is none', async () => {
    const { code, stderr } = await weirFilter(['test']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('npm install --save-dev vitest@')]);
    symlinkSync(join(ROOT, 'node_modules/vitest'), join(folder, 'node_modules/vitest'));
  });

  test('runs the tests on the host, says which lines ran, and hands options on', async () => {
    const { code, stdout } = await weirFilter(['test', '--coverage', '--', '-t', 'tells the upstream']);
    expect(stdout).toMatch(/1 passed/);
    expect(stdout).toMatch(/3 skipped/);
    expect(stdout).toMatch(/src\/index\.ts.*%/);
    expect(readFileSync(join(project, 'coverage/lcov.info'), 'utf8')).toMatch(/^SF:.*src\/index\.ts$/m);
    expect(code).toBe(0);
  }, 60_000);

  test('fails where a test fails, and before any where the filter does not compile', async () => {
    const file = join(project, 'src/index.ts');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('responseHeaders.remove(SERVER);', ''));
    const wrong = await weirFilter(['test']);
    expect(wrong.code).toBe(1);
    expect(wrong.stdout).toMatch(/1 failed \| 3 passed/);
    writeFileSync(file, text.replace('responseHeaders.remove(SERVER);', 'responseHeaders.remov(SERVER);'));
    const broken = await weirFilter(['test']);
    expect([broken.code, broken.stdout]).toEqual([1, '']);
    expect(broken.stderr).toMatch(/src\/index\.ts:\d+:\d+: error/);
    writeFileSync(file, text);
  }, 60_000);

  test('refuses what goes not together', async () => {
    expect(await weirFilter(['test', '--live', 'nowhere'])).toMatchObject({ code: 2 });
    expect(await weirFilter(['test', '--coverage', '--watch'])).toMatchObject({ code: 2 });
  });
});
