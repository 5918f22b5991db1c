import { Bytes } from '@weir/filters-sdk/assembly';
import { Verified } from './token';

/** A power of two. */
const SLOTS = 256;
/** Longer tokens are checked each time. */
const MOST_BYTES = 4096;

/**
 * Tokens that were found right, by their bytes. What a slot has is forgotten when another token comes to it. Which
 * tokens share one nobody outside can tell or choose: it hangs on the signature, too.
 */
export class TokenCache {
  private tokens: Array<ArrayBuffer | null> = new Array<ArrayBuffer | null>(SLOTS);
  private found: Array<Verified | null> = new Array<Verified | null>(SLOTS);

  /** @returns null where the token is not known */
  find(token: Bytes): Verified | null {
    const slot = slotOf(token);
    const known = unchecked(this.tokens[slot]);
    return known !== null && token.equals(known) ? unchecked(this.found[slot]) : null;
  }

  add(token: Bytes, verified: Verified): void {
    if (token.length > MOST_BYTES) return;
    const slot = slotOf(token);
    this.tokens[slot] = token.copy();
    this.found[slot] = verified;
  }

  clear(): void {
    this.tokens.fill(null);
    this.found.fill(null);
  }
}

/** The end of the signature spreads tokens better, and is read faster, than the whole token. */
function slotOf(token: Bytes): i32 {
  return token.slice(token.length - 16).hash() & (SLOTS - 1);
}
