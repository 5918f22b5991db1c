import { Op } from './opcodes.ts';
import { Edit, type Plan } from './scan.ts';
import { Sink } from './sink.ts';

/**
 * The meter is one i64: units of fuel left, times 2^20, plus the frames that may still be entered. Fuel
 * that ran out makes it negative; frames that ran out set bit 19.
 */
export const FUEL_SHIFT = 20;
export const FUEL_ONE = 2 ** FUEL_SHIFT;
export const FRAMES_OUT = 2 ** (FUEL_SHIFT - 1);

/** Locals that a frame may have to count as one: a frame of many takes more of the stack. */
const LOCALS_PER_FRAME = 64;
/**
 * Most that a loop takes before it may be left for more fuel: it takes that again when it is entered again,
 * so a slice has to be larger. The rest of a large body is taken behind.
 */
export const AGAIN_UNITS = 64;

/** Where the pass put things that a body refers to. */
export interface Places {
  /** Index of the global that holds the meter. */
  readonly global: number;
  /** `() -> ()`: asks the host for more, or traps. */
  readonly refuel: number;
  /** `(i64) -> (i64)`: the same for a meter in a local. */
  readonly refuelLocal: number;
  /** `(i64) -> ()`: takes units, then asks where none are left. */
  readonly bulk: number;
  /** Block type of no parameters and the results of a function, as bytes. */
  readonly resultBlock: (functionIndex: number) => Uint8Array;
}

const I64 = 0x7e;
const I32 = 0x7f;
const EMPTY = 0x40;
/** Of `FRAMES_OUT` and the sign: set where fuel or frames ran out. Signed LEB128, as are the next two. */
const EXHAUSTED = [0x80, 0x80, 0xa0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f];
const FUEL_PART = [0x80, 0x80, 0x40];
const FRAMES_PART = [0xff, 0xff, 0x3f];

const scratch = new Sink(64 * 1024);

/**
 * Writes one body with the meter in it.
 *
 * @param trace gets pairs: where a run of bytes that were kept lies in the original, and in `out`
 */
export function emitBody(
  module: Uint8Array,
  plan: Plan,
  plans: readonly (Plan | null)[],
  places: Places,
  out: Sink,
  trace: number[] | null,
): void {
  if (plan.free) {
    trace?.push(plan.at, out.length);
    out.copy(module, plan.at, plan.end);
    return;
  }
  scratch.length = 0;
  const runs: number[] | null = trace === null ? null : [];
  new BodyEmitter(module, plan, plans, places, runs).emit();
  out.u32(scratch.length);
  const start = out.length;
  out.append(scratch);
  if (runs === null) return;
  for (let i = 0; i < runs.length; i += 2) trace!.push(runs[i]!, start + runs[i + 1]!);
}

class BodyEmitter {
  readonly #module: Uint8Array;
  readonly #plan: Plan;
  readonly #plans: readonly (Plan | null)[];
  readonly #places: Places;
  readonly #runs: number[] | null;
  /** Local that holds the meter, or a copy of it while it is looked at. */
  readonly #meter: number;
  /** Local that keeps the operand of a bulk instruction. */
  readonly #operand: number;
  /** What this frame takes of the frames that may be entered. */
  readonly #frames: number;
  /** Ways out lead through one place, where the meter is put back. */
  readonly #hasExit: boolean;

  constructor(
    module: Uint8Array,
    plan: Plan,
    plans: readonly (Plan | null)[],
    places: Places,
    runs: number[] | null,
  ) {
    this.#module = module;
    this.#plan = plan;
    this.#plans = plans;
    this.#places = places;
    this.#runs = runs;
    this.#meter = plan.localCount;
    this.#operand = plan.localCount + 1;
    this.#frames = plan.deep ? 1 + Math.floor(plan.localCount / LOCALS_PER_FRAME) : 0;
    this.#hasExit = plan.local || plan.deep;
  }

  emit(): void {
    const plan = this.#plan;
    const { edits } = plan;
    const out = scratch;
    out.u32(plan.groups + (plan.hasBulk ? 2 : 1));
    const groups = skipLeb(this.#module, plan.locals);
    out.copy(this.#module, groups, plan.code);
    out.put([1, I64]);
    if (plan.hasBulk) out.put([1, I32]);

    let from = plan.code;
    for (let i = 0; i < edits.length; i += 3) {
      const place = edits[i]!;
      if (place > from) {
        this.#runs?.push(from, out.length);
        out.copy(this.#module, from, place);
      }
      from = this.#edit(edits[i + 1]!, edits[i + 2]!, place);
    }
    this.#runs?.push(from, out.length);
    out.copy(this.#module, from, plan.end);
  }

  /** @returns where the original goes on */
  #edit(kind: number, argument: number, place: number): number {
    const out = scratch;
    const plan = this.#plan;
    switch (kind) {
      case Edit.Entry:
        this.#entry();
        return place;
      case Edit.Charge:
        this.#charge(plan.costs[argument]!);
        return place;
      case Edit.LoopOpen:
        // A call inside of a tight loop costs it its registers, so the loop is left for it and entered again.
        out.byte(Op.Loop);
        out.copy(this.#module, place + 1, argument);
        this.#get();
        this.#refuelIfNegative();
        return place;
      case Edit.LoopHead:
        this.#takeInLoop(plan.costs[argument]!);
        out.put([Op.BrIf, 1]);
        this.#charge(Math.max(0, plan.costs[argument]! - AGAIN_UNITS));
        return place;
      case Edit.LoopHeadWithParams:
        this.#takeInLoop(plan.costs[argument]!);
        this.#refuelIf();
        this.#charge(Math.max(0, plan.costs[argument]! - AGAIN_UNITS));
        return place;
      case Edit.LoopClose:
        out.byte(Op.End);
        return place;
      case Edit.BeforeCall:
        if (this.#spills(argument)) this.#store();
        return place;
      case Edit.AfterCall:
        if (this.#spills(argument)) this.#load();
        return place;
      case Edit.BeforeTailCall:
        if (this.#hasExit) this.#exit();
        return place;
      case Edit.Label:
      case Edit.Function:
        out.u32(argument);
        return skipLeb(this.#module, place);
      case Edit.Return:
        if (!this.#hasExit) return place;
        out.byte(Op.Br);
        out.u32(argument);
        return place + 1;
      case Edit.Bulk:
        this.#bulk(argument);
        return place;
      case Edit.Caught:
        this.#caught();
        return place;
      case Edit.BeforeThrow:
        if (plan.local) this.#store();
        return place;
      default:
        if (this.#hasExit) {
          out.byte(Op.End);
          this.#exit();
        }
        return place;
    }
  }

  #entry(): void {
    const out = scratch;
    const { local, deep, costs } = this.#plan;
    this.#getGlobal();
    this.#constant(costs[0]! * FUEL_ONE + this.#frames);
    out.put([Op.I64Sub, Op.LocalTee]);
    out.u32(this.#meter);
    if (!local) {
      this.#setGlobal();
      this.#get();
    }
    if (deep) {
      out.byte(Op.I64Const);
      out.put(EXHAUSTED);
      out.put([Op.I64And, Op.I64Eqz, Op.I32Eqz]);
    } else out.put([Op.I64Const, 0, Op.I64LtS]);
    if (local) this.#refuelIf();
    else {
      out.put([Op.If, EMPTY, Op.Call]);
      out.u32(this.#places.refuel);
      out.byte(Op.End);
    }
    if (!this.#hasExit) return;
    out.byte(Op.Block);
    const type = this.#places.resultBlock(this.#plan.index);
    out.copy(type, 0, type.length);
  }

  /** Puts the meter back as the caller has it, but for the fuel. */
  #exit(): void {
    if (this.#plan.local) this.#get();
    else this.#getGlobal();
    if (this.#frames > 0) {
      this.#constant(this.#frames);
      scratch.byte(Op.I64Add);
    }
    this.#setGlobal();
  }

  #charge(units: number): void {
    if (units === 0) return;
    if (this.#plan.local) this.#get();
    else this.#getGlobal();
    this.#constant(units * FUEL_ONE);
    scratch.byte(Op.I64Sub);
    if (!this.#plan.local) this.#setGlobal();
    else this.#set();
  }

  /** Leaves on the stack whether the fuel ran out. */
  #takeInLoop(units: number): void {
    this.#get();
    // A loop without any instruction has to end too.
    this.#constant(Math.min(Math.max(units, 1), AGAIN_UNITS) * FUEL_ONE);
    scratch.put([Op.I64Sub, Op.LocalTee]);
    scratch.u32(this.#meter);
    scratch.put([Op.I64Const, 0, Op.I64LtS]);
  }

  #refuelIfNegative(): void {
    scratch.put([Op.I64Const, 0, Op.I64LtS]);
    this.#refuelIf();
  }

  #refuelIf(): void {
    scratch.put([Op.If, EMPTY]);
    this.#get();
    scratch.byte(Op.Call);
    scratch.u32(this.#places.refuelLocal);
    this.#set();
    scratch.byte(Op.End);
  }

  #bulk(price: number): void {
    const out = scratch;
    if (this.#plan.local) this.#store();
    out.byte(Op.LocalTee);
    out.u32(this.#operand);
    out.byte(Op.LocalGet);
    out.u32(this.#operand);
    out.byte(Op.I64ExtendU);
    this.#constant(Math.abs(price));
    out.put([price < 0 ? Op.I64ShrU : Op.I64Shl, Op.Call]);
    out.u32(this.#places.bulk);
    if (this.#plan.local) this.#load();
  }

  /** The fuel as those left it who did not return; the frames as they were here. */
  #caught(): void {
    const out = scratch;
    this.#getGlobal();
    out.byte(Op.I64Const);
    out.put(FUEL_PART);
    out.byte(Op.I64And);
    this.#get();
    out.byte(Op.I64Const);
    out.put(FRAMES_PART);
    out.put([Op.I64And, Op.I64Or]);
    this.#set();
  }

  #spills(callee: number): boolean {
    return this.#plan.local && !(callee >= 0 && (this.#plans[callee]?.free ?? false));
  }

  #store(): void {
    this.#get();
    this.#setGlobal();
  }

  #load(): void {
    this.#getGlobal();
    this.#set();
  }

  #get(): void {
    scratch.byte(Op.LocalGet);
    scratch.u32(this.#meter);
  }

  #set(): void {
    scratch.byte(Op.LocalSet);
    scratch.u32(this.#meter);
  }

  #getGlobal(): void {
    scratch.byte(Op.GlobalGet);
    scratch.u32(this.#places.global);
  }

  #setGlobal(): void {
    scratch.byte(Op.GlobalSet);
    scratch.u32(this.#places.global);
  }

  #constant(value: number): void {
    scratch.byte(Op.I64Const);
    scratch.signed(value);
  }
}

function skipLeb(bytes: Uint8Array, at: number): number {
  while (bytes[at]! >= 0x80) at++;
  return at + 1;
}
