import { debtAt, type Decision, emptyDecision, type Limit, take } from './limit.ts';

export type { Decision, Limit } from './limit.ts';

/** Keeps what keys have used of their limits. */
export interface Ledger {
  /**
   * Takes `cost` from what `key` has left.
   *
   * @param key names the limit too: one key is used with one limit
   * @param waiter told later, with the ticket, where the answer is not known at once
   * @returns the decision, which the next call overwrites; null where the waiter will be told
   */
  take(key: string, cost: number, limit: Limit, waiter: LedgerWaiter, ticket: number): Decision | null;
}

/** Whom a ledger tells of a decision that took time. */
export interface LedgerWaiter {
  /** @param ticket as it was passed to `take`; @param decision the next one overwrites it */
  decided(ticket: number, decision: Decision): void;
}

const DEFAULT_MAX_KEYS = 100_000;

// By entry in the table of numbers.
const DEBT = 0;
const THEN = 1;
const PERIOD = 2;
const RATE = 3;
const WIDTH = 4;

const NONE = -1;

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
  #numbers = new Float64Array(64 * WIDTH);
  /** Neighbours in the order of use, by entry. */
  #newer = new Int32Array(64);
  #older = new Int32Array(64);
  #newest = NONE;
  #oldest = NONE;
  /** Entries to use again. */
  readonly #free: number[] = [];

  /** @param clock monotonic milliseconds */
  constructor(clock: () => number = () => performance.now(), maxKeys: number = DEFAULT_MAX_KEYS) {
    this.#clock = clock;
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#entries.size;
  }

  take(key: string, cost: number, limit: Limit): Decision {
    const now = Math.floor(this.#clock());
    let entry = this.#entries.get(key);
    if (entry === undefined) entry = this.#add(key, limit, now);
    else if (entry !== this.#newest) {
      this.#unlink(entry);
      this.#linkNewest(entry);
    }
    const numbers = this.#numbers;
    const at = entry * WIDTH;
    if (numbers[at + PERIOD] !== limit.periodMs || numbers[at + RATE] !== limit.requests)
      this.#convert(at, limit, now);
    const debt = debtAt(limit, numbers[at + DEBT]!, numbers[at + THEN]!, now);
    numbers[at + DEBT] = take(limit, debt, cost, this.#decision);
    numbers[at + THEN] = now;
    return this.#decision;
  }

  #add(key: string, limit: Limit, now: number): number {
    // Two at most each time, so that the table shrinks again after a flood without ever stopping for it.
    for (let i = 0; i < 2 && this.#oldest !== NONE && this.#owes(this.#oldest, now) === 0; i++)
      this.#forget(this.#oldest);
    if (this.#entries.size >= this.#maxKeys) {
      this.evicted++;
      this.#forget(this.#oldest);
    }
    const entry = this.#free.pop() ?? this.#keys.length;
    if (entry * WIDTH >= this.#numbers.length) this.#grow();
    this.#keys[entry] = key;
    this.#entries.set(key, entry);
    this.#linkNewest(entry);
    const at = entry * WIDTH;
    this.#numbers[at + DEBT] = 0;
    this.#numbers[at + THEN] = now;
    this.#numbers[at + PERIOD] = limit.periodMs;
    this.#numbers[at + RATE] = limit.requests;
    return entry;
  }

  #owes(entry: number, now: number): number {
    const at = entry * WIDTH;
    const gone = Math.max(0, now - this.#numbers[at + THEN]!);
    return Math.max(0, this.#numbers[at + DEBT]! - gone * this.#numbers[at + RATE]!);
  }

  /** The key's limit was changed: as many requests stay owed. */
  #convert(at: number, limit: Limit, now: number): void {
    const owed = this.#owes(at / WIDTH, now) / this.#numbers[at + PERIOD]!;
    this.#numbers[at + DEBT] = Math.ceil(owed * limit.periodMs);
    this.#numbers[at + THEN] = now;
    this.#numbers[at + PERIOD] = limit.periodMs;
    this.#numbers[at + RATE] = limit.requests;
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
    const numbers = new Float64Array(2 * this.#numbers.length);
    numbers.set(this.#numbers);
    this.#numbers = numbers;
    this.#newer = larger(this.#newer);
    this.#older = larger(this.#older);
  }
}

function larger(from: Int32Array): Int32Array<ArrayBuffer> {
  const to = new Int32Array(2 * from.length);
  to.set(from);
  return to;
}
