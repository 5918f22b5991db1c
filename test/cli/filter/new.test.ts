import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { beforeAll, describe, expect, test } from 'vitest';
import { compileFilter } from '../../../filters-sdk/cli/compile.mjs';
import { listTemplates } from '../../../src/cli/filter/template.ts';
import { check } from '../../../src/cli/check.ts';
import { CANARY } from '../../support/canary.ts';
import { Program, ROOT, temporaryFolder } from '../../support/process.ts';

const TEMPLATES = listTemplates(join(ROOT, 'filters-sdk/templates')).map(({ name }) => name);

/** Where everything that a project needs is installed. */
let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  mkdirSync(join(folder, 'node_modules/@weir'), { recursive: true });
  symlinkSync(join(ROOT, 'filters-sdk'), join(folder, 'node_modules/@weir/filters-sdk'));
  for (const name of ['assemblyscript', 'vitest'])
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
});

async function weirFilter(args: readonly string[], cwd = folder) {
  const program = new Program(join(ROOT, 'bin/weir'), ['filter', ...args], { cwd });
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

test('there is a template for each thing that people write filters for', () => {
  expect(TEMPLATES.sort()).toEqual([
    'ab-router',
    'auth-callout',
    'body-rewrite',
    'cache-key',
    'grpc',
    'headers',
    'metrics',
    'rate-limit',
  ]);
});

describe('weir filter new', () => {
  test('writes a project under the name that it was given, and says the next commands', async () => {
    const { code, stdout, stderr } = await weirFilter(['new', 'edge-tenant']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('cd edge-tenant');
    expect(stdout).toContain('npx weir filter build');
    expect(stdout).toContain('npx weir filter test');
    // Everything is installed above it.
    expect(stdout).not.toContain('npm install');
    const project = join(folder, 'edge-tenant');
    expect(readdirSync(project).sort()).toEqual(
      [
        '.gitignore',
        'README.md',
        'package.json',
        'policies',
        'src',
        'test',
        'tsconfig.json',
        'upstream.mjs',
        'vitest.config.ts',
      ].sort(),
    );
    const all = readdirSync(project, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
      .join('\n');
    expect(all).not.toMatch(/my[-_]filter/);
    expect(all).toContain('build/edge-tenant.wasm');
  });

  test('names exact versions: those of the SDK and of weir that wrote it, and the vitest that is tried here', async () => {
    const manifestOf = (file: string): { version: string; devDependencies: Record<string, string> } =>
      JSON.parse(readFileSync(file, 'utf8')) as never;
    await weirFilter(['new', 'versions']);
    const own = manifestOf(join(ROOT, 'package.json'));
    expect(manifestOf(join(folder, 'versions/package.json')).devDependencies).toEqual({
      '@weir/filters-sdk': manifestOf(join(ROOT, 'filters-sdk/package.json')).version,
      vitest: own.devDependencies['vitest'],
      weir: own.version,
    });
  });

  test('touches nothing that is there', async () => {
    mkdirSync(join(folder, 'taken'));
    writeFileSync(join(folder, 'taken/README.md'), 'mine');
    const { code, stderr } = await weirFilter(['new', 'taken']);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/taken holds 1 entry already, README\.md.*nothing was written/),
    ]);
    expect(readdirSync(join(folder, 'taken'))).toEqual(['README.md']);
    // A folder with something else in it is fine.
    mkdirSync(join(folder, 'cloned/.git'), { recursive: true });
    expect((await weirFilter(['new', 'cloned', '--dir', 'cloned'])).code).toBe(0);
  });

  test('asks nothing where nobody can answer, and says what is wrong with what it was given', async () => {
    expect(await weirFilter(['new'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("missing required argument 'name'"),
    });
    expect(await weirFilter(['new', 'Bad_Name'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('small letters'),
    });
    const { code, stderr } = await weirFilter(['new', 'x', '--template', 'rate-limits']);
    expect(code).toBe(2);
    expect(stderr).toContain('did you mean "rate-limit"?');
    expect(stderr).toMatch(/^ {2}cache-key +Works out the key/m);
    const list = await weirFilter(['new', '--template', 'list']);
    expect(list.stdout.split('\n').filter((line) => line.startsWith('  '))).toHaveLength(TEMPLATES.length);
  });

  test('says how to install the SDK where there is none', async () => {
    const { findSdk } = await import('../../../src/cli/filter/sdk.ts');
    // In a checkout weir finds its own, so that is left out.
    expect(() => findSdk('/', [])).toThrow(/npm install --save-dev @weir\/filters-sdk/);
  });
});

describe.each(TEMPLATES)('the template %s', (template) => {
  let project: string;
  beforeAll(async () => {
    await weirFilter(['new', `t-${template}`, '--template', template]);
    project = join(folder, `t-${template}`);
  });

  test('compiles to a module with which its policies are right', async () => {
    const { problems } = await compileFilter({
      entry: 'src/index.ts',
      baseDir: project,
      outFile: `build/t-${template}.wasm`,
    });
    expect(problems).toEqual([]);
    const { text, exitCode } = await check([join(project, 'policies')], { output: 'text', canary: CANARY });
    expect([exitCode, text]).toEqual([0, expect.stringMatching(/^ok: 1 port, \d rules?, 1 filter/)]);
  });

  test('shows no errors in an editor', () => {
    const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined };
    const parsed = ts.getParsedCommandLineOfConfigFile(join(project, 'src/tsconfig.json'), {}, host)!;
    expect(parsed.errors).toEqual([]);
    const program = ts.createProgram(parsed.fileNames, parsed.options);
    const faults = parsed.fileNames.flatMap((name) => {
      const file = program.getSourceFile(name)!;
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
        ({ start, messageText }) => {
          const { line } = file.getLineAndCharacterOfPosition(start!);
          return `${name}:${line + 1} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
        },
      );
    });
    expect(faults).toEqual([]);
  });
});
