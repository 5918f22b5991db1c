import type { Decision, Ledger, Limit } from '../ledger.ts';
import { Status } from './abi.ts';
import type { ForeignResult } from './foreign.ts';
import { Interner } from './intern.ts';
import { FOREIGN_PENDING } from './limits.ts';
import { readU32, writeU32 } from './pairs.ts';
import type { Vm } from './vm.ts';

const Scope = { Local: 0, Node: 1 } as const;
const State = { Denied: 0, Allowed: 1, Pending: 2 } as const;
const ARGUMENT_BYTES = 20;
const RESULT_BYTES = 20;
const keys = new Interner('latin1');

/**
 * `weir.limit_take`: takes from a limit that the host counts.
 *
 * Arguments, integers little-endian: u8 algorithm (0 token bucket, 1 GCRA), u8 scope (0 this worker, 1 all
 * workers of the machine), u16 zero, u32 requests, u32 periodMs, u32 burst, u32 cost, then the key.
 * Result: u8 state (0 denied, 1 allowed, 2 pending), 3 × u8 zero, u32 remaining, u32 limit, u32 resetMs,
 * u32 retryAfterMs. Where it is pending, the first u32 after the state is a ticket, and the result comes
 * to the same context by `proxy_on_foreign_function(context, ticket, 20)`.
 *
 * Keys of two plugins never meet. What was taken stays taken where the callback traps afterwards.
 */
export function takeLimit(
  vm: Vm,
  memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  if (end - start < ARGUMENT_BYTES + 1) return Status.BadArgument;
  const algorithm = memory[start]!;
  const scope = memory[start + 1]!;
  const requests = readU32(memory, start + 4);
  const periodMs = readU32(memory, start + 8);
  const burst = readU32(memory, start + 12);
  const cost = readU32(memory, start + 16);
  if (algorithm > 1 || scope > Scope.Node || requests === 0 || periodMs === 0) return Status.BadArgument;
  if (vm.tickets.size >= FOREIGN_PENDING) return Status.InternalFailure;

  const { plugin } = vm;
  const place =
    scope === Scope.Local ? `${plugin.spec.name}\0${plugin.host.workerId}\0` : `${plugin.spec.name}\0`;
  const key = place + keys.text(memory, start + ARGUMENT_BYTES, end);
  const limit: Limit = { algorithm: algorithm === 0 ? 'token-bucket' : 'gcra', requests, periodMs, burst };
  const { root } = vm;
  const contextId = vm.effective!.id;
  const ticket = vm.nextTicket();
  const decision = (plugin.host.ledger as Ledger).take(key, cost, limit, (late) => {
    if (!vm.tickets.delete(ticket)) return;
    const data = new Uint8Array(RESULT_BYTES);
    encode(late, data);
    root.onForeignFunction(contextId, ticket, data);
  });
  result.length = RESULT_BYTES;
  if (decision !== null) {
    encode(decision, result.bytes);
  } else {
    vm.tickets.add(ticket);
    result.bytes.fill(0, 0, RESULT_BYTES);
    result.bytes[0] = State.Pending;
    writeU32(result.bytes, 4, ticket);
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
