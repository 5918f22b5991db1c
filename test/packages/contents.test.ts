import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../support/process.ts';

const SDK = join(ROOT, 'filters-sdk');

/** Paths in the package that npm would make of a folder. */
function packed(folder: string): string[] {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const text = execFileSync('npm', args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [{ files }] = JSON.parse(text) as [{ files: { path: string }[] }];
  return files.map(({ path }) => path).sort();
}

const namesIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));

describe('the package weir', () => {
  const files = packed(ROOT);

  test('has its program, every built-in filter, and the page of weir dev', () => {
    const filters = readdirSync(join(ROOT, 'src/filters'));
    expect(files).toEqual(
      expect.arrayContaining([
        'bin/weir',
        'dist/main.js',
        'dist/worker.js',
        'dist/canary-thread.js',
        'dist/dev/page.html',
        'docs/schemas/weir.json',
        'LICENSE',
        'README.md',
        ...filters.map((name) => `dist/filters/${name}.wasm`),
      ]),
    );
  });

  test('has no sources, no tests, no maps, nothing that a build leaves behind', () => {
    const expected =
      /^(bin\/|dist\/[^/]+\.js$|dist\/(dev|filters)\/[^./][^/]*$|docs\/schemas\/|policies\/|[A-Z]+(\.md)?$|package\.json$)/;
    expect(files.filter((path) => !expected.test(path))).toEqual([]);
  });
});

describe('the package @weir/filters-sdk', () => {
  const files = packed(SDK);

  test('has all of the SDK, its compiler, its templates and its test kit', () => {
    for (const folder of ['assembly', 'cli', 'templates']) {
      expect(files).toEqual(
        expect.arrayContaining(namesIn(join(SDK, folder)).map((name) => `${folder}/${name}`)),
      );
    }
    expect(files).toEqual(
      expect.arrayContaining(['dist/testing.js', 'testing/testing.d.ts', 'tsconfig.json', 'LICENSE']),
    );
  });

  test('has every file that it exports', () => {
    const { exports } = JSON.parse(readFileSync(join(SDK, 'package.json'), 'utf8')) as { exports: object };
    const targets = JSON.stringify(exports)
      .match(/"\.\/[^"*]+\.(mjs|js|ts|mts|json)"/g)!
      .map((text) => text.slice(3, -1));
    expect(targets.length).toBeGreaterThan(5);
    for (const target of targets) {
      if (!existsSync(join(SDK, target))) continue;
      expect(files).toContain(target);
    }
  });

  test('leaves the sources of the test kit out: it is one file', () => {
    expect(files.filter((path) => /^testing\/.*(?<!\.d)\.ts$/.test(path) || path.endsWith('.map'))).toEqual(
      [],
    );
  });
});

test.each([
  ['weir', ROOT],
  ['@weir/filters-sdk', SDK],
])('publint finds nothing wrong in %s', async (_name, folder) => {
  const { messages, pkg } = await publint({ pkgDir: folder, level: 'warning', pack: 'npm' });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});
