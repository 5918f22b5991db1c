// Where in the files it is told what a filter says of the configuration that it received.
import { expect, test } from 'vitest';
import type { Diagnostic } from '../../src/control/diagnostic.ts';
import { diagnose } from '../../src/control/fault-report.ts';
import { FileReader } from '../../src/control/files.ts';
import { loadDocuments } from '../../src/control/load.ts';
import { parseText } from '../../src/control/parse.ts';
import { CHAIN } from '../support/edge.ts';

const REFUSED = 'default/chain#own: proxy_on_configure answered false';

const text = (filter: string, more = '') => `
${CHAIN}  filters:
  - name: own
    ${filter}
${more}`;

/** What is told where the filter logs this, for a fault of what `at` finds in the text that it received. */
async function told(
  yaml: string,
  at: string,
  said: string,
  message = REFUSED,
): Promise<(Diagnostic & { readonly shown: string | undefined })[]> {
  const parsed = parseText('all.yaml', yaml);
  const { snapshot, diagnostics, placeOf } = await loadDocuments(parsed.documents, new FileReader(), parsed);
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const { name, source, configuration } = snapshot!.plugins[0]!;
  const offset = configuration.indexOf(at);
  expect(offset).toBeGreaterThanOrEqual(0);
  const column = [...configuration.slice(0, offset)].length + 1;
  const notes = [`configuration 1:${column}: ${said}`];
  const found = await diagnose([{ kind: 'plugin', plugin: name, source, message, notes }], 'x', placeOf);
  return found.map((each) => ({
    ...each,
    shown: yaml.split('\n')[each.line - 1]?.slice(each.column - 1, each.column - 1 + each.length),
  }));
}

test.each([
  ['a value', 'config: {request: {set: {x-a: bcd}}}', '"bcd"', 'bcd', 'config.request.set.x-a'],
  [
    'a name stands for its value',
    'config: {request: {set: {x-a: bcd}}}',
    '"x-a"',
    'bcd',
    'config.request.set.x-a',
  ],
  [
    'behind characters beyond ASCII',
    'config: {request: {set: {x-a: "ü𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞", x-b: e}}}',
    '"e"',
    'e',
    'config.request.set.x-b',
  ],
  ['an item', 'config: {request: {remove: [x-a, x-b]}}', '"x-b"', 'x-b', 'config.request.remove[1]'],
  ['the whole', 'config: {request: {set: {x-a: b}}}', '{', 'config', 'config'],
  [
    'an alias',
    'config: {request: {remove: &a [x-a]}, response: {remove: *a}}',
    '"x-a"',
    'x-a',
    'config.request.remove[0]',
  ],
])('%s', async (_what, filter, at, shown, path) => {
  const [fault, ...others] = await told(
    text(`use: headers\n    ${filter}`),
    at,
    `${path.slice(7)}: is wrong`,
  );
  expect(others).toEqual([]);
  expect(fault).toMatchObject({ code: 'WEIR4002', shown });
  expect(fault!.message.endsWith('is wrong')).toBe(true);
  expect(fault!.message.startsWith(`filter "own": ${path}: `)).toBe(true);
});

test('without a configuration the filter is meant', async () => {
  const parsed = parseText('all.yaml', text('use: headers'));
  const { snapshot, placeOf } = await loadDocuments(parsed.documents, new FileReader(), parsed);
  const { name, source } = snapshot!.plugins[0]!;
  const notes = ['nothing is set'];
  const [fault] = await diagnose(
    [{ kind: 'plugin', plugin: name, source, message: REFUSED, notes }],
    'x',
    placeOf,
  );
  expect(fault).toMatchObject({
    line: 13,
    column: 5,
    message: REFUSED,
    notes: ['the filter said: nothing is set'],
  });
});

test('a trap is told beside the faults that were found before it', async () => {
  const yaml = text('use: headers\n    config: {request: {set: {x-a: bcd}}}');
  const trap = 'default/chain#own: its start: unreachable';
  const found = await told(yaml, '"bcd"', 'request.set.x-a: is wrong', trap);
  expect(found.map(({ message, shown }) => [message, shown])).toEqual([
    [trap, 'config'],
    ['filter "own": config.request.set.x-a: is wrong', 'bcd'],
  ]);
});

test('a key that a Consumer brought is told at the list, which it is not in', async () => {
  const consumer = `---
apiVersion: policy.weir/v1alpha1
kind: Consumer
metadata: {name: acme, labels: {app: shop}}
spec: {credentials: [{apiKey: {sha256: ${'ab'.repeat(32)}}}]}
`;
  const config =
    'config: {from: [{header: x-key}], consumerLabel: {app: shop}, keys: [{name: a, key: only-for-tests}]}';
  const yaml = text(`use: api-key\n    ${config}`, consumer);
  const own = await told(yaml, '"only-for-tests"', 'keys[0].key: is wrong');
  expect(own[0]).toMatchObject({
    shown: 'only-for-tests',
    message: 'filter "own": config.keys[0].key: is wrong',
  });
  // The line holds a key.
  expect(own[0]).not.toHaveProperty('sourceLine');
  const brought = await told(yaml, 'ab'.repeat(32), 'keys[1].sha256: is wrong');
  expect(brought[0]).toMatchObject({
    shown: 'keys',
    message: 'filter "own": config.keys[1].sha256: is wrong',
  });
});
