import { allocate } from './arena';
import { Bytes } from './bytes';

const HEAD_SIZE = 8;
const LEFT_SIZE = 32;

/** What the ledger says. `Pending`: the stream must pause; `onQuotaDecision` comes with the answer. */
export enum QuotaState {
  Refused = 0,
  Admitted = 1,
  Pending = 2,
  /** The ledger cannot say, or there is none. */
  Unavailable = 3,
}

/** The answer of the ledger, as the host lays it out. Valid until the callback returns; `bytes` may be copied. */
@unmanaged
export class QuotaDecision {
  private stateByte: u8;
  private repeatedByte: u8;
  private refusing: u8;
  private countByte: u8;
  /** What `commitQuota` or `releaseQuota` is to be told; 0 where nothing is kept back. */
  reservation: u32;

  get state(): QuotaState {
    return <QuotaState>this.stateByte;
  }

  /** Quotas that were asked for; 0 where the ledger is unavailable. */
  get count(): i32 {
    return this.countByte;
  }

  /** The id was charged before, and nothing now. */
  get repeated(): bool {
    return this.repeatedByte != 0;
  }

  /** Index of the quota that refuses. */
  get refusedBy(): i32 {
    return min<i32>(this.refusing, this.count - 1);
  }

  /** With what was added to the window by hand. */
  limit(index: i32): i64 {
    return load<i64>(this.at(index));
  }

  remaining(index: i32): i64 {
    return load<i64>(this.at(index), 8);
  }

  /** Until the window ends. */
  resetSeconds(index: i32): u32 {
    return load<u32>(this.at(index), 16);
  }

  windowSeconds(index: i32): u32 {
    return load<u32>(this.at(index), 20);
  }

  softReached(index: i32): bool {
    return (load<u32>(this.at(index), 24) & 1) != 0;
  }

  /** Beyond the limit, in what is let through all the same. */
  inGrace(index: i32): bool {
    return (load<u32>(this.at(index), 24) & 2) != 0;
  }

  private at(index: i32): usize {
    return changetype<usize>(this) + HEAD_SIZE + index * LEFT_SIZE;
  }

  get bytes(): Bytes {
    return Bytes.of(changetype<usize>(this), HEAD_SIZE + this.count * LEFT_SIZE);
  }
}

/** Reads the host's answer. One that is cut short counts as none. */
export function decodeQuota(bytes: Bytes): QuotaDecision {
  const whole = bytes.length >= HEAD_SIZE;
  const count = whole ? load<u8>(bytes.start, 3) : 0;
  if (whole && bytes.length >= HEAD_SIZE + count * LEFT_SIZE) return changetype<QuotaDecision>(bytes.start);
  const none = allocate(HEAD_SIZE);
  store<u64>(none, QuotaState.Unavailable);
  return changetype<QuotaDecision>(none);
}
