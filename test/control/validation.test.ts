import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
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

const API = `openapi: 3.1.0
info: {title: a, version: "1"}
servers: [{url: "https://a.test/v1"}]
paths:
  /things/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: ok}}
`;

/** A gateway whose chain names the document; what is wrong, and what the filter is handed. */
async function withApi(api: string | null, openapi = '{file: api.yaml}') {
  const policies = join(folder, 'policies');
  await mkdir(policies, { recursive: true });
  if (api !== null) await writeFile(join(policies, 'api.yaml'), api);
  await writeFile(
    join(policies, 'a.yaml'),
    `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec: {listeners: [{name: http, port: 8080, protocol: HTTP}]}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: a}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - {name: api, use: validate, config: {body: {maxBytes: 10}, openapi: ${openapi}}}
`,
  );
  const { snapshot, diagnostics, files } = await loadConfiguration([policies]);
  const faults = diagnostics.map((fault) => {
    const place = formatPlace({ ...fault, file: fault.file.slice(policies.length + 1) });
    return `${fault.code} ${place} ${fault.message.replaceAll(policies, '.')}`;
  });
  const handed = snapshot?.plugins.find(({ filter }) => filter === 'api')?.configuration;
  const config = JSON.parse(handed ?? '{}') as {
    openapi?: { operations: { path: string; parameters: object[] }[] };
  };
  return {
    faults,
    operations: config.openapi?.operations,
    followed: files.includes(join(policies, 'api.yaml')),
  };
}

test('an OpenAPI document among the configurations is read where a filter names it, and followed', async () => {
  const { faults, operations, followed } = await withApi(API);
  expect(faults).toEqual([]);
  expect(followed).toBe(true);
  expect(operations!.map(({ path }) => path)).toEqual(['/v1/things/{id}']);
  expect(operations![0]!.parameters).toEqual([{ in: 'path', name: 'id', types: 1, part: 2 }]);
});

test('another base path moves its parameters, too', async () => {
  const { operations } = await withApi(API, '{file: api.yaml, basePath: /shop/eu/v2}');
  expect(operations![0]!.path).toBe('/shop/eu/v2/things/{id}');
  expect(operations![0]!.parameters).toEqual([{ in: 'path', name: 'id', types: 1, part: 4 }]);
});

test.each<[string, string | null, RegExp]>([
  ['is not there', null, /^WEIR1214 a\.yaml:12:\d+ filter "api": \.\/api\.yaml does not exist/],
  ['is two', `${API}---\n${API}`, /^WEIR1214 a\.yaml:12:\d+ filter "api": \.\/api\.yaml holds 2 documents/],
  ['is no YAML', 'openapi: [', /WEIR1001 api\.yaml:1/],
  [
    'is wrong in itself',
    API.replace('integer', 'intger'),
    /^WEIR1214 api\.yaml:7:\d+ there is no type "intger"/,
  ],
  [
    'has a server with variables',
    API.replace('/v1', '/{v}'),
    /^WEIR1214 a\.yaml:12:\d+ filter "api": the path of the document's server has variables/,
  ],
])('a configuration is refused whose document %s', async (_name, api, told) => {
  const { faults, operations } = await withApi(api);
  expect(faults.join('\n')).toMatch(told);
  expect(operations).toBeUndefined();
});
