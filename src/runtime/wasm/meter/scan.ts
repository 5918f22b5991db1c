import { BinaryError } from '../cursor.ts';
import type { Bounds } from './bounds.ts';
import {
  ATOMIC_SHAPES,
  Bulk,
  COSTS,
  FREE_FUNCTION_COST,
  NUMERIC_SHAPES,
  Op,
  SHAPES,
  SIMD_SHAPES,
  Shape,
} from './opcodes.ts';

/** What is done at one place of a body; three numbers an edit: offset in the original, kind, argument. */
export const Edit = {
  /** Before the first instruction. */
  Entry: 0,
  /** Charge of a part that may be passed by; argument: its point. */
  Charge: 1,
  /** Before a loop's opcode; argument: offset behind its block type. */
  LoopOpen: 2,
  /** Behind a loop's block type; argument: its point. */
  LoopHead: 3,
  /** As `LoopHead`, of a loop with parameters, which has no outer loop. */
  LoopHeadWithParams: 4,
  /** Behind the `end` of a loop. */
  LoopClose: 5,
  /** Around a call; argument: index of the function, or -1. */
  BeforeCall: 6,
  AfterCall: 7,
  /** Before a call that takes this function's place. */
  BeforeTailCall: 8,
  /** In place of a label; argument: the new one. */
  Label: 9,
  /** In place of a function's index; argument: the new one. */
  Function: 10,
  /** In place of `return`; argument: the label of the body. */
  Return: 11,
  /** Before an instruction whose work grows with its topmost operand; argument: `BulkPrice`. */
  Bulk: 12,
  /** Where an exception has been caught. */
  Caught: 13,
  /** Before an exception is thrown. */
  BeforeThrow: 14,
  /** In place of the body's last `end`. */
  Exit: 15,
} as const;

/** How a bulk instruction's operand becomes units: shifted to the left, or to the right where negative. */
export const BulkPrice = { Bytes: -2, Entries: 3, NewEntries: 8, Pages: 14 } as const;

/** One body, read: what to insert where. Costs are final after `settle` of `plan.ts`. */
export interface Plan {
  /** Index among all functions. */
  readonly index: number;
  /** Offsets in the module: the size field, the groups of locals, the first instruction, the end. */
  readonly at: number;
  readonly locals: number;
  readonly code: number;
  readonly end: number;
  /** Groups of locals that the body declares, and locals with the parameters. */
  readonly groups: number;
  readonly localCount: number;
  readonly edits: number[];
  /** Units of each point of charge; point 0 is the entry. */
  readonly costs: number[];
  /** The point before it that was passed whenever this one is; -1 where it stands for itself. */
  readonly parents: number[];
  /** Pairs: point, index of a function called directly. */
  readonly calls: number[];
  hasLoop: boolean;
  /** Catches exceptions. */
  catches: boolean;
  callsIndirectly: boolean;
  callsAtAll: boolean;
  hasBulk: boolean;
  /** `ref.func` of an imported function. */
  refersToImport: boolean;
  /** Without loops and calls, and cheap: its callers pay. */
  free: boolean;
  /** Cost of all of it, once. */
  units: number;
  /** Counts as a frame: its calls may come back to it. */
  deep: boolean;
  /** Keeps the fuel in a local. */
  local: boolean;
}

interface Frame {
  opcode: number;
  /** Point in force where the block begins. */
  start: number;
  /** Something jumps to its end. */
  joined: boolean;
  /** Something inside jumps further out. */
  escapes: boolean;
  /** Loops with an outer loop of ours, from the body to this frame. */
  wraps: number;
  wrapped: boolean;
}

const DEAD = -1;
const EMPTY = 0x40;
/** Two fewer than what engines accept. */
const MAX_LOCALS = 49_998;
/** A function that costs more than this charges for itself. */
const FREE_UNITS = 16;

let bytes: Uint8Array = new Uint8Array(0);
let at = 0;
let end = 0;

function byte(): number {
  if (at >= end) throw new BinaryError('unexpected end of a function', at);
  return bytes[at++]!;
}

function u32(): number {
  const first = byte();
  if (first < 0x80) return first;
  let value = first & 0x7f;
  for (let shift = 7; shift < 35; shift += 7) {
    const next = byte();
    value += (next & 0x7f) * 2 ** shift;
    if (next < 0x80) {
      if (value > 0xffff_ffff) break;
      return value;
    }
  }
  throw new BinaryError('number is too long', at);
}

function skipNumber(): void {
  for (let left = 10; left > 0; left--) if (byte() < 0x80) return;
  throw new BinaryError('number is too long', at);
}

function skip(size: number): void {
  if (size > end - at) throw new BinaryError('unexpected end of a function', at);
  at += size;
}

function isReference(code: number): boolean {
  return code === 0x70 || code === 0x6f;
}

function isValueType(code: number): boolean {
  return (code >= 0x7b && code <= 0x7f) || isReference(code);
}

function within(count: number, what: string): void {
  const index = u32();
  if (index >= count) throw new BinaryError(`${what} ${index} is not declared`, at);
}

/**
 * Reads one body and decides where the meter stands.
 *
 * @param module the whole module
 * @param start offset of the body's size field
 * @param index of the function among all
 * @throws BinaryError on an instruction that is not known, or an index that the module does not have
 */
export function scanBody(
  module: Uint8Array,
  start: number,
  limit: number,
  index: number,
  bounds: Bounds,
): Plan {
  bytes = module;
  at = start;
  end = limit;
  const size = u32();
  const locals = at;
  if (size > limit - at) throw new BinaryError('unexpected end of a function', at);
  end = at + size;
  const groups = u32();
  let localCount = bounds.types[bounds.functionTypes[index]!]!.params.length;
  for (let left = groups; left > 0; left--) {
    localCount += u32();
    byte();
  }
  if (localCount > MAX_LOCALS) throw new BinaryError(`a function with ${localCount} locals`, locals);
  const plan: Plan = {
    index,
    at: start,
    locals,
    code: at,
    end,
    groups,
    localCount,
    edits: [at, Edit.Entry, 0],
    costs: [0],
    parents: [-1],
    calls: [],
    hasLoop: false,
    catches: false,
    callsIndirectly: false,
    callsAtAll: false,
    hasBulk: false,
    refersToImport: false,
    free: false,
    units: 0,
    deep: false,
    local: false,
  };
  readCode(plan, bounds);
  plan.local = plan.hasLoop || plan.catches;
  for (const cost of plan.costs) plan.units += cost;
  // It is copied as it is, so nothing in it may need another number.
  plan.free =
    !plan.local && !plan.callsAtAll && !plan.hasBulk && !plan.refersToImport && plan.units <= FREE_UNITS;
  return plan;
}

function readCode(plan: Plan, bounds: Bounds): void {
  const { edits, costs, parents, calls } = plan;
  const frames: Frame[] = [
    { opcode: Op.Block, start: 0, joined: false, escapes: false, wraps: 0, wrapped: false },
  ];
  let point = 0;

  const newPoint = (parent: number): number => {
    parents.push(parent);
    return costs.push(0) - 1;
  };
  /** A part behind a place where control may go elsewhere. */
  const newPart = (parent: number): number => {
    if (parent === DEAD) return DEAD;
    const part = newPoint(parent);
    edits.push(at, Edit.Charge, part);
    return part;
  };
  const push = (opcode: number, wrapped: boolean): void => {
    const wraps = frames[frames.length - 1]!.wraps + (wrapped ? 1 : 0);
    frames.push({ opcode, start: point, joined: false, escapes: false, wraps, wrapped });
  };
  /** Reads a label, notes the jump, and renumbers it where loops of ours lie between. */
  const label = (from: number): void => {
    const place = at;
    const depth = u32();
    const target = frames.length - 1 - from - depth;
    if (target < 0) throw new BinaryError(`label ${depth} is not there`, place);
    for (let i = frames.length - 1; i > target; i--) frames[i]!.escapes = true;
    frames[target]!.joined = true;
    const shift = frames[frames.length - 1 - from]!.wraps - frames[target]!.wraps;
    if (shift > 0) edits.push(place, Edit.Label, depth + shift);
  };
  /** @param direct a call, which can be charged where it stands */
  const functionIndex = (direct: boolean): number => {
    const place = at;
    const callee = u32();
    if (callee >= bounds.functionTypes.length) {
      throw new BinaryError(`function ${callee} is not declared`, place);
    }
    if (callee >= bounds.importedFunctions) return callee;
    const price = bounds.prices[callee]!;
    if (!direct || price < 0) edits.push(place, Edit.Function, bounds.functionTypes.length + callee);
    else if (point !== DEAD) costs[point]! += price;
    return callee;
  };
  const peekFunction = (): number => {
    const place = at;
    const callee = u32();
    at = place;
    return callee;
  };
  const leave = (): void => {
    for (const frame of frames) frame.escapes = true;
  };
  const blockType = (): boolean => {
    const first = byte();
    if (first === EMPTY || isValueType(first)) return false;
    // A type's index, which is a signed number: one of these would be negative.
    if (first >= 0x40 && first < 0x80)
      throw new BinaryError(`block type 0x${first.toString(16)} is not supported`, at);
    at--;
    return hasParams(u32(), bounds);
  };
  const bulk = (place: number, price: number): void => {
    plan.hasBulk = true;
    edits.push(place, Edit.Bulk, price);
  };

  while (frames.length > 0) {
    const place = at;
    const opcode = byte();
    if (point !== DEAD) costs[point]! += COSTS[opcode]!;
    switch (SHAPES[opcode]) {
      case Shape.None:
        if (opcode === Op.End) {
          const frame = frames.pop()!;
          if (frames.length === 0) {
            edits.push(place, Edit.Exit, 0);
          } else {
            if (frame.wrapped) edits.push(at, Edit.LoopClose, 0);
            point = after(frame, point, newPart);
          }
        } else if (opcode === Op.Else || opcode === Op.CatchAll) {
          point = arm(frames, opcode, plan, newPart);
        } else if (opcode === Op.Return) {
          leave();
          edits.push(place, Edit.Return, frames.length - 1 + frames[frames.length - 1]!.wraps);
          point = DEAD;
        } else if (opcode === Op.Unreachable) {
          point = DEAD;
        }
        break;
      case Shape.Block: {
        const params = blockType();
        if (opcode === Op.Loop) {
          plan.hasLoop = true;
          if (!params) edits.push(place, Edit.LoopOpen, at);
          push(opcode, !params);
          point = newPoint(-1);
          edits.push(at, params ? Edit.LoopHeadWithParams : Edit.LoopHead, point);
        } else {
          push(opcode, false);
          if (opcode === Op.If) point = newPart(point);
        }
        break;
      }
      case Shape.Label:
        if (opcode === Op.Rethrow) {
          const depth = u32();
          const target = frames.length - 1 - depth;
          if (target < 0) throw new BinaryError(`label ${depth} is not there`, place);
          const shift = frames[frames.length - 1]!.wraps - frames[target]!.wraps;
          edits.push(place, Edit.BeforeThrow, 0);
          if (shift > 0) edits.push(place + 1, Edit.Label, depth + shift);
          point = DEAD;
        } else if (opcode === Op.Delegate) {
          label(1);
          point = after(frames.pop()!, point, newPart);
        } else {
          label(0);
          point = opcode === Op.Br ? DEAD : newPart(point);
        }
        break;
      case Shape.LabelTable:
        for (let left = u32(); left >= 0; left--) label(0);
        point = DEAD;
        break;
      case Shape.Function: {
        const tail = opcode === Op.ReturnCall;
        if (opcode === Op.RefFunc) {
          if (functionIndex(false) < bounds.importedFunctions) plan.refersToImport = true;
          break;
        }
        plan.callsAtAll = true;
        const callee = peekFunction();
        edits.push(place, tail ? Edit.BeforeTailCall : Edit.BeforeCall, callee);
        calls.push(point, functionIndex(true));
        if (tail) {
          leave();
          point = DEAD;
        } else edits.push(at, Edit.AfterCall, callee);
        break;
      }
      case Shape.Indirect: {
        const tail = opcode === Op.ReturnCallIndirect;
        plan.callsAtAll = plan.callsIndirectly = true;
        edits.push(place, tail ? Edit.BeforeTailCall : Edit.BeforeCall, -1);
        within(bounds.types.length, 'type');
        within(bounds.tables, 'table');
        if (point !== DEAD) costs[point]! += FREE_FUNCTION_COST;
        if (tail) {
          leave();
          point = DEAD;
        } else edits.push(at, Edit.AfterCall, -1);
        break;
      }
      case Shape.Local:
        within(plan.localCount, 'local');
        break;
      case Shape.Global:
        within(bounds.globals, 'global');
        break;
      case Shape.Table:
        within(bounds.tables, 'table');
        break;
      case Shape.Tag:
        within(bounds.tags, 'tag');
        if (opcode === Op.Catch) point = arm(frames, opcode, plan, newPart);
        else {
          edits.push(place, Edit.BeforeThrow, 0);
          point = DEAD;
        }
        break;
      case Shape.Number:
        skipNumber();
        break;
      case Shape.Memory:
        memoryArgument(place);
        break;
      case Shape.F32:
        skip(4);
        break;
      case Shape.F64:
        skip(8);
        break;
      case Shape.Types:
        for (let left = u32(); left > 0; left--) if (!isValueType(byte())) unknown('1c', place);
        break;
      case Shape.Byte:
        if (!(opcode === Op.RefNull ? isReference(byte()) : byte() === 0))
          unknown(opcode.toString(16), place);
        if (opcode === Op.MemoryGrow) bulk(place, BulkPrice.Pages);
        break;
      case Shape.Prefix:
        prefixed(opcode, place, bounds, bulk);
        break;
      default:
        unknown(opcode.toString(16), place);
    }
  }
  if (at !== end) throw new BinaryError('a function goes on behind its end', at);
}

/** `else`, `catch`, `catch_all`: another way through the block that is open. */
function arm(
  frames: readonly Frame[],
  opcode: number,
  plan: Plan,
  newPart: (parent: number) => number,
): number {
  const frame = frames[frames.length - 1]!;
  const fits =
    opcode === Op.Else ? frame.opcode === Op.If : frame.opcode === Op.Try || frame.opcode === Op.Catch;
  if (!fits) throw new BinaryError('an arm outside of its block', at);
  // An `if` without an `else` has two ways too, so this says no more than that this one was seen.
  frame.opcode = opcode === Op.Else ? Op.Else : Op.Catch;
  if (opcode !== Op.Else) {
    plan.catches = true;
    plan.edits.push(at, Edit.Caught, 0);
  }
  return newPart(frame.start);
}

/** The point in force behind a block. */
function after(frame: Frame, point: number, newPart: (parent: number) => number): number {
  const straight = frame.opcode === Op.Block && !frame.joined;
  if (straight) return point;
  // Everything that went in comes out here: one charge, made where it began, covers what follows.
  if (!frame.escapes) return frame.start;
  return newPart(frame.start);
}

function hasParams(type: number, bounds: Bounds): boolean {
  const signature = bounds.types[type];
  if (signature === undefined) throw new BinaryError(`type ${type} is not declared`, at);
  return signature.params !== '';
}

function memoryArgument(place: number): void {
  // A bit in the alignment says that a memory's number follows, which only several memories need.
  if (u32() >= 64) throw new BinaryError('more than one memory is not supported', place);
  skipNumber();
}

function prefixed(
  prefix: number,
  place: number,
  bounds: Bounds,
  bulk: (place: number, price: number) => void,
): void {
  const opcode = u32();
  const shapes = prefix === Op.Numeric ? NUMERIC_SHAPES : prefix === Op.Simd ? SIMD_SHAPES : ATOMIC_SHAPES;
  switch (shapes[opcode]) {
    case Shape.None:
      break;
    case Shape.Number:
      skipNumber();
      break;
    case Shape.TwoNumbers:
      skipNumber();
      skipNumber();
      break;
    case Shape.Memory:
      memoryArgument(place);
      break;
    case Shape.Byte:
      byte();
      break;
    case Shape.Bytes16:
      skip(16);
      break;
    case Shape.MemoryLane:
      memoryArgument(place);
      byte();
      break;
    case Shape.Table:
      within(bounds.tables, 'table');
      break;
    case Shape.TwoTables:
      within(bounds.tables, 'table');
      within(bounds.tables, 'table');
      break;
    case Shape.Initialise:
      if (opcode === Bulk.TableInit) within(bounds.elements, 'element segment');
      else skipNumber();
      if (opcode === Bulk.TableInit) within(bounds.tables, 'table');
      else skipNumber();
      break;
    default:
      unknown(`${prefix.toString(16)} 0x${opcode.toString(16)}`, place);
  }
  if (prefix !== Op.Numeric) return;
  if (opcode === Bulk.MemoryInit || opcode === Bulk.MemoryCopy || opcode === Bulk.MemoryFill) {
    bulk(place, BulkPrice.Bytes);
  } else if (opcode === Bulk.TableInit || opcode === Bulk.TableCopy || opcode === Bulk.TableFill) {
    bulk(place, BulkPrice.Entries);
  } else if (opcode === Bulk.TableGrow) bulk(place, BulkPrice.NewEntries);
}

function unknown(name: string, place: number): never {
  throw new BinaryError(`instruction 0x${name} is not supported`, place);
}
