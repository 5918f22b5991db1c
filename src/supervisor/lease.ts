/**
 * The arithmetic of one limit that several workers draw from. Pure: the caller owns the clock and
 * the messages.
 *
 * The account is a token bucket of `capacity` tokens that fills at `ratePerMs`. Tokens are taken
 * one request at a time, or handed to a worker in advance (a lease). A leased token has left
 * `level` but not the bucket: it still counts against the capacity, since the bucket of a single
 * process would be as full. So over all workers
 *
 *     level + leased <= capacity
 *
 * and no sequence of leases admits more than one process would have.
 *
 * The cost of that rule is that a token used and not yet reported keeps the bucket looking fuller
 * than it is, and what flows in above the ceiling runs over. The account remembers when that
 * happened last, and a report gives back what ran over after its tokens were used.
 */
export interface Account {
  capacity: number;
  ratePerMs: number;
  /** Tokens that may be taken now. */
  level: number;
  /** Tokens that workers hold, not known to be used. */
  leased: number;
  /** The last span in which refill ran over, less what has been given back of it. */
  overFrom: number;
  overTo: number;
  /** The time `level` is right for, in monotonic milliseconds. */
  at: number;
}

/** Forgives the rounding of many small refills, so that a whole token is a whole token. */
const ROUNDING = 1e-6;

/** No worker holds more tokens of one key than this beyond what it uses. */
export const MAX_LEASE = 256;

/** A full account. */
export function openAccount(capacity: number, ratePerMs: number, now: number): Account {
  return { capacity, ratePerMs, level: capacity, leased: 0, overFrom: now, overTo: now, at: now };
}

/** Adds what has flowed in since the last call. */
export function refill(account: Account, now: number): void {
  const before = account.at;
  if (now <= before) return;
  account.at = now;
  const gained = (now - before) * account.ratePerMs;
  const room = Math.max(0, account.capacity - account.leased - account.level);
  if (gained <= room) {
    account.level += gained;
    return;
  }
  account.level += room;
  const goesOn = room === 0 && account.overTo === before;
  if (!goesOn) account.overFrom = before + room / account.ratePerMs;
  account.overTo = now;
}

/** Takes `cost` tokens if they are there. */
export function take(account: Account, cost: number, now: number): boolean {
  refill(account, now);
  if (account.level + ROUNDING < cost) return false;
  account.level = Math.max(0, account.level - cost);
  return true;
}

/**
 * Hands tokens to a worker in advance: a share of what is there while there is plenty, none where
 * tokens are scarce, so that the last ones are decided one by one.
 *
 * @param holders workers that may want tokens of this account
 * @returns whole tokens that the worker now holds; 0 where it must go on asking
 */
export function lease(account: Account, holders: number, now: number): number {
  refill(account, now);
  const count = Math.min(MAX_LEASE, Math.floor(account.level / (2 * holders)));
  if (count < 1) return 0;
  account.level -= count;
  account.leased += count;
  return count;
}

/** A worker used `count` of its tokens, the last of them at `usedAt`. */
export function reportUsed(account: Account, count: number, usedAt: number, now: number): void {
  refill(account, now);
  const used = Math.min(count, account.leased);
  account.leased -= used;
  // Each moment's refill is given back once, whichever report is the first to cover it.
  const from = Math.max(usedAt, account.overFrom);
  const credit = Math.min(used, Math.max(0, account.overTo - from) * account.ratePerMs);
  if (credit <= 0) return;
  account.level += credit;
  account.overFrom = from + credit / account.ratePerMs;
}

/** A worker gave `count` tokens back unused. */
export function giveBack(account: Account, count: number, now: number): void {
  refill(account, now);
  const returned = Math.min(count, account.leased);
  account.leased -= returned;
  account.level += returned;
}

/** Tokens that were taken for a request which was refused after all. */
export function refund(account: Account, count: number, now: number): void {
  refill(account, now);
  account.level = Math.max(account.level, Math.min(account.capacity - account.leased, account.level + count));
}

/**
 * A worker died with `count` tokens. Nobody knows how many it used; counting all of them as used
 * never admits too much.
 */
export function writeOff(account: Account, count: number, now: number): void {
  refill(account, now);
  account.leased -= Math.min(count, account.leased);
}

/** Moves an account to another limit; what was taken stays taken. */
export function resize(account: Account, capacity: number, ratePerMs: number, now: number): void {
  refill(account, now);
  const spent = account.capacity - account.level - account.leased;
  account.capacity = capacity;
  account.ratePerMs = ratePerMs;
  account.level = Math.max(0, capacity - spent - account.leased);
}

/** Milliseconds until `cost` tokens are there; Infinity where they never will be. */
export function waitFor(account: Account, cost: number): number {
  if (cost > account.capacity) return Infinity;
  return Math.max(0, cost - account.level) / account.ratePerMs;
}

/** Milliseconds until the account is as good as new. */
export function untilFull(account: Account): number {
  return Math.max(0, account.capacity - account.level - account.leased) / account.ratePerMs;
}
