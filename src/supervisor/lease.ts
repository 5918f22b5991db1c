import { capacityOf, isWindowed, type Limit } from '../runtime/limit.ts';

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
 *
 * Windows are the same account. A fixed one does not fill, and is full again when its window ends. A sliding one fills
 * within a window as what was used in the one before fades, `used / period` a millisecond; at the end of a window
 * the level stays what it is, and the rate becomes that of the window which ended. For concurrency nothing fills, and
 * streams that end give back.
 */
export interface Account {
  limit: Limit;
  capacity: number;
  /** For a sliding window: how fast what was used in the window before fades. */
  ratePerMs: number;
  /** When the window ends; Infinity where there are none. */
  turnsAt: number;
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

/**
 * A full account.
 *
 * @param unixOffset of the clock: milliseconds since 1970 less `now`
 */
export function openAccount(limit: Limit, now: number, unixOffset = 0): Account {
  const capacity = capacityOf(limit);
  const account = {
    limit,
    capacity,
    ratePerMs: 0,
    turnsAt: Infinity,
    level: capacity,
    leased: 0,
    overFrom: now,
    overTo: now,
    at: now,
  };
  setPace(account, now, unixOffset);
  return account;
}

function setPace(account: Account, now: number, unixOffset: number): void {
  const { limit } = account;
  const { periodMs } = limit;
  const windowed = isWindowed(limit);
  account.ratePerMs = windowed || limit.algorithm === 'concurrency' ? 0 : limit.requests / periodMs;
  account.turnsAt = windowed ? now + periodMs - ((now + unixOffset) % periodMs) : Infinity;
}

/** Adds what has flowed in since the last call. */
export function refill(account: Account, now: number): void {
  if (now <= account.at) return;
  while (now >= account.turnsAt) turn(account, now);
  flow(account, now);
}

/** The window ends. */
function turn(account: Account, now: number): void {
  const { limit } = account;
  flow(account, account.turnsAt);
  const unused = account.capacity - account.leased;
  if (limit.algorithm === 'fixed-window') account.level = unused;
  else account.ratePerMs = (unused - account.level) / limit.periodMs;
  // After windows in which nothing was used nothing changes any more.
  const skipped =
    account.level + ROUNDING >= unused ? Math.floor((now - account.turnsAt) / limit.periodMs) : 0;
  account.turnsAt += limit.periodMs * (1 + skipped);
}

function flow(account: Account, now: number): void {
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
  if (!covers(account, cost, now)) return false;
  account.level = Math.max(0, account.level - cost);
  return true;
}

/** Whether `cost` tokens are there. */
export function covers(account: Account, cost: number, now: number): boolean {
  refill(account, now);
  return account.level + ROUNDING >= cost;
}

/** Takes tokens whether they are there or not; what is missing has to flow in before anything is admitted. */
export function charge(account: Account, cost: number, now: number): void {
  refill(account, now);
  account.level -= cost;
}

/**
 * Hands tokens to a worker in advance: a share of what is there while there is plenty, none where
 * tokens are scarce, so that the last ones are decided one by one.
 *
 * @param holders workers that may want tokens of this account
 * @returns whole tokens that the worker now holds; 0 where it must go on asking
 */
export function lease(account: Account, holders: number, now: number): number {
  if (account.limit.algorithm === 'concurrency') return 0;
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
  if (account.turnsAt !== Infinity) {
    reportToWindow(account, used, usedAt);
    return;
  }
  // Each moment's refill is given back once, whichever report is the first to cover it.
  const from = Math.max(usedAt, account.overFrom);
  const credit = Math.min(used, Math.max(0, account.overTo - from) * account.ratePerMs);
  if (credit <= 0) return;
  account.level += credit;
  account.overFrom = from + credit / account.ratePerMs;
}

/** The window of `usedAt` may have ended while the tokens still counted as leased. */
function reportToWindow(account: Account, used: number, usedAt: number): void {
  const { algorithm, periodMs } = account.limit;
  const began = account.turnsAt - periodMs;
  if (usedAt >= began) return;
  if (algorithm === 'fixed-window' || usedAt < began - periodMs) {
    account.level += used;
    return;
  }
  account.ratePerMs += used / periodMs;
  account.level += (used * (account.at - began)) / periodMs;
}

/** A worker gave `count` tokens back unused. */
export function giveBack(account: Account, count: number, now: number): void {
  refill(account, now);
  const returned = Math.min(count, account.leased);
  account.leased -= returned;
  account.level += returned;
}

/** Tokens that were taken at `takenAt` for a request which was refused after all, or is over. */
export function refund(account: Account, count: number, takenAt: number, now: number): void {
  refill(account, now);
  const { algorithm, periodMs } = account.limit;
  const began = account.turnsAt === Infinity ? -Infinity : account.turnsAt - periodMs;
  let back = count;
  if (takenAt < began) {
    // Another window has its own tokens.
    if (algorithm === 'fixed-window' || takenAt < began - periodMs) return;
    account.ratePerMs = Math.max(0, account.ratePerMs - count / periodMs);
    back = (count * (account.turnsAt - account.at)) / periodMs;
  }
  account.level = Math.max(account.level, Math.min(account.capacity - account.leased, account.level + back));
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
export function resize(account: Account, limit: Limit, now: number, unixOffset = 0): void {
  refill(account, now);
  const spent = account.capacity - account.level - account.leased;
  const alike = (account.limit.algorithm === 'concurrency') === (limit.algorithm === 'concurrency');
  account.limit = limit;
  account.capacity = capacityOf(limit);
  account.level = Math.max(0, account.capacity - (alike ? spent : 0) - account.leased);
  setPace(account, now, unixOffset);
}

/** Milliseconds until `cost` tokens are there; Infinity where they never will be, or nobody knows when. */
export function waitFor(account: Account, cost: number): number {
  if (cost > account.capacity) return Infinity;
  const missing = cost - account.level;
  if (missing <= 0) return 0;
  if (account.turnsAt === Infinity) return account.ratePerMs > 0 ? missing / account.ratePerMs : Infinity;
  const turn = account.turnsAt - account.at;
  if (account.limit.algorithm === 'fixed-window') return turn;
  const fades = account.ratePerMs * turn;
  if (missing <= fades) return missing / account.ratePerMs;
  const spent = account.capacity - account.leased - account.level - fades;
  return turn + ((missing - fades) * account.limit.periodMs) / spent;
}

/** Milliseconds until the account is as good as new; 0 where nobody knows when. */
export function untilFull(account: Account): number {
  const missing = Math.max(0, account.capacity - account.level - account.leased);
  if (missing === 0 || account.limit.algorithm === 'concurrency') return 0;
  if (account.turnsAt === Infinity) return missing / account.ratePerMs;
  const turn = account.turnsAt - account.at;
  const fades = account.limit.algorithm === 'fixed-window' || missing <= account.ratePerMs * turn + ROUNDING;
  return fades ? turn : turn + account.limit.periodMs;
}
