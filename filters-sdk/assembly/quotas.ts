import { Status } from './abi';
import { allocate, out } from './arena';
import { Bytes, sizeOf, startOf, utf8 } from './bytes';
import { proxy_call_foreign_function } from './env';
import { QuotaDecision, QuotaState, decodeQuota } from './quota-decision';
import { ByteWriter } from './writer';

export { QuotaDecision, QuotaState };

const HEAD_SIZE = 24;
const HOLD = 1;
const CLUSTER = 2;
const CHARGE_IF_LOST = 4;
const RESERVE = utf8('weir.quota_reserve');
const COMMIT = utf8('weir.quota_commit');
const RELEASE = utf8('weir.quota_release');
const NONE = new ArrayBuffer(0);

/** The last answer of `QuotaSet.reserve`. */
let answer = changetype<QuotaDecision>(memory.data(8, 8));

/**
 * Quotas that a request must have room in, all of them at once. The host keeps what was used; of weir alone: other
 * hosts have no ledger, and answer `Unavailable`.
 */
export class QuotaSet {
  private text: ByteWriter = new ByteWriter(64);
  count: i32 = 0;
  /** All that use the Store of the filter count together, on any machine; else all workers of one machine. */
  inCluster: bool = false;
  /** What is kept back is charged where the worker dies before it is told what it came to; else it is given back. */
  chargeIfLost: bool = false;
  /** The plan that they are of, for people to read; empty: none. No control characters. */
  plan: ArrayBuffer = NONE;

  /**
   * @param soft from where on `softReached` is told; 0: never
   * @param grace what is let through beyond the limit
   * @param window `hour`, `day`, `week`, `month` or `year`
   * @param timeZone whose calendar it is, such as `Europe/Berlin`
   */
  add<N, W, Z>(name: N, limit: i64, soft: i64, grace: i64, window: W, timeZone: Z): void {
    const text = this.text;
    if (this.count++ > 0) text.addByte(10);
    text.add<N>(name).addByte(9).addNumber(limit).addByte(9).addNumber(soft).addByte(9).addNumber(grace);
    text.addByte(9).add<W>(window).addByte(9).add<Z>(timeZone);
    if (this.plan.byteLength > 0) text.addByte(9).add(this.plan);
  }

  /**
   * Asks for `amount` of each. `decision` holds the details afterwards, unless it is pending.
   *
   * @param hold keep it back and charge it later by `commitQuota`; else it is charged at once
   * @param id charged once, however often it comes; empty: none
   */
  reserve<K, I>(key: K, amount: u64, hold: bool, id: I): QuotaState {
    const text = this.text.view();
    const size = HEAD_SIZE + text.length + sizeOf<K>(key) + sizeOf<I>(id);
    const at = allocate(size);
    store<u32>(
      at,
      (hold ? HOLD : 0) | (this.inCluster ? CLUSTER : 0) | (this.chargeIfLost ? CHARGE_IF_LOST : 0),
    );
    store<u32>(at, text.length, 4);
    store<u32>(at, sizeOf<K>(key), 8);
    store<u32>(at, sizeOf<I>(id), 12);
    store<u64>(at, amount, 16);
    let end = at + HEAD_SIZE;
    memory.copy(end, text.start, text.length);
    end += text.length;
    memory.copy(end, startOf<K>(key), sizeOf<K>(key));
    end += sizeOf<K>(key);
    memory.copy(end, startOf<I>(id), sizeOf<I>(id));
    store<u64>(out, 0);
    const status = call(RESERVE, at, size);
    answer = decodeQuota(Bytes.of(load<usize>(out), status == Status.Ok ? load<i32>(out, 4) : 0));
    return answer.state;
  }

  /** What the last `reserve` answered. */
  get decision(): QuotaDecision {
    return answer;
  }
}

/** Charges what was kept back with what it came to. */
export function commitQuota(reservation: u32, amount: u64): void {
  const at = allocate(16);
  store<u64>(at, reservation);
  store<u64>(at, amount, 8);
  call(COMMIT, at, 16);
}

/** Gives back what was kept back. */
export function releaseQuota(reservation: u32): void {
  const at = allocate(4);
  store<u32>(at, reservation);
  call(RELEASE, at, 4);
}

function call(name: ArrayBuffer, at: usize, size: i32): i32 {
  return proxy_call_foreign_function(changetype<usize>(name), name.byteLength, at, size, out, out + 4);
}
