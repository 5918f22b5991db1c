import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileFilter } from '../../filters-sdk/cli/compile.mjs';

const GOOD = `export * from '@weir/filters-sdk/assembly/exports';
import { RootContext, StreamContext, registerRoot, requestHeaders } from '@weir/filters-sdk/assembly';
class Root extends RootContext {
  createStream(): StreamContext {
    return new Stream();
  }
}
class Stream extends StreamContext {}
registerRoot(new Root());
`;

const STREAM_THAT_WAITS = `import { Action } from '@weir/filters-sdk/assembly';
import { sleep, wait } from '@weir/filters-sdk/assembly/wait';
function rest(): void { wait(sleep(1)); }
class Stream extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    rest();
    return Action.Continue;
  }

  onLog(): void {
    rest();
  }
}`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-compile-'));
  for (const project of ['one', 'another/place'])
    mkdirSync(join(folder, project, 'src'), { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function compile(
  source: string,
  options: Partial<Parameters<typeof compileFilter>[0]> = {},
  project = 'one',
) {
  const baseDir = join(folder, project);
  writeFileSync(join(baseDir, 'src/index.ts'), source);
  return compileFilter({ entry: 'src/index.ts', baseDir, ...options });
}
const section = (bytes: Uint8Array, name: string): string[] =>
  WebAssembly.Module.customSections(new WebAssembly.Module(Uint8Array.from(bytes)), name).map((content) =>
    Buffer.from(content).toString(),
  );

describe('a compiled filter', () => {
  test('says what it was made from and with what, and nothing of when and where', async () => {
    const { binary } = await compile(GOOD);
    const [build] = section(binary!, 'weir.build');
    expect(JSON.parse(build!)).toEqual({
      entry: 'src/index.ts',
      sources: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      sdk: expect.stringMatching(/^\d+\.\d+\.\d+/),
      builder: expect.stringMatching(/^asc \d+\.\d+\.\d+$/),
      mode: 'release',
    });
    expect(section(binary!, 'producers')[0]).toMatch(/language.*AssemblyScript.*processed-by.*asc.*sdk/s);
  });

  test('has the same bytes from the same sources, wherever they lie', async () => {
    const [first, second] = [await compile(GOOD), await compile(GOOD, {}, 'another/place')];
    expect(Buffer.from(first.binary!).equals(second.binary!)).toBe(true);
    const changed = await compile(`${GOOD}// More.\n`);
    expect(section(changed.binary!, 'weir.build')).not.toEqual(section(first.binary!, 'weir.build'));
  });

  test('a release has no names, and the same code as its twin that has them', async () => {
    const { binary, named } = await compile(GOOD);
    expect(section(binary!, 'name')).toEqual([]);
    expect(section(named!, 'name')).toHaveLength(1);
    expect(named!.length).toBeGreaterThan(binary!.length);
  });

  test('a debug build says so, keeps names, and maps to the sources', async () => {
    const { binary, sourceMap } = await compile(GOOD, { debug: true, sourceMap: true });
    expect(JSON.parse(section(binary!, 'weir.build')[0]!)).toMatchObject({ mode: 'debug' });
    expect(section(binary!, 'name')).toHaveLength(1);
    expect((JSON.parse(sourceMap!) as { sources: string[] }).sources).toContain('src/index.ts');
  });

  test('is written whole, with its folder, and leaves nothing else there', async () => {
    const { binary } = await compile(GOOD, { outFile: 'build/deep/filter.wasm', sourceMap: true });
    const out = join(folder, 'one/build/deep');
    expect(readdirSync(out).sort()).toEqual(['filter.wasm', 'filter.wasm.map']);
    expect(readFileSync(join(out, 'filter.wasm')).equals(binary!)).toBe(true);
  });
});

describe('what is wrong with a filter', () => {
  test('comes with its place: file, line, column, length and the line itself', async () => {
    const { ok, problems, binary } = await compile(GOOD.replace('new Stream()', 'new Streem()'));
    expect([ok, binary]).toEqual([false, null]);
    expect(problems).toEqual([
      {
        severity: 'error',
        code: 'TS2304',
        message: "Cannot find name 'Streem'.",
        hint: '',
        related: null,
        place: {
          file: 'src/index.ts',
          line: 5,
          column: 16,
          length: 6,
          text: '    return new Streem();',
        },
      },
    ]);
  });

  test('says what to write instead of what the language lacks', async () => {
    const problemOf = async (line: string): Promise<unknown> => {
      const { problems } = await compile(GOOD.replace('return new', `${line} return new`));
      return problems.at(-1);
    };
    expect(await problemOf('let level = 1; const more = (): i32 => level; more();')).toMatchObject({
      message: 'Not implemented: Closures',
      hint: expect.stringContaining('use a method'),
    });
    expect(await problemOf("requestHeaders.set('x', value);")).toMatchObject({
      message: 'Type argument expected.',
      hint: expect.stringContaining('misspelt'),
    });
    expect(await problemOf("fetch('/');")).toMatchObject({ hint: expect.stringContaining('wait(call(') });
    expect(await problemOf("const x = requestHeaders.get('x'); x.toString();")).toMatchObject({
      message: "Type 'Bytes | null' is not assignable to type 'Bytes'.",
      hint: expect.stringContaining('compare that with null'),
    });
  });

  test('a callback that waits and cannot is told by which functions, at its place', async () => {
    const source = GOOD.replace('class Stream extends StreamContext {}', STREAM_THAT_WAITS);
    const { ok, problems } = await compile(source);
    expect(ok).toBe(false);
    expect(problems.filter(({ severity }) => severity === 'error')).toMatchObject([
      {
        message: "'onLog' cannot wait, and does, by way of rest",
        hint: expect.stringContaining('may wait'),
        place: { file: 'src/index.ts', line: 17, column: 3, text: '  onLog(): void {' },
      },
    ]);
  });

  test('an entry that does not hand on the callbacks is told the line to add', async () => {
    const { problems } = await compile(GOOD.replace(/^export .*\n/, ''));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({
      severity: 'error',
      message: expect.stringContaining('does not hand on the callbacks'),
      hint: expect.stringContaining("export * from '@weir/filters-sdk/assembly/exports';"),
      place: null,
    });
  });

  test('is told with the place of both, where two places contradict each other', async () => {
    const { problems } = await compile(`${GOOD}class Root {}\n`);
    expect(problems[0]).toMatchObject({
      message: "Duplicate identifier 'Root'.",
      place: { file: 'src/index.ts', line: 10 },
      related: { file: 'src/index.ts', line: 3, text: 'class Root extends RootContext {' },
    });
  });

  test('an import that a package does not have is told at the import', async () => {
    const { problems } = await compile(GOOD.replace('{ RootContext,', '{ RootContex,'));
    expect(problems[0]).toMatchObject({
      message: expect.stringMatching(/has no exported member 'RootContex'/),
      place: { file: 'src/index.ts', line: 2 },
    });
  });

  test('a missing file is told', async () => {
    const { problems } = await compile(GOOD, { entry: 'src/other.ts' });
    expect(problems[0]!.message).toMatch(/src\/other\.ts' not found/);
  });
});
