import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { functionSizes, sectionSizes } from '../../../src/cli/filter/module-size.ts';
import { runInProcess } from '../../support/command-line.ts';
import { ROOT, run, temporaryFolder } from '../../support/process.ts';

const FILTER = `export * from '@weir/filters-sdk/assembly/exports';
import { Action, RootContext, StreamContext, registerRoot, responseHeaders } from '@weir/filters-sdk/assembly';
class Root extends RootContext {
  createStream(): StreamContext {
    return new Hello();
  }
}
class Hello extends StreamContext {
  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    responseHeaders.set('x-hello', 'from weir');
    return Action.Continue;
  }
}
registerRoot(new Root());
`;

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  mkdirSync(join(folder, 'src'));
  mkdirSync(join(folder, 'node_modules/@weir'), { recursive: true });
  symlinkSync(join(ROOT, 'filters-sdk'), join(folder, 'node_modules/@weir/filters-sdk'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: '@acme/hello' }));
  writeFileSync(join(folder, 'src/index.ts'), FILTER);
});

const build = (args: readonly string[] = [], cwd = folder, env: Record<string, string> = {}) =>
  runInProcess(['filter', 'build', ...args], { cwd, env });
const file = (name: string): Buffer => readFileSync(join(folder, name));

describe('weir filter build', () => {
  test('puts the module where the package is named, and says how big it is and why', async () => {
    const program = join(ROOT, 'bin/weir');
    const { code, stdout, stderr } = await run(program, ['filter', 'build'], { cwd: folder });
    expect([code, stderr]).toEqual([0, '']);
    const bytes = file('build/hello.wasm');
    expect(stdout).toMatch(/^build\/hello\.wasm \d+\.\d KiB in \d+\.\d s\n/);
    expect(stdout).toMatch(/^ {4}code +\d+\.\d KiB$/m);
    expect(stdout).toMatch(/^ {4}this project +\d+ B$/m);
    expect(stdout).toContain('exports/proxy_on_response_headers');
    // Everything that is in the file, counted once.
    expect(sectionSizes(bytes).reduce((sum, part) => sum + part.bytes, 8)).toBe(bytes.length);
  });

  test('tells what changed since the build before, and keeps that one', async () => {
    const before = file('build/hello.wasm');
    writeFileSync(
      join(folder, 'src/index.ts'),
      FILTER.replace('from weir', 'from a much longer weir than before'),
    );
    const { stdout } = await build();
    const grown = file('build/hello.wasm').length - before.length;
    expect(grown).toBeGreaterThan(0);
    expect(stdout).toContain(`(+${grown} B since the build before)`);
    expect(stdout).toMatch(new RegExp(`^ {4}data .*\\+${grown} B$`, 'm'));
    expect(file('.weir/previous/hello.wasm').equals(before)).toBe(true);
    // Building the same again is no change, and does not push out what there was.
    const again = await build();
    expect(again.stdout).not.toContain('since the build before');
    expect(file('.weir/previous/hello.wasm').equals(before)).toBe(true);
    writeFileSync(join(folder, 'src/index.ts'), FILTER);
  });

  test('a debug build lies beside the release, with names and a map', async () => {
    const { code } = await build(['--debug', '--no-report']);
    expect(code).toBe(0);
    expect(existsSync(join(folder, 'build/hello.debug.wasm.map'))).toBe(true);
    const names = functionSizes(file('build/hello.debug.wasm')).map(({ name }) => name);
    expect(names).toContain('src/index/Hello#onResponseHeaders');
  });

  test('finds the project from a folder below, and takes options of the compiler', async () => {
    const release = file('build/hello.wasm').length;
    const { code, stdout } = await build(
      ['--no-report', '-o', 'small.wasm', '--', '--shrinkLevel', '1'],
      join(folder, 'src'),
    );
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^small\.wasm /)]);
    expect(file('src/small.wasm').length).toBeLessThan(release);
  });

  test('shows an error with its line, a caret under it, and what to do', async () => {
    writeFileSync(
      join(folder, 'src/broken.ts'),
      FILTER.replace('responseHeaders.set', 'const x: i32 = nothing; responseHeaders.set'),
    );
    const { code, stdout, stderr } = await build(['src/broken.ts']);
    expect([code, stdout]).toEqual([1, '']);
    const line = "    const x: i32 = nothing; responseHeaders.set('x-hello', 'from weir');";
    const caret = ' '.repeat(line.indexOf('nothing'));
    expect(stderr).toContain('error: src/broken.ts does not compile');
    expect(stderr).toMatch(/src\/broken\.ts:10:20: error TS2304: /);
    expect(stderr).toContain(`   10 │ ${line}\n      │ ${caret}^^^^^^^\n`);
    expect(stderr).not.toContain('\u001b');
    const colored = await build(['src/broken.ts'], folder, { FORCE_COLOR: '1' });
    expect(colored.stderr).toContain('\u001b[31m^');
    const plain = await build(['src/broken.ts'], folder, { FORCE_COLOR: '1', NO_COLOR: '1' });
    // Newer Node says that the two contradict each other.
    expect(plain.stderr).toContain(stderr);
  });

  test('says what to add where the entry hands on no callbacks, and warns of what no host has', async () => {
    writeFileSync(join(folder, 'src/other.ts'), FILTER.replace(/^export .*\n/, ''));
    const { code, stderr } = await build(['src/other.ts']);
    expect(code).toBe(1);
    expect(stderr).toContain("hint: add to it: export * from '@weir/filters-sdk/assembly/exports';");
    writeFileSync(
      join(folder, 'src/other.ts'),
      FILTER.replace('responseHeaders.set', "console.log('x'); responseHeaders.set"),
    );
    const logging = await build(['src/other.ts', '-o', 'build/other.wasm']);
    expect(logging.code).toBe(0);
    expect(logging.stderr).toMatch(/^warning: env\.console\.log is not a function of this host.*logInfo/);
  });

  test('says which file it looked for, and how to install the compiler', async () => {
    const missing = await build(['src/nothing.ts']);
    expect(missing).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: there is no src\/nothing\.ts\./),
    });
    const bare = await temporaryFolder();
    const { code, stderr } = await build(['x.md'], bare);
    expect([code, stderr]).toEqual([1, expect.stringContaining('there is no x.md')]);
  });
});
