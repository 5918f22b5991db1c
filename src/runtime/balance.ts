/**
 * A fast, small generator (xorshift32) for choices that need spread and no secrecy: endpoints,
 * weights, jitter. Never for ids or tokens.
 */
export class Random {
  #state: number;

  /** @param seed any integer; the same seed gives the same sequence */
  constructor(seed: number = (Math.random() * 0x1_0000_0000) | 0) {
    // xorshift stays at zero for ever.
    this.#state = seed | 0 || 0x9e3779b9 | 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    return this.#step() * 2.3283064365386963e-10;
  }

  /** Uniform in 0 … n - 1. */
  below(n: number): number {
    return Math.floor(this.#step() * 2.3283064365386963e-10 * n);
  }

  #step(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
}

// Bounds a schedule's memory. Weights are brought to this scale where their sum is larger, which
// moves a share by less than one in a thousand unless there are thousands of endpoints.
const SCHEDULE_SLOTS = 4096;

/**
 * Lays weighted items out in a ring so that walking it visits each in proportion to its weight,
 * spread evenly (smooth weighted round-robin, worked out ahead so that a pick is one load).
 *
 * @param weights non-negative; an item of weight 0 is left out
 * @returns indexes into `weights`; empty where all are 0
 */
export function schedule(weights: readonly number[]): Uint32Array {
  const shares = reduce(weights);
  const visits: { at: number; item: number }[] = [];
  for (const [item, share] of shares.entries()) {
    // The n-th of `share` visits is due in the middle of the n-th of `share` equal parts of the ring.
    for (let n = 0; n < share; n++) visits.push({ at: (n + 0.5) / share, item });
  }
  visits.sort((a, b) => a.at - b.at || a.item - b.item);
  return Uint32Array.from(visits, (visit) => visit.item);
}

function reduce(weights: readonly number[]): number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const divisor = weights.reduce(greatestCommonDivisor, 0);
  if (sum === 0) return [];
  if (Number.isInteger(divisor) && sum / divisor <= SCHEDULE_SLOTS)
    return weights.map((weight) => weight / divisor);
  return weights.map((weight) =>
    weight === 0 ? 0 : Math.max(1, Math.round((weight * SCHEDULE_SLOTS) / sum)),
  );
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** What a strategy looks at. */
export interface Candidate {
  readonly weight: number;
  /** Requests in flight. */
  active: number;
}

/**
 * The next endpoint in the ring, passing over `avoid` as long as there is another one.
 *
 * @param cursor position of the last pick
 * @returns position in `ring` of the pick, to be kept as the next cursor; -1 where the ring is empty
 */
export function pickRoundRobin<T extends Candidate>(
  endpoints: readonly T[],
  ring: Uint32Array,
  cursor: number,
  avoid: T | null,
): number {
  const size = ring.length;
  if (size === 0) return -1;
  let at = cursor + 1 < size ? cursor + 1 : 0;
  if (avoid === null || endpoints[ring[at]!] !== avoid) return at;
  for (let step = 1; step < size; step++) {
    at = at + 1 < size ? at + 1 : 0;
    if (endpoints[ring[at]!] !== avoid) return at;
  }
  return at;
}

/**
 * The less loaded of two endpoints drawn by weight ("power of two choices"): near the best of all,
 * without every worker running to the same one. Load is requests in flight for each unit of weight.
 *
 * @returns index into `endpoints`; -1 where the ring is empty
 */
export function pickLeastRequest<T extends Candidate>(
  endpoints: readonly T[],
  ring: Uint32Array,
  random: Random,
  avoid: T | null,
): number {
  const size = ring.length;
  if (size === 0) return -1;
  const first = draw(endpoints, ring, random, avoid, -1);
  const second = draw(endpoints, ring, random, avoid, first);
  const a = endpoints[first]!;
  const b = endpoints[second]!;
  // Cross-multiplied: a.active / a.weight <= b.active / b.weight. On a tie the first draw stands, so
  // that an idle cluster is used in proportion to the weights.
  return a.active * b.weight <= b.active * a.weight ? first : second;
}

// A few draws find another endpoint unless one of them holds nearly all the weight; then the list
// is searched, which is bounded by the endpoints and not by the ring.
const DRAWS = 4;

function draw<T extends Candidate>(
  endpoints: readonly T[],
  ring: Uint32Array,
  random: Random,
  avoid: T | null,
  other: number,
): number {
  for (let i = 0; i < DRAWS; i++) {
    const index = ring[random.below(ring.length)]!;
    if (index !== other && endpoints[index] !== avoid) return index;
  }
  const size = endpoints.length;
  const start = random.below(size);
  for (let i = 0; i < size; i++) {
    const index = start + i < size ? start + i : start + i - size;
    const endpoint = endpoints[index]!;
    if (endpoint.weight > 0 && index !== other && endpoint !== avoid) return index;
  }
  // An endpoint drawn already is better than the one to avoid, and that one better than none.
  return other !== -1 ? other : ring[0]!;
}

/**
 * Chooses among weighted backends at random, so that shares hold without state to keep over
 * workers and swaps; within a few hundred requests they come out near the weights.
 */
export class WeightedChoice {
  /** Running sums of the weights. */
  readonly #upTo: Float64Array;
  readonly #sum: number;
  /** Index of the one item that has weight, else -1. */
  readonly #only: number;

  constructor(weights: readonly number[]) {
    let sum = 0;
    this.#upTo = Float64Array.from(weights, (weight) => (sum += weight));
    this.#sum = sum;
    this.#only =
      weights.filter((weight) => weight > 0).length === 1 ? weights.findIndex((weight) => weight > 0) : -1;
  }

  /** @returns index of the chosen item; -1 where no item has weight */
  pick(random: Random): number {
    if (this.#only !== -1) return this.#only;
    if (this.#sum === 0) return -1;
    const point = random.next() * this.#sum;
    let i = 0;
    while (this.#upTo[i]! <= point) i++;
    return i;
  }
}
