import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withSection } from '../../filters-sdk/cli/sections.mjs';
import { schemaText } from '../../src/cli/schema.ts';

const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const MODULE = (namespace: string, file: string): string => `
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: risk, namespace: ${namespace}}
spec: {source: {file: ${file}}}
---`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-schema-'));
  const write = (name: string, schema: object) =>
    writeFile(join(folder, name), withSection(EMPTY, 'weir.schema', JSON.stringify(schema)));
  await write('a.wasm', {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    additionalProperties: false,
    dependentRequired: { level: ['name'] },
    properties: { level: { $ref: '#/$defs/level' }, name: { type: 'string', description: 'Whose.' } },
    $defs: { level: { type: 'integer', maximum: 5 } },
  });
  await write('b.wasm', { type: 'object', required: ['other'] });
  await writeFile(join(folder, 'a.yaml'), MODULE('default', 'a.wasm'));
  await writeFile(join(folder, 'both.yaml'), MODULE('default', 'a.wasm') + MODULE('other', 'b.wasm'));
  await writeFile(join(folder, 'none.yaml'), MODULE('default', 'none.wasm'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Whether an editor would take a filter with this configuration. */
async function judge(file: string): Promise<(filter: object) => boolean> {
  const { text } = await schemaText([join(folder, file)]);
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(JSON.parse(text) as object);
  return (filter) =>
    validate({
      apiVersion: 'policy.weir/v1alpha1',
      kind: 'FilterChain',
      metadata: { name: 'c' },
      spec: { targetRefs: [{ kind: 'Gateway', name: 'g' }], filters: [{ name: 'f', ...filter }] },
    });
}

test('the configuration of a filter is that of the module which use names', async () => {
  const takes = await judge('a.yaml');
  expect(takes({ use: 'module/risk', config: { name: 'a', level: 5 } })).toBe(true);
  expect(takes({ use: 'module/risk', config: { name: 'a', level: 6 } })).toBe(false);
  expect(takes({ use: 'module/risk', config: { level: 5 } })).toBe(false);
  expect(takes({ use: 'module/risk', config: { nmae: 'a' } })).toBe(false);
  expect(takes({ use: 'module/unknown', config: { nmae: 'a' } })).toBe(true);
});

test('built-in filters are in it without any file', async () => {
  const takes = await judge('none.yaml');
  expect(takes({ use: 'rate-limit', config: { limit: { requests: 5, per: '1s' } } })).toBe(true);
  expect(takes({ use: 'rate-limit', config: { limit: { requests: 0, per: '1s' } } })).toBe(false);
  expect(takes({ use: 'headers', config: { request: { set: { 'bad name': 'a' } } } })).toBe(false);
});

test('modules of several namespaces under one name: what one of them takes is right', async () => {
  const takes = await judge('both.yaml');
  expect(takes({ use: 'module/risk', config: { name: 'a' } })).toBe(true);
  expect(takes({ use: 'module/risk', config: { other: 1 } })).toBe(true);
  expect(takes({ use: 'module/risk', config: { neither: 1 } })).toBe(false);
});

test('a module that cannot be read is told, and the rest is there', async () => {
  const { missing } = await schemaText([join(folder, 'none.yaml')]);
  expect(missing).toMatchObject([
    { code: 'WEIR1201', message: expect.stringMatching(/does not exist$/) as string },
  ]);
});
