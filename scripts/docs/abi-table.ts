import { CALLBACKS, HOST_FUNCTIONS, type AbiRow } from '../../src/runtime/wasm/abi.ts';
import { print } from '../../src/runtime/wasm/module.ts';

const SOURCE = 'src/runtime/wasm';
const TESTS = 'test/runtime/wasm';

/** Tests that do not bear the name of the file they test. */
const TEST_OF: Readonly<Record<string, string>> = {
  'lifecycle-calls.ts': 'plugin.test.ts',
  'grpc.ts': 'grpc-calls.test.ts',
};

/** Makes each callback, and looks at its parameters. */
const CALLBACK_TEST = 'test/conformance/abi-callbacks.test.ts';

/** Where a row is implemented and tested, from the root of the repository. The test names the function. */
export function placeOf(row: AbiRow): { readonly file: string; readonly test: string } {
  const isCallback = row.name.startsWith('proxy_on_') || row.name.startsWith('weir_on_');
  const test = `${TESTS}/${TEST_OF[row.file] ?? row.file.replace(/\.ts$/, '.test.ts')}`;
  return { file: `${SOURCE}/${row.file}`, test: isCallback ? CALLBACK_TEST : test };
}

/** docs/abi.md: every function of the ABI, and what weir makes of it. */
export function abiMarkdown(generated: string): string {
  return `${[
    '# Proxy-Wasm ABI',
    '',
    generated,
    '',
    'Weir hosts the versions 0.1.0, 0.2.0 and 0.2.1 of the [ABI](https://github.com/proxy-wasm/spec), for',
    'HTTP, TCP and gRPC calls. A module imports what it likes: a function that is not here, or is declared with another',
    'signature, is linked to a stub that answers Unimplemented (WASI: ENOSYS) and is named in the log. Where',
    'weir differs from Envoy stands in [host-differences.md](host-differences.md).',
    '',
    'Every function with a pointer answers InvalidMemoryAccess (WASI: FAULT) where it points outside the',
    "guest's memory; `test/conformance/abi-pointers.test.ts` tries each of them.",
    '',
    '## Callbacks',
    '',
    'What the host calls in the guest. All are optional: a missing one means Continue.',
    '',
    ...table(CALLBACKS, () => ''),
    '',
    '## Host functions',
    '',
    'Imported from `env`. Ok (0) is left out below.',
    '',
    ...table(
      HOST_FUNCTIONS.filter(({ module }) => module === 'env'),
      ({ statuses }) => statuses.replaceAll(' ', ', '),
    ),
    '',
    '## WASI preview 1',
    '',
    'Imported from `wasi_snapshot_preview1` or `wasi_unstable`.',
    '',
    ...table(
      HOST_FUNCTIONS.filter(({ module }) => module === 'wasi'),
      ({ statuses }) => statuses.replaceAll(' ', ', '),
    ),
  ].join('\n')}\n`;
}

function table<Row extends AbiRow>(rows: readonly Row[], statuses: (row: Row) => string): string[] {
  const lines = [
    '| Function | Signature | Versions | Note | Answers | Code and test |',
    '| --- | --- | --- | --- | --- | --- |',
  ];
  for (const row of rows) {
    const versions = row.versions.length === 3 ? 'all' : row.versions.join(', ');
    const place = placeOf(row);
    const links = `[${row.file}](../${place.file}), [test](../${place.test})`;
    lines.push(
      `| \`${row.name}\` | \`${print(row)}\` | ${versions} | ${row.note} | ${statuses(row)} | ${links} |`,
    );
  }
  return lines;
}
