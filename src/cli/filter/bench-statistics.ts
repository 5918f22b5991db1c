/** The middle of a list; NaN of an empty one. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Half of the distance between the quartiles, as a share of the median. */
export function spread(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  return (at(0.75) - at(0.25)) / 2 / median(values);
}

/** Where the median of what was drawn from lies, nineteen times out of twenty. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * The interval for a median that makes no assumption about how values are spread: between the k-th value from either
 * end, where the chance that the median lies beyond is at most 5 % (binomial, one half).
 */
export function medianInterval(values: readonly number[]): Interval {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  let beyond = 0;
  let chance = 2 ** -n;
  let k = 0;
  // `chance` is that of exactly k values below the median.
  while (k < n / 2 && 2 * (beyond + chance) <= 0.05) {
    beyond += chance;
    chance *= (n - k) / (k + 1);
    k++;
  }
  const from = Math.max(k - 1, 0);
  return { low: sorted[from]!, high: sorted[n - 1 - from]! };
}
