import { protocolsOf } from '../../control/module-protocols.ts';
import { CALLBACKS, HOST_FUNCTIONS } from '../../runtime/wasm/abi.ts';
import { ExternKind, readShape, type ModuleShape } from '../../runtime/wasm/binary.ts';
import { CAPABILITIES } from '../../runtime/wasm/capabilities.ts';
import { BinaryError, Cursor } from '../../runtime/wasm/cursor.ts';
import { customSection, customText } from '../../runtime/wasm/custom-section.ts';
import { FOREIGN_FUNCTIONS } from '../../runtime/wasm/foreign-functions.ts';
import { INSTANCE_BYTES, PAGE_BYTES } from '../../runtime/wasm/limits.ts';
import { rewriteNow } from '../../runtime/wasm/meter/rewrite.ts';
import { compileModule, ModuleError, print, type CompiledModule } from '../../runtime/wasm/module.ts';
import { sectionSizes } from './module-size.ts';

/** What can be known of a module without running it. The shape of `weir filter inspect -o json`. */
export interface ModuleReport {
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  /** What keeps weir from loading it, with what to do; null where nothing does. */
  readonly refused: string | null;
  /** What its author should know although it loads. */
  readonly warnings: readonly string[];
  /** Null where it is none that weir hosts. */
  readonly abi: string | null;
  readonly protocols: readonly ('http' | 'tcp')[];
  readonly callbacks: readonly string[];
  readonly otherExports: readonly string[];
  readonly imports: readonly ImportReport[];
  readonly capabilities: {
    /** Those that its imports need. */
    readonly needed: readonly string[];
    /** Those that it needs only if it reads the message: the same imports read its configuration, too. */
    readonly perhaps: readonly string[];
    /** Those that its schema says it needs; null where it says nothing. */
    readonly declared: readonly string[] | null;
  };
  /** Names of foreign functions of weir that stand in its data, where it can call any. */
  readonly foreignFunctions: readonly string[];
  /** Of its configuration; null where it carries none. */
  readonly schema: unknown;
  /** In the order of the file. `share` is of the whole, 0 to 1. */
  readonly sections: readonly { readonly name: string; readonly bytes: number; readonly share: number }[];
  readonly memory: MemoryReport | null;
  /** By field of the `producers` section: `language`, `processed-by`, `sdk`. */
  readonly producers: Readonly<
    Record<string, readonly { readonly name: string; readonly version: string }[]>
  >;
  /** What `weir filter build` wrote about itself; null where another tool built it. */
  readonly build: Readonly<Record<string, unknown>> | null;
  readonly debugging: {
    /** Whether traps name functions. */
    readonly names: boolean;
    /** Whether traps name lines, by DWARF in the module. */
    readonly lines: boolean;
    /** Where its source map is said to be. */
    readonly sourceMap: string | null;
  };
  /** What the module that runs has more than the file; null where it cannot be rewritten. */
  readonly metering: { readonly bytes: number; readonly share: number } | null;
}

export interface ImportReport {
  readonly module: string;
  readonly name: string;
  readonly signature: string;
  /** Whether weir has it with this signature. */
  readonly isLinked: boolean;
  readonly capability: string | null;
}

/** Bytes; `max` is null where the module declares none. */
export interface MemoryReport {
  readonly min: number;
  readonly max: number | null;
  /** What weir allows where the Module says nothing else. */
  readonly limit: number;
}

/** Never throws, whatever the bytes are. */
export async function reportModule(bytes: Uint8Array, sha256: string): Promise<ModuleReport> {
  const [compiled, refused] = await tryCompile(bytes);
  const shape = shapeOf(bytes);
  const schema = shape === null ? null : jsonOf(customText(bytes, 'weir.schema'));
  const functions = shape === null ? [] : functionsOf(shape);
  const callbacks = new Set(CALLBACKS.map(({ name }) => name));
  const protocols = shape === null ? null : protocolsOf(bytes);
  return {
    bytes: bytes.length,
    sha256,
    refused,
    warnings: compiled?.warnings ?? [],
    abi: compiled?.abi ?? null,
    protocols: (['http', 'tcp'] as const).filter((name) => protocols?.[name] === true),
    callbacks: functions.filter((name) => callbacks.has(name)),
    otherExports: shape === null ? [] : [...shape.exports.keys()].filter((name) => !callbacks.has(name)),
    imports: shape === null ? [] : shape.imports.map((entry) => importReport(entry, compiled)),
    capabilities: { ...neededBy(shape?.imports ?? []), declared: declaredIn(schema) },
    foreignFunctions: shape === null ? [] : foreignNames(bytes, shape),
    schema,
    sections:
      shape === null
        ? []
        : sectionSizes(bytes).map((part) => ({ ...part, share: part.bytes / bytes.length })),
    memory: shape === null ? null : memoryOf(shape),
    producers: shape === null ? {} : producersOf(bytes),
    build:
      shape === null ? null : (jsonOf(customText(bytes, 'weir.build')) as Record<string, unknown> | null),
    debugging: debuggingOf(bytes, shape),
    metering: compiled === null || shape === null ? null : meteringOf(bytes, shape),
  };
}

async function tryCompile(bytes: Uint8Array): Promise<[CompiledModule | null, string | null]> {
  try {
    return [await compileModule(bytes), null];
  } catch (error) {
    if (error instanceof ModuleError) return [null, error.message];
    throw error;
  }
}

function shapeOf(bytes: Uint8Array): ModuleShape | null {
  try {
    return readShape(bytes);
  } catch (error) {
    if (error instanceof BinaryError) return null;
    throw error;
  }
}

function jsonOf(text: string | null): unknown {
  try {
    return text === null ? null : (JSON.parse(text) as unknown);
  } catch {
    return null;
  }
}

function functionsOf({ exports }: ModuleShape): string[] {
  return [...exports].filter(([, { kind }]) => kind === ExternKind.Function).map(([name]) => name);
}

const KNOWN = new Set(HOST_FUNCTIONS.map(({ name }) => name));

function importReport(entry: ModuleShape['imports'][number], compiled: CompiledModule | null): ImportReport {
  const { module, name, signature } = entry;
  const link = compiled?.links.find((each) => each.module === module && each.name === name);
  return {
    module,
    name,
    signature: signature === null ? 'not a function' : print(signature),
    // Of a module that does not load nothing is linked: the name has to do.
    isLinked:
      compiled === null ? KNOWN.has(name) && signature !== null : link !== undefined && link.row !== null,
    capability: capabilityOf(name),
  };
}

function capabilityOf(name: string): string | null {
  const row = CAPABILITIES.find(
    (each) => each.functions.includes(name) || each.messageFunctions.includes(name),
  );
  return row?.name ?? null;
}

function neededBy(imports: ModuleShape['imports']): { needed: string[]; perhaps: string[] } {
  const imported = new Set(imports.map(({ name }) => name));
  const some = (functions: readonly string[]): boolean => functions.some((name) => imported.has(name));
  const needed = CAPABILITIES.filter(({ functions }) => some(functions));
  const perhaps = CAPABILITIES.filter((row) => !needed.includes(row) && some(row.messageFunctions));
  return { needed: needed.map(({ name }) => name), perhaps: perhaps.map(({ name }) => name) };
}

function declaredIn(schema: unknown): string[] | null {
  const words = (schema as { 'x-weir-capabilities'?: unknown } | null)?.['x-weir-capabilities'];
  return Array.isArray(words) ? words.map(String) : null;
}

/** A name may stand there for another reason: it is what the module could call, not what it does. */
function foreignNames(bytes: Uint8Array, { imports }: ModuleShape): string[] {
  if (!imports.some(({ name }) => name === 'proxy_call_foreign_function')) return [];
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  // AssemblyScript keeps texts as UTF-16.
  return [...FOREIGN_FUNCTIONS.keys()].filter(
    (name) => content.includes(Buffer.from(name)) || content.includes(Buffer.from(name, 'utf16le')),
  );
}

function memoryOf({ memories }: ModuleShape): MemoryReport | null {
  const [memory] = memories;
  if (memory === undefined) return null;
  const max = memory.max < 0 ? null : memory.max * PAGE_BYTES;
  return { min: memory.min * PAGE_BYTES, max, limit: INSTANCE_BYTES };
}

/** The `producers` section of WebAssembly's tool conventions. */
function producersOf(bytes: Uint8Array): Record<string, { name: string; version: string }[]> {
  const content = customSection(bytes, 'producers');
  if (content === null) return {};
  const fields: Record<string, { name: string; version: string }[]> = {};
  try {
    const cursor = new Cursor(content);
    for (let left = cursor.u32(); left > 0; left--) {
      const field = cursor.name();
      fields[field] = [];
      for (let values = cursor.u32(); values > 0; values--)
        fields[field].push({ name: cursor.name(), version: cursor.name() });
    }
  } catch (error) {
    if (!(error instanceof BinaryError)) throw error;
  }
  return fields;
}

function debuggingOf(bytes: Uint8Array, shape: ModuleShape | null): ModuleReport['debugging'] {
  const url =
    shape?.customs.has('sourceMappingURL') === true ? customSection(bytes, 'sourceMappingURL') : null;
  let sourceMap: string | null = null;
  try {
    if (url !== null) sourceMap = new Cursor(url).name();
  } catch (error) {
    if (!(error instanceof BinaryError)) throw error;
  }
  return {
    names: shape?.customs.has('name') === true,
    lines: shape?.customs.has('.debug_line') === true,
    sourceMap,
  };
}

function meteringOf(bytes: Uint8Array, shape: ModuleShape): ModuleReport['metering'] {
  const metered = rewriteNow(bytes, shape, { memoryBytes: INSTANCE_BYTES });
  const added = metered.bytes.length - bytes.length;
  return { bytes: added, share: added / bytes.length };
}

/** Whether a module is signed, as far as that can be known without keys. */
export interface SignatureReport {
  readonly place: string;
  readonly count: number;
  /** Why there are none. */
  readonly reason: string | null;
}
