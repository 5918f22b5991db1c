import { Status } from './abi';
import { allocate, out } from './arena';
import { Bytes, encode, sizeOf, startOf, utf8 } from './bytes';
import { proxy_call_foreign_function } from './env';
import { ANSWER_SIZE, LimitDecision, LimitState, decodeDecision } from './limit-decision';
import { takeShared } from './shared-limit';

export { LimitDecision, LimitState };

/** How a rate is counted. */
export enum Algorithm {
  TokenBucket = 0,
  Gcra = 1,
}

/** Who counts together. */
export enum Scope {
  /** Each worker counts for itself. */
  Local = 0,
  /** All workers of one machine count together, exactly. */
  Node = 1,
}

const HEAD_SIZE = 20;
const FUNCTION = utf8('weir.limit_take');

/** False once the host said that it does not know the function: then shared data does its work. */
let native = true;

/** The last answer of `Limit.take`, or the ticket of a pending one. */
let answer = changetype<LimitDecision>(memory.data(24, 8));

/**
 * A rate: `requests` for each `periodMs`, of which `burst` may come at once (0: the algorithm's own, a
 * whole period's for a token bucket, one for GCRA). One object serves all keys. Two limits of one filter need keys
 * that differ: in weir a key alone names what is counted, so that a limit that was changed keeps what was used.
 *
 * The host counts where it offers `weir.limit_take`. Elsewhere shared data does, exact over the VMs that
 * share it; there the scope makes no difference, keys are never forgotten, and a limit that was changed begins anew.
 */
export class Limit {
  private head: ArrayBuffer = new ArrayBuffer(HEAD_SIZE);

  constructor(requests: u32, periodMs: u32, burst: u32, algorithm: Algorithm, scope: Scope) {
    const head = changetype<usize>(this.head);
    store<u8>(head, <u8>algorithm);
    store<u8>(head, <u8>scope, 1);
    store<u32>(head, requests, 4);
    store<u32>(head, periodMs, 8);
    store<u32>(head, burst, 12);
  }

  /**
   * Takes `cost` from what `key` has left. `decision` holds the details afterwards, unless it is pending.
   * A cost of 0 asks without taking.
   */
  take<K>(key: K, cost: u32): LimitState {
    if (isString<K>()) return this.take<Bytes>(encode(changetype<string>(key)), cost);
    const size = HEAD_SIZE + sizeOf<K>(key);
    const start = allocate(size);
    memory.copy(start, changetype<usize>(this.head), HEAD_SIZE);
    store<u32>(start, cost, 16);
    memory.copy(start + HEAD_SIZE, startOf<K>(key), sizeOf<K>(key));
    if (!native) return this.takeShared(start, size);

    const status = proxy_call_foreign_function(
      changetype<usize>(FUNCTION),
      FUNCTION.byteLength,
      start,
      size,
      out,
      out + 4,
    );
    if (status == Status.Ok && load<i32>(out, 4) == ANSWER_SIZE) {
      answer = decodeDecision(Bytes.of(load<usize>(out), ANSWER_SIZE), 0);
      return <LimitState>load<u8>(changetype<usize>(answer));
    }
    if (status != Status.NotFound && status != Status.Unimplemented) return LimitState.Unavailable;
    native = false;
    return this.takeShared(start, size);
  }

  private takeShared(start: usize, size: i32): LimitState {
    const at = allocate(ANSWER_SIZE + 4);
    const state = takeShared(start, size, at);
    answer = changetype<LimitDecision>(at);
    return <LimitState>state;
  }

  /** What the last `take` answered. */
  get decision(): LimitDecision {
    return answer;
  }

  /** The number that `onLimitDecision` will name, where the last `take` is pending. */
  get ticket(): u32 {
    return answer.remaining;
  }
}
