import { BACKOFF_MAX_MS, BACKOFF_MIN_MS, BREAKER_TRAPS, BREAKER_WINDOW_MS } from './limits.ts';

/** Decides when a trapped instance is replaced. Pure: times come in, delays go out. */
export class CrashLoop {
  /** Times of the last traps, oldest first. */
  readonly #traps: number[] = [];
  #inRow = 0;

  /**
   * @param livedMs how long the instance served
   * @param eager whether there is something better to go back to: then there is no wait before the breaker
   *   trips, so that it comes to that soon
   * @returns milliseconds until the next instance: none after the first trap, then `BACKOFF_MIN_MS`
   *   doubling to `BACKOFF_MAX_MS`, which is also the pause of a tripped breaker
   */
  trap(now: number, livedMs: number, eager = false): number {
    if (livedMs >= BREAKER_WINDOW_MS) this.#inRow = 0;
    this.#inRow++;
    this.#traps.push(now);
    if (this.#traps.length > BREAKER_TRAPS) this.#traps.shift();
    if (this.isTripped(now)) return BACKOFF_MAX_MS;
    if (eager || this.#inRow === 1) return 0;
    return Math.min(BACKOFF_MIN_MS * 2 ** (this.#inRow - 2), BACKOFF_MAX_MS);
  }

  /** `BREAKER_TRAPS` traps lie within `BREAKER_WINDOW_MS`. */
  isTripped(now: number): boolean {
    return this.#traps.length === BREAKER_TRAPS && now - this.#traps[0]! <= BREAKER_WINDOW_MS;
  }
}
