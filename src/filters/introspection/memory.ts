import { Bytes } from '@weir/filters-sdk/assembly';
import { sha256 } from '@weir/filters-sdk/assembly/sha256';
import { Known } from './answer';

/** Entries of one half. */
const MOST = 5000;
const digest = memory.data(32);

/** A token by its digest: what is kept of tokens is no token. */
export function keyOf(token: Bytes): string {
  sha256(token.start, token.length, digest);
  return String.UTF16.decodeUnsafe(digest, 32);
}

/** What is known of tokens: at most 10 000, of which the older half goes when the newer one is full. */
export class TokenMemory {
  private newer: Map<string, Known> = new Map<string, Known>();
  private older: Map<string, Known> = new Map<string, Known>();

  /** @param time milliseconds since 1970 */
  find(key: string, time: i64): Known | null {
    if (this.newer.has(key)) return fresh(this.newer.get(key), time);
    if (!this.older.has(key)) return null;
    const known = fresh(this.older.get(key), time);
    this.older.delete(key);
    if (known !== null) this.add(key, known);
    return known;
  }

  add(key: string, known: Known): void {
    if (this.newer.size >= MOST) {
      this.older = this.newer;
      this.newer = new Map<string, Known>();
    }
    this.newer.set(key, known);
  }
}

function fresh(known: Known, time: i64): Known | null {
  return time < known.until ? known : null;
}
