import {
  charge,
  convert,
  decide,
  type Decision,
  emptyDecision,
  giveBack,
  type Limit,
  openUse,
  owed,
  sameLimit,
  settle,
  USE_WIDTH,
} from './limit.ts';

import type { Quotas } from './quota/quota.ts';
import type { StoreSpec } from './snapshot.ts';

export type { Decision, Limit } from './limit.ts';

/** Keeps what keys have used of their limits. A key names the limit too: one key is used with one limit. */
export interface Ledger {
  /**
   * Takes `cost` from what `key` has left.
   *
   * @param waiter told later, with the ticket, where the answer is not known at once
   * @returns the decision, which the next call overwrites; null where the waiter will be told
   */
  take(key: string, cost: number, limit: Limit, waiter: LedgerWaiter, ticket: number): Decision | null;
  /** Decides like `take`, and takes nothing. */
  peek(key: string, cost: number, limit: Limit, waiter: LedgerWaiter, ticket: number): Decision | null;
  /** Takes `cost` whether it is there or not, for what is known only afterwards. */
  charge(key: string, cost: number, limit: Limit): void;
  /** Undoes a `take`. @param takenAt `at` of its decision */
  giveBack(key: string, cost: number, limit: Limit, takenAt: number): void;
}

/** Whom a ledger tells of a decision that took time. */
export interface LedgerWaiter {
  /** @param ticket as it was passed to `take`; @param decision the next one overwrites it */
  decided(ticket: number, decision: Decision): void;
}

/** What several machines count in one server. */
export interface SharedLedgers {
  readonly limits: Ledger;
  readonly quotas: Quotas;
}

/** Ledgers of servers that several machines count in. */
export interface Stores {
  /** The same for all that use the same server; each call is undone by one `release`. */
  acquire(spec: StoreSpec): SharedLedgers;
  release(spec: StoreSpec): void;
}

const DEFAULT_MAX_KEYS = 100_000;
const NONE = -1;
/** Milliseconds since 1970. Read once: it is as dear as the time itself. */
const STARTED_AT = performance.timeOrigin;

/**
 * A ledger in this process. The number of keys is bounded: beyond it the key that was used longest
 * ago makes room, which is one that owes nothing any more unless more keys than that are active at
 * once; then it is counted in `evicted`, because a client has got its limit anew.
 *
 * A decision on a known key allocates nothing.
 */
export class LocalLedger implements Ledger {
  /** Keys that were forgotten while they still owed something. */
  evicted = 0;

  readonly #clock: () => number;
  readonly #maxKeys: number;
  readonly #entries = new Map<string, number>();
  readonly #decision = emptyDecision();
  #keys: string[] = [];
  #limits: Limit[] = [];
  #uses = new Float64Array(64 * USE_WIDTH);
  /** Neighbours in the order of use, by entry. */
  #newer = new Int32Array(64);
  #older = new Int32Array(64);
  #newest = NONE;
  #oldest = NONE;
  /** Entries to use again. */
  readonly #free: number[] = [];

  /** @param clock milliseconds since 1970 that never go back */
  constructor(clock: () => number = unixClock, maxKeys: number = DEFAULT_MAX_KEYS) {
    this.#clock = clock;
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#entries.size;
  }

  take(key: string, cost: number, limit: Limit): Decision {
    const entry = this.#settled(key, limit);
    decide(limit, this.#uses, entry * USE_WIDTH, cost, true, this.#decision);
    return this.#decision;
  }

  peek(key: string, cost: number, limit: Limit): Decision {
    const entry = this.#settled(key, limit);
    decide(limit, this.#uses, entry * USE_WIDTH, cost, false, this.#decision);
    return this.#decision;
  }

  charge(key: string, cost: number, limit: Limit): void {
    const entry = this.#settled(key, limit);
    charge(limit, this.#uses, entry * USE_WIDTH, cost);
  }

  giveBack(key: string, cost: number, limit: Limit, takenAt: number): void {
    if (!this.#entries.has(key)) return;
    const entry = this.#settled(key, limit);
    giveBack(limit, this.#uses, entry * USE_WIDTH, cost, takenAt);
  }

  /** The entry of a key, right for this moment and this limit. */
  #settled(key: string, limit: Limit): number {
    const now = Math.floor(this.#clock());
    let entry = this.#entries.get(key);
    if (entry === undefined) entry = this.#add(key, limit, now);
    else if (entry !== this.#newest) {
      this.#unlink(entry);
      this.#linkNewest(entry);
    }
    const known = this.#limits[entry]!;
    if (known !== limit) {
      if (!sameLimit(known, limit)) convert(known, limit, this.#uses, entry * USE_WIDTH, now);
      this.#limits[entry] = limit;
    }
    settle(limit, this.#uses, entry * USE_WIDTH, now);
    return entry;
  }

  #add(key: string, limit: Limit, now: number): number {
    // Two at most each time, so that the table shrinks again after a flood without ever stopping for it.
    for (let i = 0; i < 2 && this.#oldest !== NONE && !this.#owes(this.#oldest, now); i++)
      this.#forget(this.#oldest);
    if (this.#entries.size >= this.#maxKeys) {
      this.evicted++;
      this.#forget(this.#oldest);
    }
    const entry = this.#free.pop() ?? this.#keys.length;
    if ((entry + 1) * USE_WIDTH > this.#uses.length) this.#grow();
    this.#keys[entry] = key;
    this.#limits[entry] = limit;
    this.#entries.set(key, entry);
    this.#linkNewest(entry);
    openUse(this.#uses, entry * USE_WIDTH, now);
    return entry;
  }

  #owes(entry: number, now: number): boolean {
    const limit = this.#limits[entry]!;
    settle(limit, this.#uses, entry * USE_WIDTH, now);
    return owed(limit, this.#uses, entry * USE_WIDTH) > 0;
  }

  #forget(entry: number): void {
    this.#entries.delete(this.#keys[entry]!);
    this.#keys[entry] = '';
    this.#unlink(entry);
    this.#free.push(entry);
  }

  #linkNewest(entry: number): void {
    this.#older[entry] = this.#newest;
    this.#newer[entry] = NONE;
    if (this.#newest === NONE) this.#oldest = entry;
    else this.#newer[this.#newest] = entry;
    this.#newest = entry;
  }

  #unlink(entry: number): void {
    const newer = this.#newer[entry]!;
    const older = this.#older[entry]!;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
  }

  #grow(): void {
    const uses = new Float64Array(2 * this.#uses.length);
    uses.set(this.#uses);
    this.#uses = uses;
    this.#newer = larger(this.#newer);
    this.#older = larger(this.#older);
  }
}

/** The wall's time at the start of the process, and on from there without the steps that a wall's clock may take. */
function unixClock(): number {
  return STARTED_AT + performance.now();
}

function larger(from: Int32Array): Int32Array<ArrayBuffer> {
  const to = new Int32Array(2 * from.length);
  to.set(from);
  return to;
}
