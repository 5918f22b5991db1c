import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatPlace } from '../../src/control/diagnostic.ts';
import { loadConfiguration } from '../../src/control/load.ts';
import { filterBytes } from '../support/filter.ts';

let folder: string;
beforeEach(async () => {
  filterBytes('validate');
  folder = await mkdtemp(join(tmpdir(), 'weir-validation-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function faultsOf(rules: string): Promise<string[]> {
  const file = join(folder, 'a.yaml');
  await writeFile(
    file,
    `apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: a}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - name: shape
    use: validate
    config:
      body: {maxBytes: 10}
      rules:
${rules}`,
  );
  const { diagnostics } = await loadConfiguration([file]);
  return diagnostics
    .filter(({ code }) => code === 'WEIR1213')
    .map((fault) => `${formatPlace({ ...fault, file: 'a.yaml' })} ${fault.message}`);
}

test('a schema that cannot be used is told where it is wrong', async () => {
  const faults = await faultsOf(`      - {path: /a, schema: {type: object, properties: {b: {minimum: x}}}}
      - {path: /b, schema: {type: string, pattern: "(a)\\\\1"}}
      - {path: /c, schema: {$ref: "other.json"}}
      - {path: /d, schema: {type: object}, responseSchema: {format: colour}}
      - {path: /e, schema: true}
`);
  expect(faults.map((line) => line.split(' ')[0])).toEqual([
    'a.yaml:12:69',
    'a.yaml:13:20',
    'a.yaml:14:20',
    'a.yaml:15:44',
  ]);
  expect(faults.join('\n')).toMatch(/minimum|type: number/);
  expect(faults.join('\n')).toMatch(/pattern[\s\S]*other\.json[\s\S]*colour/);
});
