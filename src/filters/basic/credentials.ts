import { Bytes, ByteWriter, now } from '@weir/filters-sdk/assembly';
import { sha256 } from '@weir/filters-sdk/assembly/sha256';
import { User } from './users';

/** A power of two. */
const SLOTS = 256;
const DIGEST_SIZE = 32;

const computed = memory.data(DIGEST_SIZE, 8);
const message = new ByteWriter(256);

/**
 * Names with passwords that were found right lately, by a digest of both, so that not every request costs a hash. What a
 * slot has is forgotten when another comes to it. A wrong one is never remembered.
 */
export class Credentials {
  private digests: usize = heap.alloc(SLOTS * DIGEST_SIZE);
  private users: Array<User | null> = new Array<User | null>(SLOTS);
  /** Nobody outside can tell which of them share a slot. */
  private seed: i64 = 0;

  clear(): void {
    memory.fill(this.digests, 0, SLOTS * DIGEST_SIZE);
    this.users.fill(null);
    this.seed = now() ^ (<i64>changetype<usize>(this));
  }

  /** @param given name, colon and password */
  find(given: Bytes): User | null {
    const slot = this.slotOf(given);
    const user = unchecked(this.users[slot]);
    const same = Bytes.of(computed, DIGEST_SIZE).equalsInConstantTime(
      Bytes.of(this.digests + DIGEST_SIZE * slot, DIGEST_SIZE),
    );
    return same ? user : null;
  }

  add(given: Bytes, user: User): void {
    const slot = this.slotOf(given);
    memory.copy(this.digests + DIGEST_SIZE * slot, computed, DIGEST_SIZE);
    this.users[slot] = user;
  }

  private slotOf(given: Bytes): i32 {
    message
      .clear()
      .addU32(<u32>this.seed)
      .addU32(<u32>(this.seed >> 32))
      .add(given);
    sha256(message.view().start, message.length, computed);
    // Nothing of it stays in memory.
    memory.fill(message.view().start, 0, message.length);
    return load<u32>(computed) & (SLOTS - 1);
  }
}
