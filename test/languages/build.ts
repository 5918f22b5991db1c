/**
 * The test plugin in each language (test/plugins), compiled by the language's own tools. A module is kept in
 * dist/test-plugins under the hash of its sources, and what a compiler lacks is installed where we may.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { ROOT } from '../support/process.ts';
import { needDebian, needGo, needRustTarget } from './toolchains.ts';

export const LANGUAGES = ['rust', 'go', 'c', 'as-gcore', 'as-weir'] as const;
export type Language = (typeof LANGUAGES)[number];

const CACHE = join(ROOT, 'dist/test-plugins');

interface Recipe {
  /** Files and folders, beside the plugin's own, that the module depends on. */
  readonly inputs?: readonly string[];
  /** Makes sure that the compiler is there. */
  readonly need: () => void;
  /** Compiles the sources in a folder to `out`. */
  readonly build: (source: string, out: string) => void;
}

const RECIPES: Record<Language, Recipe> = {
  rust: {
    need: () => needRustTarget('wasm32-wasip1'),
    build: (source, out) => {
      // Of its own, since what comes out has one name, whichever of the two crates it is.
      const target = join(CACHE, 'cargo', basename(source));
      const args = ['build', '--quiet', '--release', '--locked', '--target', 'wasm32-wasip1'];
      run('cargo', [...args, '--target-dir', target], source);
      copyFileSync(join(target, 'wasm32-wasip1/release/plugin.wasm'), out);
    },
  },
  go: {
    need: () => needGo('1.24'),
    build: (source, out) => {
      const args = ['build', '-buildmode=c-shared', '-trimpath', '-ldflags=-s -w', '-o', out, '.'];
      run('go', args, source, { GOOS: 'wasip1', GOARCH: 'wasm' });
    },
  },
  c: {
    need: () =>
      needDebian({ clang: 'clang', 'wasm-ld': 'lld' }, [
        ['/usr/lib/wasm32-wasi/libc.a', 'wasi-libc'],
        ['wasm32', 'libclang-rt-dev-wasm32'],
      ]),
    build: (source, out) => {
      const files = readdirSync(source).filter((name) => name.endsWith('.c'));
      const target = ['--target=wasm32-wasi', '--sysroot=/usr', '-mexec-model=reactor'];
      const options = ['-Os', '-Wall', '-Werror', '-Wl,--strip-debug', '-Wl,--export=malloc'];
      run('clang', [...target, ...options, '-o', out, ...files], source);
    },
  },
  'as-gcore': {
    inputs: ['package-lock.json'],
    need: () => undefined,
    build: (source, out) => {
      // Relative, since asc resolves what a configuration names against the folder it runs in.
      const shim = 'node_modules/@assemblyscript/wasi-shim/asconfig.json';
      const options = ['--config', shim, '--use', 'abort=abort_proc_exit', '--runtime', 'incremental', '-O'];
      const asc = join(ROOT, 'node_modules/assemblyscript/bin/asc.js');
      run(process.execPath, [asc, relative(ROOT, join(source, 'index.ts')), '-o', out, ...options], ROOT);
    },
  },
  'as-weir': {
    inputs: ['package-lock.json', 'filters-sdk/assembly', 'filters-sdk/cli'],
    need: () => undefined,
    build: (source, out) => {
      const compiler = join(ROOT, 'filters-sdk/cli/weir-asc.mjs');
      run(process.execPath, [compiler, join(source, 'index.ts'), '-o', out], ROOT);
    },
  },
};

/** The module of a language, compiled first where its sources changed. */
export function pluginFile(language: Language): string {
  return compiled(language, `test/plugins/${language}`, RECIPES[language]);
}

/** A module made from one file of source that stands in a document, with what the test plugin depends on. */
export function documentModule(language: 'rust' | 'go', source: string): string {
  const folder = `dist/test-plugins/document-${language}`;
  const plugin = join(ROOT, 'test/plugins', language);
  const [lists, file] =
    language === 'rust' ? [['Cargo.toml', 'Cargo.lock'], 'src/lib.rs'] : [['go.mod', 'go.sum'], 'main.go'];
  mkdirSync(dirname(join(ROOT, folder, file)), { recursive: true });
  for (const list of lists) copyFileSync(join(plugin, list), join(ROOT, folder, list));
  writeFileSync(join(ROOT, folder, file), source);
  return compiled(`document-${language}`, folder, RECIPES[language]);
}

function compiled(name: string, folder: string, recipe: Recipe): string {
  const inputs = [folder, 'test/languages/build.ts', ...(recipe.inputs ?? [])];
  const sum = createHash('sha256');
  for (const file of inputs.flatMap((path) => filesOf(join(ROOT, path)))) sum.update(readFileSync(file));
  const out = join(CACHE, `${name}-${sum.digest('hex').slice(0, 16)}.wasm`);
  if (!existsSync(out)) {
    process.stderr.write(`weir: building the test plugin in ${name}\n`);
    mkdirSync(CACHE, { recursive: true });
    recipe.need();
    const unfinished = `${out}.${process.pid}.wasm`;
    recipe.build(join(ROOT, folder), unfinished);
    renameSync(unfinished, out);
  }
  return out;
}

function filesOf(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesOf(join(path, name)));
}

function run(command: string, args: string[], cwd: string, env: Record<string, string> = {}): void {
  const options = { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] as const };
  try {
    execFileSync(command, args, { ...options, stdio: [...options.stdio], encoding: 'utf8' });
  } catch (fault) {
    const { stdout = '', stderr = '' } = fault as { stdout?: string; stderr?: string };
    // eslint-disable-next-line preserve-caught-error -- it would print the same text three times
    throw new Error(`${command} ${args.join(' ')} failed\n${stdout}${stderr}`);
  }
}
