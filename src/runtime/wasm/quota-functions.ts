import {
  UNAVAILABLE,
  type QuotaAnswer,
  type QuotaAsk,
  type Quotas,
  type QuotaSpec,
  type QuotaWaiter,
} from '../quota/quota.ts';
import { isTimeZone, QUOTA_WINDOWS, type QuotaWindow } from '../quota/window.ts';
import { Status } from './abi.ts';
import type { ForeignResult } from './foreign-result.ts';
import { FOREIGN_PENDING, QUOTAS, QUOTA_KEY_BYTES } from './limits.ts';
import { writeU32 } from './pairs.ts';
import type { RootContext } from './root.ts';
import type { Vm } from './vm.ts';

const State = { Refused: 0, Admitted: 1, Pending: 2, Unavailable: 3 } as const;
/** Tickets of quotas have this bit, those of limits have not. */
const TICKET = 0x8000_0000;
const HEAD_BYTES = 24;
const ANSWER_BYTES = 8;
const LEFT_BYTES = 32;
const NOBODY = 255;
const HOLD = 1;
const CLUSTER = 2;
const CHARGE_IF_LOST = 4;
const SOFT_REACHED = 1;
const IN_GRACE = 2;
/** Texts of quotas that are kept read; there are as many as filters say. */
const KEPT_TEXTS = 1024;

/** By their text; null: it is none. */
const texts = new Map<string, readonly QuotaSpec[] | null>();

interface Waiting {
  readonly root: RootContext;
  readonly contextId: number;
  readonly ledger: Quotas;
}

/** What one instance has asked for and not been answered, and what is kept back for it. */
export class InstanceQuotas implements QuotaWaiter {
  readonly #vm: Vm;
  readonly #waiting = new Map<number, Waiting>();
  /** Reservations that are neither committed nor released, and the ledgers that gave them. No two give the same number. */
  readonly #held = new Map<number, Quotas>();
  #ticket = 0;

  constructor(vm: Vm) {
    this.#vm = vm;
  }

  /** @returns the answer, or the ticket of one that comes later */
  reserve(ask: QuotaAsk, ledger: Quotas): QuotaAnswer | number {
    const vm = this.#vm;
    if (this.#waiting.size >= FOREIGN_PENDING) return UNAVAILABLE;
    do this.#ticket = (this.#ticket + 1) & 0x7fff_ffff;
    while (this.#waiting.has(this.#ticket));
    const ticket = this.#ticket;
    const answer = ledger.reserve(ask, this, ticket);
    if (answer === null) {
      this.#waiting.set(ticket, { root: vm.root, contextId: vm.effective!.id, ledger });
      return (ticket | TICKET) >>> 0;
    }
    if (answer.reservation !== 0) this.#held.set(answer.reservation, ledger);
    return answer;
  }

  answered(ticket: number, ask: QuotaAsk, answer: QuotaAnswer): void {
    const { root, contextId, ledger } = this.#waiting.get(ticket)!;
    this.#waiting.delete(ticket);
    if (this.#vm.dead || this.#vm.contexts.get(contextId) === null) {
      // The request ended while it waited, so that nothing was served.
      if (answer.reservation !== 0) ledger.release(answer.reservation);
      else if (answer.outcome === 'admitted' && !answer.repeated) ledger.refund(ask);
      return;
    }
    if (answer.reservation !== 0) this.#held.set(answer.reservation, ledger);
    const data = Buffer.alloc(sizeOf(answer));
    encode(answer, data);
    root.onForeignFunction(contextId, (ticket | TICKET) >>> 0, data);
  }

  /** False where this instance holds no such reservation. */
  settle(reservation: number, amount: number | null): boolean {
    const ledger = this.#held.get(reservation);
    if (ledger === undefined) return false;
    this.#held.delete(reservation);
    if (amount === null) ledger.release(reservation);
    else ledger.commit(reservation, amount);
    return true;
  }

  /** The instance is gone, and nobody will say what its requests came to. */
  dispose(): void {
    for (const reservation of [...this.#held.keys()]) this.settle(reservation, null);
  }
}

/** `weir.quota_reserve`; docs/foreign-functions.md has the layouts. */
export function reserveQuota(
  vm: Vm,
  memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  const view = Buffer.from(memory.buffer, memory.byteOffset + start, end - start);
  if (view.length < HEAD_BYTES) return Status.BadArgument;
  const sizes = [view.readUInt32LE(4), view.readUInt32LE(8), view.readUInt32LE(12)] as const;
  const amount = Number(view.readBigUInt64LE(16));
  if (HEAD_BYTES + sizes[0] + sizes[1] + sizes[2] !== view.length || !Number.isSafeInteger(amount))
    return Status.BadArgument;
  const quotas = quotasOf(view.toString('latin1', HEAD_BYTES, HEAD_BYTES + sizes[0]));
  if (quotas === null) {
    vm.plugin.warnOnce('weir.quota_reserve: the quotas are not in its form');
    return Status.BadArgument;
  }
  if (sizes[1] > QUOTA_KEY_BYTES || sizes[2] > QUOTA_KEY_BYTES) return Status.BadArgument;
  const inCluster = (view[0]! & CLUSTER) !== 0;
  if (inCluster && vm.plugin.store === null) {
    vm.plugin.warnOnce('a quota of the scope cluster needs a Store: name one by `store` of the filter');
    return Status.BadArgument;
  }
  const keyAt = HEAD_BYTES + sizes[0];
  const ask = {
    owner: vm.plugin.spec.tenant,
    key: view.toString('latin1', keyAt, keyAt + sizes[1]),
    quotas,
    amount,
    hold: (view[0]! & HOLD) !== 0,
    chargeIfLost: (view[0]! & CHARGE_IF_LOST) !== 0,
    id: view.toString('latin1', keyAt + sizes[1], view.length),
  };
  const ledger = inCluster ? vm.plugin.store!.quotas : vm.group.host.deps.quotas;
  const answer = vm.quotas.reserve(ask, ledger);
  if (typeof answer === 'number') {
    result.length = ANSWER_BYTES;
    result.small.fill(0, 0, ANSWER_BYTES);
    result.small[0] = State.Pending;
    writeU32(result.small, 4, answer);
    return Status.Ok;
  }
  const size = sizeOf(answer);
  const bytes = size > result.small.length ? Buffer.alloc(size) : result.small;
  encode(answer, bytes);
  result.bytes = bytes;
  result.length = size;
  return Status.Ok;
}

/** `weir.quota_commit` */
export function commitQuota(vm: Vm, memory: Uint8Array, start: number, end: number): Status {
  const view = Buffer.from(memory.buffer, memory.byteOffset + start, end - start);
  if (view.length !== 16) return Status.BadArgument;
  const amount = Number(view.readBigUInt64LE(8));
  if (!Number.isSafeInteger(amount)) return Status.BadArgument;
  return vm.quotas.settle(view.readUInt32LE(0), amount) ? Status.Ok : Status.NotFound;
}

/** `weir.quota_release` */
export function releaseQuota(vm: Vm, memory: Uint8Array, start: number, end: number): Status {
  const view = Buffer.from(memory.buffer, memory.byteOffset + start, end - start);
  if (view.length !== 4) return Status.BadArgument;
  return vm.quotas.settle(view.readUInt32LE(0), null) ? Status.Ok : Status.NotFound;
}

function quotasOf(text: string): readonly QuotaSpec[] | null {
  const known = texts.get(text);
  if (known !== undefined) return known;
  const quotas = readQuotas(text);
  if (texts.size >= KEPT_TEXTS) texts.delete(texts.keys().next().value!);
  texts.set(text, quotas);
  return quotas;
}

/** A line for each: name, limit, soft, grace, window, time zone, and where there is one a plan, with tabs between. */
function readQuotas(text: string): readonly QuotaSpec[] | null {
  const quotas: QuotaSpec[] = [];
  for (const line of text.split('\n')) {
    const [name = '', limit, soft, grace, window, timeZone = '', plan = '', ...rest] = line.split('\t');
    const quota = {
      name,
      limit: Number(limit),
      soft: Number(soft),
      grace: Number(grace),
      window: window as QuotaWindow,
      timeZone,
      ...(plan === '' ? {} : { plan }),
    };
    const areAmounts = [quota.limit, quota.soft, quota.grace].every(
      (amount) => Number.isSafeInteger(amount) && amount >= 0,
    );
    if (name === '' || rest.length > 0 || !areAmounts) return null;
    if (!QUOTA_WINDOWS.includes(quota.window) || !isTimeZone(timeZone)) return null;
    quotas.push(quota);
  }
  return quotas.length <= QUOTAS ? quotas : null;
}

function sizeOf(answer: QuotaAnswer): number {
  return ANSWER_BYTES + answer.left.length * LEFT_BYTES;
}

function encode(answer: QuotaAnswer, out: Buffer): void {
  const { outcome } = answer;
  out[0] =
    outcome === 'admitted' ? State.Admitted : outcome === 'refused' ? State.Refused : State.Unavailable;
  out[1] = Number(answer.repeated);
  out[2] = answer.refusedBy < 0 ? NOBODY : answer.refusedBy;
  out[3] = answer.left.length;
  writeU32(out, 4, answer.reservation);
  for (const [i, left] of answer.left.entries()) {
    const at = ANSWER_BYTES + i * LEFT_BYTES;
    out.writeBigInt64LE(BigInt(left.limit), at);
    out.writeBigInt64LE(BigInt(left.remaining), at + 8);
    writeU32(out, at + 16, Math.ceil(left.resetMs / 1000));
    writeU32(out, at + 20, Math.round(left.windowMs / 1000));
    writeU32(out, at + 24, (left.softReached ? SOFT_REACHED : 0) | (left.inGrace ? IN_GRACE : 0));
    writeU32(out, at + 28, 0);
  }
}
