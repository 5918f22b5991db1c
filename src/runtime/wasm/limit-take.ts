import { Status } from './abi.ts';
import type { ForeignResult } from './foreign-result.ts';
import { type LimitArguments, LimitScope, oneLimit, someLimits } from './limit-arguments.ts';
import { answerBytes, Claim } from './limit-claim.ts';
import { FOREIGN_PENDING } from './limits.ts';
import { writeU32 } from './pairs.ts';
import type { Vm } from './vm.ts';

const FREE_BYTES = 512;
/** What hashing a byte costs, in copied ones. */
const HASHING = 16;

/**
 * `weir.limit_take`: takes from a limit that the host counts.
 *
 * Arguments, integers little-endian: u8 algorithm (`ALGORITHMS`), u8 scope (0 this worker, 1 all workers of the
 * machine, 2 all that use the Store of the filter), u8 call (0 take, 1 decide without taking, 2 charge whether there is room or not), u8 what to answer where
 * nobody can be asked (0 unavailable, 1 allowed, 2 as the machine counts), u32 requests, u32 periodMs, u32 burst,
 * u32 cost, then the key.
 * Result: u8 state (0 denied, 1 allowed, 2 pending, 3 unavailable), 3 × u8 zero, u32 remaining, u32 limit,
 * u32 resetMs, u32 retryAfterMs. Where it is pending, the first u32 after the state is a ticket, and the result
 * comes to the same context by `proxy_on_foreign_function(context, ticket, 20)`.
 *
 * What was taken stays taken where the callback traps afterwards; of concurrency, until the stream is over.
 */
export function takeLimit(
  vm: Vm,
  _memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  chargeLarge(vm, end - start);
  return claim(vm, oneLimit.at(vm.words(), start, end - start), result);
}

/**
 * `weir.limits_take`: takes from several limits, or from none. Arguments are those of `weir.limit_take`, each behind
 * its size; the result has the four numbers once for each. Where one refused, the others have zeros.
 */
export function takeLimits(
  vm: Vm,
  _memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  chargeLarge(vm, end - start);
  return claim(vm, someLimits.at(vm.words(), start, end - start), result);
}

/** Keys of kilobytes are hashed, which costs more than copying them. */
function chargeLarge(vm: Vm, size: number): void {
  if (size > FREE_BYTES) vm.meter.chargeBytes(HASHING * size);
}

function claim(vm: Vm, { parts, valid, holds }: LimitArguments, result: ForeignResult): Status {
  const context = vm.effective!;
  // There would be no end at which it is given back.
  if (!valid || (holds && context.stream === null)) return Status.BadArgument;
  if (vm.plugin.store === null && parts.some(({ scope }) => scope === LimitScope.Cluster)) {
    vm.plugin.warnOnce('a limit of the scope cluster needs a Store: name one by `store` of the filter');
    return Status.BadArgument;
  }
  const { pendingLimits } = vm;
  if (pendingLimits.size >= FOREIGN_PENDING) return Status.InternalFailure;
  const claim = (pendingLimits.spare ??= new Claim());
  claim.begin(vm.plugin, parts);
  const size = answerBytes(parts.length);
  // As it lies: the guest has its copy before another claim is made.
  result.set(claim.answer, size);
  if (claim.missing !== 0) {
    pendingLimits.spare = null;
    result.set(Buffer.from(claim.answer.subarray(0, size)));
    const ticket = claim.wait(pendingLimits, vm.root, context.id);
    if (ticket !== 0) writeU32(result.bytes, 4, ticket);
  } else if (holds && context.stream !== null) {
    const held = claim.holds();
    if (held !== null) context.hold(held);
  }
  return Status.Ok;
}
