import { Section, type ModuleShape, type SectionSpan } from '../binary.ts';
import { BinaryError, Cursor } from '../cursor.ts';
import { PAGE_BYTES } from '../limits.ts';
import { AddedParts } from './added.ts';
import { boundsOf, type Bounds } from './bounds.ts';
import { emitBody } from './emit.ts';
import { Op } from './opcodes.ts';
import { settle } from './plan.ts';
import { scanBody, type Plan } from './scan.ts';
import { Sink } from './sink.ts';

/** A module with the meter in it. */
export interface Rewritten {
  readonly bytes: Uint8Array;
  /** What the names of the exports begin with by which the host reaches the meter. */
  readonly prefix: string;
  /** Functions that the module has of its own; those behind it are the meter's. */
  readonly functions: number;
}

export interface RewriteOptions {
  /** Maximum that is written into the module's memory. */
  readonly memoryBytes: number;
  /** Gets pairs: where a run of code that was kept lies in the original, and in the result. */
  readonly trace?: number[];
}

/** In the order of a module; custom sections stand anywhere. */
const ORDER: readonly number[] = [
  Section.Type,
  Section.Import,
  Section.Function,
  Section.Table,
  Section.Memory,
  Section.Tag,
  Section.Global,
  Section.Export,
  Section.Start,
  Section.Element,
  Section.DataCount,
  Section.Code,
  Section.Data,
];

/** Functions between two pauses. */
const BATCH = 64;

/**
 * Puts the meter into a module: fuel is taken at each function and loop, and wherever the work of an
 * instruction depends on an operand; frames are counted; memory gets its maximum; the start section
 * becomes an export, since no fuel is there before the host gives some.
 *
 * A generator, so that a large module does not hold up the thread: it pauses every few functions.
 *
 * @throws BinaryError where the module cannot be read whole
 */
export function* rewrite(
  module: Uint8Array,
  shape: ModuleShape,
  options: RewriteOptions,
): Generator<void, Rewritten> {
  const bounds = boundsOf(shape);
  let prefix = 'weir:meter/';
  while ([...shape.exports.keys()].some((name) => name.startsWith(prefix))) prefix += '_';
  const sections = orderedSections(shape);
  const typeSection = sections.get(Section.Type);
  const added = new AddedParts(shape, bounds, prefix, resultsOf(module, typeSection));

  const codeSection = sections.get(Section.Code);
  const plans = yield* scanAll(module, codeSection, bounds);
  const defined = plans.slice(bounds.importedFunctions) as Plan[];
  for (const plan of defined) settle(plan, plans);
  // Bodies first: their blocks may need types.
  const code = new Sink((codeSection === undefined ? 0 : codeSection.end - codeSection.content) * 1.5 + 4096);
  const trace: number[] | null = options.trace === undefined ? null : [];
  for (let i = 0; i < defined.length; i++) {
    emitBody(module, defined[i]!, plans, added, code, trace);
    if (i % BATCH === BATCH - 1) yield;
  }
  for (const { code: text } of added.functions) {
    code.u32(text.length + 2);
    code.byte(0);
    code.put(text);
    code.byte(Op.End);
  }

  const writer = new SectionWriter(module, shape, bounds, added, code, plans, options.memoryBytes);
  const out = new Sink(module.length * 1.5 + 8192);
  out.copy(module, 0, 8);
  const emit = (id: number, span: SectionSpan | undefined): void => {
    const content = writer.content(id, span);
    if (content === null) return;
    out.byte(id);
    out.u32(content.length);
    if (id === Section.Code && trace !== null) {
      const shift = out.length + (content.length - code.length);
      for (let i = 0; i < trace.length; i += 2) options.trace!.push(trace[i]!, trace[i + 1]! + shift);
    }
    out.append(content);
  };
  let rank = 0;
  for (const span of shape.sections) {
    if (span.id === Section.Custom) {
      if (keeps(module, span)) out.copy(module, span.start, span.end);
      continue;
    }
    // What the module has no section for comes where it would stand.
    const own = ORDER.indexOf(span.id);
    for (; rank < own; rank++) emit(ORDER[rank]!, undefined);
    emit(span.id, span);
    rank = own + 1;
  }
  for (; rank < ORDER.length; rank++) emit(ORDER[rank]!, undefined);
  return { bytes: out.view(), prefix, functions: bounds.functionTypes.length };
}

/** `rewrite` in one go. @throws BinaryError */
export function rewriteNow(module: Uint8Array, shape: ModuleShape, options: RewriteOptions): Rewritten {
  const steps = rewrite(module, shape, options);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** @throws BinaryError on a section that is unknown, twice there, or not where it belongs */
function orderedSections(shape: ModuleShape): Map<number, SectionSpan> {
  const sections = new Map<number, SectionSpan>();
  let last = -1;
  for (const span of shape.sections) {
    if (span.id === Section.Custom) continue;
    const rank = ORDER.indexOf(span.id);
    if (rank < 0) throw new BinaryError(`section ${span.id} is not supported`, span.start);
    if (rank <= last) throw new BinaryError(`section ${span.id} is not where it belongs`, span.start);
    last = rank;
    sections.set(span.id, span);
  }
  return sections;
}

/** Hints about code name offsets that are not true any more. */
function keeps(module: Uint8Array, span: SectionSpan): boolean {
  const cursor = new Cursor(module);
  cursor.at = span.content;
  cursor.end = span.end;
  return !cursor.name().startsWith('metadata.code.');
}

function resultsOf(module: Uint8Array, span: SectionSpan | undefined): (type: number) => Uint8Array {
  const results: Uint8Array[] = [];
  if (span !== undefined) {
    const cursor = new Cursor(module);
    cursor.at = span.content;
    for (let left = cursor.u32(); left > 0; left--) {
      cursor.byte();
      cursor.valueTypes();
      const start = cursor.at;
      cursor.valueTypes();
      results.push(module.subarray(start, cursor.at));
    }
  }
  return (type) => results[type]!;
}

function* scanAll(
  module: Uint8Array,
  span: SectionSpan | undefined,
  bounds: Bounds,
): Generator<void, (Plan | null)[]> {
  const plans: (Plan | null)[] = new Array<Plan | null>(bounds.importedFunctions).fill(null);
  const count = bounds.functionTypes.length - bounds.importedFunctions;
  let bodies = 0;
  if (span !== undefined) {
    const cursor = new Cursor(module);
    cursor.at = span.content;
    bodies = cursor.u32();
    if (bodies === count) {
      let at = cursor.at;
      for (let i = 0; i < bodies; i++) {
        const plan = scanBody(module, at, span.end, bounds.importedFunctions + i, bounds);
        plans.push(plan);
        at = plan.end;
        if (i % BATCH === BATCH - 1) yield;
      }
    }
  }
  if (bodies !== count)
    throw new BinaryError(`${count} functions are declared, ${bodies} are there`, module.length);
  return plans;
}

/** The sections but for custom ones, as they are in the result. */
class SectionWriter {
  readonly #module: Uint8Array;
  readonly #shape: ModuleShape;
  readonly #bounds: Bounds;
  readonly #added: AddedParts;
  readonly #code: Sink;
  readonly #refersToImports: boolean;
  readonly #memoryPages: number;
  #start = -1;

  constructor(
    module: Uint8Array,
    shape: ModuleShape,
    bounds: Bounds,
    added: AddedParts,
    code: Sink,
    plans: readonly (Plan | null)[],
    memoryBytes: number,
  ) {
    this.#module = module;
    this.#shape = shape;
    this.#bounds = bounds;
    this.#added = added;
    this.#code = code;
    this.#refersToImports = plans.some((plan) => plan?.refersToImport ?? false);
    this.#memoryPages = Math.floor(memoryBytes / PAGE_BYTES);
    const start = shape.sections.find(({ id }) => id === Section.Start);
    if (start !== undefined) this.#start = this.#cursor(start).u32();
  }

  /** Null: there is no such section. */
  content(id: number, span: SectionSpan | undefined): Sink | null {
    const added = this.#added;
    switch (id) {
      case Section.Type:
        return this.#longer(span, added.typeCount, (out) => out.append(added.types));
      case Section.Function:
        return this.#longer(span, added.functions.length, (out) => {
          for (const { type } of added.functions) out.u32(type);
        });
      case Section.Table:
        return this.#longer(span, 1, (out) => added.tables(out));
      case Section.Memory:
        return span === undefined ? null : this.#memory();
      case Section.Global:
        return this.#globals(span);
      case Section.Export:
        return this.#exports(span);
      case Section.Start:
        return null;
      case Section.Element:
        return this.#elements(span);
      case Section.Code: {
        const out = new Sink(this.#code.length + 8);
        out.u32(this.#bounds.functionTypes.length - this.#bounds.importedFunctions + added.functions.length);
        out.append(this.#code);
        return out;
      }
      default:
        return span === undefined ? null : this.#longer(span, 0, () => {});
    }
  }

  /** A list as it is, with some entries more. */
  #longer(span: SectionSpan | undefined, more: number, append: (out: Sink) => void): Sink {
    const out = new Sink(256);
    if (span === undefined) out.u32(more);
    else if (more === 0) {
      out.copy(this.#module, span.content, span.end);
      return out;
    } else {
      const cursor = this.#cursor(span);
      out.u32(cursor.u32() + more);
      out.copy(this.#module, cursor.at, span.end);
    }
    append(out);
    return out;
  }

  #memory(): Sink {
    const out = new Sink(16);
    const { memories } = this.#shape;
    out.u32(memories.length);
    for (const { min, max, shared, wide } of memories) {
      out.byte(1 | (shared ? 2 : 0) | (wide ? 4 : 0));
      out.u32(min);
      out.u32(max < 0 ? Math.max(this.#memoryPages, min) : Math.max(min, Math.min(max, this.#memoryPages)));
    }
    return out;
  }

  #globals(span: SectionSpan | undefined): Sink {
    const out = new Sink(256);
    const cursor = span === undefined ? null : this.#cursor(span);
    const count = cursor === null ? 0 : cursor.u32();
    out.u32(count + 2);
    for (let i = 0; i < count; i++) {
      const start = cursor!.at;
      cursor!.globalType();
      out.copy(this.#module, start, cursor!.at);
      this.#expression(cursor!, out);
    }
    this.#added.globals(out);
    return out;
  }

  #exports(span: SectionSpan | undefined): Sink {
    const { functionTypes, globals, tables, tags } = this.#bounds;
    const own = [functionTypes.length, tables, this.#shape.memories.length, globals, tags];
    for (const [name, { kind, index }] of this.#shape.exports) {
      if (!(index < own[kind]!)) throw new BinaryError(`${name} is exported but not declared`, span!.start);
    }
    const more = [...this.#added.exports];
    if (this.#start >= functionTypes.length) throw new BinaryError('the start function is not declared', 0);
    if (this.#start >= 0) {
      more.push({
        name: `${this.#added.prefix}start`,
        index: this.#functionIndex(this.#start),
        kind: 0,
      });
    }
    return this.#longer(span, more.length, (out) => {
      for (const { name, kind, index } of more) {
        out.u32(name.length);
        out.put([...Buffer.from(name)]);
        out.byte(kind);
        out.u32(index);
      }
    });
  }

  #elements(span: SectionSpan | undefined): Sink | null {
    const { importedFunctions, functionTypes } = this.#bounds;
    // A function that code refers to has to be named outside of code.
    const declares = this.#refersToImports;
    if (span === undefined && !declares) return null;
    const out = new Sink(span === undefined ? 64 : span.end - span.start + 64);
    const cursor = span === undefined ? null : this.#cursor(span);
    const count = cursor === null ? 0 : cursor.u32();
    out.u32(count + (declares ? 1 : 0));
    for (let i = 0; i < count; i++) this.#element(cursor!, out);
    if (declares) {
      out.put([3, 0]);
      out.u32(importedFunctions);
      for (let i = 0; i < importedFunctions; i++) out.u32(functionTypes.length + i);
    }
    return out;
  }

  #element(cursor: Cursor, out: Sink): void {
    const flags = cursor.u32();
    if (flags > 7) throw new BinaryError(`element segment of kind ${flags}`, cursor.at);
    out.u32(flags);
    const active = (flags & 1) === 0;
    if (active) {
      if ((flags & 2) !== 0) {
        const table = cursor.u32();
        if (table >= this.#bounds.tables) throw new BinaryError(`table ${table} is not declared`, cursor.at);
        out.u32(table);
      } else if (this.#bounds.tables === 0) throw new BinaryError('table 0 is not declared', cursor.at);
      this.#expression(cursor, out);
    }
    // The first two forms leave out what kind their entries are.
    if ((flags & 3) !== 0) out.byte(cursor.byte());
    const count = cursor.u32();
    out.u32(count);
    for (let i = 0; i < count; i++) {
      if ((flags & 4) !== 0) this.#expression(cursor, out);
      else out.u32(this.#functionIndex(cursor.u32()));
    }
  }

  /** A constant expression, where functions and globals may be named. */
  #expression(cursor: Cursor, out: Sink): void {
    for (;;) {
      const start = cursor.at;
      const opcode = cursor.byte();
      switch (opcode) {
        case Op.End:
          out.byte(opcode);
          return;
        case Op.I32Const:
        case Op.I64Const:
          while (cursor.byte() >= 0x80);
          break;
        case 0x43:
          cursor.skip(4);
          break;
        case 0x44:
          cursor.skip(8);
          break;
        case Op.RefNull:
          cursor.valueType();
          break;
        case Op.Simd:
          if (cursor.u32() !== 12) throw new BinaryError('not a constant', start);
          cursor.skip(16);
          break;
        case Op.GlobalGet:
          if (cursor.u32() >= this.#bounds.globals) throw new BinaryError('a global is not declared', start);
          break;
        case Op.RefFunc:
          out.byte(opcode);
          out.u32(this.#functionIndex(cursor.u32()));
          continue;
        // Sums and products, where the engine has them.
        case 0x6a:
        case 0x6b:
        case 0x6c:
        case 0x7c:
        case 0x7d:
        case 0x7e:
          break;
        default:
          throw new BinaryError(`0x${opcode.toString(16)} in a constant is not supported`, start);
      }
      out.copy(this.#module, start, cursor.at);
    }
  }

  /** Imports are reached through what charges for them. */
  #functionIndex(index: number): number {
    const { functionTypes, importedFunctions } = this.#bounds;
    if (index >= functionTypes.length) throw new BinaryError(`function ${index} is not declared`, 0);
    return index < importedFunctions ? functionTypes.length + index : index;
  }

  #cursor(span: SectionSpan): Cursor {
    const cursor = new Cursor(this.#module);
    cursor.at = span.content;
    cursor.end = span.end;
    return cursor;
  }
}
