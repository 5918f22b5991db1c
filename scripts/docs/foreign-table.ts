import { CAPABILITIES } from '../../src/runtime/wasm/capabilities.ts';
import { FOREIGN_FUNCTIONS, type ForeignFunction } from '../../src/runtime/wasm/foreign-functions.ts';

/** Tests that do not bear the name of the file they test. */
const TEST_OF: Readonly<Record<string, string>> = {
  'stream-calls.ts': 'foreign.test.ts',
  'limit-take.ts': 'foreign.test.ts',
};

/** Where a foreign function is implemented and tested, from the root of the repository. */
export function foreignPlaceOf({ file }: ForeignFunction): { readonly file: string; readonly test: string } {
  const test = TEST_OF[file] ?? file.replace(/\.ts$/, '.test.ts');
  return { file: `src/runtime/wasm/${file}`, test: `test/runtime/wasm/${test}` };
}

function capabilityOf({ like }: ForeignFunction): string {
  const row = CAPABILITIES.find(({ functions }) => functions.includes(like));
  return row === undefined ? '' : `\`${row.name}\``;
}

function sections(rows: readonly ForeignFunction[]): string[] {
  return rows.flatMap((row) => {
    const { file, test } = foreignPlaceOf(row);
    const capability = capabilityOf(row);
    const lines = [
      '',
      `### ${row.name}`,
      '',
      row.does,
      '',
      '| | |',
      '| --- | --- |',
      `| Arguments | ${row.takes || 'none'} |`,
      `| Result | ${row.gives || 'none'} |`,
      `| Statuses | ${['Ok', ...row.statuses.split(' ').filter((name) => name !== '')].join(', ')} |`,
    ];
    if (capability !== '') lines.push(`| Needs, beside \`foreign\` | ${capability} |`);
    lines.push(`| Code and test | [${row.file}](../${file}), [test](../${test}) |`);
    return lines;
  });
}

/** docs/foreign-functions.md: what `proxy_call_foreign_function` reaches. */
export function foreignMarkdown(generated: string): string {
  const rows = [...FOREIGN_FUNCTIONS.values()];
  return `${[
    '# Foreign functions',
    '',
    generated,
    '',
    'What `proxy_call_foreign_function` calls, by name. Arguments and results are bytes; integers are little-endian.',
    'An unknown name is NotFound, and the log says so; arguments of more than 1 MiB are BadArgument. A module needs',
    'the [capability](capabilities.md) `foreign` and, where it says so, that of the host function which does the like;',
    'or `foreign/<name>` alone.',
    '',
    '## As in Envoy',
    '',
    "Names, encodings and statuses are Envoy's (`source/extensions/common/wasm/foreign.cc`), so that its SDKs' helpers work.",
    'Its sizes and costs are bounded here; where else weir differs stands in [host-differences.md](host-differences.md).',
    ...sections(rows.filter(({ name }) => !name.startsWith('weir.'))),
    '',
    '## Of weir',
    ...sections(rows.filter(({ name }) => name.startsWith('weir.'))),
  ].join('\n')}\n`;
}
