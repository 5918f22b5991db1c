import type { ImportEntry, ModuleShape } from '../binary.ts';
import { ExternKind } from '../binary.ts';
import type { Bounds } from './bounds.ts';
import { FRAMES_OUT, FUEL_ONE, FUEL_SHIFT, type Places } from './emit.ts';
import { Op } from './opcodes.ts';
import { BYTE_UNITS, PAID_BYTES, UNITS_PER_NS, priceOf } from './prices.ts';
import { Sink } from './sink.ts';

/** One function that the pass adds: its type's index, the code without locals and `end`. */
interface Added {
  readonly type: number;
  readonly code: number[];
}

const EXTERNREF = 0x6f;
const I32 = 0x7f;
const I64 = 0x7e;
const I32_LT_U = 0x49;
const I32_AND = 0x71;
const SELECT = 0x1b;
const I64_GT_U = 0x56;
const I64_MUL = 0x7e;
const I32_WRAP = 0xa7;
const EMPTY = 0x40;

/** Types behind the module's own, in this order. */
const TYPES: readonly (readonly number[])[] = [
  [0x60, 0, 0],
  [0x60, 1, I64, 1, I64],
  [0x60, 1, I64, 0],
  [0x60, 1, I32, 0],
  [0x60, 2, I32, I32, 0],
  [0x60, 0, 1, I32],
  [0x60, 1, EXTERNREF, 0],
  [0x60, 1, EXTERNREF, 1, I32],
];
const Type = {
  Void: 0,
  I64ToI64: 1,
  TakesI64: 2,
  TakesI32: 3,
  TakesTwo: 4,
  GivesI32: 5,
  TakesRef: 6,
  Slice: 7,
} as const;

/** Most that a bulk instruction is charged: its size may be anything, what it can do is bounded by the memory. */
const BULK_UNITS = 2 ** 30;

/** Everything that the pass puts behind what a module has of its own, so that no index of it moves. */
export class AddedParts implements Places {
  readonly types = new Sink(64);
  readonly functions: Added[] = [];
  /** What the names of the exports begin with. */
  readonly prefix: string;
  readonly global: number;
  readonly refuel: number;
  readonly refuelLocal: number;
  readonly bulk: number;
  readonly exports: { readonly name: string; readonly index: number; readonly kind: number }[] = [];
  typeCount = TYPES.length;
  readonly #bounds: Bounds;
  readonly #host: number;
  readonly #table: number;
  readonly #resultBlocks = new Map<number, Uint8Array>();
  readonly #resultBytes: (type: number) => Uint8Array;

  /** @param resultBytes the results of a type as its declaration has them, their number first */
  constructor(shape: ModuleShape, bounds: Bounds, prefix: string, resultBytes: (type: number) => Uint8Array) {
    this.#bounds = bounds;
    this.#resultBytes = resultBytes;
    this.prefix = prefix;
    for (const type of TYPES) this.types.put(type);
    this.global = bounds.globals;
    this.#host = bounds.globals + 1;
    this.#table = bounds.tables;

    // Thunks first: their place is known to the scan.
    const first = bounds.functionTypes.length;
    this.refuel = first + bounds.importedFunctions;
    const imported = shape.imports.filter(({ kind }) => kind === ExternKind.Function);
    imported.forEach((entry, i) => this.#add(bounds.functionTypes[i]!, this.#thunk(entry, i), ''));
    this.#add(this.#type(Type.Void), this.#refuelCode(), '');
    this.refuelLocal = this.#add(
      this.#type(Type.I64ToI64),
      [...get(0), ...this.#set(), Op.Call, ...u32(this.refuel), ...this.#get()],
      '',
    );
    this.bulk = this.#add(this.#type(Type.TakesI64), this.#bulkCode(), '');
    const left = [...this.#get(), ...i64(FUEL_SHIFT), 0x87, I32_WRAP];
    this.#add(this.#type(Type.GivesI32), left, `${prefix}left`);
    const frames = [...this.#get(), I32_WRAP, ...i32(FUEL_ONE - 1), I32_AND];
    this.#add(this.#type(Type.GivesI32), frames, `${prefix}frames`);
    const shifted = [...get(0), Op.I64ExtendU, ...i64(FUEL_SHIFT), Op.I64Shl];
    this.#add(
      this.#type(Type.TakesTwo),
      [...shifted, ...get(1), Op.I64ExtendU, Op.I64Or, ...this.#set()],
      `${prefix}reset`,
    );
    const keepFrames = [...this.#get(), ...i64(FUEL_ONE - 1), Op.I64And, Op.I64Or, ...this.#set()];
    this.#add(this.#type(Type.TakesI32), [...shifted, ...keepFrames], `${prefix}refill`);
    this.#add(
      this.#type(Type.TakesI32),
      [...this.#get(), ...shifted, Op.I64Sub, ...this.#set()],
      `${prefix}charge`,
    );
    this.#add(this.#type(Type.TakesRef), [...get(0), Op.GlobalSet, ...u32(this.#host)], `${prefix}bind`);
    this.exports.push({ name: `${prefix}table`, index: this.#table, kind: ExternKind.Table });
  }

  /** Globals: the meter, then the host's own object. */
  globals(out: Sink): void {
    // No fuel: nothing runs before the host has given some.
    out.put([I64, 1, Op.I64Const, 0, Op.End]);
    out.put([EXTERNREF, 1, Op.RefNull, EXTERNREF, Op.End]);
  }

  /** The table whose one entry is the host's function. */
  tables(out: Sink): void {
    out.put([0x70, 1, 1, 1]);
  }

  resultBlock = (functionIndex: number): Uint8Array => {
    const type = this.#bounds.functionTypes[functionIndex]!;
    let block = this.#resultBlocks.get(type);
    if (block !== undefined) return block;
    const results = this.#resultBytes(type);
    if (results[0] === 0) block = Uint8Array.of(EMPTY);
    else if (results[0] === 1) block = results.subarray(1);
    else {
      this.types.put([0x60, 0]);
      this.types.copy(results, 0, results.length);
      const sink = new Sink(8);
      sink.signed(this.#bounds.types.length + this.typeCount++);
      block = sink.view();
    }
    this.#resultBlocks.set(type, block);
    return block;
  };

  #add(type: number, code: number[], name: string): number {
    const index = this.#bounds.functionTypes.length + this.functions.length;
    this.functions.push({ type, code });
    if (name !== '') this.exports.push({ name, index, kind: ExternKind.Function });
    return index;
  }

  #type(index: number): number {
    return this.#bounds.types.length + index;
  }

  /** Charges for a host call, then makes it. */
  #thunk(entry: ImportEntry, index: number): number[] {
    const params = entry.signature!.params;
    const { ns, sizes } = priceOf(entry.name);
    const code = [...this.#get(), ...i64(ns * UNITS_PER_NS * FUEL_ONE), Op.I64Sub];
    for (const size of sizes) {
      if (params[size] !== 'i') continue;
      code.push(...get(size), ...i32(PAID_BYTES), ...get(size), ...i32(PAID_BYTES), I32_LT_U, SELECT);
      code.push(Op.I64ExtendU, ...i64(BYTE_UNITS * FUEL_ONE), I64_MUL, Op.I64Sub);
    }
    code.push(...this.#set(), ...this.#refuelIfNegative());
    for (let i = 0; i < params.length; i++) code.push(...get(i));
    return [...code, Op.Call, ...u32(index)];
  }

  #refuelCode(): number[] {
    const call = [Op.GlobalGet, ...u32(this.#host), ...i32(0), Op.CallIndirect];
    const target = [...u32(this.#type(Type.Slice)), ...u32(this.#table)];
    // A trap and not an exception of the host's, which the guest could catch.
    return [...call, ...target, Op.I32Eqz, Op.If, EMPTY, Op.Unreachable, Op.End];
  }

  #bulkCode(): number[] {
    const most = i64(BULK_UNITS);
    const capped = [...most, ...get(0), ...get(0), ...most, I64_GT_U, SELECT];
    const take = [...this.#get(), ...capped, ...i64(FUEL_SHIFT), Op.I64Shl, Op.I64Sub, ...this.#set()];
    return [...take, ...this.#refuelIfNegative()];
  }

  #refuelIfNegative(): number[] {
    const test = [...this.#get(), ...i64(0), Op.I64LtS];
    return [...test, Op.If, EMPTY, Op.Call, ...u32(this.refuel), Op.End];
  }

  #get(): number[] {
    return [Op.GlobalGet, ...u32(this.global)];
  }

  #set(): number[] {
    return [Op.GlobalSet, ...u32(this.global)];
  }
}

/** Frames that can be counted. */
export const MOST_FRAMES = FRAMES_OUT - 1;

const numbers = new Sink(64);

function u32(value: number): number[] {
  numbers.length = 0;
  numbers.u32(value);
  return [...numbers.view()];
}

function signed(value: number): number[] {
  numbers.length = 0;
  numbers.signed(value);
  return [...numbers.view()];
}

function get(local: number): number[] {
  return [Op.LocalGet, ...u32(local)];
}

function i32(value: number): number[] {
  return [Op.I32Const, ...signed(value)];
}

function i64(value: number): number[] {
  return [Op.I64Const, ...signed(value)];
}
