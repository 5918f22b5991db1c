import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openFilter } from '../../filters-sdk/testing/kit.ts';
import type { Filter, FilterOptions } from '../../filters-sdk/testing/testing.d.ts';
import { BUILTIN_MEMORY_BYTES } from '../../src/control/module-table.ts';
import { expandCapabilities } from '../../src/runtime/wasm/capabilities.ts';
import { compileModule, type CompiledModule } from '../../src/runtime/wasm/module.ts';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import { BareHost } from './bare-host.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const built = new Map<string, Buffer>();
const modules = new Map<string, Promise<CompiledModule>>();

/** The bytes of a filter that ships with weir, compiled first if its sources changed. */
export function filterBytes(name: string): Buffer {
  let bytes = built.get(name);
  if (bytes !== undefined) return bytes;
  execFileSync(process.execPath, ['scripts/build-filters.mjs', name], { cwd: root, stdio: 'pipe' });
  bytes = readFileSync(`${root}dist/filters/${name}.wasm`);
  built.set(name, bytes);
  return bytes;
}

interface Needs {
  readonly 'x-weir-capabilities': string[];
}

/** What its schema says that it needs: with more, a test would not notice what is missing. */
function needsOf(name: string): Needs {
  return JSON.parse(readFileSync(`${root}src/filters/${name}/schema.json`, 'utf8')) as Needs;
}

/** Limits for tests of thousands of requests: a machine that is busy for a moment must not end the instance. */
export const PATIENT = { memoryBytes: BUILTIN_MEMORY_BYTES, perCallMs: 5000, perRequestMs: 10_000 };

/** A built-in filter in the test kit. */
export function openBuiltIn(name: string, config: unknown, options: FilterOptions = {}): Promise<Filter> {
  return openFilter(filterBytes(name), {
    name,
    config,
    capabilities: needsOf(name)['x-weir-capabilities'],
    limits: { memoryBytes: BUILTIN_MEMORY_BYTES },
    ...options,
  });
}

/** What a built-in filter says of a configuration that it refuses, line by line. */
export async function refusalOf(name: string, config: unknown): Promise<string[]> {
  const said = await openBuiltIn(name, config).then(
    () => null,
    (error: Error) => error.message,
  );
  if (said === null) throw new Error('the configuration was accepted');
  return [...said.matchAll(/^ {2}error: (?:configuration )?(.*)$/gm)].map(([, line]) => line!);
}

/** Fields of a message, `name: value` each. */
export function linesOf({ fields }: { readonly fields: readonly (readonly [string, string])[] }): string[] {
  return fields.map(([name, value]) => `${name}: ${value}`);
}

function moduleOf(name: string): Promise<CompiledModule> {
  let module = modules.get(name);
  if (module === undefined) {
    const { memoryBytes, ...cpu } = PATIENT;
    module = compileModule(filterBytes(name), { memoryBytes, cpu });
    modules.set(name, module);
  }
  return module;
}

/** Bits of `Wants`: what a built-in filter hears of a stream. */
export async function wantsOf(name: string): Promise<number> {
  return (await moduleOf(name)).wants;
}

/** A built-in filter in the host alone, without a chain: for loops that measure memory or time. */
export async function startBuiltIn(name: string, config: unknown, host = new BareHost()): Promise<Plugin> {
  return host.start(await moduleOf(name), {
    configuration: JSON.stringify(config),
    capabilities: expandCapabilities(needsOf(name)['x-weir-capabilities']),
  });
}
