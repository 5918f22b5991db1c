import type { CpuLimits } from '../snapshot.ts';
import { ABI_VERSIONS, CALLBACKS, HOST_FUNCTIONS, type AbiVersion, type HostFunctionRow } from './abi.ts';
import {
  ExternKind,
  Section,
  readShape,
  type ImportEntry,
  type ModuleShape,
  type Signature,
} from './binary.ts';
import { BinaryError } from './cursor.ts';
import {
  CALL_FRAMES,
  CALL_MS,
  INSTANCE_BYTES,
  MODULE_BYTES,
  MiB,
  PAGE_BYTES,
  REQUEST_MS,
  START_MS,
} from './limits.ts';
import { doubtful, forAnotherHost, misbuiltFile, notLinked } from './misbuilt.ts';
import { originalOffsets } from './meter/offsets.ts';
import { rewrite, type Rewritten } from './meter/rewrite.ts';
import { withDebugMap } from './trap/debug-map.ts';
import { inTurns } from './turns.ts';

/** Bounds that a configuration sets for one module; the others stand in `limits.ts`. */
export interface ModuleLimits {
  /** Linear memory of one instance. */
  readonly memoryBytes?: number;
  readonly cpu?: Partial<CpuLimits> | undefined;
  /** JSON, of a map that came beside the module. */
  readonly sourceMap?: Uint8Array | undefined;
  /** For a debugger: the map goes into the code that runs, and time in which the guest stands still is not counted. */
  readonly debug?: boolean;
}

/** A guest that stands at a breakpoint uses up no budget. */
const DAY_MS = 24 * 3600 * 1000;
const UNBOUNDED = { perCallMs: DAY_MS, perRequestMs: DAY_MS, perStartMs: DAY_MS };

const CPU_LIMITS: CpuLimits = {
  perCallMs: CALL_MS,
  perRequestMs: REQUEST_MS,
  perStartMs: START_MS,
  frames: CALL_FRAMES,
};

/** A function that the module imports, and what weir links there. */
export interface ImportLink {
  readonly module: string;
  readonly name: string;
  readonly signature: Signature;
  /** Null where weir has no such function with this signature: a stub that says so is linked. */
  readonly row: HostFunctionRow | null;
}

/** Checked code, ready to be instantiated any number of times. */
export interface CompiledModule {
  readonly code: WebAssembly.Module;
  readonly abi: AbiVersion;
  readonly links: readonly ImportLink[];
  /** Names of the exported functions. */
  readonly functions: ReadonlySet<string>;
  /** Bits of `Wants` for the callbacks that it exports. */
  readonly wants: number;
  /** Exported name of the allocator. */
  readonly allocator: 'proxy_on_memory_allocate' | 'malloc';
  readonly memoryBytes: number;
  readonly cpu: CpuLimits;
  /** What the names of the exports begin with by which the host reaches the meter. */
  readonly meter: string;
  /** Functions of its own; in a stack, those with higher numbers are the meter's. */
  readonly ownFunctions: number;
  /**
   * Maps places in the code that runs, as stacks of traps name them, to places in the author's file. Rewrites
   * the module again to learn them, so it is for when a trap is told of.
   */
  originalOffsets(): Promise<(at: number) => number>;
  /** What an instance begins with. */
  readonly minMemoryBytes: number;
  /** JSON that maps offsets of the author's file to sources; null where none came beside it. */
  readonly sourceMap: Uint8Array | null;
  /** Where the content of the code section begins in the author's file: debug information counts from there. */
  readonly codeStart: number;
  /** Whether the file holds this text. */
  mentions(text: string): boolean;
  /** What an author should know although the module loads; one sentence each. */
  readonly warnings: readonly string[];
}

/** A module that weir does not load. The message says what was found and what would be right. */
export class ModuleError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ModuleError';
  }
}

const WASI_MODULES = new Set(['wasi_snapshot_preview1', 'wasi_unstable']);
const ROWS = new Map(HOST_FUNCTIONS.map((row) => [`${row.module}.${row.name}`, row]));

/**
 * Checks a module, puts the meter into it and compiles it. The compiler works off this thread.
 *
 * @throws ModuleError
 */
export async function compileModule(bytes: Uint8Array, limits: ModuleLimits = {}): Promise<CompiledModule> {
  if (bytes.length > MODULE_BYTES) {
    throw new ModuleError(`the module has ${bytes.length} bytes, at most ${MODULE_BYTES} are allowed`);
  }
  const memoryBytes = limits.memoryBytes ?? INSTANCE_BYTES;
  const file = misbuiltFile(bytes);
  if (file !== null) throw new ModuleError(`this is not a filter: ${file}`);
  const shape = shapeOf(bytes);
  const other = forAnotherHost(shape);
  if (other !== null) throw new ModuleError(`this is not a filter: ${other}`);
  const abi = abiOf(shape);
  checkMemory(shape, memoryBytes);
  const links = shape.imports.map(link);
  checkExports(shape);
  const trace: number[] | undefined = limits.debug === true ? [] : undefined;
  const metered = await meter(bytes, shape, memoryBytes, trace);
  const withMap = trace !== undefined && limits.sourceMap !== undefined;
  const code = await compile(
    withMap ? withDebugMap(metered.bytes, limits.sourceMap, trace) : metered.bytes,
    bytes,
  );

  const functions = new Set<string>();
  for (const [name, entry] of shape.exports) if (entry.kind === ExternKind.Function) functions.add(name);
  let wants = 0;
  for (const row of CALLBACKS) if (functions.has(row.name)) wants |= row.wants;
  const allocator = functions.has('proxy_on_memory_allocate') ? 'proxy_on_memory_allocate' : 'malloc';
  const minMemoryBytes = shape.memories[0]!.min * PAGE_BYTES;
  const warnings = [...links.flatMap(warning), ...doubtful(shape)];
  const codeStart = shape.sections.find(({ id }) => id === Section.Code)?.content ?? 0;
  return {
    code,
    abi,
    links,
    functions,
    wants,
    allocator,
    memoryBytes,
    cpu: { ...CPU_LIMITS, ...limits.cpu, ...(limits.debug === true ? UNBOUNDED : {}) },
    meter: metered.prefix,
    ownFunctions: metered.functions,
    sourceMap: limits.sourceMap ?? null,
    codeStart,
    originalOffsets: async () => {
      const trace: number[] = [];
      const again = await meter(bytes, shape, memoryBytes, trace);
      return originalOffsets(trace, again.bytes.length);
    },
    minMemoryBytes,
    mentions: (text) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(text),
    warnings,
  };
}

async function meter(
  bytes: Uint8Array,
  shape: ModuleShape,
  memoryBytes: number,
  trace?: number[],
): Promise<Rewritten> {
  try {
    return await inTurns(rewrite(bytes, shape, { memoryBytes, ...(trace === undefined ? {} : { trace }) }));
  } catch (error) {
    if (error instanceof BinaryError) throw new ModuleError(error.message);
    throw error;
  }
}

function shapeOf(bytes: Uint8Array): ModuleShape {
  try {
    return readShape(bytes);
  } catch (error) {
    if (error instanceof BinaryError) throw new ModuleError(error.message);
    throw error;
  }
}

async function compile(metered: Uint8Array, original: Uint8Array): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(metered);
  } catch (error) {
    // The author's file has other offsets.
    let { message } = error as Error;
    await WebAssembly.compile(original).catch((own: unknown) => {
      ({ message } = own as Error);
    });
    throw new ModuleError(`the module is not valid: ${message}`);
  }
}

/** The version is told by the name of an exported function that is never called. */
function abiOf(shape: ModuleShape): AbiVersion {
  for (const version of [...ABI_VERSIONS].reverse()) {
    if (shape.exports.has(`proxy_abi_version_${version.replaceAll('.', '_')}`)) return version;
  }
  const names = [...shape.exports.keys()];
  const found =
    names.length === 0 ? 'nothing' : names.slice(0, 12).join(', ') + (names.length > 12 ? ', …' : '');
  const other = names.find((name) => /^proxy_abi_(version|mosn|revision)/.test(name));
  const hint =
    other !== undefined
      ? `${other} is not one that weir hosts`
      : (notLinked(shape) ??
        'AssemblyScript: `export * from` the SDK in the entry file; Rust: crate-type = ["cdylib"]; ' +
          'Go: -buildmode=c-shared; and check that no later tool strips exports');
  throw new ModuleError(
    `no proxy_abi_version_0_1_0, _0_2_0 or _0_2_1 is exported, so this is not a Proxy-Wasm filter (${hint}); exported: ${found}`,
  );
}

function checkMemory(shape: ModuleShape, limitBytes: number): void {
  const exported = shape.exports.get('memory');
  const memory = shape.memories[0];
  if (exported?.kind !== ExternKind.Memory || memory === undefined) {
    throw new ModuleError('no memory is exported under the name "memory"');
  }
  if (shape.memories.length > 1) throw new ModuleError('more than one memory');
  if (memory.shared || memory.wide)
    throw new ModuleError(
      'shared and 64-bit memories are not supported: build it without threads (-pthread, atomics) and for wasm32',
    );
  if (memory.min * PAGE_BYTES > limitBytes) {
    const needed = (memory.min * PAGE_BYTES) / MiB;
    throw new ModuleError(
      `the module starts with ${needed} MiB of memory, its limit is ${limitBytes / MiB} MiB`,
    );
  }
}

/** Lying exports are found here and not when a request meets them: calling one would throw in the host. */
function checkExports(shape: ModuleShape): void {
  const check = (name: string, params: string, least: number): boolean => {
    const entry = shape.exports.get(name);
    if (entry?.kind !== ExternKind.Function) return false;
    const type = shape.functions[entry.index];
    if (type === undefined) throw new ModuleError(`${name} is exported but not declared`);
    const right = params.startsWith(type.params) && type.params.length >= least && /^i?$/.test(type.results);
    if (!right)
      throw new ModuleError(
        `${name} has the signature ${print(type)}, expected ${print({ params, results: 'i' })}`,
      );
    return true;
  };
  for (const row of CALLBACKS) check(row.name, row.params, row.least);
  for (const name of ['_initialize', '_start', '__main_void']) check(name, '', 0);
  const allocators = ['proxy_on_memory_allocate', 'malloc'].filter((name) => check(name, 'i', 1));
  if (allocators.length === 0) {
    throw new ModuleError(
      'neither proxy_on_memory_allocate nor malloc is exported: weir could hand nothing to this filter. What to do: ' +
        'C and C++: -Wl,--export=malloc, emscripten -sEXPORTED_FUNCTIONS=_malloc; Rust, Go, AssemblyScript: use ' +
        'what the SDK exports, and check that no later tool strips it',
    );
  }
}

function link(entry: ImportEntry): ImportLink {
  if (entry.signature === null) {
    throw new ModuleError(
      `"${entry.module}"."${entry.name}" is imported but is not a function; a filter brings its own memory (AssemblyScript: without --importMemory; emscripten: -sSTANDALONE_WASM; wasm-ld: without --import-memory)`,
    );
  }
  const module = WASI_MODULES.has(entry.module) ? 'wasi' : entry.module;
  const row = ROWS.get(`${module}.${entry.name}`);
  const { params, results } = entry.signature;
  // A declaration without a result may drop the status: 0.1.0's specification and its SDKs differ there.
  const fits = row !== undefined && row.params === params && (row.results === results || results === '');
  return { module: entry.module, name: entry.name, signature: entry.signature, row: fits ? row : null };
}

function warning({ module, name, signature, row }: ImportLink): string[] {
  if (row !== null) return [];
  const known = ROWS.get(`${WASI_MODULES.has(module) ? 'wasi' : module}.${name}`);
  return known === undefined
    ? [`${module}.${name} is not a function of this host: calls answer Unimplemented`]
    : [
        `${module}.${name} is declared as ${print(signature)} and not ${print(known)}: calls answer Unimplemented`,
      ];
}

const NAMES: Record<string, string> = { i: 'i32', I: 'i64', f: 'f32', F: 'f64', v: 'v128', r: 'ref' };

/** `(i32, i64) -> i32`, for messages and docs/abi.md. */
export function print({ params, results }: Signature): string {
  const list = (types: string): string => [...types].map((type) => NAMES[type]).join(', ');
  return results === '' ? `(${list(params)})` : `(${list(params)}) -> ${list(results)}`;
}
