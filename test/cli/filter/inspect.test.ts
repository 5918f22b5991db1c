import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { withSection } from '../../../filters-sdk/cli/sections.mjs';
import { reportModule, type ModuleReport } from '../../../src/cli/filter/module-report.ts';
import { schemaRows } from '../../../src/cli/filter/schema-rows.ts';
import { ROOT, run, temporaryFolder } from '../../support/process.ts';
import { ModuleEncoder, op } from '../../support/wasm-encoder.ts';

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

const SCHEMA = {
  type: 'object',
  required: ['limit'],
  'x-weir-capabilities': ['headers'],
  'x-weir-phase': 'transform',
  properties: {
    limit: { $ref: '#/$defs/limit', description: 'How much' },
    mode: { enum: ['on', 'off'], default: 'on' },
    names: { type: 'array', items: { type: 'string' } },
    set: { type: 'object', additionalProperties: { type: 'string' } },
    ratio: { type: 'number', maximum: 3.4e38, description: 'One\n\ntwo' },
    places: { type: 'array', items: { properties: { header: { type: 'string' } } } },
  },
  $defs: {
    limit: {
      type: 'object',
      properties: { requests: { type: 'integer', minimum: 1, maximum: 10 }, next: { $ref: '#/$defs/limit' } },
    },
  },
};

let folder: string;
let file: string;
const inspect = (...args: string[]) =>
  run(join(ROOT, 'bin/weir'), ['filter', 'inspect', ...args], { cwd: folder, env: { NO_COLOR: '1' } });

beforeAll(async () => {
  folder = await temporaryFolder();
  mkdirSync(join(folder, 'src'));
  mkdirSync(join(folder, 'node_modules/@weir'), { recursive: true });
  symlinkSync(join(ROOT, 'filters-sdk'), join(folder, 'node_modules/@weir/filters-sdk'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: '@acme/hello' }));
  writeFileSync(join(folder, 'src/index.ts'), FILTER);
  const built = await run(join(ROOT, 'bin/weir'), ['filter', 'build', '--no-report'], { cwd: folder });
  expect(built.code, built.stderr).toBe(0);
  file = join(folder, 'build/hello.wasm');
  writeFileSync(file, withSection(readFileSync(file), 'weir.schema', JSON.stringify(SCHEMA)));
}, 60_000);

describe('weir filter inspect', () => {
  test('says what a module is, needs and was made from', async () => {
    const { code, stdout, stderr } = await inspect('build/hello.wasm');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^build\/hello\.wasm {2}\d+\.\d KiB {2}sha256 [0-9a-f]{64}\n/);
    expect(stdout).toContain('verdict       loads here: Proxy-Wasm 0.2.1, for HTTP\n');
    expect(stdout).toContain('signature     none (build/hello.wasm.sig does not exist)');
    expect(stdout).toMatch(/built with +AssemblyScript [\d.]+, asc [\d.]+, @weir\/filters-sdk [\d.]+\n/);
    expect(stdout).toMatch(/release of src\/index\.ts, sources sha256:[0-9a-f]{12}\n/);
    expect(stdout).toMatch(/^ {2}callbacks .*on_response_headers/m);
    expect(stdout).toMatch(/^ {2}capabilities +headers /m);
    expect(stdout).toContain('declared: headers\n');
    expect(stdout).toMatch(/^ {2}phase +transform$/m);
    expect(stdout).toMatch(/^ {4}code +\d+\.\d KiB +\d+ % +▇+$/m);
    expect(stdout).toMatch(/^ {4}limit\.requests +integer 1…10$/m);
    expect(stdout).not.toContain('\x1b');
  });

  test('says the same as JSON, where sizes and shares sum up to the file', async () => {
    const { stdout } = await inspect('build/hello.wasm', '-o', 'json');
    const report = JSON.parse(stdout) as ModuleReport;
    expect(report).toMatchObject({
      refused: null,
      abi: '0.2.1',
      protocols: ['http'],
      capabilities: { needed: ['headers'], perhaps: [], declared: ['headers'] },
      schema: SCHEMA,
      memory: { min: 65_536, max: null, limit: 16 * 1024 * 1024 },
      build: { entry: 'src/index.ts', mode: 'release' },
      signature: { count: 0, reason: 'does not exist' },
    });
    expect(report.sections.reduce((sum, { bytes }) => sum + bytes, 8)).toBe(report.bytes);
    expect(report.metering!.bytes).toBeGreaterThan(0);
    expect(report.imports.every(({ isLinked }) => isLinked)).toBe(true);
  });

  test.each<[string, Uint8Array, RegExp]>([
    ['text', Buffer.from('(module)'), /would not load: this is not a filter: .*wat2wasm/],
    ['cut off', Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 200]), /would not load: unexpected end/],
    ['no filter', new ModuleEncoder().bytes(), /would not load: no proxy_abi_version/],
  ])('ends with 1 and says what to do: %s', async (_, bytes, verdict) => {
    writeFileSync(join(folder, 'bad.wasm'), bytes);
    const { code, stdout } = await inspect('bad.wasm');
    expect(code).toBe(1);
    expect(stdout).toMatch(verdict);
  });

  test('a file that is not there is said in one line', async () => {
    const { code, stderr } = await inspect('nowhere.wasm');
    expect([code, stderr]).toEqual([
      1,
      'error: nowhere.wasm does not exist. weir filter build writes a module.\n',
    ]);
  });
});

describe('a report', () => {
  const importing = (...names: string[]): Uint8Array => {
    const encoder = new ModuleEncoder();
    for (const name of names) encoder.importFunction('env', name, 'i', '');
    encoder.memory(300);
    encoder.export('malloc', encoder.function('i', 'i', op.i32(0)));
    encoder.export('proxy_abi_version_0_2_1', encoder.function('', '', []));
    return encoder.bytes();
  };

  test('tells imports that are not linked, and too much memory', async () => {
    const report = await reportModule(importing('proxy_dance', 'proxy_get_buffer_bytes'), '');
    expect(report.refused).toContain('starts with 18.75 MiB of memory, its limit is 16 MiB');
    expect(report.imports).toMatchObject([
      { name: 'proxy_dance', isLinked: false, capability: null },
      { name: 'proxy_get_buffer_bytes', capability: 'body' },
    ]);
    expect(report.capabilities).toEqual({ needed: [], perhaps: ['body'], declared: null });
  });

  test('stands whatever a module claims of itself', async () => {
    const broken = ['producers', 'weir.build', 'weir.schema', 'sourceMappingURL', 'name'].reduce<Uint8Array>(
      (bytes, name) => withSection(bytes, name, new Uint8Array([0xff, 0xff, 0xff])),
      readFileSync(file),
    );
    const report = await reportModule(broken, '');
    expect(report).toMatchObject({ refused: null, producers: {}, build: null, schema: null });
    for (let length = 0; length < broken.length; length += 97) {
      await reportModule(broken.subarray(0, length), '');
    }
  });

  test('a schema is a table of fields, and one that refers to itself ends', () => {
    const rows = schemaRows(SCHEMA);
    expect(rows.slice(0, 2)).toEqual([
      { path: 'limit', type: 'object', presence: 'required', description: 'How much' },
      { path: 'limit.requests', type: 'integer 1…10', presence: '', description: '' },
    ]);
    const named = rows.map(({ path, type, presence }) => `${path}: ${type} ${presence}`.trimEnd());
    expect(named).toContain('mode: "on" | "off" default: "on"');
    expect(named).toContain('names: list of string');
    expect(named).toContain('set.<name>: string');
    expect(named).toContain('ratio: number');
    expect(rows.find(({ path }) => path === 'ratio')!.description).toBe('One two');
    expect(named).toEqual(expect.arrayContaining(['places: list of object', 'places[].header: string']));
    expect(rows.length).toBeLessThan(30);
    for (const odd of [null, 'x', [], { properties: { a: null, b: true, c: { anyOf: 3, items: [] } } }])
      schemaRows(odd);
  });
});
