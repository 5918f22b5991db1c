import { FUNCTION_LOCALS, MODULE_FUNCTIONS, MODULE_TABLE_ENTRIES, PAGE_BYTES } from './limits.ts';

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

/** Sizes in pages; `max` is -1 where none is declared. */
export interface MemoryEntry {
  readonly min: number;
  readonly max: number;
  readonly shared: boolean;
  readonly wide: boolean;
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
}

export class BinaryError extends Error {
  constructor(message: string, offset: number) {
    super(`${message} at byte ${offset}`);
    this.name = 'BinaryError';
  }
}

/** A position in a binary; every read is checked against the end. */
class Cursor {
  readonly bytes: Uint8Array;
  at: number;
  end: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.at = 0;
    this.end = bytes.length;
  }

  byte(): number {
    if (this.at >= this.end) throw new BinaryError('unexpected end', this.at);
    return this.bytes[this.at++]!;
  }

  /** LEB128 of at most 32 bits, unsigned. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw new BinaryError('number is too long', this.at);
  }

  skip(size: number): void {
    if (size > this.end - this.at) throw new BinaryError('unexpected end', this.at);
    this.at += size;
  }

  name(): string {
    const size = this.u32();
    const start = this.at;
    this.skip(size);
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, size).toString('utf8');
  }

  valueType(): string {
    const code = this.byte();
    switch (code) {
      case 0x7f:
        return 'i';
      case 0x7e:
        return 'I';
      case 0x7d:
        return 'f';
      case 0x7c:
        return 'F';
      case 0x7b:
        return 'v';
      case 0x70:
      case 0x6f:
        return 'r';
    }
    throw new BinaryError(`value type 0x${code.toString(16)} is not supported`, this.at - 1);
  }

  valueTypes(): string {
    let types = '';
    for (let left = this.u32(); left > 0; left--) types += this.valueType();
    return types;
  }

  tableType(): MemoryEntry {
    this.valueType();
    return this.limits();
  }

  globalType(): void {
    this.valueType();
    this.byte();
  }

  limits(): MemoryEntry {
    const flags = this.byte();
    if (flags > 7) throw new BinaryError('limits flag is not supported', this.at - 1);
    const wide = (flags & 4) !== 0;
    const min = this.u32();
    return { min, max: (flags & 1) !== 0 ? this.u32() : -1, shared: (flags & 2) !== 0, wide };
  }
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
  const types: Signature[] = [];
  const imports: ImportEntry[] = [];
  const exports = new Map<string, ExportEntry>();
  const functions: Signature[] = [];
  const memories: MemoryEntry[] = [];
  let hasStart = false;

  const typeAt = (index: number): Signature => {
    const type = types[index];
    if (type === undefined) throw new BinaryError(`type ${index} is not declared`, cursor.at);
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
    if (id === Section.Type) {
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
        if (kind === ExternKind.Function) functions.push((signature = typeAt(cursor.u32())));
        else if (kind === ExternKind.Table) cursor.tableType();
        else if (kind === ExternKind.Memory) memories.push(cursor.limits());
        else if (kind === ExternKind.Global) cursor.globalType();
        else throw new BinaryError(`import kind ${kind} is not supported`, cursor.at);
        imports.push({ module, name, kind, signature });
      }
    } else if (id === Section.Function) {
      for (let left = cursor.u32(); left > 0; left--) functions.push(typeAt(cursor.u32()));
      if (functions.length > MODULE_FUNCTIONS) {
        throw new BinaryError(
          `${functions.length} functions, at most ${MODULE_FUNCTIONS} are allowed`,
          start,
        );
      }
    } else if (id === Section.Table) {
      for (let left = cursor.u32(); left > 0; left--) {
        const { min } = cursor.tableType();
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
    } else if (id === Section.Start) {
      hasStart = true;
    } else if (id === Section.Code) {
      checkLocals(cursor);
    }
    cursor.at = end;
  }
  return { sections, imports, exports, functions, memories, hasStart };
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

/**
 * Returns the module with the maximum of its own memory lowered to `limitBytes`, so that growing past it
 * fails inside the guest. The bytes are returned as they are where they declare no more than that.
 */
export function capMemory(bytes: Uint8Array, shape: ModuleShape, limitBytes: number): Uint8Array {
  const pages = Math.floor(limitBytes / PAGE_BYTES);
  const memory = shape.memories[0];
  const span = shape.sections.find((section) => section.id === Section.Memory);
  if (memory === undefined || span === undefined) return bytes;
  if (memory.max >= 0 && memory.max <= pages) return bytes;
  const content = [1, 1, ...leb(memory.min), ...leb(pages)];
  const section = [Section.Memory, ...leb(content.length), ...content];
  return Buffer.concat([bytes.subarray(0, span.start), Uint8Array.from(section), bytes.subarray(span.end)]);
}

function leb(value: number): number[] {
  const out: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) out.push((value & 0x7f) | 0x80);
  out.push(value);
  return out;
}
