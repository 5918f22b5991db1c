import { Bytes } from '@weir/filters-sdk/assembly';
import { Consumer } from '@weir/filters-sdk/assembly/consumer';
import { sha256 } from '@weir/filters-sdk/assembly/sha256';

const computed = memory.data(32, 8);

/** One password of a user. */
export class User {
  /** The same user's other passwords. */
  next: User | null = null;

  constructor(
    public consumer: Consumer,
    public notAfter: i64,
    /** `scrypt$…`; null: `digest` is what there is. */
    public hash: ArrayBuffer | null,
    /** SHA-256, 32 bytes. */
    public digest: ArrayBuffer,
  ) {}
}

export class Users {
  private byName: Map<string, User> = new Map<string, User>();
  /** A hash whose password nobody has; null where no user has a hash. */
  decoy: ArrayBuffer | null = null;

  add(name: ArrayBuffer, user: User): void {
    const key = String.UTF8.decode(name);
    if (this.byName.has(key)) user.next = this.byName.get(key);
    this.byName.set(key, user);
    if (user.hash !== null && this.decoy === null) this.decoy = user.hash;
  }

  find(name: Bytes): User | null {
    const key = String.UTF8.decodeUnsafe(name.start, name.length);
    return this.byName.has(key) ? this.byName.get(key) : null;
  }
}

/** Whether a password has the user's digest; all of it is compared. */
export function isDigestOf(user: User, password: Bytes): bool {
  sha256(password.start, password.length, computed);
  return Bytes.of(computed, 32).equalsInConstantTime(user.digest);
}
