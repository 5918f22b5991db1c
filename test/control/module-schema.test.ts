import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withSection } from '../../filters-sdk/cli/sections.mjs';
import { formatDiagnostics } from '../../src/control/diagnostic.ts';
import { loadConfiguration } from '../../src/control/load.ts';

const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'weir-module-schema-'))));
afterAll(() => rm(folder, { recursive: true }));

let count = 0;

/** What `weir check` says about a filter whose module carries a section. */
async function check(section: string | Uint8Array, config: unknown, spec: object = {}): Promise<string[]> {
  const name = `m${++count}`;
  await writeFile(join(folder, `${name}.wasm`), withSection(EMPTY, 'weir.schema', section));
  const objects = [
    { kind: 'Module', metadata: { name }, spec: { source: { file: `${name}.wasm` }, ...spec } },
    {
      kind: 'FilterChain',
      metadata: { name: 'c' },
      spec: {
        targetRefs: [{ kind: 'Gateway', name: 'edge' }],
        filters: [{ name: 'f', use: `module/${name}`, config }],
      },
    },
  ].map((object) => ({ apiVersion: 'policy.weir/v1alpha1', ...object }));
  const gateway = {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'edge' },
    spec: { gatewayClassName: 'weir', listeners: [{ name: 'http', port: 8080, protocol: 'HTTP' }] },
  };
  const file = join(folder, `${name}.yaml`);
  await writeFile(file, [...objects, gateway].map((object) => JSON.stringify(object)).join('\n---\n'));
  const { diagnostics } = await loadConfiguration([file]);
  return diagnostics
    .filter(({ code }) => ['WEIR1207', 'WEIR1212', 'WEIR3022', 'WEIR3023'].includes(code))
    .map(({ code, message }) => `${code} ${message.replaceAll(/m\d+@sha256:\w+/g, 'M')}`);
}

const schema = (keywords: object): string => JSON.stringify({ type: 'object', ...keywords });

describe('a schema that a module carries', () => {
  test('checks the configuration of its filters', async () => {
    const properties = { level: { type: 'integer', minimum: 1, maximum: 5 } };
    const section = schema({ properties, additionalProperties: false });
    expect(await check(section, { level: 5 })).toEqual([]);
    expect(await check(section, { level: 6 })).toEqual([
      'WEIR1207 filter "f": config.level must be 1..5, got 6',
    ]);
  });

  test('is left alone where the Module says so, or names another', async () => {
    const section = schema({ required: ['a'] });
    expect(await check(section, {}, { schema: { mode: 'Off' } })).toEqual([]);
    await writeFile(join(folder, 'own.json'), schema({ required: ['b'] }));
    expect(await check(section, {}, { schema: { file: 'own.json' } })).toEqual([
      'WEIR1207 filter "f": config needs the field "b"',
    ]);
    expect(await check(section, {}, { schema: { file: 'none.json' } })).toEqual([
      `WEIR1212 the schema ${join(folder, 'none.json')} cannot be used: the file does not exist`,
    ]);
  });

  test('grants nothing; what it asks for is told', async () => {
    const section = schema({ 'x-weir-capabilities': ['headers', 'httpCall', 'secrets', 'nonsense'] });
    const [line] = await check(section, {});
    expect(line).toMatch(/^WEIR3023 Module m\d+ does not have .*: secrets$/);
    expect(await check(section, {}, { capabilities: ['default', 'httpCall', 'secrets'] })).toEqual([]);
  });

  test('that marks a secret keeps its values out of every message', async () => {
    const section = schema({ properties: { key: { type: 'integer', writeOnly: true } } });
    const [line] = await check(section, { key: 'hunter2' });
    expect(line).toContain('config.key must be an integer');
    expect(line).not.toContain('hunter2');
  });

  test('says where in the source its rule stands, and nothing but a place', async () => {
    const from = async (place: string): Promise<string> => {
      const name = 'place';
      const section = schema({ properties: { a: { type: 'string', 'x-weir-source': place } } });
      await writeFile(join(folder, `${name}.wasm`), withSection(EMPTY, 'weir.schema', section));
      const yaml = `
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: place}
spec: {source: {file: place.wasm}}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: c}
spec: {targetRefs: [{kind: Gateway, name: edge}], filters: [{name: f, use: module/place, config: {a: 1}}]}
`;
      await writeFile(join(folder, 'place.yaml'), yaml);
      const { diagnostics } = await loadConfiguration([join(folder, 'place.yaml')]);
      return formatDiagnostics(diagnostics);
    };
    expect(await from('src/risk.ts:12')).toMatch(
      /rule comes from the schema inside module place@sha256:[0-9a-f]{12}, src\/risk\.ts:12\n/,
    );
    expect(await from('\u001b[31mhello')).not.toContain('hello');
  });
});

describe('a hostile schema', () => {
  const deep = (levels: number): string => `${'{"not":'.repeat(levels)}{}${'}'.repeat(levels)}`;
  const doubling = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [
      `d${i}`,
      { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
    ]),
  );
  test.each<[string, string | Uint8Array, string]>([
    ['no JSON', '{', 'it is not JSON in UTF-8'],
    ['no UTF-8', Uint8Array.of(0x22, 0xff, 0x22), 'it is not JSON in UTF-8'],
    ['a list', '[]', 'it is not a JSON object'],
    ['too large', `{"description":"${'x'.repeat(300_000)}"}`, 'at most 262144 are read'],
    ['too deep', deep(1000), 'nested in more than 64 levels'],
    ['deeper than any stack', `${'['.repeat(130_000)}${']'.repeat(130_000)}`, 'cannot be used'],
    [
      'too many parts',
      JSON.stringify({ allOf: Array.from({ length: 6000 }, () => ({})) }),
      'more than 5000 parts',
    ],
    ['a reference to elsewhere', '{"$ref":"https://example.com/schema"}', 'is none of its own $defs'],
    ['a reference to a file', '{"$ref":"file:///etc/passwd"}', 'is none of its own $defs'],
    ['a reference to itself', '{"$ref":"#"}', 'is none of its own $defs'],
    ['a loop', '{"$ref":"#/$defs/a","$defs":{"a":{"items":{"$ref":"#/$defs/a"}}}}', 'leads back to itself'],
    [
      'references that double 40 times',
      JSON.stringify({ $ref: '#/$defs/d0', $defs: { ...doubling, d40: {} } }),
      'more than 20000 parts',
    ],
    ['a prototype', '{"$ref":"#/$defs/toString","$defs":{}}', 'is none of its own $defs'],
    ['a name of its own', '{"$id":"https://example.com/a"}', 'it uses $id'],
    ['a dynamic reference', '{"$dynamicRef":"#a"}', 'it uses $dynamicRef'],
    ['a promise', '{"$async":true}', 'it uses $async'],
    ['another dialect', '{"$schema":"https://example.com/dialect"}', 'a dialect that is not known'],
    ['a keyword of a wrong type', '{"type":"objekt"}', 'cannot be used'],
    ['bounds that are none', '{"x-weir-duration":"a"}', 'cannot be used'],
  ])('%s: is a fault of the Module, and quickly', async (_name, section, message) => {
    const lines = await check(section, { a: 'a' });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('WEIR1212 the schema inside module M cannot be used: ');
    expect(lines[0]).toContain(message);
  });

  test('patterns that take JavaScript an age are matched in linear time', { timeout: 60_000 }, async () => {
    const section = schema({ properties: { a: { pattern: '^(a+)+$' } } });
    const lines = await check(section, { a: `${'a'.repeat(50_000)}!` });
    expect(lines[0]).toContain('config.a must match ^(a+)+$');
    expect(await check(section, { a: 'aaa' })).toEqual([]);
  });

  test('a pattern that has no linear match is left out, and that is said', async () => {
    const section = schema({ properties: { a: { pattern: '^(?!a)b' }, c: { pattern: '^d$' } } });
    expect(await check(section, { a: 'a', c: 'e' })).toEqual([
      'WEIR3022 the schema inside module M has patterns that weir does not check',
      'WEIR1207 filter "f": config.c must match ^d$, got "e"',
    ]);
  });
});

test('schemas of older dialects are read too, as other SDKs write them', async () => {
  const section = JSON.stringify({
    $schema: 'http://json-schema.org/draft-07/schema#',
    $ref: '#/definitions/Config',
    definitions: {
      Config: { type: 'object', properties: { level: { type: 'integer', format: 'uint32', minimum: 0 } } },
    },
  });
  expect(await check(section, { level: 1 })).toEqual([]);
  expect(await check(section, { level: -1 })).toHaveLength(1);
});
