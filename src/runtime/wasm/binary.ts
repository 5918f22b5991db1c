import { BinaryError, Cursor, type MemoryEntry } from './cursor.ts';
import { FUNCTION_LOCALS, MODULE_FUNCTIONS, MODULE_TABLE_ENTRIES } from './limits.ts';

/** Section numbers of the WebAssembly binary format. */
export const Section = {
  Custom: 0,
  Type: 1,
  Import: 2,
  Function: 3,
  Table: 4,
  Memory: 5,
  Global: 6,
  Export: 7,
  Start: 8,
  Element: 9,
  Code: 10,
  Data: 11,
  DataCount: 12,
  Tag: 13,
} as const;

export const ExternKind = { Function: 0, Table: 1, Memory: 2, Global: 3, Tag: 4 } as const;

/** One letter a value: `i` i32, `I` i64, `f` f32, `F` f64, `v` v128, `r` a reference. */
export interface Signature {
  readonly params: string;
  readonly results: string;
}

export interface ImportEntry {
  readonly module: string;
  readonly name: string;
  readonly kind: number;
  /** Of a function; null for the other kinds. */
  readonly signature: Signature | null;
}

export interface ExportEntry {
  readonly kind: number;
  readonly index: number;
}

/** Where a section lies: its number, then the offsets of its id byte, its content and its end. */
export interface SectionSpan {
  readonly id: number;
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

/** What the outer parts of a module's binary say; code is looked at only for its number of locals. */
export interface ModuleShape {
  readonly sections: readonly SectionSpan[];
  readonly imports: readonly ImportEntry[];
  readonly exports: ReadonlyMap<string, ExportEntry>;
  /** Of every function, imported ones first. */
  readonly functions: readonly Signature[];
  readonly memories: readonly MemoryEntry[];
  readonly hasStart: boolean;
  /** Names of its custom sections. */
  readonly customs: ReadonlySet<string>;
  /** Every type, as declared. */
  readonly types: readonly Signature[];
  /** Index into `types` of every function, imported ones first. */
  readonly functionTypes: readonly number[];
  /** How many there are of each, imported ones included. */
  readonly tables: number;
  readonly globals: number;
  readonly tags: number;
  readonly elements: number;
}

/**
 * Reads sections, types, imports and exports. The engine still validates the module: this reader
 * only has to be safe on anything, and to know what the JavaScript interface does not tell.
 *
 * @throws BinaryError where the structure is broken, or a limit of `limits.ts` is passed
 */
export function readShape(bytes: Uint8Array): ModuleShape {
  const cursor = new Cursor(bytes);
  const magic = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
  if (bytes.length < 8 || magic.some((byte, i) => bytes[i] !== byte)) {
    throw new BinaryError('not a WebAssembly module of version 1', 0);
  }
  cursor.at = 8;

  const sections: SectionSpan[] = [];
  const customs = new Set<string>();
  const types: Signature[] = [];
  const imports: ImportEntry[] = [];
  const exports = new Map<string, ExportEntry>();
  const functions: Signature[] = [];
  const functionTypes: number[] = [];
  const memories: MemoryEntry[] = [];
  let hasStart = false;
  let tables = 0;
  let globals = 0;
  let tags = 0;
  let elements = 0;

  const functionOf = (index: number): Signature => {
    const type = types[index];
    if (type === undefined) throw new BinaryError(`type ${index} is not declared`, cursor.at);
    functionTypes.push(index);
    return type;
  };

  while (cursor.at < bytes.length) {
    const start = cursor.at;
    cursor.end = bytes.length;
    const id = cursor.byte();
    const size = cursor.u32();
    const content = cursor.at;
    cursor.skip(size);
    const end = cursor.at;
    sections.push({ id, start, content, end });
    cursor.at = content;
    cursor.end = end;
    if (id === Section.Custom) {
      customs.add(cursor.name());
    } else if (id === Section.Type) {
      for (let left = cursor.u32(); left > 0; left--) {
        if (cursor.byte() !== 0x60) throw new BinaryError('only function types are supported', cursor.at - 1);
        const params = cursor.valueTypes();
        types.push({ params, results: cursor.valueTypes() });
      }
    } else if (id === Section.Import) {
      for (let left = cursor.u32(); left > 0; left--) {
        const module = cursor.name();
        const name = cursor.name();
        const kind = cursor.byte();
        let signature: Signature | null = null;
        if (kind === ExternKind.Function) functions.push((signature = functionOf(cursor.u32())));
        else if (kind === ExternKind.Table) {
          cursor.tableType();
          tables++;
        } else if (kind === ExternKind.Memory) memories.push(cursor.limits());
        else if (kind === ExternKind.Global) {
          cursor.globalType();
          globals++;
        } else if (kind === ExternKind.Tag) {
          cursor.byte();
          cursor.u32();
          tags++;
        } else throw new BinaryError(`import kind ${kind} is not supported`, cursor.at);
        imports.push({ module, name, kind, signature });
      }
    } else if (id === Section.Function) {
      for (let left = cursor.u32(); left > 0; left--) functions.push(functionOf(cursor.u32()));
      if (functions.length > MODULE_FUNCTIONS) {
        throw new BinaryError(
          `${functions.length} functions, at most ${MODULE_FUNCTIONS} are allowed`,
          start,
        );
      }
    } else if (id === Section.Table) {
      for (let left = cursor.u32(); left > 0; left--) {
        const { min } = cursor.tableType();
        tables++;
        if (min > MODULE_TABLE_ENTRIES) {
          throw new BinaryError(
            `a table of ${min} entries, at most ${MODULE_TABLE_ENTRIES} are allowed`,
            start,
          );
        }
      }
    } else if (id === Section.Memory) {
      for (let left = cursor.u32(); left > 0; left--) memories.push(cursor.limits());
    } else if (id === Section.Export) {
      for (let left = cursor.u32(); left > 0; left--) {
        const name = cursor.name();
        const kind = cursor.byte();
        exports.set(name, { kind, index: cursor.u32() });
      }
    } else if (id === Section.Global) {
      globals += cursor.u32();
    } else if (id === Section.Tag) {
      tags += cursor.u32();
    } else if (id === Section.Element) {
      elements = cursor.u32();
    } else if (id === Section.Start) {
      hasStart = true;
    } else if (id === Section.Code) {
      checkLocals(cursor);
    }
    cursor.at = end;
  }
  return {
    sections,
    imports,
    exports,
    functions,
    memories,
    hasStart,
    customs,
    types,
    functionTypes,
    tables,
    globals,
    tags,
    elements,
  };
}

// A function's locals are zeroed on its stack frame, so their number bounds what one call may cost.
function checkLocals(cursor: Cursor): void {
  for (let left = cursor.u32(); left > 0; left--) {
    const size = cursor.u32();
    const body = cursor.at;
    let locals = 0;
    for (let groups = cursor.u32(); groups > 0; groups--) {
      locals += cursor.u32();
      cursor.valueType();
    }
    if (locals > FUNCTION_LOCALS) {
      throw new BinaryError(`a function with ${locals} locals, at most ${FUNCTION_LOCALS} are allowed`, body);
    }
    cursor.at = body;
    cursor.skip(size);
  }
}
