// What authors copy from the documents compiles, and does what is said of it.
import { execFileSync } from 'node:child_process';
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { compileFilter } from '../../filters-sdk/cli/compile.mjs';
import { sdkReference, uncommented } from '../../scripts/docs/sdk-reference.ts';
import { blocksOf, type DocBlock } from '../support/doc-blocks.ts';
import { expectTeam } from '../support/porting.ts';
import { ROOT } from '../support/process.ts';

const PAGES = (await readdir(`${ROOT}docs/authoring`))
  .map((name) => `docs/authoring/${name}`)
  .filter((page) => blocksOf(page).some(isCompiled));

function isCompiled({ language, marks }: DocBlock): boolean {
  return language === 'ts' && (marks.includes('filter') || marks.includes('snippet'));
}

/** What snippets may use without importing it. */
const PRELUDE = `
import { logDebug, logInfo, now, property, requestHeaders, responseHeaders, utf8 } from '@weir/filters-sdk/assembly';
import { parseJson } from '@weir/filters-sdk/assembly/json';
`;

/** A folder in the repository, where the SDK is found. */
async function folder(): Promise<string> {
  const path = await mkdtemp(`${ROOT}dist/doc-blocks-`);
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

test.each(PAGES)('the filters and snippets of %s compile', { timeout: 120_000 }, async (page) => {
  const path = await folder();
  const blocks = blocksOf(page).filter(isCompiled);
  let entry = "export * from '@weir/filters-sdk/assembly/exports';\n";
  for (const { marks, line, code } of blocks) {
    const name = `line_${line}`;
    const text = marks.includes('filter')
      ? code.replace(/^export \* from .*$/m, '')
      : `${PRELUDE}${classesOf(code)}\nexport function ${name}(): void {\n${statementsOf(code)}\n}\n`;
    await writeFile(join(path, `${name}.ts`), text);
    entry += marks.includes('filter') ? `import './${name}';\n` : `export * from './${name}';\n`;
  }
  await writeFile(join(path, 'index.ts'), entry);
  const { ok, messages } = await compileFilter({ entry: join(path, 'index.ts'), baseDir: ROOT, debug: true });
  expect(messages).toBe('');
  expect(ok).toBe(true);
});

// Classes cannot stand in a function; they stand first, and their last line is a brace alone.
const CLASS = /^class [\s\S]*?^\}$/gm;
const classesOf = (code: string): string => (code.match(CLASS) ?? []).join('\n');
const statementsOf = (code: string): string => code.replaceAll(CLASS, '');

test('a snippet that is wrong would be noticed', { timeout: 60_000 }, async () => {
  const path = await folder();
  const entry = join(path, 'index.ts');
  await writeFile(
    entry,
    `${PRELUDE}export function wrong(): void { const value: i32 = requestHeaders.get('a'); }\n`,
  );
  expect((await compileFilter({ entry, baseDir: ROOT, debug: true })).ok).toBe(false);
});

test('every exported name of the SDK has a comment', () => {
  sdkReference('');
  expect(uncommented).toEqual([]);
});

test('links of the guide lead somewhere', async () => {
  for (const name of await readdir(`${ROOT}docs/authoring`)) {
    const text = await readFile(`${ROOT}docs/authoring/${name}`, 'utf8');
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g))
      await expect(
        access(join(ROOT, 'docs/authoring', target!)),
        `${name}: ${target}`,
      ).resolves.toBeUndefined();
  }
});

/** The block of the porting guide in a language. */
function portingBlock(mark: string): string {
  return blocksOf('docs/authoring/porting.md').find(({ marks, language }) =>
    [language, ...marks].includes('porting') ? [language, ...marks].includes(mark) : false,
  )!.code;
}

test('the filter of the porting guide does what it says', { timeout: 60_000 }, async () => {
  const path = await folder();
  const entry = join(path, 'index.ts');
  await writeFile(entry, portingBlock('filter'));
  const outFile = join(path, 'team.wasm');
  const { messages } = await compileFilter({ entry, outFile, baseDir: ROOT });
  expect(messages).toBe('');
  await expectTeam(outFile);
});

test('so does that of G-Core', { timeout: 60_000 }, async () => {
  const path = await folder();
  await writeFile(join(path, 'index.ts'), portingBlock('gcore'));
  const out = join(path, 'team.wasm');
  const shim = 'node_modules/@assemblyscript/wasi-shim/asconfig.json';
  const options = ['--config', shim, '--use', 'abort=abort_proc_exit', '--runtime', 'incremental', '-O'];
  const asc = `${ROOT}node_modules/assemblyscript/bin/asc.js`;
  execFileSync(process.execPath, [asc, relative(ROOT, join(path, 'index.ts')), '-o', out, ...options], {
    cwd: ROOT,
    stdio: 'pipe',
  });
  await expectTeam(out);
});
