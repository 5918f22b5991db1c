/**
 * What follows an opcode, and what it costs. The tables hold what the engines that weir runs on accept:
 * the WebAssembly core specification 2.0 with tail calls, exceptions in their first form, threads'
 * instructions and relaxed SIMD. Anything else is unknown here, so that nothing passes uncounted.
 */

/** Shape of an instruction's immediates. */
export const Shape = {
  Unknown: 0,
  None: 1,
  /** One LEB128 number that is not looked at. */
  Number: 2,
  TwoNumbers: 3,
  /** Alignment and offset. */
  Memory: 4,
  F32: 5,
  F64: 6,
  /** `block`, `loop`, `if`, `try`. */
  Block: 7,
  /** `br`, `br_if`, `rethrow`, `delegate`. */
  Label: 8,
  LabelTable: 9,
  /** `call`, `return_call`, `ref.func`. */
  Function: 10,
  /** `call_indirect`, `return_call_indirect`: type and table. */
  Indirect: 11,
  Local: 12,
  Global: 13,
  Table: 14,
  /** A list of value types. */
  Types: 15,
  /** One byte: a reference type, a memory that must be 0, a lane. */
  Byte: 16,
  /** `v128.const`, `i8x16.shuffle`. */
  Bytes16: 17,
  MemoryLane: 18,
  Tag: 19,
  /** The opcode goes on. */
  Prefix: 20,
  /** Segment and table or memory. */
  Initialise: 21,
  TwoTables: 22,
} as const;

export const Op = {
  Unreachable: 0x00,
  Block: 0x02,
  Loop: 0x03,
  If: 0x04,
  Else: 0x05,
  Try: 0x06,
  Catch: 0x07,
  Throw: 0x08,
  Rethrow: 0x09,
  End: 0x0b,
  Br: 0x0c,
  BrIf: 0x0d,
  BrTable: 0x0e,
  Return: 0x0f,
  Call: 0x10,
  CallIndirect: 0x11,
  ReturnCall: 0x12,
  ReturnCallIndirect: 0x13,
  Delegate: 0x18,
  CatchAll: 0x19,
  LocalGet: 0x20,
  LocalSet: 0x21,
  LocalTee: 0x22,
  GlobalGet: 0x23,
  GlobalSet: 0x24,
  MemoryGrow: 0x40,
  I32Const: 0x41,
  I64Const: 0x42,
  I64Eqz: 0x50,
  I64LtS: 0x53,
  I64Add: 0x7c,
  I64Sub: 0x7d,
  I64And: 0x83,
  I64Shl: 0x86,
  I64ShrU: 0x88,
  I64ExtendU: 0xad,
  I64Or: 0x84,
  I32Eqz: 0x45,
  RefNull: 0xd0,
  RefFunc: 0xd2,
  Numeric: 0xfc,
  Simd: 0xfd,
  Atomic: 0xfe,
} as const;

/** Opcodes behind `Op.Numeric` whose work grows with an operand: the topmost one, a size or a count. */
export const Bulk = {
  MemoryInit: 8,
  MemoryCopy: 10,
  MemoryFill: 11,
  TableInit: 12,
  TableCopy: 14,
  TableGrow: 15,
  TableFill: 17,
} as const;

type Rows = readonly (readonly [from: number, to: number, value: number])[];

function table(size: number, rows: Rows): Uint8Array {
  const out = new Uint8Array(size);
  for (const [from, to, value] of rows) out.fill(value, from, to + 1);
  return out;
}

export const SHAPES = table(256, [
  [0x00, 0x01, Shape.None],
  [0x02, 0x04, Shape.Block],
  [0x05, 0x05, Shape.None],
  [0x06, 0x06, Shape.Block],
  [0x07, 0x08, Shape.Tag],
  [0x09, 0x09, Shape.Label],
  [0x0b, 0x0b, Shape.None],
  [0x0c, 0x0d, Shape.Label],
  [0x0e, 0x0e, Shape.LabelTable],
  [0x0f, 0x0f, Shape.None],
  [0x10, 0x10, Shape.Function],
  [0x11, 0x11, Shape.Indirect],
  [0x12, 0x12, Shape.Function],
  [0x13, 0x13, Shape.Indirect],
  [0x18, 0x18, Shape.Label],
  [0x19, 0x1b, Shape.None],
  [0x1c, 0x1c, Shape.Types],
  [0x20, 0x22, Shape.Local],
  [0x23, 0x24, Shape.Global],
  [0x25, 0x26, Shape.Table],
  [0x28, 0x3e, Shape.Memory],
  [0x3f, 0x40, Shape.Byte],
  [0x41, 0x42, Shape.Number],
  [0x43, 0x43, Shape.F32],
  [0x44, 0x44, Shape.F64],
  [0x45, 0xc4, Shape.None],
  [0xd0, 0xd0, Shape.Byte],
  [0xd1, 0xd1, Shape.None],
  [0xd2, 0xd2, Shape.Function],
  [0xfc, 0xfe, Shape.Prefix],
]);

export const NUMERIC_SHAPES = table(18, [
  [0, 7, Shape.None],
  [8, 8, Shape.Initialise],
  [9, 9, Shape.Number],
  [10, 10, Shape.TwoNumbers],
  [11, 11, Shape.Number],
  [12, 12, Shape.Initialise],
  [13, 13, Shape.Number],
  [14, 14, Shape.TwoTables],
  [15, 17, Shape.Table],
]);

export const SIMD_SHAPES = table(0x114, [
  [0x00, 0x0b, Shape.Memory],
  [0x0c, 0x0d, Shape.Bytes16],
  [0x0e, 0x14, Shape.None],
  [0x15, 0x22, Shape.Byte],
  [0x23, 0x53, Shape.None],
  [0x54, 0x5b, Shape.MemoryLane],
  [0x5c, 0x5d, Shape.Memory],
  [0x5e, 0x113, Shape.None],
]);

export const ATOMIC_SHAPES = table(0x4f, [
  [0x00, 0x02, Shape.Memory],
  [0x03, 0x03, Shape.Byte],
  [0x10, 0x4e, Shape.Memory],
]);

/** Throwing makes an object of the engine, with a stack. */
const THROW_UNITS = 20_000;

const ROWS: Rows = [
  [0x0d, 0x0e, 1],
  [0x10, 0x10, 4],
  [0x11, 0x11, 8],
  [0x12, 0x12, 4],
  [0x13, 0x13, 8],
  [0x08, 0x09, THROW_UNITS],
  [0x1b, 0x1c, 1],
  [0x23, 0x26, 1],
  [0x28, 0x3f, 1],
  [0x40, 0x40, 200],
  // Division, remainder and square root.
  [0x6d, 0x70, 6],
  [0x7f, 0x82, 8],
  [0x91, 0x91, 6],
  [0x95, 0x95, 4],
  [0x9f, 0x9f, 8],
  [0xa3, 0xa3, 4],
  [0x45, 0xc4, 1],
  [0xd1, 0xd2, 2],
  [0xfc, 0xfd, 2],
  [0xfe, 0xfe, 8],
];

/** Units of an instruction of one byte. A unit is about what an addition takes; words that only structure are free. */
export const COSTS = Uint16Array.from({ length: 256 }, (_, opcode) => costOf(opcode));

function costOf(opcode: number): number {
  return ROWS.find(([from, to]) => opcode >= from && opcode <= to)?.[2] ?? 0;
}

/** Of a call that may land in a function that charges nothing for itself. */
export const FREE_FUNCTION_COST = 24;
