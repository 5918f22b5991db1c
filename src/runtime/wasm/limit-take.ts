import type { Decision, Ledger, LedgerWaiter, Limit } from '../ledger.ts';
import { Status } from './abi.ts';
import type { ForeignResult } from './foreign-result.ts';
import { Interner } from './intern.ts';
import { FOREIGN_PENDING } from './limits.ts';
import { writeU32 } from './pairs.ts';
import type { Plugin } from './plugin.ts';
import type { RootContext } from './root.ts';
import type { Vm } from './vm.ts';

const Scope = { Local: 0, Node: 1 } as const;
const State = { Denied: 0, Allowed: 1, Pending: 2 } as const;
const ARGUMENT_BYTES = 20;
const RESULT_BYTES = 20;

/** What a guest asks for, read once for all calls that ask the same. */
class LimitArguments {
  readonly valid: boolean;
  readonly limit: Limit;
  readonly cost: number;
  readonly #local: boolean;
  readonly #text: string;
  // Not the plugin itself: these live longer than one.
  #owner = '';
  #key = '';

  constructor(bytes: Buffer) {
    const whole = bytes.length > ARGUMENT_BYTES;
    const word = (at: number): number => (whole ? bytes.readUInt32LE(at) : 0);
    const algorithm = whole ? bytes[0]! : 0;
    const scope = whole ? bytes[1]! : 0;
    this.limit = {
      algorithm: algorithm === 0 ? 'token-bucket' : 'gcra',
      requests: word(4),
      periodMs: word(8),
      burst: word(12),
    };
    this.cost = word(16);
    this.valid =
      algorithm <= 1 && scope <= Scope.Node && this.limit.requests !== 0 && this.limit.periodMs !== 0;
    this.#local = scope === Scope.Local;
    this.#text = bytes.toString('latin1', ARGUMENT_BYTES);
  }

  /** Keys of two plugins never meet. */
  keyOf(plugin: Plugin): string {
    if (this.#owner !== plugin.spec.name) {
      const place = this.#local ? `${plugin.spec.name}\0${plugin.host.workerId}\0` : `${plugin.spec.name}\0`;
      this.#key = place + this.#text;
      this.#owner = plugin.spec.name;
    }
    return this.#key;
  }
}

const limitArguments = new Interner((bytes) => new LimitArguments(bytes));

/** Limits that one instance asked for and whose answers are still to come. */
export class PendingLimits implements LedgerWaiter {
  readonly #waiting = new Map<number, { readonly root: RootContext; readonly contextId: number }>();
  #ticket = 0;

  get size(): number {
    return this.#waiting.size;
  }

  /** A number for an answer that may come later. */
  nextTicket(): number {
    do this.#ticket = this.#ticket === 0x7fff_ffff ? 1 : this.#ticket + 1;
    while (this.#waiting.has(this.#ticket));
    return this.#ticket;
  }

  add(ticket: number, root: RootContext, contextId: number): void {
    this.#waiting.set(ticket, { root, contextId });
  }

  decided(ticket: number, decision: Decision): void {
    const waiting = this.#waiting.get(ticket);
    if (waiting === undefined) return;
    this.#waiting.delete(ticket);
    const data = new Uint8Array(RESULT_BYTES);
    encode(decision, data);
    waiting.root.onForeignFunction(waiting.contextId, ticket, data);
  }
}

/**
 * `weir.limit_take`: takes from a limit that the host counts.
 *
 * Arguments, integers little-endian: u8 algorithm (0 token bucket, 1 GCRA), u8 scope (0 this worker, 1 all
 * workers of the machine), u16 zero, u32 requests, u32 periodMs, u32 burst, u32 cost, then the key.
 * Result: u8 state (0 denied, 1 allowed, 2 pending), 3 × u8 zero, u32 remaining, u32 limit, u32 resetMs,
 * u32 retryAfterMs. Where it is pending, the first u32 after the state is a ticket, and the result comes
 * to the same context by `proxy_on_foreign_function(context, ticket, 20)`.
 *
 * What was taken stays taken where the callback traps afterwards.
 */
export function takeLimit(
  vm: Vm,
  _memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  const asked = limitArguments.at(vm.words(), start, end - start);
  if (!asked.valid) return Status.BadArgument;
  const { pendingLimits, plugin } = vm;
  if (pendingLimits.size >= FOREIGN_PENDING) return Status.InternalFailure;
  const ticket = pendingLimits.nextTicket();
  const ledger = plugin.host.ledger as Ledger;
  const decision = ledger.take(asked.keyOf(plugin), asked.cost, asked.limit, pendingLimits, ticket);
  result.length = RESULT_BYTES;
  if (decision !== null) {
    encode(decision, result.small);
  } else {
    pendingLimits.add(ticket, vm.root, vm.effective!.id);
    result.small.fill(0, 0, RESULT_BYTES);
    result.small[0] = State.Pending;
    writeU32(result.small, 4, ticket);
  }
  return Status.Ok;
}

function encode(decision: Decision, out: Uint8Array): void {
  out[0] = decision.allowed ? State.Allowed : State.Denied;
  out[1] = 0;
  out[2] = 0;
  out[3] = 0;
  writeU32(out, 4, decision.remaining);
  writeU32(out, 8, decision.limit);
  writeU32(out, 12, Math.ceil(decision.resetMs));
  writeU32(out, 16, Math.ceil(decision.retryAfterMs));
}
