import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { reportModule } from '../../src/cli/filter/module-report.ts';
import { pluginFile, type Language } from './build.ts';

test.each<[Language, RegExp | null]>([
  ['rust', /^Rust, .*rustc 1\./],
  ['go', /^Go go1\.\d+/],
  ['c', /clang/],
  ['as-gcore', null],
  ['as-weir', /^AssemblyScript 0\./],
])('a plugin in %s is known by what it exports, imports and says of itself', async (language, producers) => {
  const report = await reportModule(readFileSync(pluginFile(language)), '');
  expect(report).toMatchObject({ refused: null, warnings: [] });
  expect(report.abi).toMatch(/^0\.2\.[01]$/);
  expect(report.protocols).toEqual(['http', 'tcp']);
  expect(report.capabilities.needed).toEqual(
    expect.arrayContaining([
      'headers',
      'body',
      'reply',
      'httpCall',
      'sharedData',
      'metrics',
      'tick',
      'foreign',
    ]),
  );
  expect(report.foreignFunctions).toEqual(expect.arrayContaining(['compress', 'uncompress']));
  expect(report.imports.filter(({ isLinked }) => !isLinked)).toEqual([]);
  const tools = Object.values(report.producers)
    .flat()
    .map(({ name, version }) => `${name} ${version}`.trim());
  if (producers === null) expect(tools).toEqual([]);
  else expect(tools.join(', ')).toMatch(producers);
});
