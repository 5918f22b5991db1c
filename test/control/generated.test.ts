import { Ajv } from 'ajv';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { generatedDocuments } from '../../scripts/generate-docs.ts';
import { ERRORS } from '../../src/errors.ts';
import { parseText } from '../../src/control/parse.ts';
import { combinedSchema } from '../../src/control/schema/json-schema.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const golden = `${root}test/golden/`;

test.each([...(await generatedDocuments())])(
  '%s is what the code makes (npm run docs)',
  async (path, text) => {
    expect(await readFile(root + path, 'utf8')).toBe(text);
  },
);

describe('the schema for editors', () => {
  const validate = new Ajv({ strict: false }).compile(combinedSchema());
  const documentsOf = async (name: string) =>
    parseText(name, await readFile(golden + name, 'utf8')).documents;

  test('takes what weir takes', async () => {
    const names = (await readdir(golden)).filter(
      (name) => name.endsWith('.in.yaml') && !name.startsWith('faults'),
    );
    for (const name of names) {
      for (const document of await documentsOf(name)) {
        expect(validate(document.value), `${name}: ${JSON.stringify(validate.errors)}`).toBe(true);
      }
    }
  });

  test.each(['faults-shape.in.yaml', 'faults-not-yet.in.yaml'])('refuses each object of %s', async (name) => {
    const documents = await documentsOf(name);
    expect(documents.length).toBeGreaterThan(3);
    for (const document of documents)
      expect(validate(document.value), JSON.stringify(document.value)).toBe(false);
  });
});

test('each code of the table is used, and each that is used is in the table', async () => {
  const folders = [
    'src',
    'src/control',
    'src/control/schema',
    'src/runtime',
    'src/runtime/wasm',
    'src/worker',
    'src/supervisor',
    'src/cli',
  ];
  const used = new Set<string>();
  for (const folder of folders) {
    const files = await readdir(root + folder).catch(() => []);
    for (const file of files.filter((name) => name.endsWith('.ts') && name !== 'errors.ts')) {
      const text = await readFile(`${root}${folder}/${file}`, 'utf8');
      for (const [code] of text.matchAll(/(?<=['"`])WEIR\d{4}/g)) used.add(code);
    }
  }
  expect([...used].filter((code) => !Object.hasOwn(ERRORS, code))).toEqual([]);
  const unused = Object.keys(ERRORS).filter((code) => !used.has(code) && !code.startsWith('WEIR40'));
  expect(unused).toEqual([]);
});
