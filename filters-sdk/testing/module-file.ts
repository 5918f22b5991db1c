import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { coverage } from './coverage.ts';
import { compileModule, type CompiledModule } from '../../src/runtime/wasm/module.ts';
import { loadSymbols } from '../../src/runtime/wasm/trap/symbols.ts';
import type { FilterOptions } from './testing.d.ts';

export interface ModuleBytes {
  readonly bytes: Uint8Array;
  readonly sourceMap: string | null;
}

export interface CheckedModule {
  readonly module: CompiledModule;
  /** To be told of each instance; null: nobody counts its lines. */
  readonly started: ((exports: WebAssembly.Exports) => void) | null;
}

/** Modules that were compiled here, by file: tests open the same one again and again. */
const compiled = new Map<string, Promise<ModuleBytes>>();
/** Checked ones, by content and limits, and by who counts their lines. */
const checked = new WeakMap<object, Map<string, Promise<CheckedModule>>>();
const NOBODY = {};

/** @throws Error with what the compiler said */
export function readModule(module: string | Uint8Array, options: FilterOptions): Promise<ModuleBytes> {
  if (typeof module !== 'string')
    return Promise.resolve({ bytes: module, sourceMap: options.sourceMap ?? null });
  const file = resolve(module);
  if (!existsSync(file))
    throw new Error(`there is no ${file}${file.endsWith('.wasm') ? ': build it first' : ''}`);
  if (!file.endsWith('.ts')) {
    const map = `${file}.map`;
    const sourceMap = options.sourceMap ?? (existsSync(map) ? readFileSync(map, 'utf8') : null);
    return Promise.resolve({ bytes: readFileSync(file), sourceMap });
  }
  const countLines = coverage() !== null;
  const key = `${countLines} ${file}`;
  let made = compiled.get(key);
  if (made === undefined) compiled.set(key, (made = compile(file, countLines)));
  return made;
}

async function compile(entry: string, countLines: boolean): Promise<ModuleBytes> {
  // Only here: it loads the compiler, which takes its time.
  const { compileFilter } = await import('../cli/compile.mjs');
  const { ok, messages, named, sourceMap } = await compileFilter({
    entry,
    debug: true,
    sourceMap: true,
    countLines,
  });
  if (!ok || named === null) throw new Error(`${entry} does not compile\n${messages}`);
  return { bytes: named, sourceMap };
}

/**
 * Checks a module as weir does, and reads where its code comes from, so that traps can say it at once.
 *
 * @param name for messages
 */
export function checkModule(
  module: ModuleBytes,
  limits: FilterOptions['limits'] = {},
  name = 'filter',
): Promise<CheckedModule> {
  const counter = coverage();
  let known = checked.get(counter ?? NOBODY);
  if (known === undefined)
    checked.set(counter ?? NOBODY, (known = new Map<string, Promise<CheckedModule>>()));
  const digest = createHash('sha256')
    .update(module.bytes)
    .update(module.sourceMap ?? '');
  const key = digest.update(JSON.stringify(limits)).digest('hex');
  let ready = known.get(key);
  if (ready === undefined) {
    const started = counter?.watch(module.bytes, name) ?? null;
    known.set(key, (ready = check(module, limits, started)));
  }
  return ready;
}

async function check(
  { bytes, sourceMap }: ModuleBytes,
  limits: NonNullable<FilterOptions['limits']>,
  started: CheckedModule['started'],
): Promise<CheckedModule> {
  const { memoryBytes, ...cpu } = limits;
  const module = await compileModule(bytes, {
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    cpu,
    ...(sourceMap === null ? {} : { sourceMap: Buffer.from(sourceMap) }),
  });
  await loadSymbols(module);
  return { module, started };
}
