import { Bytes, now } from '@weir/filters-sdk/assembly';
import { Consumer } from '@weir/filters-sdk/assembly/consumer';
import { sha256 } from '@weir/filters-sdk/assembly/sha256';

const DIGEST_SIZE = 32;
/** A slot of the cache: u32 key's number + 1, u32 length, the credential. */
const SLOT_SIZE = 72;
const SLOTS = 128;
/** Longer credentials are not remembered. */
const REMEMBERED_SIZE = 64;
/** Longer ones are refused unread. */
export const MOST_SIZE = 1024;

const digest = memory.data(32, 8);

/**
 * The keys that are known, by their digests. Whether a credential is right takes a time that depends on
 * its length alone, and on whether it was seen lately; a wrong one is never remembered.
 */
export class Keys {
  /** 32 bytes each. */
  private digests: usize = 0;
  private capacity: i32 = 0;
  private owners: Consumer[] = [];
  private ends: i64[] = [];
  /** Open addresses by a digest's first bytes: a key's number + 1, u32 each. At most half of them are taken. */
  private table: usize = 0;
  private mask: u32 = 0;
  private cache: usize = heap.alloc(SLOTS * SLOT_SIZE);
  private seed: u32 = 0;

  owner(key: i32): Consumer {
    return unchecked(this.owners[key]);
  }

  /** Milliseconds since 1970; see `isOver`. */
  end(key: i32): i64 {
    return unchecked(this.ends[key]);
  }

  /** @returns false where there is a key of this digest already */
  add(owner: Consumer, end: i64, keyDigest: usize): bool {
    const count = this.owners.length;
    if (count == this.capacity) this.grow();
    if (this.numberOf(keyDigest) >= 0) return false;
    memory.copy(this.digests + DIGEST_SIZE * count, keyDigest, DIGEST_SIZE);
    this.owners.push(owner);
    this.ends.push(end);
    this.insert(count);
    return true;
  }

  private grow(): void {
    const count = this.owners.length;
    const old = this.digests;
    this.capacity = max(16, 2 * count);
    this.digests = heap.alloc(DIGEST_SIZE * this.capacity);
    memory.copy(this.digests, old, DIGEST_SIZE * count);
    if (old != 0) heap.free(old);
    if (this.table != 0) heap.free(this.table);
    this.mask = 2 * this.capacity - 1;
    this.table = heap.alloc(8 * this.capacity);
    memory.fill(this.table, 0, 8 * this.capacity);
    for (let i = 0; i < count; i++) this.insert(i);
  }

  private insert(key: i32): void {
    let at = load<u32>(this.digests + DIGEST_SIZE * key) & this.mask;
    while (load<u32>(this.table + 4 * at) != 0) at = (at + 1) & this.mask;
    store<u32>(this.table + 4 * at, key + 1);
  }

  /** To be called once, when all keys are there. */
  finish(): void {
    if (this.capacity == 0) this.grow();
    memory.fill(this.cache, 0, SLOTS * SLOT_SIZE);
    // Nobody outside can tell which credentials share a slot.
    store<i64>(digest, now());
    if (this.owners.length > 0) store<u64>(digest, load<u64>(this.digests), 8);
    sha256(digest, 16, digest);
    this.seed = load<u32>(digest);
  }

  /** The number of the key that a credential is, or -1. */
  find(credential: Bytes): i32 {
    const length = credential.length;
    if (length == 0 || length > MOST_SIZE) return -1;
    const slot = this.cache + SLOT_SIZE * ((credential.hash() * this.seed) >> 25);
    if (load<i32>(slot, 4) == length && sameInConstantTime(slot + 8, credential.start, length)) {
      return load<i32>(slot) - 1;
    }
    sha256(credential.start, length, digest);
    const key = this.numberOf(digest);
    if (key >= 0 && length <= REMEMBERED_SIZE) {
      store<i32>(slot, key + 1);
      store<i32>(slot, length, 4);
      memory.copy(slot + 8, credential.start, length);
    }
    return key;
  }

  private numberOf(keyDigest: usize): i32 {
    let found = -1;
    let at = load<u32>(keyDigest) & this.mask;
    let entry = load<i32>(this.table + 4 * at);
    while (entry != 0) {
      if (sameDigest(this.digests + DIGEST_SIZE * (entry - 1), keyDigest)) found = entry - 1;
      at = (at + 1) & this.mask;
      entry = load<i32>(this.table + 4 * at);
    }
    return found;
  }
}

/** All 32 bytes are looked at, wherever they differ. */
function sameDigest(left: usize, right: usize): bool {
  return (
    ((load<u64>(left) ^ load<u64>(right)) |
      (load<u64>(left, 8) ^ load<u64>(right, 8)) |
      (load<u64>(left, 16) ^ load<u64>(right, 16)) |
      (load<u64>(left, 24) ^ load<u64>(right, 24))) ==
    0
  );
}

function sameInConstantTime(left: usize, right: usize, length: i32): bool {
  let difference: u64 = 0;
  let i = 0;
  for (; i + 8 <= length; i += 8) difference |= load<u64>(left + i) ^ load<u64>(right + i);
  for (; i < length; i++) difference |= load<u8>(left + i) ^ load<u8>(right + i);
  return difference == 0;
}
