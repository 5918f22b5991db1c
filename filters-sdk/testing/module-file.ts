import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { compileModule, type CompiledModule } from '../../src/runtime/wasm/module.ts';
import { loadSymbols } from '../../src/runtime/wasm/trap/symbols.ts';
import type { FilterOptions } from './testing.d.ts';

export interface ModuleBytes {
  readonly bytes: Uint8Array;
  readonly sourceMap: string | null;
}

/** Modules that were compiled here, by file: tests open the same one again and again. */
const compiled = new Map<string, Promise<ModuleBytes>>();
/** Checked ones, by content and limits. */
const checked = new Map<string, Promise<CompiledModule>>();

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
  let module_ = compiled.get(file);
  if (module_ === undefined) compiled.set(file, (module_ = compile(file)));
  return module_;
}

async function compile(entry: string): Promise<ModuleBytes> {
  // Only here: it loads the compiler, which takes its time.
  const { compileFilter } = await import('../cli/compile.mjs');
  const { ok, messages, named, sourceMap } = await compileFilter({ entry, debug: true, sourceMap: true });
  if (!ok || named === null) throw new Error(`${entry} does not compile\n${messages}`);
  return { bytes: named, sourceMap };
}

/** Checks a module as weir does, and reads where its code comes from, so that traps can say it at once. */
export async function checkModule(
  { bytes, sourceMap }: ModuleBytes,
  limits: FilterOptions['limits'] = {},
): Promise<CompiledModule> {
  const { memoryBytes, ...cpu } = limits;
  const key = JSON.stringify([Buffer.from(bytes).toString('base64'), sourceMap, limits]);
  let module = checked.get(key);
  if (module === undefined) {
    module = compileModule(bytes, {
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      cpu,
      ...(sourceMap === null ? {} : { sourceMap: Buffer.from(sourceMap) }),
    });
    checked.set(key, module);
  }
  const ready = await module;
  await loadSymbols(ready);
  return ready;
}
