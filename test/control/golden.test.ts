import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withSection } from '../../filters-sdk/cli/sections.mjs';
import { formatDiagnostics } from '../../src/control/diagnostic.ts';
import { loadConfiguration } from '../../src/control/load.ts';
import type { Snapshot } from '../../src/runtime/snapshot.ts';

// Each `name.in.yaml` stands beside what must come of it: `name.fault.txt`, as `weir check` prints
// it, or `name.snapshot.json`. Run with UPDATE_GOLDEN=1 to write them, and read the difference.

const folder = fileURLToPath(new URL('../golden/', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));
const names = (await readdir(folder)).filter((file) => file.endsWith('.in.yaml'));

/** The shortest module there is; the control plane does not look further than its header. */
const EMPTY_MODULE = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

const HEADERS_SCHEMA = {
  'x-weir-phase': 'transform',
  'x-weir-capabilities': ['headers'],
  type: 'object',
  additionalProperties: false,
  properties: {
    request: { $ref: '#/$defs/edits' },
    response: { $ref: '#/$defs/edits' },
  },
  $defs: {
    edits: {
      type: 'object',
      additionalProperties: false,
      properties: {
        set: { type: 'object', additionalProperties: { type: 'string' } },
        remove: { type: 'array', items: { type: 'string' } },
      },
    },
  },
};

/** Filters with the schemas that they have. A digest that comes of one is not compared, nor the version with it. */
const REAL = ['api-key', 'basic', 'hmac', 'jwt', 'mtls', 'quota', 'rate-limit'];
let filters: string;

beforeAll(async () => {
  filters = await mkdtemp(join(tmpdir(), 'weir-golden-'));
  for (const [name, schema] of Object.entries({ headers: HEADERS_SCHEMA })) {
    const module = withSection(EMPTY_MODULE, 'weir.schema', JSON.stringify(schema));
    await writeFile(join(filters, `${name}.wasm`), module);
  }
  for (const name of REAL) {
    const schema = await readFile(join(root, 'src', 'filters', name, 'schema.json'), 'utf8');
    await writeFile(join(filters, `${name}.wasm`), withSection(EMPTY_MODULE, 'weir.schema', schema));
  }
  await writeFile(join(filters, 'http-only.wasm'), moduleWith('proxy_on_request_headers'));
  await writeFile(join(filters, 'tcp-only.wasm'), moduleWith('proxy_on_downstream_data'));
});

/** The same with one callback, as the binary format has it: type, function, export, code. */
function moduleWith(callback: string): Buffer {
  const name = [callback.length, ...Buffer.from(callback)];
  const section = (id: number, ...body: number[]): number[] => [id, body.length, ...body];
  return Buffer.from([
    ...EMPTY_MODULE,
    ...section(1, 1, 0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f),
    ...section(3, 1, 0),
    ...section(7, 1, ...name, 0, 0),
    ...section(10, 1, 4, 0, 0x41, 0, 0x0b),
  ]);
}

afterAll(() => rm(filters, { recursive: true }));

function comparable(snapshot: Snapshot): Snapshot {
  const isReal = (name: string) => REAL.includes(name.replace('builtin/', ''));
  const modules = snapshot.modules.map((each) => (isReal(each.name) ? { ...each, digest: '' } : each));
  return {
    ...snapshot,
    version: modules.some(({ digest }) => digest === '') ? '' : snapshot.version,
    modules,
  };
}

async function compare(file: string, actual: string): Promise<void> {
  if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(file, actual);
  const expected = await readFile(file, 'utf8').catch(() => '(missing: run with UPDATE_GOLDEN=1)');
  expect(actual).toBe(expected);
}

describe('golden', () => {
  test.each(names)('%s', async (name) => {
    const path = relative(root, join(folder, name));
    const { snapshot, diagnostics } = await loadConfiguration([path], { filters, now: Date.UTC(2026, 0, 1) });
    const stem = join(folder, name.replace(/\.in\.yaml$/, ''));
    const faults = formatDiagnostics(diagnostics);
    if (snapshot !== null)
      await compare(`${stem}.snapshot.json`, `${JSON.stringify(comparable(snapshot), null, 2)}\n`);
    if (faults !== '') await compare(`${stem}.fault.txt`, faults);
  });
});
