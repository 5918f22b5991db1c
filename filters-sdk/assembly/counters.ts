// Shared data as counters, with a time to live, and changed step by step. Where the host has no function of its own
// for it, the ABI's shared data does the work: without times, and counters are exact over the VMs that share them.
import { Bytes, encode, sizeOf, startOf } from './bytes';
import { callForeign, foreignUnknown } from './foreign';
import { Pairs } from './pairs';
import { compareAndSetShared, getShared, setShared, sharedVersion } from './shared';
import { ByteWriter } from './writer';

/** Others may get in between; after so many of them a change is given up. */
const ATTEMPTS = 64;

/**
 * Adds to a counter that begins with 0, exactly over all workers.
 *
 * @param lifetimeMs how long a counter is there that this makes; 0: for good
 * @returns what it is then, or null where the host has no room
 */
export function addShared<K>(key: K, amount: i64, lifetimeMs: u32 = 0): Counted | null {
  const args = new ByteWriter();
  store<i64>(args.reserve(8), amount);
  args.addU32(lifetimeMs).add<K>(key);
  const answer = callForeign('weir.counter_add', args.view());
  if (answer !== null && answer.length == 8) return new Counted(load<i64>(answer.start));
  return foreignUnknown() ? addByVersions<K>(key, amount) : null;
}

/** What a counter is. */
export class Counted {
  constructor(readonly value: i64) {}
}

function addByVersions<K>(key: K, amount: i64): Counted | null {
  const change = new Addition(amount);
  return change.apply<K>(key) ? new Counted(change.sum) : null;
}

/**
 * A change of shared data that depends on what is there: `next` may be asked several times, since others change it
 * meanwhile. It has closures' part: what `next` needs are fields.
 */
export abstract class SharedChange {
  /** @param current null: nothing is there */
  abstract next(current: Bytes | null): ArrayBuffer;

  /** False where others were faster again and again, or the host has no room. */
  apply<K>(key: K): bool {
    for (let i = 0; i < ATTEMPTS; i++) {
      const current = getShared<K>(key);
      const version = current === null ? 0 : sharedVersion();
      const value = this.next(current);
      if (compareAndSetShared<K, ArrayBuffer>(key, value, version)) return true;
    }
    return false;
  }
}

class Addition extends SharedChange {
  sum: i64 = 0;

  constructor(private amount: i64) {
    super();
  }

  next(current: Bytes | null): ArrayBuffer {
    const before: i64 = current !== null && current.length == 8 ? load<i64>(current.start) : 0;
    this.sum = before + this.amount;
    const value = new ArrayBuffer(8);
    store<i64>(changetype<usize>(value), this.sum);
    return value;
  }
}

/**
 * `compareAndSetShared` for a limited time.
 *
 * @param version as there; 0: whatever is there
 * @param lifetimeMs 0: for good. A host without the function keeps it for good
 */
export function setSharedFor<K, V>(key: K, value: V, lifetimeMs: u32, version: u32 = 0): bool {
  if (isString<K>())
    return setSharedFor<Bytes, V>(encode(changetype<string>(key)), value, lifetimeMs, version);
  if (isString<V>())
    return setSharedFor<K, Bytes>(key, encode(changetype<string>(value)), lifetimeMs, version);
  const args = new ByteWriter();
  args.addU32(lifetimeMs).addU32(version).addU32(sizeOf<K>(key)).add<K>(key).add<V>(value);
  const answer = callForeign('weir.shared_set', args.view());
  if (answer !== null) return isOne(answer);
  return foreignUnknown() && setShared<K>(key, startOf<V>(value), sizeOf<V>(value), version);
}

/** Removes shared data; false where it is not there, the version is another, or the host cannot. Of weir alone. */
export function deleteShared<K>(key: K, version: u32 = 0): bool {
  const args = new ByteWriter();
  const answer = callForeign('weir.shared_delete', args.addU32(version).add<K>(key).view());
  return answer !== null && isOne(answer);
}

/** The keys that begin with a prefix, as names; null where the host cannot list them. Of weir alone. */
export function sharedKeys<P>(prefix: P): Pairs | null {
  const answer = callForeign<P>('weir.shared_keys', prefix);
  return answer === null ? null : Pairs.read(answer.start, answer.length);
}

function isOne(answer: Bytes): bool {
  return answer.length == 4 && load<u32>(answer.start) == 1;
}
