import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuiltinFilter } from './assets.ts';
import type { Config } from './config.ts';
import type { FileReader } from './files.ts';
import { loadModuleSchema, moduleSchema, type ModuleSchema } from './module-schema.ts';
import { MAX_MODULE_BYTES, openOrigin } from './module-origin.ts';
import type { ModulePuller } from './module-pull.ts';
import { sourceMapOf } from '../runtime/stage-fault.ts';
import { misbuiltFile } from '../runtime/wasm/misbuilt.ts';
import { Signatures } from './signatures.ts';

const WASM_HEADER = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

/** What is known of the Modules, by `namespace/name`. */
export interface LoadedModules {
  /** sha256 of their bytes. */
  readonly digests: ReadonlyMap<string, string>;
  /** Of those that have one. */
  readonly schemas: ReadonlyMap<string, ModuleSchema>;
}

/** Bytes of modules by their sha256. */
export type Code = Map<string, Uint8Array>;

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Reads the bytes of every Module and checks what can be checked without compiling them.
 *
 * Faults are reported in `config`.
 *
 * @param mapSources whether source maps keep the sources themselves, and where they lie
 */
export async function loadModules(
  config: Config,
  reader: FileReader,
  code: Code,
  puller: ModulePuller,
  mapSources: boolean,
): Promise<LoadedModules> {
  const digests = new Map<string, string>();
  const schemas = new Map<string, ModuleSchema>();
  const signatures = await Signatures.load(config, reader);
  const modules = config.all('Module');
  // The network is waited for once, not once for each.
  const origins = await Promise.all(
    modules.map((module) => openOrigin(config, module, reader, puller, signatures.areAskedFor(module))),
  );
  for (const [i, module] of modules.entries()) {
    const origin = origins[i];
    if (origin === null || origin === undefined) continue;
    const { bytes, name: file } = origin;
    const { sha256 } = module.value.spec;
    const digest = digestOf(bytes);
    if (sha256 !== undefined && sha256 !== digest) {
      const message = `sha256 of ${file} is not the one that was pinned`;
      config.report(module, 'WEIR1202', ['spec', 'sha256'], message, {
        notes: [`${origin.file === null ? 'the server' : 'the file'} has ${digest}`],
      });
      continue;
    }
    if (!(await signatures.check(module, origin, digest))) continue;
    if (!bytes.subarray(0, 8).equals(WASM_HEADER)) {
      const found = misbuiltFile(bytes);
      config.report(module, 'WEIR1203', origin.path, `${file} is not a WebAssembly module`, {
        notes: found === null ? [] : [found],
      });
      continue;
    }
    await origin.keep();
    code.set(digest, bytes);
    const map = origin.file === null ? null : await loadSourceMap(origin.file, reader, mapSources);
    if (map !== null) code.set(sourceMapOf(digest), map);
    const name = `${module.namespace}/${module.name}`;
    digests.set(name, digest);
    const schema = await loadModuleSchema(config, module, reader, digest, bytes);
    if (schema !== null) schemas.set(name, schema);
  }
  return { digests, schemas };
}

/**
 * The source map that a compiler left beside a module. A module does not say where it is: a name inside of it
 * could be that of any file.
 */
async function loadSourceMap(
  file: string,
  reader: FileReader,
  mapSources: boolean,
): Promise<Uint8Array | null> {
  const read = await reader.text(`${file}.map`);
  if (typeof read === 'string') return null;
  try {
    const map = JSON.parse(read.text) as Record<string, unknown>;
    if (mapSources) return Buffer.from(JSON.stringify(map));
    const { version, sources, mappings } = map;
    return Buffer.from(JSON.stringify({ version, sources, mappings }));
  } catch {
    // Traps are told without lines then.
    return null;
  }
}

/** The filters that ship with weir: `<name>.wasm` in the folder. None where it does not exist, as before the first build. */
export async function loadBuiltins(
  folder: string,
  reader: FileReader,
  code: Code,
): Promise<Map<string, BuiltinFilter>> {
  const builtins = new Map<string, BuiltinFilter>();
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((file) => file.endsWith('.wasm')).sort()) {
    const bytes = await reader.bytes(join(folder, name), MAX_MODULE_BYTES);
    if (typeof bytes === 'string') continue;
    const digest = digestOf(bytes);
    code.set(digest, bytes);
    const schema = moduleSchema(digest, bytes);
    // A schema of weir's own that does not load is a fault of the build, not of a configuration.
    if (typeof schema === 'string') throw new Error(`the schema of ${name} cannot be used: ${schema}`);
    builtins.set(name.slice(0, -'.wasm'.length), { digest, schema });
  }
  return builtins;
}
