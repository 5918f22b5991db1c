import { Status } from './abi';
import { out } from './arena';
import { Bytes, utf8 } from './bytes';
import { proxy_call_foreign_function } from './env';
import { LimitDecision, LimitState, answerSize, decodeDecision, emptyDecision } from './limit-decision';
import { giveBackShared, millisecondsNow, takeShared } from './shared-limit';
import { ByteWriter } from './writer';

export { LimitDecision, LimitState };

/** How a rate is counted. */
export enum Algorithm {
  /** Lets a burst through and refills evenly. */
  TokenBucket = 0,
  /** Spaces requests out. */
  Gcra = 1,
  /** Counts anew at each whole multiple of the period since 1970. */
  FixedWindow = 2,
  /** As that, with the window before weighted by how much of it is less than a period ago. */
  SlidingWindow = 3,
  /** Not a rate: how many may be under way at a time, each until its stream is over. */
  Concurrency = 4,
}

/** Who counts together. */
export enum Scope {
  /** Each worker counts for itself. */
  Local = 0,
  /** All workers of one machine count together, exactly. */
  Node = 1,
  /** All that use the Store of the filter, on any machine. */
  Cluster = 2,
}

/** What is done with a cost. */
export enum Take {
  /** Taken, if all of it is there. */
  Cost = 0,
  /** Decided as if, and nothing is taken. */
  Nothing = 1,
  /** Taken whether it is there or not: what is missing has to come back before anything is allowed again. */
  Anyway = 2,
}

/** What is answered where nobody can be asked. */
export enum OnFailure {
  /** `LimitState.Unavailable`. */
  Unavailable = 0,
  Allow = 1,
  /** As the machine counts by itself. */
  Node = 2,
}

const HEAD_SIZE = 20;
const FUNCTION = utf8('weir.limits_take');

/** False once the host said that it does not know the function: then shared data does its work. */
let native = true;

/** The last answer of a `take`, or the ticket of a pending one. */
let answer = changetype<LimitDecision>(memory.data(24, 8));

/**
 * A rate: `requests` for each `periodMs`, of which `burst` may come at once (0: the algorithm's own, a
 * whole period's for a token bucket, one for GCRA; windows and concurrency have none). One object serves all keys. Two limits of one filter need keys
 * that differ: in weir a key alone names what is counted, so that a limit that was changed keeps what was used.
 *
 * The host counts where it offers `weir.limits_take`. Elsewhere shared data does, exact over the VMs that
 * share it; there the scope makes no difference, keys are never forgotten, and a limit that was changed begins anew.
 */
export class Limit {
  private head: ArrayBuffer = new ArrayBuffer(HEAD_SIZE);

  /** @param periodMs of concurrency: 1 */
  constructor(
    requests: u32,
    periodMs: u32,
    burst: u32,
    algorithm: Algorithm,
    scope: Scope,
    onFailure: OnFailure = OnFailure.Unavailable,
  ) {
    const head = changetype<usize>(this.head);
    store<u8>(head, <u8>algorithm);
    store<u8>(head, <u8>scope, 1);
    store<u8>(head, <u8>onFailure, 3);
    store<u32>(head, requests, 4);
    store<u32>(head, periodMs, 8);
    store<u32>(head, burst, 12);
  }

  get isConcurrency(): bool {
    return load<u8>(changetype<usize>(this.head)) == <u8>Algorithm.Concurrency;
  }

  /**
   * Takes `cost` from what `key` has left. `decision` holds the details afterwards, unless it is pending.
   * A cost of 0 asks without taking. Several limits at once: `LimitSet`.
   */
  take<K>(key: K, cost: u32): LimitState {
    return single().clear().add<K>(this, key, cost).take();
  }

  /** What the last `take` answered. */
  get decision(): LimitDecision {
    return answer;
  }

  /** The number that `onLimitDecision` will name, where the last `take` is pending. */
  get ticket(): u32 {
    return answer.remaining;
  }

  /** The SDK's. */
  write(to: usize, cost: u32, take: Take): void {
    memory.copy(to, changetype<usize>(this.head), HEAD_SIZE);
    store<u8>(to, <u8>take, 2);
    store<u32>(to, cost, 16);
  }
}

let one: LimitSet | null = null;

function single(): LimitSet {
  if (one === null) one = new LimitSet();
  return one!;
}

/**
 * Limits that are asked together: all of them allow and all are charged, or none is. Filled for each request; one
 * object serves all.
 *
 *     const state = limits.clear().add(perUser, user, 1).add(perRoute, route, 1).take();
 */
export class LimitSet {
  /** u32 size and what `weir.limit_take` takes, for each. */
  private arguments: ByteWriter = new ByteWriter(256);
  /** How many there are. */
  private count: i32 = 0;
  /** Where the last one begins: its size is known when its key is whole. */
  private last: i32 = 0;
  private holds: bool = false;

  clear(): LimitSet {
    this.arguments.clear();
    this.count = 0;
    this.holds = false;
    return this;
  }

  get length(): i32 {
    return this.count;
  }

  /** At most 8 at a time. */
  add<K>(limit: Limit, key: K, cost: u32, take: Take = Take.Cost): LimitSet {
    this.open(limit, cost, take).add<K>(key);
    return this;
  }

  /** As `add`, for a key of several parts: they are added to what it answers, until the next call of this set. */
  open(limit: Limit, cost: u32, take: Take = Take.Cost): ByteWriter {
    const bytes = this.arguments;
    this.close(bytes);
    this.last = bytes.length;
    limit.write(bytes.reserve(4 + HEAD_SIZE) + 4, cost, take);
    if (take == Take.Cost && limit.isConcurrency) this.holds = true;
    this.count++;
    return bytes;
  }

  private close(bytes: ByteWriter): Bytes {
    const all = bytes.view();
    if (this.count > 0) store<u32>(all.start + this.last, all.length - this.last - 4);
    return all;
  }

  /** `decision` holds the details afterwards, unless it is pending: then the stream pauses for `onLimitDecision`. */
  take(): LimitState {
    const bytes = this.close(this.arguments);
    if (!native) return this.takeShared();
    const status = proxy_call_foreign_function(
      changetype<usize>(FUNCTION),
      FUNCTION.byteLength,
      bytes.start,
      bytes.length,
      out,
      out + 4,
    );
    if (status == Status.Ok && load<i32>(out, 4) == answerSize(this.count)) {
      answer = decodeDecision(Bytes.of(load<usize>(out), load<i32>(out, 4)), 0);
      return answer.state;
    }
    if (status != Status.NotFound && status != Status.Unimplemented) return LimitState.Unavailable;
    native = false;
    return this.takeShared();
  }

  get decision(): LimitDecision {
    return answer;
  }

  get ticket(): u32 {
    return answer.remaining;
  }

  /**
   * What the filter must keep and give to `LimitSet.release` when the stream is over, on hosts that do not count
   * themselves and so do not know. Null: nothing.
   */
  held(): ArrayBuffer | null {
    return native || !this.holds ? null : this.arguments.copy();
  }

  static release(held: ArrayBuffer): void {
    const end = changetype<usize>(held) + held.byteLength;
    for (let at = changetype<usize>(held); at < end; at += 4 + load<u32>(at)) {
      if (load<u8>(at, 4) == <u8>Algorithm.Concurrency) giveBackShared(at + 4, load<u32>(at), 0);
    }
  }

  private takeShared(): LimitState {
    answer = emptyDecision(this.count);
    const bytes = this.arguments.view();
    const nowMs = millisecondsNow();
    let at = bytes.start;
    for (let i = 0; i < this.count; i++) {
      if (takeShared(at + 4, load<u32>(at), answer.of(i)) == 0) {
        this.giveBack(bytes.start, at, nowMs);
        for (let j = 0; j < i; j++) answer.of(j).clear();
        return answer.settle(LimitState.Denied);
      }
      at += 4 + load<u32>(at);
    }
    return answer.settle(LimitState.Allowed);
  }

  private giveBack(from: usize, to: usize, takenAt: u64): void {
    for (let at = from; at < to; at += 4 + load<u32>(at)) {
      if (load<u8>(at, 6) == <u8>Take.Cost) giveBackShared(at + 4, load<u32>(at), takenAt);
    }
  }
}
